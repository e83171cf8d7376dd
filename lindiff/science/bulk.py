"""The eigenvalues of Σ0 in the limit as a curve (docs/theory.md, "Density").

With t = s n/N for the population eigenvalues and n degrees of freedom, x = −κ(−λ) is the root of
λ = x + (x/n) Σ_j t_j/(x − t_j) in the upper half plane (Silverstein & Choi, J. Multivariate Anal.
54, 295, 1995). λ is real there exactly where Σ_j c_j/|x − t_j|² = 1, c_j = t_j²/n: at one height at
most above each p = Re x, the root of a monotone function, and λ grows with p. So a band is a curve
over an interval of p, and the number of eigenvalues below λ has a closed form along it. Nothing is
integrated and no form subtracts nearly equal numbers, in nearly closed gaps neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Levels = Float64[Array, " L"]
OnCurve = Float64[Array, " m"]

_EPS = float(np.finfo(float).eps)
_ROUNDS = 100
# Points × levels of one pass: its few work arrays then stay in the cache.
_BLOCK = 2**17


@dataclass(frozen=True, eq=False)
class Points:
    """Points of the curve; arrays of shape (m,).

    Attributes:
        p: Re x.
        q: Im x.
        modulus: |x|².
        ratio: λ/|x|².
        turn: arg dλ/dx, from −π/2 at the lower end of a band to π/2 at its upper end.
    """

    p: OnCurve
    q: OnCurve
    modulus: OnCurve
    ratio: OnCurve
    turn: OnCurve

    @property
    def eigenvalue(self) -> OnCurve:
        """λ."""
        return self.ratio * self.modulus


@dataclass(frozen=True, eq=False)
class Bulk:
    """The curve of one spectrum; from `make_bulk`.

    Attributes:
        freedom: n.
        levels: Distinct t > 0, ascending, shape (L,).
        counts: Their multiplicities, shape (L,).
        ends: The bands in p, shape (B, 2), ascending.
    """

    freedom: int
    levels: Levels
    counts: Levels
    ends: Float64[Array, "B 2"]

    @property
    def rank(self) -> int:
        """Number of eigenvalues in the bulk."""
        return min(int(self.counts.sum()), self.freedom)

    def edges(self) -> Float64[Array, "B 2"]:
        """The bands in λ, shape (B, 2), ascending."""
        # Rounding must not turn the ends of a gap that is all but closed.
        return np.maximum.accumulate(self.along(self.ends.ravel()).eigenvalue).reshape(-1, 2)

    def along(self, p: OnCurve) -> Points:
        """The points above p, shape (m,)."""
        parts = [self._along(p[part]) for part in _blocks(len(p), len(self.levels))]
        names = [field.name for field in fields(Points)]
        return Points(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _along(self, p: OnCurve) -> Points:
        weights = self.counts * self.levels**2 / self.freedom
        offset = p[:, None] - self.levels
        squares = offset * offset
        w = _height(squares, weights)
        inverse = 1 / (squares + w[:, None])
        # Both with Σ c/|x − t|² in place of 1: λ, and dλ/dx = 2q (qA + iB).
        ratio = inverse @ (self.counts * self.levels) / self.freedom
        inverse *= inverse
        A, B = inverse @ weights, (offset * inverse) @ weights
        q = np.sqrt(w)
        return Points(p, q, p * p + w, ratio, np.arctan2(B, q * A))

    def count(self, at: Points) -> OnCurve:
        """Eigenvalues of the bulk below λ, shape (m,): the limit of −Im ln det(Σ0 − λ)/π.

        ln det(Σ0 + z) = Σ ln(1 + t/κ) + n ln κ + n z/κ + (d − n) ln z − n, stationary in κ.
        """
        excess = self.freedom - self.counts.sum()
        angle: Array = self.freedom * at.ratio * at.q
        angle += excess * (np.pi - np.arctan2(at.q, at.p))
        for part in _blocks(len(at.p), len(self.levels)):
            below = np.arctan2(at.q[part, None], self.levels - at.p[part, None])
            angle[part] += below @ self.counts
        total: Array = angle / np.pi - max(excess, 0)
        return total

    def expected(self, at: Points) -> OnCurve:
        """`count` with the real Wishart correction of order 1/n: ln det gains ½ ln dλ/dx."""
        return self.count(at) - at.turn / (2 * np.pi)

    def crowding(self, at: Points) -> OnCurve:
        """Eigenvalues per unit of λ, shape (m,), at λ > 0."""
        return self.freedom * at.q / (np.pi * at.modulus)

    def search(self, value: Callable[[Points], OnCurve], target: OnCurve) -> Points:
        """The points at which `value`, which grows along the bands, is `target`, shape (m,).

        By secants inside a bracket that shrinks. A target must lie inside a band.
        """
        knots = self._knots()
        # The correction of a count may turn it back close to an edge.
        values = np.maximum.accumulate(value(self.along(knots)))
        right = np.clip(np.searchsorted(values, target), 1, len(knots) - 1)
        low, high = knots[right - 1], knots[right]
        last, before = low.copy(), values[right - 1] - target
        rise = np.maximum(values[right] - values[right - 1], np.finfo(float).tiny)
        p = low + (high - low) * np.clip(-before / rise, 0.01, 0.99)
        active = np.arange(len(p))
        for _ in range(_ROUNDS):
            at = self.along(p[active])
            miss = value(at) - target[active]
            high[active] = np.where(miss > 0, at.p, high[active])
            low[active] = np.where(miss > 0, low[active], at.p)
            with np.errstate(divide="ignore", invalid="ignore"):
                new = at.p - miss * (at.p - last[active]) / (miss - before[active])
            inside = (new > low[active]) & (new < high[active])
            p[active] = np.where(inside, new, (low[active] + high[active]) / 2)
            last[active], before[active] = at.p, miss
            active = active[np.abs(p[active] - at.p) > 1e-14 * np.sqrt(at.modulus)]
            if not len(active):
                break
        return self.along(p)

    def _knots(self) -> Float64[Array, " knots"]:
        """Points p in the bands, ascending, close enough together to start from."""
        turns = np.sin(np.linspace(0, np.pi / 2, 3 + 60 // len(self.ends))) ** 2
        found = []
        for low, high in self.ends:
            inside = self.levels[(self.levels > low) & (self.levels < high)]
            few = inside[:: 1 + len(inside) // 256]
            found.append(np.unique(np.clip([*(low + (high - low) * turns), *few], low, high)))
        return np.concatenate(found)


def make_bulk(spectrum: Float64[Array, " d"], n: int, freedom: int) -> Bulk:
    """The curve of a spectrum.

    Args:
        spectrum: Population eigenvalues s, shape (d,), not negative; zeros play no part.
        n: N, the number of samples.
        freedom: Degrees of freedom, at least 1.

    Raises:
        ValueError: An eigenvalue is negative or not finite, all are zero, or `freedom` is 0.
    """
    if freedom < 1:
        raise ValueError(f"N = {n} leaves no degree of freedom")
    if not np.all(np.isfinite(spectrum) & (spectrum >= 0)) or not np.any(spectrum > 0):
        raise ValueError("eigenvalues must be finite and not negative, and not all zero")
    levels, multiplicity = np.unique(spectrum[spectrum > 0] * freedom / n, return_counts=True)
    counts = multiplicity.astype(float)
    return Bulk(freedom, levels, counts, _ends(levels, counts, freedom))


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows of an array, few enough elements each; one at least."""
    width = max(1, _BLOCK // columns)
    return (slice(i, i + width) for i in range(0, max(rows, 1), width))


def _height(squares: Float64[Array, "m L"], weights: Levels) -> OnCurve:
    """The root w ≥ 0 of h = Σ c/((p−t)² + w) = 1 for each row of (p−t)²; 0 where there is none.

    1/h is concave and grows, so Newton's method on it never passes the root from the left.
    """
    w: Array = np.maximum((weights - squares).max(axis=1), 0)
    active = np.arange(len(w))
    for _ in range(_ROUNDS):
        total = squares[active] + w[active, None]
        ratio = weights / total
        h = ratio.sum(axis=1)
        new = np.maximum(w[active] + h * (h - 1) / (ratio / total).sum(axis=1), 0)
        moved = new > w[active] * (1 + 2 * _EPS)
        w[active] = new
        active = active[moved]
        if not len(active):
            break
    return w


def _climb(x: OnCurve, limit: OnCurve, levels: Levels, weights: Levels) -> OnCurve:
    """The root of g(x) = (Σ c/(x−t)²)^−½ = 1 next to x on the way to `limit`; NaN if there is none.

    g is concave between two levels and outside them, so Newton's method never passes the root.

    Args:
        x: Starts with g ≤ 1, shape (m,).
        limit: The end of each interval that g is followed on, shape (m,).
        levels: t, shape (L,).
        weights: c, shape (L,).
    """
    x, active = x.copy(), np.arange(len(x))
    sign = np.sign(limit - x)
    for _ in range(_ROUNDS):
        inverse = 1 / (x[active, None] - levels)
        scaled = weights * inverse * inverse
        h = scaled.sum(axis=1)
        slope = (scaled * inverse).sum(axis=1) * h**-1.5
        with np.errstate(divide="ignore"):
            step = (1 - h**-0.5) / slope
        new = x[active] + step
        towards = sign[active]
        lost = (slope * towards <= 0) | ((new - limit[active]) * towards >= 0)
        moving = step * towards > _EPS * np.abs(new)
        x[active] = np.where(lost, np.nan, np.where(moving, new, x[active]))
        active = active[moving & ~lost]
        if not len(active):
            break
    return x


def _ends(levels: Levels, counts: Levels, freedom: int) -> Float64[Array, "B 2"]:
    """`Bulk.ends`: where dλ/dx = 1 − Σ c/(x−t)² has its roots on the real axis."""
    weights = counts * levels**2 / freedom
    root = np.sqrt(weights)
    # What its two levels alone give closes most gaps at a glance.
    pair = (np.cbrt(weights[:-1]) + np.cbrt(weights[1:])) ** 3
    gaps = np.flatnonzero(pair < np.diff(levels) ** 2)
    lower, upper = [], []
    for part in _blocks(len(gaps), len(levels)):
        i = gaps[part]
        left = _climb(levels[i] + root[i], levels[i + 1], levels, weights)
        right = _climb(levels[i + 1] - root[i + 1], levels[i], levels, weights)
        is_open = left < right  # False for NaN
        upper.append(left[is_open])
        lower.append(right[is_open])
    infinity = np.array([np.inf])
    upper.append(_climb(levels[-1:] + root[-1:], infinity, levels, weights))
    bottom = _climb(levels[:1] - root[:1], -infinity, levels, weights)
    if counts.sum() == freedom:
        bottom = np.zeros(1)
    return np.stack([np.concatenate([bottom, *lower]), np.concatenate(upper)], axis=1)
