import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lindiff
from lindiff.science.inversion import Problem, whitening
from lindiff.science.laws import optimal_loss
from lindiff.science.population import estimate_spectrum
from lindiff.science.prediction import Predictor, grouped
from lindiff.science.schedule import make_schedule

D = 40
J = np.arange(1, D + 1)
SPECTRA = {
    "isotropic": np.ones(D),
    "power law 1": J**-1.0,
    "power law 2": J**-2.0,
    "two-level": np.where(J <= D / 4, 10.0, 1.0),
}


def sample_eigenvalues(s, n, rng, known_centre=False):
    """Eigenvalues of Σ0 of n samples of N(μ, diag s), by Bartlett's decomposition, zeros last."""
    freedom = n - (not known_centre)
    rank = min(len(s), freedom)
    T = np.tril(rng.standard_normal((len(s), rank)), -1)
    T[np.arange(rank), np.arange(rank)] = np.sqrt(rng.chisquare(freedom - np.arange(rank)))
    T *= np.sqrt(s / n)[:, None]
    values = np.maximum(np.linalg.eigvalsh(T.T @ T), 0)[::-1]
    return np.append(values, np.zeros(len(s) - rank))


def normalized(name):
    return SPECTRA[name] / SPECTRA[name].mean()


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize(
    ("ratio", "bar"),
    [
        (0.5, 0.10),
        pytest.param(1.5, 0.05, marks=pytest.mark.slow),
        pytest.param(10, 0.02, marks=pytest.mark.slow),
    ],
)
def test_predicted_losses_from_a_sample_are_near_those_of_its_population(name, ratio, bar):
    """Mean error of the test loss at N = 10 d over samples; a plug-in is off by half at M = d/2."""
    s, n = normalized(name), round(ratio * D)
    true = lindiff.linear_theory(s, 10 * D)["test_loss"][0]
    off = []
    for seed in range(8):
        seen = sample_eigenvalues(s, n, np.random.default_rng((5, seed)))
        found = estimate_spectrum(seen, n).spectrum
        off.append(abs(lindiff.linear_theory(found, 10 * D)["test_loss"][0] / true - 1))
    assert np.mean(off) < bar


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ratio"), [("power law 1", 0.5), ("two-level", 1.5)])
def test_draws_of_the_posterior_scatter_as_the_estimate_is_off(name, ratio):
    """ln of the optimal loss: the truth is as far from the draws' mean as they are wide."""
    s, n, alpha_bar = normalized(name), round(ratio * D), make_schedule().alpha_bar
    true, z = np.log(optimal_loss(alpha_bar, s).mean()), []
    for seed in range(16):
        rng = np.random.default_rng((7, seed))
        found = estimate_spectrum(sample_eigenvalues(s, n, rng), n)
        drawn = np.log([optimal_loss(alpha_bar, x).mean() for x in found.draw(6, rng)])
        z.append((true - drawn.mean()) / drawn.std(ddof=1))
    assert np.mean(np.abs(z) < 2.78) >= 0.8  # of Student's t with 5 degrees, and 1 + 1/6
    assert np.median(np.abs(z)) < 1.2


