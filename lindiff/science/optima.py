"""Optima of curves: exact ones, and measured ones with an interval (docs/theory.md, "Optima").

A bounded search alone can end on a plateau, where a curve is flat to rounding: the grid is scanned
first, and the search stays between the neighbours of the best point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Curve = Float64[Array, " K"]
# Of whatever shape: the function itself says what is wrong with it.
Unchecked = Float64[Array, " ..."]

# Values this near to the least one, relative to it, are level with it: a plateau up to rounding.
_LEVEL = 1e-9
_NOMINAL = 0.95


@dataclass(frozen=True)
class Minimum:
    """Where a curve is least.

    Attributes:
        x: Where it is least.
        value: The curve there.
        inside: Whether the curve rises on both sides of `x`. If not, `x` is the first or the last
            point: the end of the range, or of a plateau that reaches it.
    """

    x: float
    value: float
    inside: bool


@dataclass(frozen=True)
class Optimum:
    """The minimum of the mean of several curves, with intervals.

    Attributes:
        x: Where the mean curve is least.
        x_low: Lower end of the interval of `x`; nan where there is none.
        x_high: Upper end of the interval of `x`; nan where there is none.
        value: The mean curve there.
        value_low: Lower end of the interval of `value`; nan with one curve.
        value_high: Upper end of the interval of `value`; nan with one curve.
        inside: As in `Minimum`.
        count: Number of curves.
    """

    x: float
    x_low: float
    x_high: float
    value: float
    value_low: float
    value_high: float
    inside: bool
    count: int


def minimum(x: Unchecked, y: Unchecked) -> Minimum:
    """The minimum of a curve known on a grid.

    Scanned for on the grid, then refined between the neighbours of the best point: Brent's bounded
    search on a cubic spline over ln x, of ln y where y is positive. It is inside only where points
    with 0 < x < inf lie on both sides of it.

    Args:
        x: Shape (K,), ascending, not negative; 0 and inf may be its first and last point and
            compete as they are.
        y: Shape (K,), not nan; inf is never the best.

    Raises:
        ValueError: x or y is not as above, or y is nowhere finite.
    """
    x, y = _checked(x, y)
    best = int(np.argmin(y))
    start, stop = _run((x > 0) & np.isfinite(x), best)
    first, last = _run(y <= y[best] + _LEVEL * abs(y[best]), best)
    if first <= start or last >= stop:
        end = last if last >= stop else first
        return Minimum(float(x[end]), float(y[end]), False)
    low, high = _run(np.isfinite(y[start : stop + 1]), best - start)
    finite = slice(start + low, start + high + 1)
    return _refined(np.log(x[finite]), y[finite], best - start - low)


def _checked(x: Unchecked, y: Unchecked) -> tuple[Curve, Curve]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"x and y must be curves of one length, not {x.shape} and {y.shape}")
    if not (np.all(np.diff(x) > 0) and x[0] >= 0):
        raise ValueError("x must be ascending and not negative")
    if np.any(np.isnan(y)) or not np.any(np.isfinite(y)) or np.any(np.isneginf(y)):
        raise ValueError("y must be somewhere finite and nowhere nan or −inf")
    return x, y


def _run(true: Bool[NDArray[np.bool_], " K"], at: int) -> tuple[int, int]:
    """First and last index of the stretch of True about `at`; `at` itself counts as True."""
    before, after = np.flatnonzero(~true[:at]), np.flatnonzero(~true[at + 1 :])
    return (
        int(before[-1]) + 1 if len(before) else 0,
        at + int(after[0]) if len(after) else len(true) - 1,
    )


def _refined(log_x: Curve, y: Curve, best: int) -> Minimum:
    """The minimum of the spline through finite points, between the neighbours of `best`."""
    from scipy.interpolate import CubicSpline
    from scipy.optimize import minimize_scalar

    low, high = max(best - 1, 0), min(best + 1, len(y) - 1)
    found, value = float(log_x[best]), float(y[best])
    if low < high:
        logarithmic = bool(np.all(y > 0))
        curve = CubicSpline(log_x, np.log(y) if logarithmic else y)
        bounds = (log_x[low], log_x[high])
        result = minimize_scalar(curve, bounds=bounds, method="bounded", options={"xatol": 1e-8})
        refined = math.exp(result.fun) if logarithmic else float(result.fun)
        if refined < value:
            found, value = float(result.x), refined
    return Minimum(math.exp(found), value, True)


def measured(x: Unchecked, Y: Unchecked) -> Optimum:
    """The minimum of the mean of several curves on one grid, with 95 % intervals.

    The curves are averaged, not their minima: the least of a noisy curve lies below the curve, and
    theory predicts the mean over draws. A mean is stable here although the KL have heavy tails:
    those are where a mode has hardly any variance, and there the curve is not least. Intervals are
    Student's t on a delete-one jackknife over the curves (Tukey 1958; Miller, Biometrika 61, 1,
    1974), of ln x and of the value: they cover 0.93 to 0.97 from 5 curves on, for real draws
    (`benchmarks/coverage.py`).

    Args:
        x: Shape (K,), as in `minimum`.
        Y: Shape (n, K), a curve per seed, each as in `minimum`.

    Returns:
        The optimum. `x` has no interval where it, or that of the curves without one of them, is
        not inside; nothing has one with a single curve.

    Raises:
        ValueError: As `minimum`, or Y has not the shape (n, K).
    """
    Y = np.asarray(Y, np.float64)
    if Y.ndim != 2 or not len(Y):
        raise ValueError(f"Y must have the shape (curves, points), not {Y.shape}")
    centre = minimum(x, Y.mean(axis=0))
    if len(Y) == 1:
        return Optimum(
            centre.x, math.nan, math.nan, centre.value, math.nan, math.nan, centre.inside, 1
        )
    without = [minimum(x, np.delete(Y, i, axis=0).mean(axis=0)) for i in range(len(Y))]
    factor = math.nan
    if centre.inside and all(m.inside for m in without):
        factor = math.exp(jackknife(np.log([m.x for m in without])))
    half = jackknife(np.array([m.value for m in without]))
    return Optimum(
        centre.x, centre.x / factor, centre.x * factor,
        centre.value, centre.value - half, centre.value + half,
        centre.inside, len(Y),
    )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A place on the mean of several curves, with its interval.

    Attributes:
        x: Where it is.
        x_low: Lower end of the interval; nan where there is none.
        x_high: Upper end of the interval; nan where there is none.
        count: Number of curves.
    """

    x: float
    x_low: float
    x_high: float
    count: int


