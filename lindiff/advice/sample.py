"""What advice needs to know of a sample: its covariance, and how the rows scatter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.repeats import repeated

Array = NDArray[np.float64]

FEWEST_ROWS = 8
# Of the largest variance: what is below is no direction of the data, but a combination of others.
TOLERANCE = 1e-12
_BATCHES, _BATCH = 64, 64
_BLOCK = 2**22  # numbers
_CHANCE = 1e-3
# A covariance of more columns takes more than 1 GiB with its eigenvectors.
MOST_COLUMNS = 6_000
_LEAST = 1e-200  # variance; of the largest the inverse: sums of squares of it are numbers, too


class Source(Protocol):
    """Rows that are read in blocks, or some of them."""

    @property
    def rows(self) -> int:
        """Number of rows M."""
        ...

    @property
    def columns(self) -> int:
        """Number of columns."""
        ...

    @property
    def names(self) -> Sequence[str | int]:
        """What each column is called: its name, or its number from 1."""
        ...

    def blocks(self) -> Iterator[Float64[Array, "block columns"]]:
        """All rows, in order."""
        ...

    def take(self, rows: Int64[NDArray[np.int64], " some"]) -> Float64[Array, "some columns"]:
        """Some rows; `rows` ascends."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """A matrix as a `Source`, shape (rows, columns)."""

    values: Float64[Array, "rows columns"]

    @property
    def rows(self) -> int:
        """Number of rows M."""
        return len(self.values)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.values.shape[1])

    @property
    def names(self) -> Sequence[str | int]:
        """Numbers from 1."""
        return range(1, self.columns + 1)

    def blocks(self) -> Iterator[Float64[Array, "block columns"]]:
        """All rows, some at a time: what is computed of a block takes no more than it."""
        step = max(1, _BLOCK // self.columns)
        yield from (self.values[i : i + step] for i in range(0, self.rows, step))

    def take(self, rows: Int64[NDArray[np.int64], " some"]) -> Float64[Array, "some columns"]:
        """Some rows."""
        return self.values[rows]


@dataclass(frozen=True, eq=False)
class Sample:
    """Second moments of M rows, in the unit in which a direction has variance 1 on average.

    Attributes:
        rows: M.
        columns: Columns of the data.
        constant: Columns that do not vary; no dimensions.
        dependent: Directions without variance that the other columns leave; no dimensions either.
        eigenvalues: λ of Σ0 (normalized by 1/M), shape (d,), descending, with the zeros that fewer
            rows than dimensions leave.
        vectors: Their eigenvectors over the columns that vary, shape (varying, d).
        varying: Which columns vary, shape (columns,).
        mean: μ0 of these, shape (varying,), in the unit of the data.
        unit: What the data are multiplied by.
        widest: The column of largest variance, by its name or number, and its share.
    """

    rows: int
    columns: int
    constant: int
    dependent: int
    eigenvalues: Float64[Array, " d"]
    vectors: Float64[Array, "varying d"]
    varying: NDArray[np.bool_]
    mean: Float64[Array, " varying"]
    unit: float
    widest: tuple[str | int, float]

    @property
    def d(self) -> int:
        """Dimension."""
        return len(self.eigenvalues)

    def turned(self, values: Float64[Array, "some columns"]) -> Float64[Array, "some d"]:
        """Rows in the eigenbasis of Σ0, about μ0, in the sample's unit."""
        return ((values[:, self.varying] - self.mean) @ self.vectors) * self.unit


def make_sample(source: Source) -> Sample:
    """The second moments of all rows, in two passes over the blocks.

    Raises:
        ValueError: There are fewer than `FEWEST_ROWS` rows, too many columns for a covariance in
            memory, or no column varies.
    """
    if source.rows < FEWEST_ROWS:
        raise ValueError(f"has {source.rows:,} rows; advice needs {FEWEST_ROWS}")
    if source.columns > MOST_COLUMNS:
        raise ValueError(
            f"has {source.columns:,} columns; a covariance of more than {MOST_COLUMNS:,} is not "
            "computed: take fewer columns, or smaller pictures"
        )
    low, high, mean = _ends(source)
    varying = low < high
    if not varying.any():
        raise ValueError("all columns are constant")
    mean = mean[varying]
    covariance = np.zeros((len(mean), len(mean)))
    rest = np.zeros(len(mean))
    with np.errstate(over="ignore", invalid="ignore"):
        for block in source.blocks():
            centred = block[:, varying] - mean
            rest += centred.sum(axis=0)
            covariance += centred.T @ centred
        # The first mean is that of float64 sums: what it is off is taken out here.
        rest /= source.rows
        covariance = covariance / source.rows - np.outer(rest, rest)
    if not _LEAST <= float(np.diag(covariance).max()) <= 1 / _LEAST:
        raise ValueError("values are too large or too small to be squared in float64: rescale them")
    return _decomposed(source, varying, mean + rest, covariance)


def _ends(source: Source) -> tuple[Array, Array, Array]:
    """Smallest and largest value, and the mean of each column, (columns,) each."""
    low, high, total = np.full(source.columns, np.inf), np.full(source.columns, -np.inf), 0.0
    first: Array | None = None
    for block in source.blocks():
        first = block[0].copy() if first is None else first
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        total = total + (block - first).sum(axis=0)
    assert first is not None
    return low, high, first + total / source.rows


