"""The empirical score against sums in the log domain, limits, and exact optima."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from lindiff.science import empirical
from lindiff.science.denoisers import (
    linear,
    monte_carlo_losses,
    nonlinearity,
    normal,
    over_rounds,
    rows_of,
)
from lindiff.science.draws import make_draw
from lindiff.science.empirical import posterior_mean
from lindiff.science.filters import Bank, Training
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum

SHORT = make_schedule("linear", 25)


def point_by_point(points, x, alpha_bar, q):
    """The posterior mean of one noisy point after the other, by Bayes' rule as it is written."""
    found = []
    for noisy in x:
        log = [-np.sum((noisy - np.sqrt(alpha_bar) * p) ** 2) / (2 * q) for p in points]
        found.append(np.exp(log - logsumexp(log)) @ points)
    return np.array(found)


def training_set(n, d=16, seed=0):
    return make_draw("samples", make_spectrum("power_law", d, exponent=1.0), n, seed)


@pytest.mark.parametrize("block", [1, 40, 1 << 20])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
@pytest.mark.parametrize("t", [1, 10, 300, 1000])
def test_posterior_mean_point_by_point(t, n, block, monkeypatch):
    monkeypatch.setattr(empirical, "_BLOCK", block)
    rng, schedule = np.random.default_rng(t + n), make_schedule()
    alpha_bar, q = schedule.alpha_bar[t - 1], schedule.q[t - 1]
    points = rng.standard_normal((n, 5))
    x = np.concatenate([
        np.sqrt(alpha_bar) * points[:3] + np.sqrt(q) * rng.standard_normal((min(n, 3), 5)),
        3 * rng.standard_normal((10, 5)),
    ])  # fmt: skip
    found = posterior_mean(points, x, alpha_bar, q)
    np.testing.assert_allclose(found, point_by_point(points, x, alpha_bar, q), atol=1e-10)


def test_of_two_points_far_apart_it_is_the_nearest():
    points = np.array([[-30.0, 0.0], [30.0, 0.0]])
    x = np.array([[-5.0, 2.0], [1.0, -9.0], [0.0, 4.0]])
    found = posterior_mean(points, x, 0.5, 0.5)
    np.testing.assert_allclose(found, [[-30, 0], [30, 0], [0, 0]], atol=1e-12)
    # Where there is nothing but noise, it is the mean of the training set.
    np.testing.assert_allclose(posterior_mean(points, x, 1e-12, 1.0), 0 * x, atol=0.01)


def test_two_points_have_the_loss_of_a_sign_in_noise():
    """x_0 = ±a: x̂_0 = a tanh(√ᾱ a x/q), and the loss is an integral over one normal number."""
    a, rounds = 0.8, 4000
    points = np.array([[-a], [a]])
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    train, _ = monte_carlo_losses(
        empirical.empirical(points, SHORT), SHORT, (rows_of(points), rows_of(points)),
        np.random.default_rng(1), rounds,
    )  # fmt: skip
    for index, (ab, q) in enumerate(zip(SHORT.alpha_bar, SHORT.q, strict=True)):
        x = np.sqrt(ab) * a + np.sqrt(q) * nodes
        error = (a - a * np.tanh(np.sqrt(ab) * a * x / q)) ** 2
        exact = ab / q * error @ weights / weights.sum()
        # The exact spread: at low noise the loss is that of rare events, seen or not.
        square = (ab / q * error) ** 2 @ weights / weights.sum()
        spread = np.sqrt((square - exact**2) / rounds)
        assert train[index].mean() == pytest.approx(exact, abs=4 * spread)


@pytest.mark.parametrize("n", [4, 16, 64])
def test_no_function_has_a_lower_training_loss(n):
    """On the same noises: against the linear denoiser and the nearest point, at every level."""
    draw, rounds = training_set(n), 64
    points = draw.centred

    def nearest(x, index):
        scaled = np.sqrt(SHORT.alpha_bar[index]) * points
        found = scaled[((x[:, None] - scaled) ** 2).sum(axis=2).argmin(axis=1)]
        return (x - found) / np.sqrt(SHORT.q[index])

    def train_loss(denoise):
        source = rows_of(points)
        return monte_carlo_losses(
            denoise, SHORT, (source, source), np.random.default_rng(n), rounds
        )[0]

    own = train_loss(empirical.empirical(points, SHORT))
    exact = linear(draw.vectors, draw.eigenvalues, Bank(SHORT, [Training()]))
    for other in (exact, nearest):
        excess = train_loss(other) - own
        spread = excess.std(axis=1, ddof=1) / np.sqrt(rounds)
        assert np.all(excess.mean(axis=1) > -3 * spread - 1e-12)
        mean, error = over_rounds(excess)
        assert mean > 5 * error


