"""Random features of groups of Gaussian rows: the equations of their limit at one level.

A training set is groups of rows, features are groups of columns, and modes are what both have in
common (`random_features_equivalent` says which). The traces of the resolvent over rows and columns
are numbers w_k, one a group of rows, and t_c, one a group of columns, and both losses are slopes of
one least sum of squares (docs/theory.md, "Random features").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = Inexact[NDArray[Any], "..."]

_ROUNDS = 500
# Of a derivative by one imaginary step, which subtracts nothing.
_STEP = 1e-25


@dataclass(frozen=True, eq=False)
class Rows:
    """Gaussian rows of features, a group each, or one fresh row.

    Attributes:
        k: Their covariances along the modes, shape (g, v), or (v,) of a fresh row.
        h: The variances of their noise in each group of columns, shape (g, c) or (c,).
        cross: Their E ε y along each mode, shape (g, v) or (v,).
        targets: Their E ‖ε‖², shape (g,) or ().
    """

    k: Float64[Array, "*g v"]
    h: Float64[Array, "*g c"]
    cross: Float64[Array, "*g v"]
    targets: Float64[Array, "*g"]

    def map(self, of: Callable[[Any], Any]) -> Rows:
        """These rows with another array for each."""
        parts = (self.k, self.h, self.cross, self.targets)
        return Rows(*(np.asarray(of(part)) for part in parts))


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a training set's limit, of g groups of rows, c of columns, and v modes.

    Attributes:
        n: Rows of the groups, shape (g,).
        rows: The groups.
        fresh: A fresh pair; what the constant adds to its prediction is counted as ε.
        a: Variances of the entries of each mode's column, shape (c, v).
        p: Columns of the groups, less what the constant takes, shape (c,).
        counts: How often each mode occurs, shape (v,).
        d: Dimension.
    """

    n: Float64[Array, " g"]
    rows: Rows
    fresh: Rows
    a: Float64[Array, "c v"]
    p: Float64[Array, " c"]
    counts: Float64[Array, " v"]
    d: int

    @property
    def variance(self) -> float:
        """E ‖φ‖² of a fresh pair, but for the constant."""
        return float(self.p @ (self.a @ (self.fresh.k * self.counts) + self.fresh.h))

    def split(self, x: Numbers) -> tuple[Numbers, Numbers]:
        """w and t of their logarithms, along the first axis."""
        values = np.exp(x)
        return values[: len(self.n)], values[len(self.n) :]

    def start(self, z: Any) -> Numbers:
        """ln (w, t) of z far from the eigenvalues, where Newton's method begins."""
        found: Numbers = np.log(np.concatenate([self.n, self.p / (z + self.n @ self.rows.h)]))
        return found

    def root(self, z: Any, step: Any, x: Numbers) -> Numbers:
        """ln (w, t) with `step` fresh pairs added, by Newton's method in these logarithms from x.

        w_k (1 + Σ_ν k_kν A_ν/(1 + A_ν D_ν) + Σ_c h_kc t_c) = n_k and
        t_c (Z + Σ_k w_k h_kc + Σ_ν a_cν D_ν/(1 + A_ν D_ν)) = p_c, D = Σ_k w_k k_k, A = Σ_c t_c a_c.

        Raises:
            ArithmeticError: The method did not end.
        """
        k, h, a, groups = self.rows.k, self.rows.h, self.a, len(self.n)
        settled = 0
        for _ in range(_ROUNDS):
            w, t = self.split(x)
            A, D = t @ a, w @ k + step * self.fresh.k
            thin = 1 / (1 + A * D)
            g, f = A * thin, D * thin
            trace = 1 + k @ (g * self.counts) + h @ t
            total = z + w @ h + step * self.fresh.h + a @ (f * self.counts)
            left = np.concatenate([np.log(w * trace / self.n), np.log(t * total / self.p)])
            both = (k * (thin**2 * self.counts)) @ a.T + h
            slope = np.eye(len(x), dtype=x.dtype)
            slope[:groups, :groups] -= (k * (g**2 * self.counts)) @ k.T * w / trace[:, None]
            slope[:groups, groups:] += both * t / trace[:, None]
            slope[groups:, :groups] += both.T * w / total[:, None]
            slope[groups:, groups:] -= (a * (f**2 * self.counts)) @ a.T * t / total[:, None]
            change = np.linalg.solve(slope, left)
            size = np.abs(change).max()
            x = x - change / max(size, 1.0)
            settled += bool(size < 1e-7)
            if settled == 2:
                return x
        raise ArithmeticError("the limit of random features was not found")

    def least(self, z: Any, step: Any, x: Numbers) -> Any:
        """The least sum of squares with `step` fresh pairs added, and the root."""
        x = self.root(z, step, x)
        w, t = self.split(x)
        A, D = t @ self.a, w @ self.rows.k + step * self.fresh.k
        cross = w @ self.rows.cross + step * self.fresh.cross
        explained = (cross**2 * A / (1 + A * D)) @ self.counts
        return w @ self.rows.targets + step * self.fresh.targets - explained, x

    def losses(self, z: float) -> tuple[float, float]:
        """Train loss times d N m, and test loss times d, with the penalty z = N m γ."""
        value, x = self.least(z, 0.0, self.start(z))
        h = _STEP * self.n.sum()
        square, _ = self.least(z + 1j * h, 0.0, x.astype(complex))
        test, _ = self.least(z, 1j * h, x.astype(complex))
        return value - z * square.imag / h, test.imag / h
