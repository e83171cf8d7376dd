"""Centres and intervals over the seeds of a cell: what every band of a figure is.

Five intervals, for five kinds of quantity, each with its coverage tested by simulation:

- `mean_interval`: Student's t; a quantity of either sign with a mild distribution;
- `share_interval`: Student's t on the logit of the mean; shares, from 0 to 1; with a longer lower
  side where a few of them are far below the others;
- `geometric_mean_interval`: Student's t on logarithms; positive quantities, the usual one here;
- `positive_mean_interval`: Student's t on the logarithm of the mean; positive quantities whose mean
  itself is meant, or of which some are 0, as counts;
- `median_interval`: order statistics, whatever the distribution; heavy tails and infinities.

`power_fit` gives both numbers of a power law theirs. `quantile_band` is no interval of a centre: it
says how far single draws scatter. Coverage: `benchmarks/coverage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
_ROUNDING = 1e-9  # by which a share may lie outside of 0 to 1
# Training sets behind a Student's t-interval that is shown. It is exact for normal values however
# few they are, but of two its half width is 9 of their standard deviations: it says nothing.
FEWEST_SETS = 3
# How many times as long as the other side of an interval that is, of overlaps, frozen noises,
# counts and others, towards which a few training sets are far off: most choices of sets have too
# few of these. Chosen on other sets than it was judged by (docs/benchmarks.md).
LONGER = 1.4


@dataclass(frozen=True)
class Interval:
    """A centre with an interval about it.

    Attributes:
        value: The centre.
        low: Lower end; nan where there are too few values for one.
        high: Upper end; nan where there are too few values for one, inf where it is infinite.
        count: Number of values.
    """

    value: float
    low: float
    high: float
    count: int

    def columns(self) -> dict[str, float | None]:
        """``value``, ``low`` and ``high`` as a table has them: null instead of nan."""
        low, high = (None if math.isnan(end) else end for end in (self.low, self.high))
        return {"value": self.value, "low": low, "high": high}

    def of_enough(self, fewest: int = FEWEST_SETS) -> Interval:
        """The same, without ends where fewer than `fewest` values are behind it.

        >>> mean_interval([1.0, 2.0]).of_enough()
        Interval(value=1.5, low=nan, high=nan, count=2)
        """
        if self.count >= fewest:
            return self
        return Interval(self.value, math.nan, math.nan, self.count)


@dataclass(frozen=True)
class PowerFit:
    """The power law y = prefactor · x^exponent.

    Attributes:
        exponent: With its interval.
        prefactor: With its interval; y at x = 1.
    """

    exponent: Interval
    prefactor: Interval


Estimator = Callable[[ArrayLike], Interval]


def mean_interval(
    values: ArrayLike, level: float = LEVEL, *, below: float = 1.0, above: float = 1.0
) -> Interval:
    """Mean and Student's t-interval.

    Args:
        values: Shape (n,), not nan. One value gives no interval (nan), nor does an infinite one,
            with which the mean is infinite.
        level: Nominal coverage.
        below, above: How many times as long as Student's the lower and the upper side are.

    Raises:
        ValueError: `values` is empty, or has a nan or infinities of both signs.
    """
    x = _vector(values)
    if np.isposinf(x).any() and np.isneginf(x).any():
        raise ValueError("infinities of both signs have no mean; take the median")
    centre = float(np.mean(x))
    if x.size == 1 or math.isinf(centre):
        return Interval(centre, math.nan, math.nan, x.size)
    half = t_quantile(x.size, level) * float(np.std(x, ddof=1)) / math.sqrt(x.size)
    return Interval(centre, centre - below * half, centre + above * half, x.size)


def share_interval(values: ArrayLike, level: float = LEVEL, *, below: float = 1.0) -> Interval:
    """Mean of shares and Student's t-interval of its logit, whose ends are shares too.

    Shares near 0 or 1 are skewed. The error of ln m/(1 − m) is that of the mean m over m (1 − m).
    Where a few shares are far below the others, as overlaps of power laws are, most choices of
    values have too few of those: their mean is too high and their error too small at once, and all
    intervals that miss lie above the mean. A nominal 0.95 covers 0.86 to 0.96 there (a plain
    t-interval 0.81 to 0.95), and 0.93 to 0.98 with `below` = 1.4, but 0.90 of the power law 3 and
    5 or 7 points (`benchmarks/coverage.py`).

    Args:
        values: Shape (n,), from 0 to 1 but for rounding. One value gives no interval (nan).
        level: Nominal coverage.
        below: How many times as far as the upper end the lower one is from the mean, of logits.

    Raises:
        ValueError: `values` is empty, or has a nan or a value outside of 0 to 1.

    >>> share_interval([0.5, 0.9, 1.0]).high < 1 < mean_interval([0.5, 0.9, 1.0]).high
    True
    """
    from scipy.special import expit, logit

    x = _vector(values)
    if np.any((x < -_ROUNDING) | (x > 1 + _ROUNDING)):
        raise ValueError("a share is not between 0 and 1")
    x = np.clip(x, 0, 1)
    mean = float(np.mean(x))
    if not 0 < mean < 1 or x.size == 1:
        return mean_interval(x, level)
    error = float(np.std(x, ddof=1)) / math.sqrt(x.size) / (mean * (1 - mean))
    half = t_quantile(x.size, level) * error
    low, high = expit(logit(mean) + np.array([-below * half, half])).tolist()
    return Interval(mean, low, high, x.size)


def t_quantile(count: int, level: float = LEVEL) -> float:
    """The quantile of Student's t that the interval of a mean of `count` values has, at least 2.

    >>> round(t_quantile(10), 3)
    2.262
    """
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + level) / 2))


def geometric_mean_interval(
    values: ArrayLike, level: float = LEVEL, *, below: float = 1.0, above: float = 1.0
) -> Interval:
    """Geometric mean and Student's t-interval taken on logarithms.

    For log-normal values the coverage is exact at any number of seeds, where bootstraps of 5 to 20
    values cover 0.82 to 0.91 of a nominal 0.95.

    Args:
        values: Shape (n,), not negative. One value gives no interval (nan), nor does an infinite
            one, with which the mean is infinite, nor else a 0, with which it is 0.
        level: Nominal coverage.
        below, above: As of `mean_interval`, of logarithms.

    Raises:
        ValueError: `values` is empty, or has a nan or a negative value.
    """
    x = _vector(values)
    if np.any(x < 0):
        raise ValueError("a geometric mean needs values that are not negative")
    if not np.all((x > 0) & np.isfinite(x)):
        return Interval(math.inf if np.isinf(x).any() else 0.0, math.nan, math.nan, x.size)
    log = mean_interval(np.log(x), level, below=below, above=above)
    return Interval(math.exp(log.value), math.exp(log.low), math.exp(log.high), log.count)


def positive_mean_interval(
    values: ArrayLike, level: float = LEVEL, *, above: float = LONGER, floor: float = 0.0
) -> Interval:
    """Mean of a quantity with a floor and Student's t-interval of the logarithm of its distance.

    The error of ln(m − floor) is that of the mean m over m − floor. Of gamma laws whose standard
    deviation is 0.3 to 1.6 times their mean a nominal 0.95 covers 0.94 to 0.98 with 5 to 20 values,
    where a plain t-interval covers 0.80 to 0.95: few values have most of the mean, and most choices
    have too few of these. What figures draw so: `benchmarks/coverage_figures.py`.

    Args:
        values: Shape (n,); estimates may be below the floor. One value gives no interval (nan), nor
            does an infinite one, with which the mean is infinite, a mean at the floor or below, or
            counts that are all the same, whose scatter is not seen.
        level: Nominal coverage.
        above: How many times as far as the lower end the upper one is from the mean, of logarithms.
        floor: What the quantity itself cannot be less than.

    Raises:
        ValueError: `values` is empty, or has a nan or infinities of both signs.

    >>> positive_mean_interval([0, 1, 1, 4]).low > 0 > mean_interval([0, 1, 1, 4]).low
    True
    """
    mean = mean_interval(values, level)
    if math.isnan(mean.low) or mean.value <= floor or np.ptp(values) == 0:
        return Interval(mean.value, math.nan, math.nan, mean.count)
    distance = mean.value - floor
    half = (mean.high - mean.value) / distance
    with np.errstate(over="ignore"):
        low, high = (floor + distance * np.exp([-half, above * half])).tolist()
    return Interval(mean.value, low, high, mean.count)


def median_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Median and its interval from order statistics, for heavy tails and infinite values.

    The interval between the k-th smallest and the k-th largest value covers the median with a
    probability that does not depend on the distribution; between two neighbouring k the ends are
    interpolated (Hettmansperger and Sheather, Statist. Probab. Lett. 4, 75, 1986). Up to five
    values it is their whole range, which covers 1 - 2^(1-n): 0.94 for n = 5, 0.75 for n = 3.

    Args:
        values: Shape (n,), not nan. Infinite values count as the largest (smallest) ones.
        level: Nominal coverage.

    Raises:
        ValueError: `values` is empty or has a nan.
    """
    x = np.sort(_vector(values))
    centre = _quantile(x, 0.5)
    if x.size == 1:
        return Interval(centre, math.nan, math.nan, 1)
    k, weight = order_statistics(x.size, level)
    low = _between(x[k - 1], x[min(k, x.size - 1)], weight)
    high = _between(x[x.size - k], x[max(x.size - k - 1, 0)], weight)
    return Interval(centre, low, high, x.size)


