"""Optima of curves that are known, and intervals of measured ones with their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.coverage import SCHEDULE, of_optimum, population
from benchmarks.covering import coverage
from lindiff.science.filters import Training
from lindiff.science.optima import Minimum, measured, measured_rise, minimum
from lindiff.science.ridge import METRICS, best_ridge
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory

GRID = np.geomspace(1e-3, 1e3, 61)
INF = math.inf


# No deadline: the first call imports SciPy.
@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(0.1, 10), st.floats(-3, -0.1), st.floats(0.01, 100))
def test_a_parabola_is_found_exactly(place: float, width: float, offset: float, unit: float):
    """In ln x; through zero, so that y itself is interpolated; in any unit of x."""
    y = offset + ((np.log(GRID) - place) / width) ** 2
    assume(y.min() <= 0)
    got = minimum(GRID * unit, y)
    assert got.inside
    # Brent's method ends where the value is level to rounding.
    assert math.log(got.x / unit) == pytest.approx(place, abs=1e-5 * max(1, width))
    assert got.value == pytest.approx(offset, abs=1e-9)


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(1, 10), st.floats(0.5, 3))
def test_a_positive_curve_is_found_by_its_logarithm(place: float, width: float, offset: float):
    got = minimum(GRID, offset + ((np.log(GRID) - place) / width) ** 2)
    assert got.inside
    assert math.log(got.x) == pytest.approx(place, abs=5e-3)
    assert got.value == pytest.approx(offset, rel=1e-3)


def test_the_spline_is_better_than_the_grid_by_far():
    """x + 1/x − 1 has its minimum 1 at x = 1, half-way between two points."""
    x = GRID * GRID[1] ** 0.5 / GRID[0] ** 0.5
    got = minimum(x, x + 1 / x - 1)
    assert got.x == pytest.approx(1, abs=1e-4)
    assert got.value == pytest.approx(1, abs=1e-4)
    assert np.abs(x - 1).min() > 0.1


def test_steep_walls_are_no_trouble():
    """Over twelve decades of y: the logarithm is what is interpolated."""
    y = np.exp(np.log(GRID / 2) ** 2 / 2)
    assert minimum(GRID, y).x == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("side", [1, -1])
def test_an_end_of_the_range_is_not_inside(side: int):
    y = GRID**side
    end = 0 if side == 1 else -1
    assert minimum(GRID, y) == Minimum(GRID[end], y[end], False)


def test_a_plateau_that_reaches_the_end_is_not_inside():
    """As a loss over the training time: rounding puts the least value anywhere on the plateau."""
    rng = np.random.default_rng(0)
    y = 0.3 + np.exp(-GRID) + 1e-12 * rng.standard_normal(len(GRID))
    assert np.argmin(y) < len(GRID) - 1
    assert minimum(GRID, y) == Minimum(GRID[-1], y[-1], False)
    assert minimum(GRID, y[::-1]) == Minimum(GRID[0], y[-1], False)


def test_a_shallow_dip_before_a_plateau_is_found():
    """A bounded search over the whole range ends on the plateau instead."""
    y = 1 - 0.01 * np.exp(-(np.log(GRID / 0.01) ** 2))
    got = minimum(GRID, y)
    assert got.inside
    assert got.x == pytest.approx(0.01, rel=1e-3)


def test_zero_and_infinity_compete_as_they_are():
    x = np.array([0, *GRID, INF])
    bowl = 1 + np.log(GRID) ** 2
    assert minimum(x, np.array([2, *bowl, 2])).x == pytest.approx(1)
    assert minimum(x, np.array([0.5, *bowl, 2])) == Minimum(0.0, 0.5, False)
    assert minimum(x, np.array([2, *bowl, 0.5])) == Minimum(INF, 0.5, False)
    # Nothing is known between 0 and the first positive point.
    assert minimum(x, np.array([INF, *GRID, 2e3])) == Minimum(GRID[0], GRID[0], False)
    assert minimum(x, np.array([1e-3, *GRID, 2e3])) == Minimum(0.0, 1e-3, False)


def test_infinite_values_are_walls():
    y = (GRID - 1) ** 2 + 1
    y[GRID < 0.5] = INF
    y[40] = INF  # beyond the minimum, splitting the finite points
    got = minimum(GRID, y)
    assert got.x == pytest.approx(1, abs=0.02)
    only = np.full(len(GRID), INF)
    only[30] = 5
    got = minimum(GRID, only)
    assert (got.x, got.value, got.inside) == (pytest.approx(GRID[30]), 5, True)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1], "one length"),
        ([], [], "one length"),
        ([2, 1], [1, 1], "ascending"),
        ([-1, 1], [1, 1], "not negative"),
        ([1, 2], [1, math.nan], "nan"),
        ([1, 2], [INF, INF], "finite"),
    ],
)
def test_what_is_no_curve_is_refused(x, y, message: str):
    with pytest.raises(ValueError, match=message):
        minimum(np.array(x, float), np.array(y, float))


def test_measured_by_hand():
    """Three parabolas in ln x about 0, 1 and 2 with mean about 1; y ≤ 0, so that y is splined."""
    centres = np.array([0.0, 1, 2])
    Y = (np.log(GRID) - centres[:, None]) ** 2 - 10
    got = measured(GRID, Y)
    # Without one of them the mean is about 1.5, 1 and 0.5: standard error 1/√3, t = 4.3027.
    half = 4.302652729911275 / math.sqrt(3)
    assert (got.inside, got.count) == (True, 3)
    assert np.log([got.x, got.x_low, got.x_high]) == pytest.approx([1, 1 - half, 1 + half])
    # The mean of the three is 2/3 − 10 there, of any two of them 1/4, 1 and 1/4 − 10.
    error = math.sqrt(2 / 3 * 0.375)
    assert got.value == pytest.approx(2 / 3 - 10)
    assert got.value_high - got.value == pytest.approx(4.302652729911275 * error)
    assert got.value - got.value_low == pytest.approx(4.302652729911275 * error)


def test_measured_has_no_interval_where_there_is_none():
    single = measured(GRID, np.log(GRID)[None] ** 2)
    assert np.isnan([single.x_low, single.x_high, single.value_low, single.value_high]).all()
    # Without the first curve the mean falls to the end of the range.
    Y = np.stack([10 * (np.log(GRID) - 2) ** 2, -np.log(GRID), -np.log(GRID)])
    got = measured(GRID, Y)
    assert got.inside
    assert np.isnan([got.x_low, got.x_high]).all()
    assert np.isfinite([got.value_low, got.value_high]).all()
    with pytest.raises(ValueError, match="curves, points"):
        measured(GRID, GRID)


def test_an_infinite_curve_bars_its_points():
    Y = np.stack([np.log(GRID) ** 2 + 1] * 3)
    Y[1, GRID < 2] = INF
    assert measured(GRID, Y).x >= 2


@pytest.mark.parametrize("metric", [*METRICS, "test_loss"])
def test_measured_optima_meet_theory(metric: str):
    """20 draws at d = 40, N = 60: theory within the interval widened to five standard errors."""
    s, grid = make_spectrum("power_law", 40, exponent=1.0), np.geomspace(0.01, 3, 25)
    got = measured(grid, population(s, 60, "ridge", grid, 20)[metric])
    theory = linear_theory(s, 60, [Training(ridge=c) for c in grid], SCHEDULE)[metric]
    expected = minimum(grid, theory)
    wide = 5 / 2.093
    assert abs(math.log(got.x / expected.x)) < wide * math.log(got.x_high / got.x)
    assert abs(got.value - expected.value) < wide * (got.value_high - got.value)
    assert got.x_high / got.x_low < 1.1
    if metric in METRICS:
        assert best_ridge(s, 60, metric) == pytest.approx(expected.x, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("knob", "metric", "seeds"),
    [
        ("ridge", "kl_data_model", 5),
        ("weight_decay", "kl_model_data", 10),
        ("stop", "test_loss", 5),
    ],
)
def test_coverage_of_measured_optima(knob: str, metric: str, seeds: int):
    """Real draws at d = 30, N = 30; `benchmarks/coverage.py` has the other cases."""
    grid = np.geomspace(1e-4, 30, 31) if knob != "stop" else np.geomspace(0.3, 1e4, 31)
    s = make_spectrum("power_law", 30, exponent=1.0)
    curves = population(s, 30, knob, grid, 2000)[metric]
    rng = np.random.default_rng(seeds)
    found = coverage(of_optimum(knob, grid, curves), seeds, 1000, rng)
    assert np.all((found >= 0.92) & (found <= 0.98))


def test_a_rise_by_hand():
    """Of the mean curve, with a jackknife of ln x; means that are straight stay so."""
    x = np.array([1.0, 10.0, 100.0])
    Y = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 6.0], [0.0, 2.0, 4.0]])
    found = measured_rise(x, Y, 1.0)
    assert found.x == pytest.approx(10**0.5)
    without = np.log(10) / np.array([2.5, 1.5, 2.0])
    half = 4.302652729749464 * np.sqrt(2 / 3 * np.sum((without - without.mean()) ** 2))
    assert np.log([found.x / found.x_low, found.x_high / found.x]) == pytest.approx([half] * 2)
    assert measured_rise(x, Y, 3.0).x == pytest.approx(10**1.5)
    assert measured_rise(x, Y, 5.0) is None
    assert measured_rise(x, Y + 1, 1.0) is None
    alone = measured_rise(x, Y[:1], 1.0)
    assert (alone.x, alone.count) == (pytest.approx(10.0), 1)
    assert np.isnan(alone.x_low)
    # Without the third of them the mean does not get there: a value, but no interval.
    assert np.isnan(measured_rise(x, np.array([[0, 0, 1], [0, 0, 1], [0, 0, 7.0]]), 2.0).x_high)
    for bad in (np.zeros(3), np.array([[0.0, 1.0, np.inf]])):
        with pytest.raises(ValueError, match=r"Y must|must be"):
            measured_rise(x, bad, 1.0)
    with pytest.raises(ValueError, match="positive"):
        measured_rise(np.array([0.0, 1.0, 2.0]), Y, 1.0)


def test_a_rise_has_no_kink_at_a_point():
    """As much higher or lower a level is as the curve at a point, so far apart are the places."""
    x, Y = np.geomspace(1.0, 1000.0, 4), np.array([[0.0, 1.0, 4.0, 9.0]])
    low, at, high = (np.log(measured_rise(x, Y, level).x) for level in (0.999, 1.0, 1.001))
    assert at == pytest.approx(np.log(10))
    assert at - low == pytest.approx(high - at, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 10])
def test_intervals_of_a_rise_cover(count):
    """Curves of a bias that scatters in height and in time."""
    rng, x = np.random.default_rng(count), np.geomspace(0.1, 1000, 25)
    inside = trials = 0

    # The mean curve itself, of very many training sets.
    def curves(number):
        height = 0.05 * np.exp(0.3 * rng.standard_normal((number, 1)))
        time = np.exp(0.4 * rng.standard_normal((number, 1)))
        return height * (1 - np.exp(-x / (10 * time))) + 0.001 * rng.standard_normal((number, 25))

    exact = measured_rise(x, curves(100_000).mean(axis=0)[None], 0.01).x
    for _ in range(500):
        found = measured_rise(x, curves(count), 0.01)
        trials += 1
        inside += found.x_low <= exact <= found.x_high
    assert 0.92 <= inside / trials <= 0.98
