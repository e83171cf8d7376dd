"""Intervals over seeds: against SciPy, by hand, and their coverage by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lindiff.drawing.intervals import (
    FEWEST_SETS,
    LONGER,
    Interval,
    PowerFit,
    geometric_mean_interval,
    mean_interval,
    median_interval,
    positive_mean_interval,
    power_fit,
    quantile_band,
    share_interval,
)
from lindiff.figures import overlap

REPEATS = 4000  # standard error of a coverage of 0.95: 0.0034
SEEDS = (5, 10, 20)
INF = math.inf


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 10, 202])
def test_mean_is_scipys(n: int, level: float):
    x = np.random.default_rng(n).normal(size=n)
    low, high = stats.t.interval(level, n - 1, np.mean(x), stats.sem(x))
    got = mean_interval(x, level)
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))


def test_mean_by_hand():
    got = mean_interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3)
    assert got == Interval(2, pytest.approx(2 - half), pytest.approx(2 + half), 3)


def test_geometric_mean_by_hand():
    got = geometric_mean_interval([1.0, 4.0])
    factor = math.exp(12.706204736174698 * math.log(2))
    assert got == Interval(
        pytest.approx(2), pytest.approx(2 / factor), pytest.approx(2 * factor), 2
    )


def test_positive_mean_by_hand():
    half = 4.302652729911275 / math.sqrt(3) / 2
    for floor in (0.0, -2.0):
        got = positive_mean_interval(np.array([1.0, 2.0, 3.0]) + floor, floor=floor)
        low, high = (floor + 2 * math.exp(x) for x in (-half, LONGER * half))
        assert got == Interval(2 + floor, pytest.approx(low), pytest.approx(high), 3)


@pytest.mark.parametrize("values", [[0.0, 0, 0], [0.1] * 3, [-1.0, 0.5], [1.0, INF], [2.0]])
def test_a_positive_mean_without_scatter_or_below_its_floor_has_no_interval(values: list[float]):
    got = positive_mean_interval(values)
    assert got.value == pytest.approx(np.mean(values))
    assert math.isnan(got.low)
    assert math.isnan(got.high)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 1.0, 2.0, 5.0, 4.0], (3, 1, 5)),  # up to five values: their whole range
        ([1.0, INF, INF], (INF, 1, INF)),
        ([1.0, 2.0, 3.0, INF], (2.5, 1, INF)),
    ],
)  # fmt: skip
def test_median_by_hand(values: list[float], expected: tuple[float, ...]):
    got = median_interval(values)
    assert (got.value, got.low, got.high) == expected


def test_median_of_ten_lies_between_the_order_statistics_that_bracket_the_level():
    # [x_2, x_9] covers 0.9785, [x_3, x_8] 0.8906: Hettmansperger-Sheather between the two.
    step = (0.978515625 - 0.95) / (0.978515625 - 0.890625)
    weight = 8 * step / (2 + 6 * step)
    got = median_interval(np.arange(1.0, 11.0))
    assert got.value == 5.5
    assert got.low == pytest.approx(2 + weight)
    assert got.high == pytest.approx(9 - weight)


def test_median_of_ten_with_an_infinite_value_beyond_its_interval_is_finite():
    values = [*np.arange(1.0, 10.0), INF]
    assert math.isfinite(median_interval(values).high)
    assert median_interval([*values[:8], INF, INF]).high == INF


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(1.0, 11.0), (5.5, 1.5, 9.5)),
        (np.arange(1.0, 12.0), (6, 2, 10)),
        ([1.0, INF, INF, INF], (INF, 1, INF)),
    ],
)
def test_quantile_band_holds_its_share_of_the_draws(
    values: list[float], expected: tuple[float, ...]
):
    got = quantile_band(values, 0.8)
    assert (got.value, got.low, got.high) == expected


@pytest.mark.parametrize("estimator", [mean_interval, geometric_mean_interval, median_interval])
def test_one_value_has_no_interval(estimator):
    got = estimator([2.0])
    assert got.value == pytest.approx(2)
    assert math.isnan(got.low)
    assert math.isnan(got.high)


@pytest.mark.parametrize(
    ("estimator", "values", "message"),
    [
        (mean_interval, [], "no values"),
        (median_interval, [1.0, math.nan], "nan"),
        (quantile_band, [math.nan], "nan"),
        (mean_interval, [INF, -INF], "take the median"),
        (geometric_mean_interval, [1.0, -1.0], "negative"),
    ],
)
def test_what_has_no_interval_is_refused(estimator, values: list[float], message: str):
    with pytest.raises(ValueError, match=message):
        estimator(values)


@pytest.mark.parametrize(
    ("estimator", "values", "centre"),
    [
        (mean_interval, [1.0, INF], INF),
        (geometric_mean_interval, [1.0, INF], INF),
        (geometric_mean_interval, [1.0, 0.0], 0.0),
        (geometric_mean_interval, [INF, 0.0], INF),
    ],
)
def test_a_value_that_rules_the_mean_leaves_it_without_an_interval(estimator, values, centre):
    got = estimator(values)
    assert (got.value, got.count) == (centre, 2)
    assert math.isnan(got.low)
    assert math.isnan(got.high)


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=30), st.floats(1e-3, 1e3))
def test_intervals_hold_their_centre_and_scale_with_the_values(values: list[float], factor: float):
    for estimator in (mean_interval, geometric_mean_interval, median_interval, quantile_band):
        got, scaled = estimator(values), estimator(np.array(values) * factor)
        assert got.low <= got.value * (1 + 1e-9)
        assert got.value <= got.high * (1 + 1e-9)
        for one, other in ((got.value, scaled.value), (got.high, scaled.high)):
            assert other == pytest.approx(one * factor, rel=1e-6)


def coverage(estimator, draw, truth: float, seeds: int) -> float:
    rng = np.random.default_rng(seeds)
    intervals = [estimator(draw(rng, seeds)) for _ in range(REPEATS)]
    return float(np.mean([i.low <= truth <= i.high for i in intervals]))


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(3, 2, n)


def log_normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.lognormal(1, 1, n)


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Shares near 1."""
    return rng.beta(4, 1, n)