def test_without_noise_the_training_set_is_known():
    """At the first level the other points are 100 standard deviations away."""
    points, schedule = training_set(64).centred, make_schedule()
    train, test = monte_carlo_losses(
        empirical.empirical(points, schedule), schedule,
        (rows_of(points), normal(np.zeros(16), training_set(2).spectrum)), np.random.default_rng(0),
    )  # fmt: skip
    assert train[0].max() < 1e-20
    assert train[:10].mean() < 1e-6
    # A test point is a nearest-neighbour distance off, in units of the noise.
    assert test[0].min() > 100


@pytest.mark.parametrize("n", [4, 64, 1000])
def test_the_optimum_of_the_population_bounds_the_test_loss(n):
    """It is linear, as the population is Gaussian: no function does better on fresh samples."""
    draw, rounds = training_set(n), 64
    fresh = normal(draw.mean - draw.centre, draw.spectrum)
    _, test = monte_carlo_losses(
        empirical.empirical(draw.centred, SHORT), SHORT, (rows_of(draw.centred), fresh),
        np.random.default_rng(2), rounds,
    )  # fmt: skip
    signal = SHORT.alpha_bar[:, None] * draw.spectrum
    optimum = (signal / (signal + SHORT.q[:, None])).mean(axis=1)
    spread = test.std(axis=1, ddof=1) / np.sqrt(rounds)
    assert np.all(test.mean(axis=1) > optimum - 3 * spread)


def test_many_points_of_one_dimension_reach_the_optimum():
    draw, rounds = training_set(8000, d=1), 400
    fresh = normal(draw.mean - draw.centre, draw.spectrum)
    losses = monte_carlo_losses(
        empirical.empirical(draw.centred, SHORT), SHORT, (rows_of(draw.centred), fresh),
        np.random.default_rng(3), rounds,
    )  # fmt: skip
    # For s = 1 the loss of the optimum is ᾱ.
    for found in losses:
        spread = found.std(axis=1, ddof=1) / np.sqrt(rounds)
        assert np.all(np.abs(found.mean(axis=1) - SHORT.alpha_bar) < 4 * spread + 5e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(1e-4, 0.9999))
def test_turning_moving_and_sorting_the_points(seed, n, alpha_bar):
    rng, q = np.random.default_rng(seed), 1 - alpha_bar
    points, x = rng.standard_normal((n, 3)), rng.standard_normal((4, 3))
    found = posterior_mean(points, x, alpha_bar, q)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    shift = rng.standard_normal(3)
    moved = posterior_mean(
        (points @ turn + shift)[rng.permutation(n)], x @ turn + np.sqrt(alpha_bar) * shift,
        alpha_bar, q,
    )  # fmt: skip
    np.testing.assert_allclose(moved, found @ turn + shift, atol=1e-9)
    assert np.all(found <= points.max(axis=0) + 1e-12)
    assert np.all(found >= points.min(axis=0) - 1e-12)


def test_two_points_are_as_nonlinear_as_a_sign_in_noise():
    """x̂_0 = a tanh(√ᾱ a x/q) at one level, its best affine fit by quadrature."""
    a, index, count, repeats = 2.0, 12, 2000, 40
    ab, q = SHORT.alpha_bar[index], SHORT.q[index]
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    # Both signs of x_0: the mean of x and of x̂_0 is 0.
    x = np.sqrt(ab) * a + np.sqrt(q) * nodes
    found = a * np.tanh(np.sqrt(ab) * a * x / q)
    xx, xy, yy = (np.sum(weights * f) / weights.sum() for f in (x * x, x * found, found**2))
    exact = 1 - xy**2 / (xx * yy)
    points = np.array([[-a], [a]])
    rng, denoise = np.random.default_rng(4), empirical.empirical(points, SHORT)
    sources = rows_of(points), rows_of(points)
    values, errors = np.array([
        nonlinearity(denoise, SHORT, index, sources, rng, count) for _ in range(repeats)
    ]).T  # fmt: skip
    assert exact > 0.02
    assert values.mean() == pytest.approx(exact, abs=4 * values.std() / np.sqrt(repeats))
    assert errors.mean() == pytest.approx(values.std(), rel=0.4)
