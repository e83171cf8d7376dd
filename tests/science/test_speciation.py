"""The least loss of mixtures and their speciation, by quadrature, by brute force, in limits."""

import numpy as np
import pytest

from lindiff.science import denoisers
from lindiff.science.draws import generator
from lindiff.science.mixture import make_mixture, one_class
from lindiff.science.schedule import make_schedule
from lindiff.science.speciation import bayes_loss, speciation_time

S = np.append(10.0, np.ones(7))
SCHEDULE = make_schedule(timesteps=25)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def mean_tanh_squared(ratio):
    """E tanh²(r y) of y ~ N(r, 1): 1 minus the mean spread of the sign of two classes at ±r."""
    return WEIGHTS @ np.tanh(ratio * (NODES + ratio)) ** 2


def linear_optimum(s, schedule):
    signal = schedule.alpha_bar[:, None] * s
    return (signal / (signal + schedule.q[:, None])).mean()


def test_the_least_loss_of_two_equal_classes_is_a_quadrature():
    """Within a class Σ_j ᾱc_j/(ᾱc_j + q), and q ᾱ m²/(ᾱc_1 + q)² times E(1 − tanh²)."""
    share = 0.8
    within, square = np.append(S[0] * (1 - share), S[1:]), share * S[0]
    alpha_bar, q = SCHEDULE.alpha_bar, SCHEDULE.q
    known = (alpha_bar[:, None] * within / (alpha_bar[:, None] * within + q[:, None])).sum(axis=1)
    noise = alpha_bar * within[0] + q
    spread = [1 - mean_tanh_squared(np.sqrt(a * square / v)) for a, v in zip(alpha_bar, noise)]  # noqa: B905
    expected = np.mean(known + q * alpha_bar * square / noise**2 * spread) / len(S)
    mixture = make_mixture(S, [1, 1], between=share)
    found, error = bayes_loss(mixture, SCHEDULE, generator("x"))
    assert found == pytest.approx(expected, abs=4 * error)
    assert error < 1e-4 * expected


@pytest.mark.parametrize(
    "given",
    [
        {"weights": [5, 3, 2], "between": 0.7},
        {"weights": [6, 4], "variances": [1, 4]},
        {"weights": [6, 4], "means": [[0.5, 0.3], [-0.2, 0.6]], "variances": [2, 1]},
    ],
)
def test_the_least_loss_is_that_of_the_exact_denoiser(given):
    mixture = make_mixture(S, **given)

    def fresh(rng, count):
        return mixture.sample(count, rng, rng)[0]

    denoise = mixture.denoiser(SCHEDULE, np.zeros(len(S)))
    losses = denoisers.monte_carlo_losses(denoise, SCHEDULE, (fresh, fresh), generator("y"), 2000)
    measured, spread = denoisers.over_rounds(losses[1])
    found, error = bayes_loss(mixture, SCHEDULE, generator("x"))
    assert found == pytest.approx(measured, abs=4 * spread)
    assert error < 1e-4 * found
    assert found < linear_optimum(S, SCHEDULE)


def test_its_error_is_that_of_repeats():
    mixture, few = make_mixture(S, [0.7, 0.3], between=0.9), make_schedule(timesteps=11)
    found = np.array([bayes_loss(mixture, few, generator("x", i=i)) for i in range(30)])
    assert found[:, 0].std(ddof=1) == pytest.approx(found[:, 1].mean(), rel=0.5)


@pytest.mark.parametrize("d", [2, 8, 64])
@pytest.mark.parametrize(
    "given",
    [
        {"weights": [7, 3], "between": 0.9},
        {"weights": [95, 5], "between": 0.95},
        {"weights": [1, 1], "between": 0.99},
        {"weights": [5, 3], "variances": [1, 10]},
    ],
)
def test_its_error_is_below_three_thousandths_over_the_dimension(given, d):
    """Of it, as the help of the column says, in whatever number of levels from 25 on."""
    s = np.append(10.0, np.ones(d - 1))
    for timesteps in (25, 100):
        found, error = bayes_loss(
            make_mixture(s, **given), make_schedule(timesteps=timesteps), generator("x")
        )
        assert 0 < error < 3e-3 / d * found


def test_the_least_loss_of_one_class_is_that_of_the_linear_optimum():
    found, error = bayes_loss(one_class(S), SCHEDULE, generator("x"))
    assert found == pytest.approx(linear_optimum(S, SCHEDULE), rel=1e-12)
    assert error == 0


def test_classes_that_hardly_differ_are_one():
    mixture = make_mixture(S, [1, 1], between=1e-7)
    found, _ = bayes_loss(mixture, SCHEDULE, generator("x"))
    assert found == pytest.approx(linear_optimum(S, SCHEDULE), rel=1e-9)


def half_decided():
    """The distance r of two equal classes at ±r, of variance 1, at which E tanh² is a half."""
    low, high = 0.1, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_tanh_squared(middle) < 0.5 else (low, middle)
    return low


def test_speciation_of_two_equal_classes_is_a_quadrature():
    """E Σ p² = (1 + E tanh²)/2 is ¾ where m²/(c_1 + σ²) = r²."""
    share = 0.95
    mixture = make_mixture(S, [1, 1], between=share)
    variance = share * S[0] / half_decided() ** 2 - (1 - share) * S[0]
    time, error = speciation_time(mixture, generator("x"))
    assert time == pytest.approx(np.log1p(variance) / 2, abs=4 * error)
    assert 0 < error < 0.01


def test_speciation_meets_its_law_of_large_separation():
    """t_S = ½ ln Λ up to −ln r = 0.08, whatever Λ (Biroli et al.), Λ in units of the noise."""
    for square in (1e2, 1e4):
        s = np.append(square + 1, np.ones(3))
        time, error = speciation_time(
            make_mixture(s, [1, 1], between=square / (square + 1)), generator("x")
        )
        assert time - np.log(square) / 2 == pytest.approx(-np.log(half_decided()), abs=4 * error)
    assert -np.log(half_decided()) == pytest.approx(0.08, abs=0.01)


def test_at_speciation_two_points_of_one_noisy_point_are_half_way_to_independent():
    """By pairs: classes drawn from the posterior twice, of three classes of other covariances."""
    given = {"weights": [5, 3, 2], "means": [[0.9, 0.1], [-0.7, 0.6], [-0.6, -0.7]]}
    mixture = make_mixture(S, **given, variances=[1, 2, 1])
    time, error = speciation_time(mixture, generator("x"))
    alpha_bar = np.exp(-2 * time)
    rng = np.random.default_rng(0)
    clean, _ = mixture.sample(20_000, rng, rng)
    x = np.sqrt(alpha_bar) * clean + np.sqrt(1 - alpha_bar) * rng.standard_normal(clean.shape)
    p = mixture.posterior(x, alpha_bar, 1 - alpha_bar).cumsum(axis=1)
    one, two = ((rng.random((len(p), 1)) > p[:, :-1]).sum(axis=1) for _ in range(2))
    middle = (1 + (mixture.weights**2).sum()) / 2
    assert (one == two).mean() == pytest.approx(middle, abs=0.015)
    assert 0 < error < 0.05 * time


def test_classes_that_overlap_have_no_speciation():
    assert np.isnan(speciation_time(make_mixture(S, [1, 1], between=0.2), generator("x"))[0])