def measured_place(
    x: Float64[Array, " K"],
    Y: Float64[Array, "n K"],
    place: Callable[[Curve, Curve], float | None],
) -> Place | None:
    """A place on the mean of several curves; None where that has none.

    Its 95 % interval is that of `measured`: Student's t on a delete-one jackknife of ln x; there
    is none with a single curve, or where the mean without one of them has no such place.

    Args:
        x: Shape (K,), positive.
        Y: Shape (n, K), a curve per seed.
        place: Of one curve, from x and y.
    """
    found, n = place(x, Y.mean(axis=0)), len(Y)
    if found is None:
        return None
    means = (np.delete(Y, i, axis=0).mean(axis=0) for i in range(n) if n > 1)
    logs = [math.log(one) for one in (place(x, y) for y in means) if one is not None]
    factor = math.exp(jackknife(np.array(logs))) if len(logs) == n else math.nan
    return Place(found, found / factor, found * factor, n)


def measured_rise(x: Unchecked, Y: Unchecked, level: float) -> Place | None:
    """Where the mean of several curves on one grid first reaches a level, if it starts below.

    Args:
        x: Shape (K,), ascending, positive and finite.
        Y: Shape (n, K), a curve per seed, finite.
        level: What is reached; between points the mean is a monotone cubic in ln x (Fritsch &
            Carlson 1980), for at the kinks of straight pieces a jackknife sees the slope of one
            side, and its interval is too short (`benchmarks/coverage.py`).

    Returns:
        As `measured_place`; None where the mean curve starts at the level or above, or nowhere
        reaches it.

    Raises:
        ValueError: x or Y is not as above.
    """
    from scipy.interpolate import PchipInterpolator
    from scipy.optimize import brentq

    Y = np.asarray(Y, np.float64)
    if Y.ndim != 2 or not len(Y):
        raise ValueError(f"Y must have the shape (curves, points), not {Y.shape}")
    x, _ = _checked(x, Y.mean(axis=0))
    if not (x[0] > 0 and np.isfinite(x[-1]) and np.isfinite(Y).all()):
        raise ValueError("x must be positive, x and Y finite")

    def rise(x: Curve, y: Curve) -> float | None:
        reached = np.flatnonzero(y >= level)
        if not len(reached) or reached[0] == 0:
            return None
        log_x, i = np.log(x), int(reached[0])
        return math.exp(brentq(PchipInterpolator(log_x, y - level), log_x[i - 1], log_x[i]))

    return measured_place(x, Y, rise)


def jackknife(without: Float64[Array, " n"]) -> float:
    """Half the width of the 95 % interval of an estimate: Student's t on the jackknife's error.

    Args:
        without: The estimates without one of n values each, shape (n,), n at least 2.

    >>> round(jackknife(np.array([1.0, 2.0, 3.0])), 2)
    4.97
    """
    from scipy.special import stdtrit

    n = len(without)
    error = math.sqrt((n - 1) / n * float(np.sum((without - without.mean()) ** 2)))
    return float(stdtrit(n - 1, (1 + _NOMINAL) / 2)) * error
