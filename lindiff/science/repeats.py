"""Which rows of a matrix are the same row (docs/theory.md, "Real data", "Repeated rows").

Rows that occur more than once (oversampling, repeated frames, joined files) are one point of
the population: they must not lie on both sides of a split, and the copy of one is that of all.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.draws import generator

Array = NDArray[np.float64]
Labels = Int64[NDArray[np.int64], " rows"]

# Rows whose columns all differ by no more than this, in units of the column's standard deviation,
# repeat each other: more than a detour through float32 leaves, less than a measurement resolves.
SAME = 1e-6
# Of so few columns that independent rows come as near by chance, a thousandth of their spacing.
_OF_SPACING = 1e-3
# Random sums of all columns in which near rows are looked for.
_SUMS = 8
# Rows near one in the sums that are looked at, itself among them, and pairs compared at once.
_NEAREST = 9
_BLOCK = 4096


def tolerance(rows: int, columns: int) -> float:
    """How far repeated rows may lie apart, in units of each column's standard deviation.

    `SAME`, or 10⁻³ rows^(−2/columns) where that is less: the nearest two of independent rows lie
    about rows^(−2/columns) apart, which of one to three columns is less than `SAME`.
    """
    chance: float = _OF_SPACING * rows ** (-2 / max(1, columns))
    return min(SAME, chance)


def repeated(values: Float64[Array, "rows columns"]) -> Labels:
    """For each row the number of the distinct row that it is or repeats, shape (rows,).

    Rows repeat each other where every column differs by at most `tolerance` of its standard
    deviation, and so do two that repeat a third. Equal rows are found by their hash, near ones as
    nearest neighbours in a few random sums of all columns, which cannot be farther apart than the
    rows are: about as many steps as there are rows.

    Args:
        values: Rows of finite numbers of order one, without offsets much larger than their spread.

    Returns:
        Numbers from 0, in the order of first appearance: 0, 1, 2, … where no row is repeated.
    """
    label, first = _equal(values)
    deviation = values.std(axis=0)
    varying = deviation > 0
    if not varying.any():
        return label
    allowed = tolerance(len(values), int(varying.sum())) * deviation
    sums = _sums(values, np.where(varying, deviation, np.inf))
    while (joined := _joined(values, sums, first, allowed)) is not None:
        label, first = joined[label], first[np.unique(joined, return_index=True)[1]]
    return label


def _equal(values: Float64[Array, "rows columns"]) -> tuple[Labels, Int64[NDArray[np.int64], " k"]]:
    """Numbers of rows that are equal to the last bit, and the first row of each."""
    seen: dict[bytes, int] = {}
    # −0.0 + 0.0 is 0.0.
    digests = (blake2b((row + 0.0).data, digest_size=16).digest() for row in values)
    label = np.array([seen.setdefault(digest, len(seen)) for digest in digests], dtype=np.int64)
    return label, np.unique(label, return_index=True)[1]


def _sums(
    values: Float64[Array, "rows columns"], deviation: Float64[Array, " columns"]
) -> Float64[Array, "rows k"]:
    """Sums of standardized columns with random weights of total 1, so no pair grows apart."""
    weights = generator("repeats", columns=len(deviation)).standard_normal((len(deviation), _SUMS))
    weights /= np.abs(weights).sum(axis=0)
    found: Array = values @ (weights / deviation[:, None])
    return found


def _joined(
    values: Float64[Array, "rows columns"],
    sums: Float64[Array, "rows k"],
    first: Int64[NDArray[np.int64], " k2"],
    allowed: Float64[Array, " columns"],
) -> Int64[NDArray[np.int64], " k2"] | None:
    """New numbers of distinct rows after each was joined to those near it, None if none was."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    count = len(first)
    rounding = 1e-13 * np.abs(sums).max()
    bound = 1.01 * tolerance(len(values), int((allowed > 0).sum())) + rounding
    tree = KDTree(sums[first])
    k = range(1, min(_NEAREST, count) + 1)
    distance, index = tree.query(sums[first], k=k, p=np.inf, distance_upper_bound=bound)
    one, place = np.nonzero(np.isfinite(distance))
    other = index[one, place]
    one, other = one[one != other], other[one != other]
    # In blocks: nearly all rows of a large matrix may be near others.
    blocks = np.array_split(np.arange(len(one)), 1 + len(one) // _BLOCK)
    near = np.concatenate([
        (np.abs(values[first[one[pairs]]] - values[first[other[pairs]]]) <= allowed).all(axis=1)
        for pairs in blocks
    ])  # fmt: skip
    if not near.any():
        return None
    one, other = one[near], other[near]
    links = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    found = connected_components(links, directed=False)[1]
    # In the order of first appearance.
    _, start, inverse = np.unique(found, return_index=True, return_inverse=True)
    order: Int64[NDArray[np.int64], " k2"] = np.argsort(np.argsort(start))[inverse]
    return order
