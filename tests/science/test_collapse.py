"""The collapse time by brute force, in small sets that are integrals, and against its law."""

import numpy as np
import pytest

from lindiff.science import collapse
from lindiff.science.collapse import EVALUATIONS, collapse_time, collapses
from lindiff.science.laws import collapse_time as law
from lindiff.science.spectrum import make_spectrum


def level(time):
    """σ² = q/ᾱ at a time."""
    return np.expm1(2 * np.asarray(time))


def own_weight(points, variance, count, rng, copies=None):
    """Mean posterior weight of the own point and its standard error, one noisy point at a time."""
    found = []
    copies = np.arange(len(points)) if copies is None else copies
    for _ in range(count):
        i = rng.integers(len(points))
        x = points[i] + np.sqrt(variance) * rng.standard_normal(points.shape[1])
        logs = -((x - points) ** 2).sum(axis=1) / (2 * variance)
        weights = np.exp(logs - logs.max())
        found.append(weights[copies == copies[i]].sum() / weights.sum())
    return np.mean(found), np.std(found) / np.sqrt(count)


@pytest.mark.parametrize(("n", "d"), [(3, 2), (20, 5), (60, 1)])
def test_at_the_collapse_time_the_own_weight_is_a_half(n, d):
    """Of noises of its own, with ᾱ and q of the time as in x_t = √ᾱ x + √q ε."""
    points = np.random.default_rng(n).standard_normal((n, d)) * np.linspace(1, 2, d)
    time, error = collapse_time(points, np.arange(n), np.random.default_rng(0), 20_000)
    alpha_bar = np.exp(-2 * time)
    half, spread = own_weight(points, (1 - alpha_bar) / alpha_bar, 4000, np.random.default_rng(1))
    assert half == pytest.approx(0.5, abs=4 * spread + 0.005)
    assert 0 < error < 0.03 * time
    for factor, sign in ((0.7, 1), (1.4, -1)):
        other, spread = own_weight(points, factor * level(time), 2000, np.random.default_rng(2))
        assert sign * (other - 0.5) > 4 * spread


