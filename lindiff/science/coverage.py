"""How a training set covers the place of each of its points (docs/theory.md, "Coverage").

Which points are copied is said to be ruled by how dense the training set is about them (Merger and
Goldt, arXiv 2606.14390): what is told of each point here is when the empirical score holds it
apart from all others, how far its neighbours are, and how often samples are copies of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = Int64[NDArray[np.int64], " N"]
PerPoint = Float64[Array, " N"]

# Noises that the own weight of a point is a mean over; the same for all points.
NOISES = 32
# Evaluations of all own weights, about, until the levels are found.
EVALUATIONS = 24
# In ln σ²: how well a level is found, and half a step of the slope there.
_TOLERANCE, _STEP = 1e-4, 0.05
# Numbers of one work array: 8 MiB.
BLOCK = 1 << 20
# Points that are copied, or are not, from which on an area has an error.
FEWEST_OF_A_KIND = 8


@dataclass(frozen=True, eq=False)
class Places:
    """The place of each of N training points among the others; arrays of shape (N,).

    Attributes:
        own_time: Time −½ ln ᾱ = ½ ln(1 + σ²) at which its mean posterior weight is ½; NaN of a
            point that is half of the training set or more.
        own_time_se: Its standard error over the noises.
        nearest: Distance to the nearest distinct point.
        second: Distance to the second-nearest distinct point.
        log_density: ln of the mean of exp(−|x_i − x_j|²/(2σ²)) over the points j that are distinct
            from it, σ² the median of all own levels.
    """

    own_time: PerPoint
    own_time_se: PerPoint
    nearest: PerPoint
    second: PerPoint
    log_density: PerPoint


def places(
    points: Float64[Array, "N d"], number: Numbers, rng: np.random.Generator, count: int = NOISES
) -> Places:
    """Where each training point lies among the others.

    The own weight of x_i at the noise σ is E w_i(x_i + σ ε), w the weights of the empirical score;
    copies are one point. It falls from 1 to the share of the copies of x_i.

    Args:
        points: Training points, shape (N, d), about any centre.
        number: Which distinct point each of them is, shape (N,).
        rng: Source of the noises.
        count: Number of noises.

    Raises:
        ValueError: There are fewer than three distinct points.
    """
    if len(np.unique(number)) < 3:
        raise ValueError(f"{len(np.unique(number))} distinct training points; a place needs 3")
    along = rng.standard_normal((count, points.shape[1])) @ points.T
    level, slope, spread = np.full((3, len(points)), np.nan)
    near = np.empty((2, len(points)))
    copies = np.bincount(number)[number]
    for rows, squares in _blocks(points):
        for i, own in zip(range(rows.start, rows.stop), squares, strict=True):
            other = np.sqrt(own[number != number[i]])
            near[0, i] = other.min()
            near[1, i] = _second(own, number, i)
        weighed = _Weights(squares, along, rows, copies)
        level[rows], slope[rows], spread[rows] = weighed.levels()
    variance = np.exp(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = spread / np.sqrt(count) / -slope * variance / (1 + variance) / 2
    typical = float(np.exp(np.nanmedian(level)))
    density = np.concatenate(
        [_log_density(squares, number, rows, typical) for rows, squares in _blocks(points)]
    )
    return Places(np.log1p(variance) / 2, error, near[0], near[1], density)


def _blocks(points: Float64[Array, "N d"]) -> Iterator[tuple[slice, Float64[Array, "B N"]]]:
    """Rows at a time with their squared distances to all points, from differences."""
    from scipy.spatial.distance import cdist

    size = max(1, BLOCK // len(points))
    for start in range(0, len(points), size):
        rows = slice(start, min(start + size, len(points)))
        yield rows, cdist(points[rows], points, "sqeuclidean")


def _second(squares: PerPoint, number: Numbers, i: int) -> float:
    """Distance to the second-nearest point that is distinct from i and from the nearest one."""
    others = np.where(number == number[i], np.inf, squares)
    first = number[others.argmin()]
    return float(np.sqrt(np.where(number == first, np.inf, others).min()))


class _Weights:
    """Own weights of a block of points at any noise.

    Args:
        squares: Squared distances of its B points to all, shape (B, N).
        along: Noises times points, εᵀx, shape (K, N).
        rows: Which points the block is.
        copies: How often each point is there, shape (N,).
    """

    def __init__(
        self,
        squares: Float64[Array, "B N"],
        along: Float64[Array, "K N"],
        rows: slice,
        copies: Numbers,
    ) -> None:
        self._squares, self._along, self._rows = squares, along, rows
        self._copies = copies[rows]
        self._some = 2 * self._copies < len(copies)

    def at(self, log_variance: Float64[Array, " B"]) -> Float64[Array, "K B"]:
        """w_i(x_i + σ_i ε) of each noise and point."""
        sigma = np.exp(log_variance / 2)[:, None]
        half = self._squares / (2 * sigma**2)
        found = np.empty((len(self._along), len(half)))
        for k, noise in enumerate(self._along):
            # |x − x_j|² − |x − x_i|² of x = x_i + σ ε, over 2σ².
            with np.errstate(over="ignore"):
                ratio = np.exp(-half - (noise[self._rows, None] - noise) / sigma).sum(axis=1)
            found[k] = self._copies / ratio
        return found

    def levels(self) -> tuple[Float64[Array, " B"], Float64[Array, " B"], Float64[Array, " B"]]:
        """ln σ² at which the mean is ½, its slope there and the spread over noises; NaN of none."""
        away = np.where(self._squares > 0, self._squares, np.inf).min(axis=1)
        low = high = np.log(away)
        with np.errstate(invalid="ignore"):
            while np.any((self.at(low).mean(axis=0) <= 0.5) & self._some):
                low = low - 2
            while np.any((self.at(high).mean(axis=0) >= 0.5) & self._some):
                high = high + 2
            while np.max(high - low) > _TOLERANCE:
                middle = (low + high) / 2
                above = self.at(middle).mean(axis=0) > 0.5
                low, high = np.where(above, middle, low), np.where(above, high, middle)
            level = np.where(self._some, (low + high) / 2, np.nan)
            ends = (self.at(level + side).mean(axis=0) for side in (_STEP, -_STEP))
            slope = np.subtract(*ends) / (2 * _STEP)
            return level, slope, self.at(level).std(axis=0, ddof=1)


def _log_density(
    squares: Float64[Array, "B N"], number: Numbers, rows: slice, variance: float
) -> Float64[Array, " B"]:
    other = number[rows, None] != number
    logs = np.where(other, -squares / (2 * variance), -np.inf)
    largest = logs.max(axis=1)
    total = np.exp(logs - largest[:, None]).sum(axis=1)
    found: Array = largest + np.log(total) - np.log(other.sum(axis=1))
    return found


def times_copied(
    index: Int64[NDArray[np.int64], " S"], copied: Bool[NDArray[np.bool_], " S"], number: Numbers
) -> Numbers:
    """How many samples are copies of each training point, shape (N,); copies of it have its number.

    Args:
        index: The nearest training point of each sample, shape (S,), from
            `lindiff.science.samples.copies`, as the next one.
        copied: Which samples are copies of it.
        number: Which distinct point each training point is, shape (N,).
    """
    hits: Numbers = np.bincount(number[index[copied]], minlength=int(number.max()) + 1)
    return hits[number]


def copied_auc(own_time: PerPoint, copied: Numbers, number: Numbers) -> tuple[float, float]:
    """Probability that a point which is copied has a later own time than one which is not.

    The area under the curve of hits over false alarms of all thresholds on `own_time`, as the
    statistic of Mann and Whitney (1947), ties a half; distinct points only. Its error is that of
    DeLong, DeLong and Clarke-Pearson (1988), of points drawn independently, copied or not.

    Args:
        own_time: Of each point, shape (N,), or another score; those with NaN are left out.
        copied: Times that it was copied, shape (N,).
        number: Which distinct point each of them is, shape (N,).

    Returns:
        The area A, from 0 to 1, NaN where all points or none are copied; and its standard error,
        NaN where fewer than 8 points are copied or fewer than 8 are not, and where A is 0 or 1, of
        which no scatter is seen. An interval is of ln(A/(1 − A)), whose error is larger by
        1/(A (1 − A)): A ± 1.96 errors is too short for large areas (`benchmarks/coverage.py`).
    """
    from scipy.stats import rankdata

    first = np.unique(number, return_index=True)[1]
    first = first[np.isfinite(own_time[first])]
    hit, time = copied[first] > 0, own_time[first]
    if hit.all() or not hit.any():
        return np.nan, np.nan
    ranks = rankdata(time)
    # Of each point of one kind the share of the other kind that it is later than, ties a half.
    above = {kind: ranks[hit == kind] - rankdata(time[hit == kind]) for kind in (True, False)}
    shares = above[True] / np.count_nonzero(~hit), above[False] / np.count_nonzero(hit)
    area = float(shares[0].mean())
    if min(map(len, shares)) < FEWEST_OF_A_KIND or area in (0.0, 1.0):
        return area, np.nan
    return area, float(np.sqrt(sum(share.var(ddof=1) / len(share) for share in shares)))