def test_the_sample_in_the_place_of_the_population_is_wrong_by_half():
    s = normalized("power law 1")
    true = lindiff.linear_theory(s, 10 * D)["test_loss"][0]
    seen = sample_eigenvalues(s, D // 2, np.random.default_rng(1))
    assert lindiff.linear_theory(seen, 10 * D)["test_loss"][0] < 0.7 * true


def test_many_samples_are_their_population():
    s = normalized("power law 1")
    seen = sample_eigenvalues(s, 10**6, np.random.default_rng(0))
    found = estimate_spectrum(seen, 10**6).spectrum
    # Sums over the spectrum are sure; neighbours are told apart less well.
    np.testing.assert_allclose(found, s, rtol=0.06)
    one, other = (lindiff.linear_theory(x, 80)["test_loss"][0] for x in (found, s))
    assert one == pytest.approx(other, rel=1e-3)


@settings(max_examples=5, deadline=None)
@given(factor=st.floats(1e-6, 1e6))
def test_the_unit_of_the_eigenvalues_does_not_matter(factor):
    seen = sample_eigenvalues(normalized("power law 1"), 60, np.random.default_rng(2))
    one, other = estimate_spectrum(seen, 60), estimate_spectrum(seen * factor, 60)
    np.testing.assert_allclose(other.spectrum, one.spectrum * factor, rtol=1e-3)
    assert one.roughness == other.roughness


def test_the_order_of_the_eigenvalues_does_not_matter():
    seen = sample_eigenvalues(normalized("two-level"), 60, np.random.default_rng(2))
    one, other = estimate_spectrum(seen, 60), estimate_spectrum(seen[::-1], 60)
    np.testing.assert_array_equal(one.spectrum, other.spectrum)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("n", [20, 41, 100])
def test_eigenvalues_are_those_of_drawn_samples(n, known):
    """Their first two moments, beside samples that are drawn one by one."""
    s, rng = normalized("power law 1"), np.random.default_rng(0)
    rows = rng.standard_normal((400, n, D)) * np.sqrt(s)
    rows -= 0 if known else rows.mean(axis=1, keepdims=True)
    drawn = np.linalg.eigvalsh(np.swapaxes(rows, 1, 2) @ rows / n)
    quick = np.array([sample_eigenvalues(s, n, rng, known) for _ in range(400)])
    for power in (1, 2):
        a, b = (drawn**power).sum(axis=1), (quick**power).sum(axis=1)
        error = np.hypot(a.std(), b.std()) / 20
        assert abs(a.mean() - b.mean()) < 4 * error
    assert (np.count_nonzero(quick[0] > 0) == min(n - (not known), D)) or n > D


def test_scatter_of_the_resolvent_is_that_of_draws():
    """The covariance of Bai and Silverstein, beside 2,000 samples."""
    s, n = normalized("power law 1"), 120
    seen = np.array([sample_eigenvalues(s, n, np.random.default_rng(i)) for i in range(2000)])
    problem = Problem.of(seen[0] / seen[0, 0], n - 1)
    z = problem.ridge
    values = (z / (seen[:, :, None] / seen[0, 0] + z)).sum(axis=1)
    expected = problem.scatter(s * (n - 1) / n / seen[0, 0])
    drawn = np.cov(values.T)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(drawn / scale[:, None] / scale, expected / scale[:, None] / scale,
                               atol=0.12)  # fmt: skip
    mean, _ = problem.resolvent(s * (n - 1) / n / seen[0, 0])
    assert np.all(np.abs(values.mean(axis=0) - mean) < 4 * scale / np.sqrt(2000) + 0.01)


def test_whitened_values_are_independent():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    W = whitening(root @ root.T)
    np.testing.assert_allclose(W @ root @ root.T @ W.T, np.eye(6), atol=1e-8)


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(ValueError, match="all eigenvalues are zero"):
        estimate_spectrum(np.zeros(4), 10)
    with pytest.raises(ValueError, match="not negative"):
        estimate_spectrum(np.array([1.0, -1.0]), 10)
    with pytest.raises(ValueError, match="n = 2"):
        estimate_spectrum(np.ones(4), 2)


def test_groups_keep_the_trace_and_the_losses():
    s = np.arange(1, 401) ** -1.0
    s /= s.mean()
    few = grouped(s)
    assert len(np.unique(few)) < 130
    assert few.sum() == pytest.approx(s.sum())
    one, other = (lindiff.linear_theory(x, 800) for x in (s, few))
    for name in ("test_loss", "kl_model_data", "kl_data_model"):
        assert other[name][0] == pytest.approx(one[name][0], rel=2e-3)


def test_predictions_are_the_theory():
    s = normalized("power law 2")
    trainings = [lindiff.Training(), lindiff.Training(ridge=0.1), lindiff.Training(stop=10.0)]
    schedule = lindiff.make_schedule()
    sampler = lindiff.make_sampler("ddim", schedule)
    ns = [20, 60, 400]
    found = Predictor(trainings, s, ns, sampler)(s, ns, divergences=True)
    for i, n in enumerate(ns):
        theory = lindiff.linear_theory(s, n, trainings, schedule, sampler)
        for name in ("train_loss", "test_loss", "kl_model_data", "kl_data_model"):
            np.testing.assert_allclose(found[name][i], theory[name], rtol=1e-3)