def test_three_points_of_one_distance_are_an_integral():
    """Of normals with the covariance of the differences: 1/(1 + e^a + e^b), by quadrature."""
    side = 1.7
    points = side * np.eye(3) / np.sqrt(2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def mean(variance):
        ratio = side / np.sqrt(variance)
        u, v = nodes[:, None], nodes
        a, b = ratio * u, ratio * (u / 2 + np.sqrt(3) / 2 * v)
        own = 1 / (1 + np.exp(a - ratio**2 / 2) + np.exp(b - ratio**2 / 2))
        return weights @ own @ weights

    time, error = collapse_time(points, np.arange(3), np.random.default_rng(0), 100_000)
    low, high = (mean(level(time + sign * 4 * error)) for sign in (-1, 1))
    assert high < 0.5 < low
    assert error < 0.01 * time


def test_the_level_grows_as_the_square_of_the_points_and_has_no_origin():
    points = np.random.default_rng(0).standard_normal((30, 4))
    number, times = np.arange(30), []
    for moved in (points, 3 * points, points + 50, points[::-1]):
        times.append(collapse_time(moved, number, np.random.default_rng(1)))
    (first, _), (large, _), (far, _), (back, error) = times
    assert level(large) == pytest.approx(9 * level(first), rel=1e-6)
    assert far == pytest.approx(first, rel=1e-6)
    assert back == pytest.approx(first, abs=5 * error)


def test_copies_are_one_point():
    rng = np.random.default_rng(0)
    points, number = rng.standard_normal((12, 3)), rng.permutation(np.repeat(np.arange(12), 3))
    alone, error = collapse_time(points, np.arange(12), np.random.default_rng(1), 8000)
    thrice, other = collapse_time(points[number], number, np.random.default_rng(2), 8000)
    assert thrice == pytest.approx(alone, abs=4 * np.hypot(error, other))
    # Of unequal numbers of copies: brute force.
    few = np.array([0, 0, 0, 1, 2, 3, 4, 4])
    time, error = collapse_time(points[few], few, np.random.default_rng(3), 8000)
    half, spread = own_weight(points[few], level(time), 4000, np.random.default_rng(4), few)
    assert half == pytest.approx(0.5, abs=4 * spread + 0.01)


def test_sets_that_do_not_collapse():
    """Of one or two points the weight is never below a half, nor where most points are copies."""
    assert [collapses(np.arange(n)) for n in (1, 2, 3, 100)] == [False, False, True, True]
    assert not collapses(np.array([0, 0, 0, 0, 1, 2]))
    assert collapses(np.array([0, 0, 0, 1, 1, 1, 2]))
    for few in (np.array([0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 0, 0, 1, 2, 3])):
        points = np.random.default_rng(0).standard_normal((4, 2))
        assert collapses(few)
        assert 0 < collapse_time(points[few], few, np.random.default_rng(1))[0] < np.inf


def test_its_error_is_that_of_repeats(monkeypatch):
    points = np.random.default_rng(0).standard_normal((50, 6))
    calls = []
    whole = collapse._own_weights

    def counted(*arguments):
        calls.append(len(arguments[2]))
        return whole(*arguments)

    monkeypatch.setattr(collapse, "_own_weights", counted)
    found = np.array([
        collapse_time(points, np.arange(50), np.random.default_rng(seed)) for seed in range(100)
    ])  # fmt: skip
    assert found[:, 0].std(ddof=1) == pytest.approx(found[:, 1].mean(), rel=0.3)
    # What the planner counts with.
    assert len(calls) / 100 == pytest.approx(EVALUATIONS, rel=0.35)
    # In blocks of any size.
    monkeypatch.setattr(collapse, "_BLOCK", 77)
    small = collapse_time(points, np.arange(50), np.random.default_rng(0))
    assert small == pytest.approx(tuple(found[0]), rel=1e-6)


@pytest.mark.parametrize("kind", ["isotropic", "power_law"])
def test_the_law_is_the_sum_and_of_one_variance_a_formula(kind):
    n = np.array([2, 10, 1000, 1e9, 1e30])
    for d in (1, 3, 50):
        params = {"exponent": 1.0} if kind == "power_law" else {}
        s = 2.5 * make_spectrum(kind, d, **params)
        ratio = 1 / level(law(n, s))
        np.testing.assert_allclose(np.log1p(s * ratio[:, None]).sum(axis=1) / 2, np.log(n))
        if kind == "isotropic":
            formula = np.log1p(2.5 / np.expm1(2 * np.log(n) / d)) / 2
            np.testing.assert_allclose(law(n, s), formula, rtol=1e-9)
    assert law(1, s) == np.inf
    assert law(n.reshape(5, 1), s).shape == (5, 1)


def gap(kind, d, n, seeds=2):
    """ln N less Σ_j ½ ln(1 + s_j/σ²) at the collapse time of training sets, in nats, and the time
    over that of the law."""
    params = {"exponent": 1.0} if kind == "power_law" else {}
    s, found = make_spectrum(kind, d, **params), []
    for seed in range(seeds):
        rng = np.random.default_rng([d, n, seed])
        points = rng.standard_normal((n, d)) * np.sqrt(s)
        found.append(collapse_time(points, np.arange(n), rng)[0])
    information = np.log1p(s / level(np.mean(found))).sum() / 2
    return np.log(n) - information, np.mean(found) / float(law(n, s))


@pytest.mark.slow  # three seconds each
@pytest.mark.parametrize("kind", ["isotropic", "power_law"])
def test_training_sets_collapse_at_the_law(kind):
    """At less than ln N by half a nat or so, at any d and N: a share of ln N that goes to 0."""
    sizes = ((2, 1000), (13, 1000), (64, 256), (6, 64), (64, 1000), (1000, 1000))
    nats, ratios = np.array([gap(kind, d, n) for d, n in sizes]).T
    assert np.all((nats > 0.3) & (nats < 0.75))
    ratios = ratios[3:]
    assert ratios[0] > 1.15
    assert ratios[0] > ratios[1] > ratios[2]
    assert 1 < ratios[2] < 1.03