def _decomposed(
    source: Source, varying: NDArray[np.bool_], mean: Array, covariance: Array
) -> Sample:
    own = np.diag(covariance)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    some = values > TOLERANCE * values[0]
    rank, few = int(some.sum()), source.rows - 1 < len(values)
    # Where rows are too few to show all directions, those without variance are not known to be
    # none; where they are enough, they are combinations of other columns.
    if not few:
        values, vectors = values[:rank], vectors[:, :rank]
    else:
        values[source.rows - 1 :] = 0
    unit = float(np.sqrt(len(values) / (values.sum() * source.rows / (source.rows - 1))))
    return Sample(
        rows=source.rows,
        columns=source.columns,
        constant=int(source.columns - varying.sum()),
        dependent=0 if few else int(varying.sum()) - rank,
        eigenvalues=values * unit**2,
        vectors=vectors,
        varying=varying,
        mean=mean,
        unit=unit,
        widest=(source.names[np.flatnonzero(varying)[own.argmax()]], float(own.max() / own.sum())),
    )


@dataclass(frozen=True)
class Scatter:
    """How the rows scatter beside independent Gaussian rows of the same covariance.

    Attributes:
        inflation: Ratio of the standard error of a mean over the rows to that over independent
            Gaussian rows; both are at the upper end of their intervals; at least 1.
        order: Ratio of the standard error that the means of contiguous batches say to the one that
            the same rows have in another order; 1 where it is no more than chance.
        repeats: Share of the rows that repeat another one, of those that were looked at.
        fourth: Mean of |z|⁴ over whitened rows z, d(d+2) of Gaussian ones (Mardia, Biometrika 57,
            519, 1970); that of Gaussian rows where there are too few to whiten.
        divergence: Ratio of a KL of many such rows, without regularization, to that of as many
            Gaussian ones: docs/theory.md, "Population".
        chance: Standard error of that ratio over Gaussian rows.
    """

    inflation: float
    order: float
    repeats: float
    fourth: float
    divergence: float
    chance: float


def scatter(
    source: Source, sample: Sample, gain: Float64[Array, " d"], rng: np.random.Generator
) -> Scatter:
    """How much less sure a mean over these rows is than one over Gaussian rows.

    The mean is that of the loss that a row has under the denoiser of the population: by the
    envelope theorem its scatter is what makes the predicted loss uncertain. Batch means, of
    contiguous rows, so that an order of the rows shows too.

    Args:
        source: The rows.
        sample: Their moments.
        gain: The weight of each direction, shape (d,): of the loss, docs/theory.md, "Filters".
        rng: For the Gaussian rows.
    """
    from scipy.special import chdtri

    size = min(_BATCH, source.rows // FEWEST_ROWS)
    count = min(_BATCHES, source.rows // size)
    starts = np.linspace(0, source.rows - size, count).astype(np.int64)
    rows = np.unique(starts[:, None] + np.arange(size))
    turned = sample.turned(source.take(rows))
    values = turned**2 @ gain
    gauss = rng.standard_normal((len(rows), sample.d)) * np.sqrt(sample.eigenvalues)
    white = gauss**2 @ gain
    own = values[: len(rows) // size * size].reshape(-1, size).mean(axis=1)
    order = float(np.var(own, ddof=1)) * size / float(np.var(values))
    # Of few batches a variance is not known well: what chance does once in a thousand, is none.
    if order < chdtri(len(own) - 1, _CHANCE) / (len(own) - 1):
        order = 1.0
    repeats = 1 - (int(repeated(turned).max()) + 1) / len(rows)
    # Tails are in few rows: all, where they are no more than what is looked at of many.
    if source.rows <= _BATCHES * _BATCH:
        rows = np.arange(source.rows)
        turned = sample.turned(source.take(rows))
    d, fourth = sample.d, _fourth(turned, sample)
    return Scatter(
        inflation=float(np.sqrt(max(1.0, max(order, 1.0) * _upper(values) / _upper(white)))),
        order=float(np.sqrt(order)),
        repeats=repeats,
        fourth=fourth,
        divergence=(fourth + d) / (d * (d + 3)),
        chance=math.sqrt(8 * (d + 2) / (d * len(rows))) / (d + 3),
    )


def _fourth(turned: Float64[Array, "some d"], sample: Sample) -> float:
    """The mean of |z|⁴ over rows in the eigenbasis, without bias of Gaussian ones."""
    if sample.eigenvalues[-1] == 0:
        return float(sample.d * (sample.d + 2))
    square = (turned**2 / sample.eigenvalues).sum(axis=1)
    return float(np.mean(square**2)) * (sample.rows + 1) / (sample.rows - 1)


def _upper(values: Float64[Array, " rows"]) -> float:
    """A variance at the upper end of its interval: heavy tails show in few rows, if at all."""
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    kurtosis = float(np.mean(centred**4)) / variance**2
    return variance * (1 + 2 * math.sqrt((kurtosis - 1) / len(values)))
