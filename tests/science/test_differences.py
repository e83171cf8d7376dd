"""Differences of two halves: against matrices, in the limit of many samples, against the theory."""

import numpy as np
import pytest
from scipy import stats

from lindiff.science.differences import differences, limit_of_differences, mean_resolvent
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.laws import (
    difference_of_halves,
    renormalized_noise,
    renormalized_noise_of,
    renormalized_noise_of_power_law,
)
from lindiff.science.pools import make_pool
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser

TRAININGS = [
    Training(),
    Training(ridge=0.1),
    Training(weight_decay=0.02),
    Training(stop=8.0, learning_rate=0.1, init_scale=0.5),
]
SCHEDULE = make_schedule("linear", 100)


def matrix(draw, training, index):
    X = draw.centred
    return denoiser(SCHEDULE, index, X.T @ X / draw.n, training)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("mean", [0.0, 0.7])
@pytest.mark.parametrize("n", [3, 12])
def test_differences_against_matrices(n, mean, known):
    """The second moment of both denoisers' difference as an affine map of x_0 and ε."""
    s = make_spectrum("power_law", 5, exponent=1.0)
    one, other = (make_draw("samples", s, n, seed, {}, mean, known) for seed in (1, 2))
    for index in (0, 13, 99):
        found = differences(one, other, Bank(SCHEDULE, TRAININGS), index)
        a, b = SCHEDULE.alpha_bar[index] ** 0.5, SCHEDULE.q[index] ** 0.5
        for training, values in zip(TRAININGS, found, strict=True):
            W, V = matrix(one, training, index), matrix(other, training, index)
            centre = a * (W @ (one.mean - one.centre) - V @ (other.mean - other.centre))
            signal, noise = a * (W - V) * np.sqrt(s), b * (W - V)
            expected = centre**2 + (signal**2).sum(axis=1) + (noise**2).sum(axis=1)
            np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def test_differences_on_held_out_rows():
    pool = make_pool("digits")
    one, other = (pool.draw(40, 0, start=start) for start in (0, 40))
    rows, index = pool.held_out, 30
    a, q = SCHEDULE.alpha_bar[index] ** 0.5, SCHEDULE.q[index]
    W, V = (
        denoiser(SCHEDULE, index, (d.vectors * d.eigenvalues) @ d.vectors.T, Training())
        for d in (one, other)
    )
    clean = a * ((rows - one.centre) @ W.T - (rows - other.centre) @ V.T)
    expected = (clean**2).mean(axis=0) + q * ((W - V) ** 2).sum(axis=1)
    found = differences(one, other, Bank(SCHEDULE, [Training()]), index)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_differences_fall_as_one_over_n():
    """At large N to the law of the linear answer of both halves to their covariances."""
    s, n, index = make_spectrum("power_law", 6, exponent=1.0), 10**7, 40
    bank = Bank(SCHEDULE, [Training()])
    found = limit_of_differences(s, n, SCHEDULE, index, 0.0)
    pairs = [
        differences(*(make_draw("wishart", s, n, seed) for seed in (i, i + 1)), bank, index)[0]
        for i in range(0, 300, 2)
    ]
    error = np.std(pairs, axis=0, ddof=1) / np.sqrt(len(pairs))
    assert (np.abs(np.mean(pairs, axis=0) - found) < 4 * error).all()
    assert (error < 0.1 * found).all()
    ten = limit_of_differences(s, 10 * n, SCHEDULE, index, 0.0)
    np.testing.assert_allclose(found / ten, 10, rtol=1e-4)


def test_a_mean_resolvent_has_its_order_1_over_n():
    """Of one dimension, where the mean over χ² of n degrees of freedom is an integral."""
    off = []
    for n in (40, 80):
        chi = stats.chi2(n)
        mean = chi.expect(lambda x, n=n: 1 / (x + n))
        found, w = mean_resolvent(np.array([float(n)]), np.ones(1), n)
        off.append([found[0] / mean - 1, 1 / (n + w) / mean - 1])
    (first, leading), (second, also_leading) = np.abs(off)
    assert first < 0.1 * leading
    # Left are orders 1/n² and 1/n.
    assert 3 < first / second < 5
    assert 1.5 < leading / also_leading < 2.5


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("kind", ["isotropic", "power_law"])
def test_the_limit_meets_seed_means_at_d_200(kind, known):
    s = make_spectrum(kind, 200, **({"exponent": 1.0} if kind == "power_law" else {}))
    for n in (100, 200, 400):
        for ridge, index in ((0.0, 20), (0.05, 50)):
            bank = Bank(SCHEDULE, [Training(ridge=ridge)])
            made = [make_draw("wishart", s, n, seed, {}, 0.0, known) for seed in range(60)]
            pairs = zip(made[::2], made[1::2], strict=True)
            drawn = np.array([differences(*pair, bank, index)[0] for pair in pairs])
            penalty = float(bank.penalty(index)[0])
            limit = limit_of_differences(s, n, SCHEDULE, index, penalty, known)
            # All modes together, and each mode in units of its own error.
            total = drawn.sum(axis=1)
            error = total.std(ddof=1) / np.sqrt(len(total))
            assert abs(total.mean() - limit.sum()) < 0.005 * limit.sum() + 2.5 * error
            assert error < 0.004 * limit.sum()
            z = (drawn.mean(axis=0) - limit) / (drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn)))
            assert abs(z.mean()) < 0.35
            assert (z**2).mean() < 1.5


@pytest.mark.parametrize("n", [1000, 4000])
def test_the_law_is_the_limit_of_large_systems(n):
    s, index = make_spectrum("power_law", 2000, exponent=0.5), 30
    noise = float(SCHEDULE.q[index] / SCHEDULE.alpha_bar[index])
    found = limit_of_differences(s, n, SCHEDULE, index, 0.0, known_centre=True)
    np.testing.assert_allclose(found, difference_of_halves(s, n, noise), rtol=0.01)


def test_the_renormalized_noise_of_a_spectrum():
    for n, noise in ((50, 0.01), (100, 0.2), (800, 3.0)):
        expected = renormalized_noise(n / 100, noise)
        assert renormalized_noise_of(np.ones(100), n, noise) == pytest.approx(expected, rel=1e-12)
    s = make_spectrum("power_law", 100, exponent=1.0)
    kappa = renormalized_noise_of(s, 60, 0.1)
    assert kappa == pytest.approx(0.1 + kappa * np.sum(s / (s + kappa)) / 60, rel=1e-12)
    assert renormalized_noise_of_power_law(0.1, 1.0, 60, 100) == pytest.approx(kappa, rel=1e-12)