def gamma(deviation: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Positive values with the mean 1 and a standard deviation."""
    return lambda rng, n: rng.gamma(deviation**-2, deviation**2, n)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Without a mean, and infinite in one draw of five."""
    return np.where(rng.random(n) < 0.2, INF, rng.pareto(0.75, n) + 1)


# P(finite and ≤ m) = 0.8 (1 − m^−0.75) = ½.
HEAVY_MEDIAN = (1 - 0.5 / 0.8) ** (-1 / 0.75)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize(
    ("estimator", "draw", "truth"),
    [
        (mean_interval, normal, 3),
        (geometric_mean_interval, log_normal, math.e),
        (share_interval, skewed, 0.8),
        (median_interval, normal, 3),
        (median_interval, log_normal, math.e),
        (median_interval, heavy, HEAVY_MEDIAN),
    ],
)
def test_coverage(estimator, draw, truth: float, seeds: int):
    assert 0.92 <= coverage(estimator, draw, truth, seeds) <= 0.98


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("deviation", [0.3, 1.6])
def test_intervals_of_positive_means_cover(deviation: float, seeds: int):
    assert 0.935 <= coverage(positive_mean_interval, gamma(deviation), 1, seeds) <= 0.985


def test_a_plain_interval_of_a_skewed_mean_falls_short():
    assert coverage(mean_interval, gamma(1.6), 1, 10) < 0.9


@pytest.mark.parametrize(
    ("estimator", "draw", "truth"),
    [(mean_interval, normal, 3), (geometric_mean_interval, log_normal, math.e)],
)
def test_the_fewest_sets_that_have_an_interval_cover_as_many_do(estimator, draw, truth: float):
    assert 0.94 <= coverage(estimator, draw, truth, FEWEST_SETS) <= 0.96


def test_the_interval_of_shares_is_of_the_logit_of_their_mean():
    x = np.array([0.6, 0.9, 1.0])
    found, plain = share_interval(x), mean_interval(x)
    odds = found.value / (1 - found.value)
    factor = math.exp((plain.high - plain.value) / (found.value * (1 - found.value)))
    assert found.value == plain.value
    assert found.low == pytest.approx(odds / factor / (1 + odds / factor))
    assert found.high == pytest.approx(odds * factor / (1 + odds * factor))
    # Where all are 0, 1, or a number the interval is that; one value has none.
    assert [share_interval([a, a]).high for a in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]
    assert math.isnan(share_interval([0.5]).low)
    assert share_interval([1.0, 1 + 1e-12]).value == 1
    with pytest.raises(ValueError, match="share"):
        share_interval([0.5, 1.1])


@cache
def overlaps(spectrum: tuple[float, ...], n: int, k: int) -> np.ndarray:
    """Mean weight of the k leading eigenvectors of 1,000 training sets in their own space."""
    d = len(spectrum)
    rows = np.random.default_rng(1).standard_normal((1000, n - 1, d)) * np.sqrt(spectrum)
    _, vectors = np.linalg.eigh(rows.transpose(0, 2, 1) @ rows)
    return np.sum(vectors[:, :k, -k:] ** 2, axis=(1, 2)) / k


@pytest.mark.parametrize("seeds", SEEDS)
def test_intervals_of_overlaps_cover(seeds: int):
    """Power laws have training sets whose leading modes change places: few, and far off."""
    spikes = overlaps((4.0, 4.0, *[1.0] * 18), 40, 2)
    law = overlaps(tuple(1 / np.arange(1.0, 21)), 40, 1)
    of_spikes, of_law = (
        coverage(overlap.interval, lambda rng, n, x=x: rng.choice(x, n), x.mean(), seeds)
        for x in (spikes, law)
    )
    assert stats.skew(law) < -2
    assert 0.92 <= of_spikes <= 0.98
    assert 0.92 <= of_law <= 0.98
    plain = coverage(share_interval, lambda rng, n: rng.choice(law, n), law.mean(), seeds)
    assert plain < min(of_law, 0.92)


def test_an_interval_of_fewer_than_enough_values_has_no_ends():
    three = mean_interval([1.0, 2.0, 3.0])
    assert three.of_enough() == three
    two = mean_interval([1.0, 2.0]).of_enough()
    assert (two.value, two.count) == (1.5, 2)
    assert math.isnan(two.low)
    assert math.isnan(two.high)
    assert math.isnan(three.of_enough(4).low)


def test_coverage_would_tell_a_wrong_interval():
    """The t-interval of the mean of heavily skewed values misses: the test above can fail."""
    skewed = coverage(mean_interval, lambda rng, n: rng.lognormal(0, 2, n), math.exp(2), 10)
    assert skewed < 0.8


def test_the_quantile_band_holds_its_share_of_fresh_draws():
    rng = np.random.default_rng(1)
    band = quantile_band(rng.lognormal(size=20_000), 0.8)
    fresh = rng.lognormal(size=20_000)
    assert np.mean((band.low <= fresh) & (fresh <= band.high)) == pytest.approx(0.8, abs=0.015)


X = np.array([8.0, 16, 32, 64])


def power_laws(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """2 x^1.2, what a seed gives at all x too large or too small together, and noise of its own."""
    return 2 * X**1.2 * np.exp(rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 0.2, (seeds, 4)))


@given(st.floats(-3, 3), st.floats(1e-3, 1e3))
def test_power_laws_are_fitted_exactly(exponent: float, prefactor: float):
    got = power_fit(X, prefactor * np.stack([X**exponent] * 3))
    assert got.exponent == Interval(*[pytest.approx(exponent, abs=1e-9)] * 3, 3)
    assert got.prefactor == Interval(*[pytest.approx(prefactor)] * 3, 3)


def test_power_fit_by_hand():
    """Two seeds with the exponents 1 and 2 and the prefactors 1 and 4."""
    got = power_fit(X, [X, 4 * X**2])
    half = 12.706204736174698 / 2
    assert got.exponent == Interval(*map(pytest.approx, (1.5, 1.5 - half, 1.5 + half)), 2)
    assert got.prefactor.value == pytest.approx(2)
    assert got.prefactor.high == pytest.approx(2 * math.exp(half * math.log(4)))


def on_a_law(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """Seeds with power laws of their own, each without scatter."""
    return np.exp(rng.normal(0, 0.3, (seeds, 1))) * X ** rng.normal(1.2, 0.1, (seeds, 1))


def test_power_fit_is_the_fit_to_the_geometric_means_and_its_interval_a_jackknife():
    """Where the points lack nothing of a law."""
    y = on_a_law(np.random.default_rng(0), 7)
    got = power_fit(X, y).exponent

    def exponent(rows: np.ndarray) -> float:
        return float(stats.linregress(np.log(X), np.log(rows).mean(axis=0)).slope)

    without = np.array([exponent(np.delete(y, i, axis=0)) for i in range(7)])
    error = math.sqrt(6 / 7 * np.sum((without - without.mean()) ** 2))
    assert got.value == pytest.approx(exponent(y))
    assert got.high - got.value == pytest.approx(stats.t.ppf(0.975, 6) * error)


def test_what_no_seed_explains_is_lack_of_fit():
    """The same bend in every seed: the seeds' own laws agree, but there is no power law."""
    bend = np.array([0.1, -0.1, -0.1, 0.1])
    got = power_fit(X, np.exp(bend) * np.stack([X] * 5)).exponent
    straight = stats.linregress(np.log(X), bend)
    assert got.value == pytest.approx(1 + straight.slope)
    assert got.high - got.value == pytest.approx(stats.t.ppf(0.975, 2) * straight.stderr)


def test_two_points_know_no_lack_of_fit():
    got = power_fit(X[:2], [X[:2], 4 * X[:2] ** 2])
    assert got.exponent.value == pytest.approx(1.5)
    assert np.isnan([got.exponent.low, got.prefactor.high]).all()


def test_one_seed_has_a_power_law_without_an_interval():
    got = power_fit(X, [X])
    assert got.exponent.value == pytest.approx(1)
    assert np.isnan([got.exponent.low, got.prefactor.high]).all()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, X, "shape"),
        (X, [[1.0, 2]], "shape"),
        (X, np.empty((0, 4)), "shape"),
        (X, [[1.0, 2, 3, 0]], "positive"),
        (X, [[1.0, 2, 3, INF]], "finite"),
        (X, [[1.0, 2, 3, math.nan]], "positive"),
        ([0.0, 1], [[1.0, 2]], "positive"),
        ([2.0, 2], [[1.0, 2]], "two different"),
    ],
)
def test_what_is_no_power_law_is_refused(x, y, message: str):
    with pytest.raises(ValueError, match=message):
        power_fit(x, y)


@pytest.mark.parametrize("lack", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seeds", SEEDS)
def test_coverage_of_power_fits(seeds: int, lack: float):
    """Also of points that scatter about the law, in all seeds alike."""
    rng = np.random.default_rng(seeds)

    def fit() -> PowerFit:
        return power_fit(X, power_laws(rng, seeds) * np.exp(rng.normal(0, lack, 4)))

    fits = [fit() for _ in range(REPEATS // 2)]
    for found, truth in (([f.exponent for f in fits], 1.2), ([f.prefactor for f in fits], 2)):
        assert 0.92 <= np.mean([i.low <= truth <= i.high for i in found]) <= 0.985


def test_a_bootstrap_over_ten_seeds_undercovers():
    """Why power_fit does not resample with replacement."""
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(2000, 10))
    means = np.stack([slopes[:, rows].mean(axis=1) for rows in rng.integers(10, size=(400, 10))])
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    assert np.mean((low <= 0) & (high >= 0)) < 0.92
