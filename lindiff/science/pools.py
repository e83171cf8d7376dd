"""Real data as a population: a pool of rows to train on, and rows held out (docs/theory.md).

Section "Real data". The rows of a data set are split once, the same for all models, and rows that
repeat each other stay together. The pool is the population: its mean is subtracted from all rows,
coordinates are turned to the eigenbasis of its covariance (1/M), directions without variance in the
pool are left out (both KL would be infinite), and all is scaled by one factor, to tr Σ = d. A
training set is drawn from the pool without replacement; test losses are taken over the held-out
rows. A pool knows the way back: rows as they came are unit · (origin + rows @ axes.T).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from lindiff.science import datasets, principal
from lindiff.science.datasets import Rows
from lindiff.science.draws import Draw, Moments, draw_rows, generator
from lindiff.science.principal import TOLERANCE
from lindiff.science.repeats import repeated, tolerance

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

SHARE = 0.8
FEWEST_ROWS = 10
# Above this share of the pool a training set is not like independent rows of the population.
INDEPENDENT = 0.1
# Share of the held-out rows' mean square in directions that were left out, above which what is
# measured on held-out rows says little of them.
LARGEST_LOST = 0.01
# Columns that a message names at most.
_NAMED = 8


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
        faint: How many of these vary, and would be kept were all columns of one variance.
        faint_columns: Columns, from 1, whose own variance is below `TOLERANCE` of the largest.
        number: Which distinct row of the data set each row of the pool is or repeats, shape (M,).
        held_out_number: The same of the held-out rows, shape (H,).
        lost: Share of the held-out rows' mean square about the pool's mean that lies in the
            directions left out.
        axes: Principal axes in the data's own columns, shape (columns, d), orthonormal; 0 at
            columns that are constant in the pool.
        origin: The pool's mean in the data's own columns, shape (columns,), in units of the pool.
        unit: One unit of the pool, in units of the data.
        picture: The size of the pictures that the data's columns are, as of `Rows`.
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
    faint: int
    faint_columns: tuple[int, ...]
    number: Int64[Numbers, " M"]
    held_out_number: Int64[Numbers, " H"]
    lost: float
    axes: Float64[Array, "columns d"]
    origin: Float64[Array, " columns"]
    unit: float
    picture: tuple[int, ...] | None = None
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

    @property
    def untested(self) -> str | None:
        """Why nothing is measured on the held-out rows, or None."""
        if self.lost <= LARGEST_LOST:
            return None
        return (
            f"no metrics of held-out rows: {_percent(self.lost)} of their mean square is outside "
            f"the {self.d} directions with variance in the pool, more than {_percent(LARGEST_LOST)}"
        )

    @cached_property
    def largest_half(self) -> int:
        """The largest n for which every training set has a partner without a row of it."""
        counts = np.sort(np.bincount(self.number))[::-1]
        n = 1 + np.arange(len(counts))
        return int(np.sum(np.cumsum(counts) + n <= self.size))

    def summary(self) -> str:
        """Its rows and dimension, what repeats and what was left out of the data set, in words."""
        text = f"a pool of {self.size:,} rows, {len(self.held_out):,} held out, d = {self.d}"
        spanned = len(np.unique(self.number)) - 1
        some = self.d + self.faint
        reasons = (
            (self.constant, "constant in it"),
            (
                self.dependent - self.faint,
                f"beyond the {some} directions that its {spanned + 1} distinct rows span"
                if some == spanned
                else "combinations of others",
            ),
            (self.faint, f"with less than {TOLERANCE:g} of the largest variance"),
        )
        out = ", ".join(f"{count} {why}" for count, why in reasons if count)
        if out:
            text += f"; left out of {self.columns} columns: {out}"
        if self.lost:
            text += f", and with them {_percent(self.lost)} of the held-out rows' mean square"
        if self.untested:
            text += (
                f" (above {_percent(LARGEST_LOST)}, so what is measured on held-out rows, as test "
                "losses and linearity, is null)"
            )
        if self.faint:
            text += (
                f"; of so little variance: column{'s' if len(self.faint_columns) > 1 else ''} "
                f"{_listed(self.faint_columns)}, which `standardize: true` beside `file`, or other "
                "units, would bring in"
            )
        return text + self._repeats()

    def _repeats(self) -> str:
        """How many rows repeat others, and where they are, in words; empty where none does."""
        counts = np.bincount(np.concatenate([self.number, self.held_out_number]))
        some, rows = counts > 1, int(counts.sum())
        if not some.any():
            return ""
        allowed = tolerance(rows, self.columns - self.constant)
        text = (
            f"; {counts[some].sum():,} of all {rows:,} rows repeat each other, as {some.sum():,} "
            f"distinct row{'s' if some.sum() > 1 else ''} (equal in every column to {allowed:.2g} "
            "of its standard deviation)"
        )
        if not self.own_split:
            return text + ", and copies of a row are all in the pool or all held out"
        across = np.isin(self.held_out_number, self.number).sum()
        return text + f"; {across:,} of the held-out rows repeat one of the pool"

    def chosen(self, n: int, seed: int, start: int = 0) -> Int64[Numbers, " n"]:
        """Which rows of the pool `subset` has, shape (n,)."""
        order = generator("subset", data=self.key, seed=seed).permutation(self.size)
        left = self._left(order, start)
        if n > len(left):
            raise ValueError(
                f"{start + n} rows of a pool of {self.size}"
                + (" rows, of which some repeat each other" if start + n <= self.size else "")
            )
        return left[:n]

    def _left(self, order: Int64[Numbers, " M"], start: int) -> Int64[Numbers, " left"]:
        """The permutation from `start` on, without copies of rows before it."""
        left = order[start:]
        return left[~np.isin(self.number[left], self.number[order[:start]])]

    def subset(self, n: int, seed: int, start: int = 0) -> Float64[Array, "n d"]:
        """Rows `start` to `start` + `n` of a permutation of the pool, shape (n, d).

        Args:
            n: Number of rows; a smaller set is a prefix of a larger one.
            seed: Names the permutation, with the data set.
            start: Rows to leave to other sets of this seed; copies of these are passed over.

        Raises:
            ValueError: The pool has fewer rows.
        """
        return self.rows[self.chosen(n, seed, start)]

    def unseen(
        self, n: int, seed: int
    ) -> tuple[Float64[Array, "held_out d"], Float64[Array, "rest d"]]:
        """Rows of which the training set of `subset` has no copy, each distinct one once.

        Args:
            n: Rows of the training set.
            seed: Of the training set.

        Returns:
            Held-out rows, and rows of the pool that are no copies of these either.
        """
        order = generator("subset", data=self.key, seed=seed).permutation(self.size)
        left = self._left(order, n)
        number = np.concatenate([self.held_out_number, self.number[left]])
        first = np.sort(np.unique(number, return_index=True)[1])
        first = first[~np.isin(number[first], self.number[order[:n]])]
        count = len(self.held_out)
        rest = left[first[first >= count] - count]
        return self.held_out[first[first < count]], self.rows[rest]

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
            permutation by `key` chooses a fifth of the distinct rows.
        key: What names the data set.

    Raises:
        ValueError: There are fewer than `FEWEST_ROWS` distinct rows, all columns are constant, or
            float64 does not hold the variation of one about its offset.
    """
    count, columns = data.values.shape
    if count < FEWEST_ROWS:
        what = "row" if count == 1 else "rows"
        raise ValueError(f"has {count} {what}; a pool and held-out rows need {FEWEST_ROWS}")
    if not (data.values.min(axis=0) < data.values.max(axis=0)).any():
        raise ValueError("all columns are constant")
    about, values = principal.without_offsets(data.values)
    largest, values = principal.of_order_one(values)
    number, held_out = repeated(values), data.held_out
    if held_out is None:
        distinct = int(number.max()) + 1
        if distinct < FEWEST_ROWS:
            what = "row" if distinct == 1 else "rows"
            raise ValueError(
                f"has {distinct} distinct {what}, {count:,} with their copies; a pool and "
                f"held-out rows need {FEWEST_ROWS}"
            )
        held_out = _split(distinct, key)[number]
    varying = values[~held_out].min(axis=0) < values[~held_out].max(axis=0)
    if not varying.any():
        raise ValueError("all columns are constant")
    mean = values[~held_out].mean(axis=0)
    farthest, values = principal.of_order_one(values - mean)
    pool, rest = values[~held_out][:, varying], values[held_out]
    principal.check_digits(
        data.values, pool.std(axis=0) * farthest * largest, np.flatnonzero(varying)
    )
    variance, V = principal.axes(pool)
    scale = np.sqrt(len(variance) / variance.sum())
    turned, total = rest[:, varying] @ V, np.sum(rest**2)
    lost = 1 - np.sum(turned**2) / total if total else 0.0
    axes = np.zeros((columns, len(variance)))
    axes[varying] = V
    dependent = int(varying.sum() - len(variance))
    faint, small = principal.faint(pool, variance)
    return Pool(
        key=key,
        spectrum=variance * scale**2,
        rows=(pool @ V) * scale,
        held_out=turned * scale,
        columns=columns,
        constant=int(columns - varying.sum()),
        dependent=dependent,
        faint=faint,
        faint_columns=tuple((1 + np.flatnonzero(varying)[small]).tolist()),
        number=number[~held_out],
        held_out_number=number[held_out],
        lost=lost if lost > TOLERANCE else 0.0,
        axes=axes,
        origin=(about / largest + mean) / farthest * scale,
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


def _percent(share: float) -> str:
    """A share in words; what rounds to 100 % without being that keeps its digits."""
    text = f"{100 * share:.2g}" if share < 0.995 else f"{100 * share:.6g}"
    return f"{text} %"


def _listed(columns: tuple[int, ...]) -> str:
    """Numbers of columns in words."""
    more = len(columns) - _NAMED
    text = ", ".join(map(str, columns[:_NAMED]))
    return f"{text} and {more} more" if more > 0 else text
