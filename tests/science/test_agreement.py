"""Agreement of two halves against sampling with matrices, limits, and the large-system theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science import measure
from lindiff.science.agreement import agreement, make_halves
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limiting
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser

TRAININGS = [
    Training(ridge=0.1),
    Training(weight_decay=0.02),
    Training(stop=30.0, ridge=0.01),
    Training(stop=8.0, learning_rate=0.1, init_scale=0.5),
]
IDEAL = [Training(), Training(ridge=0.1)]


def of_halves(one, other, trainings, schedule, sampler):
    """Agreement by the recursion on each half's nodes."""
    bank = Bank(schedule, trainings)
    maps = []
    for half in (one, other):
        response = bank.response(measure.of_draw(half).nodes, sampler)
        maps.append(response.P if sampler else np.exp(response.log_v / 2))
    return agreement(make_halves(one, other), *maps, start_factor(schedule, sampler))


def two(n, *, d=5, mean=0.0, known=False, kind="samples", spectrum=None):
    s = make_spectrum("power_law", d, exponent=1.0) if spectrum is None else spectrum
    return [make_draw(kind, s, n, seed, {}, mean, known) for seed in (1, 2)]


def generator_of(draw, training, schedule, sampler):
    """x = m + F ξ as the generator's own steps make it: m of shape (d,) and the matrix F."""
    d, X = draw.d, draw.centred
    covariance = X.T @ X / draw.n
    if sampler is None:
        values, U = np.linalg.eigh(covariance + training.ridge * np.eye(d))
        return draw.centre, (U * np.sqrt(np.maximum(values, 0))) @ U.T
    m, F = np.zeros(d), np.eye(d)
    for i, index in enumerate(sampler.levels):
        W, root = denoiser(schedule, index, covariance, training), schedule.alpha_bar[index] ** 0.5
        m = sampler.A[i] * m - sampler.B[i] * W @ (m - root * draw.centre)
        F = (sampler.A[i] * np.eye(d) - sampler.B[i] * W) @ F
    return m, F


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("mean", [0.0, 0.7])
@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("ideal", [False, True])
def test_agreement_against_matrices(ideal, n, mean, known):
    """Both generators step by step, and 4,000 noises sent through both."""
    schedule = make_schedule("linear", 25)
    sampler = None if ideal else make_sampler("ddim", schedule)
    trainings = IDEAL if ideal else TRAININGS
    halves = two(n, mean=mean, known=known)
    found = of_halves(*halves, trainings, schedule, sampler)
    mu, noise = np.full(5, mean), np.random.default_rng(0).standard_normal((4000, 5))
    for value, training in zip(found, trainings, strict=True):
        (m, F), (m2, F2) = (generator_of(half, training, schedule, sampler) for half in halves)
        cross = (m - mu) @ (m2 - mu) + np.trace(F @ F2.T)
        power = [(a - mu) @ (a - mu) + np.trace(A @ A.T) for a, A in ((m, F), (m2, F2))]
        # The root of a null direction's zero has an error of 1e-8.
        tolerance = 1e-6 if ideal else 1e-10
        assert value == pytest.approx(cross / np.sqrt(np.prod(power)), rel=tolerance)
        x, x2 = (m - mu + noise @ F.T), (m2 - mu + noise @ F2.T)
        size, size2 = ((y**2).sum(axis=1) for y in (x, x2))
        products = (x * x2).sum(axis=1) / np.sqrt(size.mean() * size2.mean())
        # Of a ratio of means: each sample's part in it to first order.
        parts = products - products.mean() * (size / size.mean() + size2 / size2.mean()) / 2
        assert abs(value - products.mean()) < 5 * parts.std() / np.sqrt(len(noise)) + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(2, 14), st.floats(-1, 1), st.booleans(), st.booleans())
def test_agreement_is_symmetric_bounded_and_one_for_the_same_set(d, n, mean, known, ideal):
    schedule = make_schedule("linear", 25)
    sampler = None if ideal else make_sampler("ddim", schedule)
    one, other = two(n, d=d, mean=mean, known=known, kind="wishart")
    trainings = IDEAL if ideal else TRAININGS
    forward = of_halves(one, other, trainings, schedule, sampler)
    backward = of_halves(other, one, trainings, schedule, sampler)
    np.testing.assert_allclose(forward, backward, rtol=1e-10, atol=1e-12)
    assert np.all(np.abs(forward) <= 1 + 1e-12)
    same = of_halves(one, one, trainings, schedule, sampler)
    np.testing.assert_allclose(same, 1, rtol=1e-10)


