"""Real data as a population: a pool of rows to train on, and rows held out (docs/theory.md).

Section "Real data". The rows of a data set are split once, the same for all models. The pool is the
population: its mean is subtracted from all rows, coordinates are turned to the eigenbasis of its
covariance (1/M), directions without variance in the pool are left out (both KL would be infinite),
and all is scaled by one factor, to tr Σ = d. A training set is drawn from the pool without
replacement; test losses are taken over the held-out rows. A pool knows the way back: rows as they
came are unit · (origin + rows @ axes.T).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import NDArray

from lindiff.science import datasets
from lindiff.science.datasets import Rows
from lindiff.science.draws import Draw, Moments, draw_rows, generator

Array = NDArray[np.float64]

SHARE = 0.8
FEWEST_ROWS = 10
# Above this share of the pool a training set is not like independent rows of the population.
INDEPENDENT = 0.1
# Variance relative to the largest below which a direction counts as empty. What rounding leaves of
# columns that depend on each other is 1e-31 in float64 and 1e-14 in float32; MNIST needs 1e-8.
TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Pool:
    """A data set as a population, in the eigenbasis of the pool's covariance.

    Attributes:
        key: What names it in the keys of random numbers.
        spectrum: Eigenvalues s of the pool's covariance, shape (d,), descending, Σ s_j = d.
        rows: The pool, shape (M, d), of mean 0.
        held_out: The held-out rows, shape (H, d), in the same coordinates.
        columns: Columns of the data set.
        constant: How many of them are constant in the pool, and left out.
        dependent: Further directions without variance in the pool.
        lost: Share of the held-out rows' mean square about the pool's mean that lies in the
            directions left out.
        axes: Principal axes in the data's own columns, shape (columns, d), orthonormal; 0 at
            columns that are constant in the pool.
        origin: The pool's mean in the data's own columns, shape (columns,), in units of the pool.
        unit: One unit of the pool, in units of the data.
        picture: Height and width of the pictures that the data's columns are, row by row.
        own_split: Whether the data set says which rows are held out, because rows of the two parts
            are not like independent draws from one set.
    """

    key: str
    spectrum: Float64[Array, " d"]
    rows: Float64[Array, "M d"]
    held_out: Float64[Array, "H d"]
    columns: int
    constant: int
    dependent: int
    lost: float
    axes: Float64[Array, "columns d"]
    origin: Float64[Array, " columns"]
    unit: float
    picture: tuple[int, int] | None = None
    own_split: bool = False

    @property
    def d(self) -> int:
        """Dimension: directions with variance in the pool."""
        return len(self.spectrum)

    @property
    def size(self) -> int:
        """Rows of the pool, M."""
        return len(self.rows)

    @cached_property
    def moments(self) -> Moments:
        """Mean and covariance of the held-out rows."""
        mean = self.held_out.mean(axis=0)
        centred = self.held_out - mean
        return Moments(mean, centred.T @ centred / len(centred))

    def summary(self) -> str:
        """Its rows and dimension, and what was left out of the data set, in words."""
        text = f"a pool of {self.size:,} rows, {len(self.held_out):,} held out, d = {self.d}"
        reasons = ((self.constant, "constant in it"), (self.dependent, "combinations of others"))
        out = ", ".join(f"{count} {why}" for count, why in reasons if count)
        if out:
            text += f"; left out of {self.columns} columns: {out}"
        if self.lost:
            text += f", and with them {100 * self.lost:.2g} % of the held-out rows' mean square"
        return text

    def subset(self, n: int, seed: int, start: int = 0) -> Float64[Array, "n d"]:
        """Rows `start` to `start` + `n` of a permutation of the pool, shape (n, d).

        Args:
            n: Number of rows; a smaller set is a prefix of a larger one.
            seed: Names the permutation, with the data set.
            start: Rows to leave to other sets of this seed.

        Raises:
            ValueError: The pool has fewer rows.
        """
        if start + n > self.size:
            raise ValueError(f"{start + n} rows of a pool of {self.size}")
        order = generator("subset", data=self.key, seed=seed).permutation(self.size)
        return self.rows[order[start : start + n]]

    def rest(self, n: int, seed: int) -> Float64[Array, "rest d"]:
        """The rows of the pool that the training set of `subset` leaves, shape (M − n, d)."""
        return self.subset(self.size - n, seed, start=n)

    def scaled(self, scale: float) -> Pool:
        """The same rows multiplied by `scale`: Σ s_j = d scale², and a unit is so much smaller."""
        return replace(
            self,
            spectrum=self.spectrum * scale**2,
            rows=self.rows * scale,
            held_out=self.held_out * scale,
            origin=self.origin * scale,
            unit=self.unit / scale,
        )

    def restore(self, rows: Float64[Array, "n d"]) -> Float64[Array, "n columns"]:
        """Rows in the data's own columns and units, shape (n, columns), from shape (n, d).

        Rows of the pool come back to rounding, held-out rows without what `lost` is a share of.
        """
        restored: Array = (rows @ self.axes.T + self.origin) * self.unit
        return restored

    def draw(self, n: int, seed: int, known_centre: bool = False, start: int = 0) -> Draw:
        """The training set of `subset`, decomposed."""
        rows = self.subset(n, seed, start)
        return draw_rows(self.spectrum, rows, known_centre, self.moments)


@lru_cache(maxsize=8)
def make_pool(name: str) -> Pool:
    """The pool of a data set, kept for the next call.

    Args:
        name: A key of `lindiff.science.datasets.BUNDLED`, or the name of a matrix of the user.

    Raises:
        ValueError: The data set cannot be loaded, or is too small to be a population.
    """
    return pool_of(datasets.load(name), datasets.identity(name))


def pool_of(data: Rows, key: str) -> Pool:
    """The pool of a matrix.

    Args:
        data: The rows, and which of them are held out where the data set says so. Else a
            permutation by `key` chooses a fifth.
        key: What names the data set.

    Raises:
        ValueError: There are fewer than `FEWEST_ROWS` rows, or all columns are constant.
    """
    count, columns = data.values.shape
    if count < FEWEST_ROWS:
        what = "row" if count == 1 else "rows"
        raise ValueError(f"has {count} {what}; a pool and held-out rows need {FEWEST_ROWS}")
    held_out = _split(count, key) if data.held_out is None else data.held_out
    varying = data.values[~held_out].min(axis=0) < data.values[~held_out].max(axis=0)
    if not varying.any():
        raise ValueError("all columns are constant")
    largest, values = _of_order_one(data.values)
    mean = values[~held_out].mean(axis=0)
    farthest, values = _of_order_one(values - mean)
    pool, rest = values[~held_out][:, varying], values[held_out]
    variance, V = _axes(pool)
    scale = np.sqrt(len(variance) / variance.sum())
    turned, total = rest[:, varying] @ V, np.sum(rest**2)
    lost = 1 - np.sum(turned**2) / total if total else 0.0
    axes = np.zeros((columns, len(variance)))
    axes[varying] = V
    return Pool(
        key=key,
        spectrum=variance * scale**2,
        rows=(pool @ V) * scale,
        held_out=turned * scale,
        columns=columns,
        constant=int(columns - varying.sum()),
        dependent=int(varying.sum() - len(variance)),
        lost=lost if lost > TOLERANCE else 0.0,
        axes=axes,
        origin=mean / farthest * scale,
        unit=float(farthest / scale * largest),
        picture=data.picture,
        own_split=data.held_out is not None,
    )


def _split(count: int, key: str) -> Bool[NDArray[np.bool_], " {count}"]:
    """A fifth of the rows at random, as a mask."""
    order = generator("pool", data=key).permutation(count)
    held_out = np.ones(count, dtype=bool)
    held_out[order[: round(SHARE * count)]] = False
    return held_out


def _of_order_one(
    values: Float64[Array, "rows columns"],
) -> tuple[float, Float64[Array, "rows columns"]]:
    """The largest, and all in units of it: their squares neither overflow nor vanish."""
    largest = float(np.abs(values).max())
    scaled: Array = values / largest
    return largest, scaled


def _axes(
    centred: Float64[Array, "rows columns"],
) -> tuple[Float64[Array, " d"], Float64[Array, "columns d"]]:
    """Variances along the principal axes that are not empty, descending, and the axes as columns.

    From singular values, not from the covariance: small variances keep their digits.
    """
    count, columns = centred.shape
    factor = np.linalg.qr(centred, mode="r") if count > columns else centred
    _, singular, Vt = np.linalg.svd(factor, full_matrices=False)
    variance = singular**2 / count
    some = variance > TOLERANCE * variance[0]
    return variance[some], Vt[some].T