def quantile_band(values: ArrayLike, content: float = 0.8) -> Interval:
    """Median and the band between two quantiles, which holds the share `content` of the draws.

    Args:
        values: Shape (n,), not nan; infinite values are allowed.
        content: Share of the draws in the band: 0.8 takes the 10 % and 90 % quantiles.

    Raises:
        ValueError: `values` is empty or has a nan.
    """
    x = np.sort(_vector(values))
    tail = (1 - content) / 2
    return Interval(_quantile(x, 0.5), _quantile(x, tail), _quantile(x, 1 - tail), x.size)


def power_fit(x: ArrayLike, y: ArrayLike, level: float = LEVEL) -> PowerFit:
    """The power law through the values of several seeds; intervals are over seeds and lack of fit.

    Least squares of ln y over ln x for each seed: what one seed gives at two x is never taken as
    independent. Their mean is the fit to the geometric means, and resampling the seeds by a
    delete-one jackknife is Student's t on them, which holds its coverage where bootstraps of few
    seeds do not (`benchmarks/coverage.py`). Where the geometric means are further from the law than
    the seeds' own scatter explains, what is left is a variance of the points about the law, of
    which there is one value each: it is added, with the degrees of freedom of Satterthwaite
    (Biometrics Bull. 2, 110, 1946).

    Args:
        x: Shape (K,), positive, finite, at least two different values; points at one x are taken as
            one for the lack of fit only if the caller has made them one.
        y: Shape (n, K), a row per seed, positive and finite. One seed gives no interval (nan), nor
            do two x, which are always on a law.
        level: Nominal coverage.

    Raises:
        ValueError: x or y is not as above.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or y.ndim != 2 or not len(y) or y.shape[1] != len(x):
        raise ValueError(f"y must have the shape (seeds, {x.size}), not {y.shape}")
    if not all(np.all((a > 0) & np.isfinite(a)) for a in (x, y)) or np.ptp(x) == 0:
        raise ValueError("a power law needs positive, finite values at two different x or more")
    design = np.column_stack([np.log(x), np.ones_like(x)])
    solve = np.linalg.pinv(design)
    fits = np.log(y) @ solve.T
    off = np.log(y) - fits @ design.T
    factors = np.sum(solve**2, axis=1)  # of the variance of a point in that of slope and constant
    slope, constant = (
        _with_lack_of_fit(own, off, factor, level)
        for own, factor in zip(fits.T, factors, strict=True)
    )
    with np.errstate(over="ignore"):
        value, low, high = np.exp([constant.value, constant.low, constant.high]).tolist()
    return PowerFit(slope, Interval(value, low, high, constant.count))


def _with_lack_of_fit(
    fits: NDArray[np.float64], off: NDArray[np.float64], factor: float, level: float
) -> Interval:
    """Mean of the seeds' own fits with the interval of `power_fit`.

    Args:
        fits: One number of each seed's fit, shape (n,).
        off: Residuals of those fits, shape (n, K).
        factor: What the variance of one point gives to that of the number.
        level: Nominal coverage.
    """
    (n, points), centre = off.shape, float(fits.mean())
    if n == 1 or points == 2:
        return Interval(centre, math.nan, math.nan, n)
    from scipy.special import stdtrit

    free, mean = points - 2, off.mean(axis=0)
    # Each with its degrees of freedom: over seeds; of the mean points about the law; and what of
    # that the seeds' own scatter explains.
    seeds = float(fits.var(ddof=1)) / n, n - 1
    about = factor * float(np.sum(mean**2)) / free, free
    scatter = factor * float(np.sum((off - mean) ** 2)) / ((n - 1) * free * n), (n - 1) * free
    parts = [seeds] if about[0] <= scatter[0] else [seeds, about, scatter]
    variance = sum(part for part, _ in parts) - 2 * scatter[0] * (len(parts) > 1)
    if variance == 0:
        return Interval(centre, centre, centre, n)
    freedom = max(variance**2 / sum(part**2 / of for part, of in parts), min(n - 1, free))
    half = float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance)
    return Interval(centre, centre - half, centre + half, n)


@lru_cache(maxsize=256)
def order_statistics(n: int, level: float = LEVEL) -> tuple[int, float]:
    """The order statistic k and the weight of the (k+1)-th in the interval of a median of n."""
    from scipy.special import bdtr

    def coverage(k: int) -> float:
        return 1 - 2 * float(bdtr(k - 1, n, 0.5))

    k = 1
    while 2 * (k + 1) <= n and coverage(k + 1) >= level:
        k += 1
    wider, narrower = coverage(k), coverage(k + 1) if 2 * (k + 1) <= n else 0.0
    if wider <= level:
        return k, 0.0
    step = (wider - level) / (wider - narrower)
    return k, (n - k) * step / (k + (n - 2 * k) * step)


def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """The value below which `share` of the ordered values lie; the mean of two at a tie.

    `numpy.quantile` would interpolate, and between infinite values that gives nan.
    """
    # The product is rounded so that 10 values times 0.1 count as one, not as a bit more.
    position = round(share * ordered.size, 9)
    below = min(max(math.ceil(position) - 1, 0), ordered.size - 1)
    above = min(math.floor(position), ordered.size - 1)
    return _between(ordered[below], ordered[above], 0.5)


def _between(outer: float, inner: float, weight: float) -> float:
    """The point that splits outer to inner by `weight`; an infinite outer end stays infinite."""
    if weight == 0 or outer == inner:
        return float(outer)
    return float((1 - weight) * outer + weight * inner)


def _vector(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64).ravel()
    if x.size == 0:
        raise ValueError("no values")
    if np.any(np.isnan(x)):
        raise ValueError("a value is nan")
    return x