@pytest.mark.parametrize("ideal", [False, True])
def test_many_samples_agree(ideal):
    schedule = make_schedule("linear", 25)
    sampler = None if ideal else make_sampler("ddim", schedule)
    trainings = IDEAL if ideal else TRAININGS
    missing = [
        1 - of_halves(*two(n, d=20, kind="wishart"), trainings, schedule, sampler)
        for n in (10**4, 10**6, 10**10)
    ]
    assert np.all(missing[2] < 1e-8)
    # Both covariances err by order 1/√N, and the agreement is quadratic in their difference.
    np.testing.assert_allclose(missing[0] / missing[1], 100, rtol=0.3)


def test_generators_of_nothing_have_no_agreement():
    """Where both models make the population mean and nothing else there is no correlation."""
    one, other = two(4, known=True)
    nothing = np.zeros((len(measure.of_draw(one).nodes), 1))
    assert np.isnan(agreement(make_halves(one, other), nothing, nothing, 0.0)).all()


@pytest.mark.parametrize(("d", "least", "most"), [(10, 0.002, 0.005), (40, 0.0, 0.001)])
def test_a_mean_of_agreements_is_above_their_limit(d, least, most):
    """Of small systems: a ratio of each pair of training sets, not a ratio of means over them."""
    n, s = 5 * d // 2, make_spectrum("power_law", d, exponent=1.0)

    def ideal(nodes):
        return np.sqrt(nodes[:, None] + 0.02)

    limit = limiting(s, n)
    F, null = ideal(limit.nodes), ideal(np.zeros(1))
    spread = limit.trace(np.ones_like(limit.spectrum), F**2, null**2)
    theory = limit.counts @ limit.diagonal(F, null) ** 2 / (spread + s.sum() / n)
    draws = [make_draw("wishart", s, n, seed, {}) for seed in range(6000)]
    maps = [ideal(draw.eigenvalues) for draw in draws]
    values = [
        agreement(make_halves(*draws[i : i + 2]), *maps[i : i + 2], 0.0)[0]
        for i in range(0, len(draws), 2)
    ]
    above = np.array(values) / theory - 1
    assert least < above.mean() < most
    assert above.std() / np.sqrt(len(above)) < 0.0008


@pytest.mark.parametrize("ideal", [False, True])
@pytest.mark.parametrize("n", [40, 160, 202, 1000])
def test_agreement_meets_theory(n, ideal):
    """d = 200: Σ_j F̄_jj² over tr F² and the error of the mean, F̄_jj the limit on each mode.

    The halves are independent, so E tr F F' = Σ_ij (E F_ij)², and E F is diagonal. The means'
    errors are independent too and only in the denominator.
    """
    s, schedule = make_spectrum("power_law", 200, exponent=1.0), make_schedule("linear", 50)
    sampler = None if ideal else make_sampler("ddim", schedule)
    trainings = [Training(ridge=0.01), Training(ridge=0.3)]
    if not ideal:
        trainings += [Training(weight_decay=0.01), Training(stop=20.0)]
    root, bank = start_factor(schedule, sampler), Bank(schedule, trainings)
    limit = limiting(s, n)
    F, null = (
        bank.response(nodes, sampler).P if sampler else np.sqrt(nodes[:, None] + bank.ridge)
        for nodes in (limit.nodes, np.zeros(1))
    )
    common = limit.counts @ limit.diagonal(F, null) ** 2
    spread = limit.trace(np.ones_like(limit.spectrum), F**2, null**2)
    means = limit.trace(limit.spectrum, (1 - root * F) ** 2, (1 - root * null) ** 2) / n
    theory = common / (spread + means)

    count = 24
    draws = [make_draw("wishart", s, n, seed, {}) for seed in range(2 * count)]
    pairs = zip(draws[::2], draws[1::2], strict=True)
    values = np.array([of_halves(*pair, trainings, schedule, sampler) for pair in pairs])
    deviation = values.mean(axis=0) - theory
    error = values.std(axis=0, ddof=1) / np.sqrt(count)
    assert np.all(np.abs(deviation) < 5 * error + 1e-3 * theory), (deviation, error, theory)
