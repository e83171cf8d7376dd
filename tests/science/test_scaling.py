"""The needed N of curves that are known; effective dimensions and their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.science import scaling
from lindiff.science.filters import Training
from lindiff.science.ridge import best_ridge
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory

N = np.array([10.0, 20, 40, 80])


@given(st.floats(0.1, 3), st.floats(0.1, 100), st.floats(10.01, 79.9))
def test_a_power_law_is_crossed_exactly(exponent: float, factor: float, place: float):
    got = scaling.crossing(N, factor * N**-exponent, factor * place**-exponent)
    assert got == pytest.approx(place, rel=1e-9)


def test_a_grid_point_is_its_own_crossing():
    assert scaling.crossing(N, 1 / N, 1 / 40) == pytest.approx(40)


@pytest.mark.parametrize("level", [1e-3, 0.2, 1.0])
def test_a_level_that_is_never_crossed_gives_none(level: float):
    """Still above at the end, or below from the start."""
    assert scaling.crossing(N, 1 / N, level) is None


def test_a_peak_is_not_reached_too_early():
    """The loss at c = 0 dips below the level before its peak at N = d."""
    assert scaling.crossing(N, np.array([0.4, 3, 0.4, 0.1]), 0.5) == pytest.approx(
        20 * 2 ** (math.log(6) / math.log(7.5))
    )


def test_next_to_an_infinite_value_the_first_finite_point_counts():
    assert scaling.crossing(N, np.array([math.inf, math.inf, 0.5, 0.1]), 0.6) == 40


@pytest.mark.parametrize(
    ("x", "y", "level", "message"),
    [
        ([1, 2], [1], 1.0, "one length"),
        ([2, 1], [1, 2], 1.0, "ascending"),
        ([0, 1], [1, 2], 1.0, "positive"),
        ([1, 2], [1, 0], 1.0, "positive"),
        ([1, 2], [1, math.nan], 1.0, "positive"),
        ([1, 2], [2, 1], 0.0, "level"),
        ([1, 2], [2, 1], math.inf, "level"),
    ],
)
def test_what_cannot_be_crossed_is_refused(x, y, level: float, message: str):
    with pytest.raises(ValueError, match=message):
        scaling.crossing(np.array(x, float), np.array(y, float), level)


def test_all_dimensions_are_d_for_isotropic_data():
    s = np.full(7, 3.0)
    assert scaling.participation(s) == pytest.approx(7)
    assert scaling.df1(s, 1.0) == pytest.approx(7 * 3 / 4)
    assert scaling.df2(s, 1.0) == pytest.approx(7 * 9 / 16)
    assert scaling.df1(s, 0.0) == scaling.df2(s, 0.0) == 7


def test_ratios_by_hand():
    s = np.array([4.0, 1])
    assert scaling.participation(s) == pytest.approx(25 / 17)
    assert scaling.participation(1 / s) == pytest.approx((5 / 4) ** 2 / (17 / 16))


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), st.floats(1e-3, 1e3),
    st.floats(1e-2, 1e2),
)  # fmt: skip
def test_bounds_and_units(values: list[float], kappa: float, unit: float):
    s, d = np.array(values), len(values)
    round_off = 1e-9
    one, two = scaling.df1(s, kappa), scaling.df2(s, kappa)
    assert one**2 / d <= two * (1 + round_off)
    assert two <= one <= d
    assert one - two == pytest.approx(np.sum(s * kappa / (s + kappa) ** 2), abs=1e-9)
    assert scaling.participation(s) <= d * (1 + round_off)
    assert scaling.df1(unit * s, unit * kappa) == pytest.approx(one)
    assert scaling.participation(unit * s) == pytest.approx(scaling.participation(s))


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_the_precision_participation_rules_what_the_best_ridge_gains(exponent: float):
    d, n = 40, 40_000
    s = make_spectrum("power_law", d, exponent=exponent)
    trainings = [Training(), Training(ridge=best_ridge(s, n, "kl_model_data"))]
    without, best = linear_theory(s, n, trainings, make_schedule("linear", 20))["kl_model_data"]
    gain = (d + 2) ** 2 / (4 * d * n**2) * scaling.participation(1 / s)
    assert without - best == pytest.approx(gain, rel=0.02)
