"""Filters tabulated in ln λ, so that a draw costs no recursion (docs/theory.md, "Tables").

A filter is analytic in λ, so a Chebyshev series in ln λ of a few hundred terms gives the recursion
over all levels to 1e-12. ln v is tabulated rather than v, which spans many decades. Nodes outside
the range, λ = 0 and the rare filter whose series does not converge go through the recursion itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float64, Inexact, Int
from numpy.typing import NDArray

from lindiff.science.filters import Bank, Response
from lindiff.science.sampler import Sampler

Array = NDArray[np.float64]
OnPoints = Float64[Array, "K F"]
Range = tuple[float, float]

FIELDS = ("residual", "gain", "log_v", "P")
_SIZES = (129, 257, 513)
_TOLERANCE = 1e-13


def node_range(spectrum: Float64[Array, " d"], n: int) -> Range:
    """Range of λ for draws of `n` samples, in whole decades so that many draws share one table.

    It depends on the spectrum (shape (d,)) and on n alone, never on a shard. The upper end is
    above the edge of the bulk, s_1 (1 + √(d/n))²; the lower end is 1e-6 of the smallest s_j > 0.
    """
    high = 1.5 * spectrum.max() * (1 + np.sqrt(len(spectrum) / n)) ** 2
    low = 1e-6 * spectrum[spectrum > 0].min()
    return 10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high))


def _chebyshev(x: Inexact[NDArray[Any], " m"], size: int) -> Inexact[NDArray[Any], "m {size}"]:
    """T_k(x) for k < size, shape (len(x), size), by the three-term recursion."""
    basis = np.empty((size, len(x)), x.dtype)
    basis[0] = 1
    basis[1] = x
    twice = 2 * x
    for k in range(2, size):
        np.multiply(twice, basis[k - 1], out=basis[k])
        basis[k] -= basis[k - 2]
    return basis.T


def _points(size: int) -> Float64[Array, " {size}"]:
    """The Chebyshev extrema, from 1 to −1; every other one of them is a point of half as many."""
    return np.asarray(np.cos(np.arange(size) * np.pi / (size - 1)))


def _coefficients(values: OnPoints) -> OnPoints:
    """Chebyshev coefficients of `values` (K, F) at the K points of `_points`."""
    last = len(values) - 1
    k = np.arange(last + 1)
    transform = np.cos(np.outer(k, k) * (np.pi / last)) * (2 / last)
    transform[[0, last]] /= 2
    transform[:, [0, last]] /= 2
    coefficients: Array = transform @ values
    return coefficients


class FilterTable:
    """All filters of a bank over a range of λ.

    Args:
        bank: F filters.
        sampler: The sampler; None is `ideal`.
        span: Smallest and largest λ of the table.
    """

    def __init__(self, bank: Bank, sampler: Sampler | None, span: Range) -> None:
        self.bank = bank
        self.sampler = sampler
        self.span = span
        self._middle = (np.log(span[0]) + np.log(span[1])) / 2
        self._half = (np.log(span[1]) - np.log(span[0])) / 2
        # Descent that diverges inside the range would swamp the series' scale.
        discrete = [t.learning_rate if t.discrete else 0.0 for t in bank.trainings]
        self._diverging = np.array(discrete) >= bank.largest_stable_rate(span[1])
        self.unresolved = np.ones(len(bank.trainings), dtype=bool)
        self.size = 2
        self.coefficients = {name: np.zeros((2, len(bank.trainings))) for name in FIELDS}
        values: dict[str, Array] = {}
        for size in _SIZES:
            if np.any(self.unresolved & ~self._diverging):
                values = self._refined(values, size)
                self._fit(values, size)

    def _refined(
        self, values: dict[str, OnPoints], size: int
    ) -> dict[str, Float64[Array, "{size} F"]]:
        """The filters at `size` points, from those at half as many where there are any."""
        x = _points(size)
        new = slice(1, None, 2) if values else slice(None)
        response = self.bank.response(np.exp(self._middle + self._half * x[new]), self.sampler)
        refined = {}
        for name in FIELDS:
            refined[name] = np.empty((size, len(self.bank.trainings)))
            if values:
                refined[name][::2] = values[name]
            refined[name][new] = getattr(response, name)
        return refined

    def _fit(self, values: dict[str, Float64[Array, "{size} F"]], size: int) -> None:
        unresolved = self._diverging.copy()
        with np.errstate(invalid="ignore", over="ignore"):
            for name in FIELDS:
                c = _coefficients(values[name])
                tail = np.abs(c[-size // 16 :]).max(axis=0)
                # A NaN or an infinity must count as unresolved, hence the negated comparison.
                unresolved |= ~(tail <= _TOLERANCE * np.maximum(1, np.abs(c).max(axis=0)))
                self.coefficients[name] = c
                c[:, unresolved] = 0
        self.size, self.unresolved = size, unresolved

    @cached_property
    def at_zero(self) -> Response:
        """The filters at λ = 0, shape (1, F)."""
        return self.bank.response(np.zeros(1), self.sampler)

    def continued(
        self, nodes: Complex128[NDArray[np.complex128], " m"]
    ) -> dict[str, Inexact[NDArray[Any], "m F"]]:
        """The fields at complex `nodes` (m,), each of shape (m, F); NaN for unresolved filters.

        A series that is resolved to 1e-13 with 513 terms converges where ln λ is within the ellipse
        of `lindiff.science.limit.contour`. Its rounding errors grow there, but they are those of a
        polynomial: a contour integral sees them as small as they are on the real axis.
        """
        basis = _chebyshev((np.log(nodes) - self._middle) / self._half, self.size)
        fields = {name: basis @ self.coefficients[name] for name in FIELDS}
        for values in fields.values():
            values[:, self.unresolved] = np.nan
        return fields

    def at(self, nodes: Float64[Array, " m"]) -> Evaluated:
        """The filters at `nodes` (m,), λ ≥ 0."""
        inside = (nodes >= self.span[0]) & (nodes <= self.span[1])
        if self.unresolved.all():
            inside[:] = False
        x = (np.log(nodes[inside]) - self._middle) / self._half
        basis = _chebyshev(x, self.size)
        outside = np.flatnonzero(~inside)
        zero = nodes[outside] == 0
        direct = {}
        if len(outside):
            direct = {
                name: np.repeat(getattr(self.at_zero, name), len(outside), axis=0)
                for name in FIELDS
            }
        if not zero.all():
            others = self.bank.response(nodes[outside][~zero], self.sampler)
            for name in FIELDS:
                direct[name][~zero] = getattr(others, name)
        exact = None
        if self.unresolved.any() and inside.any():
            some = [t for t, bad in zip(self.bank.trainings, self.unresolved, strict=True) if bad]
            exact = Bank(self.bank.schedule, some).response(nodes[inside], self.sampler)
        return Evaluated(self, np.flatnonzero(inside), outside, basis, direct, exact)


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The filters of a table on the nodes of one measure; made by `FilterTable.at`."""

    table: FilterTable
    inside: Int[NDArray[np.intp], " inside"]
    outside: Int[NDArray[np.intp], " outside"]
    basis: Float64[Array, "inside size"]
    direct: dict[str, Float64[Array, "outside F"]]
    exact: Response | None

    def functional(self, name: str, weights: Float64[Array, "i m"]) -> Float64[Array, "i F"]:
        """Σ_ν weights[i, ν] F(λ_ν): shape (m', F) for `weights` (m', m) and a field F."""
        inside = weights[:, self.inside]
        total = (inside @ self.basis) @ self.table.coefficients[name]
        if self.exact is not None:
            total[:, self.table.unresolved] = inside @ getattr(self.exact, name)
        if len(self.outside):
            total += weights[:, self.outside] @ self.direct[name]
        return total

    def pointwise(self, name: str) -> Float64[Array, "m F"]:
        """F(λ_ν) of a field, shape (m, F)."""
        coefficients = self.table.coefficients[name]
        values = np.empty((len(self.inside) + len(self.outside), coefficients.shape[1]))
        if not len(self.outside):
            np.matmul(self.basis, coefficients, out=values)
        else:
            values[self.inside] = self.basis @ coefficients
            values[self.outside] = self.direct[name]
        if self.exact is not None:
            values[np.ix_(self.inside, self.table.unresolved)] = getattr(self.exact, name)
        return values
