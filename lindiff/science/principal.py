"""The columns of a matrix of data: offsets, digits, units, principal axes (docs/theory.md).

Section "Real data". Nothing is squared before a large offset is taken off, and variances come from
singular values, so that small ones keep their digits.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

# Variance relative to the largest below which a direction counts as empty. What rounding leaves of
# columns that depend on each other is 1e-31 in float64 and 1e-14 in float32; MNIST needs 1e-8.
TOLERANCE = 1e-12
# Standard deviations of a column in its mean from which on that is taken off before all else; below
# it no more than three of sixteen digits are lost.
FAR = 1e3


def of_order_one(
    values: Float64[Array, "rows columns"],
) -> tuple[float, Float64[Array, "rows columns"]]:
    """The largest, and all in units of it: their squares neither overflow nor vanish."""
    largest = float(np.abs(values).max())
    scaled: Array = values / largest
    return largest, scaled


def without_offsets(
    values: Float64[Array, "rows columns"],
) -> tuple[Float64[Array, " columns"], Float64[Array, "rows columns"]]:
    """What is taken off each column, 0 of most, and the rest of the values.

    Of a column whose mean is above `FAR` of its standard deviations the mean is taken off before
    anything is multiplied. It is rounded, but the differences from it are exact (Sterbenz 1974,
    theorem 4.3.1), whatever the offset.
    """
    largest = float(np.abs(values).max())
    # By a power of two, which rounds nothing.
    exponent = int(np.frexp(largest)[1])
    scaled = np.ldexp(values, -exponent)
    mean = scaled.mean(axis=0)
    far = np.abs(mean) > FAR * (scaled - mean).std(axis=0)
    about = np.where(far, np.ldexp(mean, exponent), 0.0)
    return about, values - about if far.any() else values


def check_digits(
    values: Float64[Array, "rows columns"],
    deviation: Float64[Array, " varying"],
    columns: Int64[Numbers, " varying"],
) -> None:
    """Refuse columns that vary by less than the distance of float64 numbers of their size.

    Args:
        values: The rows as they come, shape (rows, columns).
        deviation: Standard deviations of the columns that vary, shape (varying,).
        columns: Which these are.

    Raises:
        ValueError: A standard deviation is smaller than that distance.
    """
    largest = np.abs(values).max(axis=0)[columns]
    spacing = np.spacing(largest)
    bad = np.flatnonzero(deviation < spacing)
    if not len(bad):
        return
    first, more = bad[0], f" (and {len(bad) - 1} more such columns)" if len(bad) > 1 else ""
    raise ValueError(
        f"column {columns[first] + 1} varies by {deviation[first]:.2g} (standard deviation) at "
        f"numbers up to {largest[first]:.4g}, which are {spacing[first]:.2g} apart in float64{more}"
        ": its variation is lost; subtract the offset before the file is written"
    )


def faint(
    centred: Float64[Array, "rows columns"], variance: Float64[Array, " d"]
) -> tuple[int, Int64[Numbers, " faint"]]:
    """Directions that only the units of columns leave out, and the columns that have such units.

    Args:
        centred: Rows of the pool, columns that vary.
        variance: Along the principal axes that are kept, descending.

    Returns:
        How many directions more there are when every column has variance 1, and which columns have
        less than `TOLERANCE` of the largest variance.
    """
    own = centred.var(axis=0)
    small = np.flatnonzero(own <= TOLERANCE * variance[0])
    if not len(small):
        return 0, small
    standard, _ = axes(centred / np.sqrt(own))
    return max(0, len(standard) - len(variance)), small


def axes(
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
