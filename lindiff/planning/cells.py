"""What estimates and checks read of cells: columns, distinct values, and what is found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns.arrays import combinations
from lindiff.columns.groups import GAUSSIAN
from lindiff.models.augmented import size_or_none

Array = NDArray[np.float64]
# Row, the setting that a message names, and the message.
Finding = tuple[int, str, str]
# Settings looked at, the setting that a message names, and what finds the message.
Check = tuple[Sequence[str], str, Callable[[dict[str, Any]], str | None]]


def column(table: pa.Table, name: str) -> Array:
    """A column of numbers as floats, null as NaN."""
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=float)


def text(table: pa.Table, name: str) -> NDArray[np.object_]:
    """A column of words."""
    return np.asarray(table[name].cast("string").to_numpy(zero_copy_only=False), dtype=object)


def with_cells(families: pa.Table, cells: Array) -> pa.Table:
    """The families with other numbers of cells."""
    index = families.column_names.index("cells")
    return families.set_column(index, "cells", pa.array(cells))


def group_sizes(families: pa.Table) -> Array:
    """|G| of each family, 1 without augmentation, shape (families,)."""
    names = ("data", "d", "augmentation", "group_size")
    if not set(names) <= set(families.column_names):
        return np.ones(len(families))
    codes, rows = combinations(families, names)
    found = [
        size_or_none(row) or 1 for row in families.select(names).take(pa.array(rows)).to_pylist()
    ]
    return np.array(found, float)[codes]


def with_points(families: pa.Table) -> pa.Table:
    """The families with the points of a training set in the place of its samples: N |G|."""
    size = group_sizes(families)
    if (size == 1).all():
        return families
    points = pa.array(column(families, "n") * size)
    return families.set_column(families.column_names.index("n"), "n", points)


def each(function: Callable[[int], float], values: Array) -> Array:
    """A function of whole numbers of each value, shape as `values`; it is called once a value."""
    distinct, index = np.unique(values, return_inverse=True)
    return np.array([function(int(value)) for value in distinct], float)[index]


def each_word(function: Callable[[str], float], words: pa.ChunkedArray) -> Array:
    """A function of words of each of `words`, which has no null; it is called once a word."""
    encoded = words.combine_chunks().dictionary_encode()
    found = [function(word) for word in encoded.dictionary.to_pylist()]
    return np.take(np.array(found, float), np.asarray(encoded.indices))


def is_real(name: str | None) -> bool:
    """Whether a value of `data` is a data set; it is null where a model reads none."""
    return name not in (None, GAUSSIAN)


def distinct(cells: pa.Table, names: Sequence[str]) -> list[tuple[int, dict[str, Any]]]:
    """The distinct combinations of some columns, each with the first row that has it."""
    _, rows = combinations(cells, names)
    found = cells.select(list(names)).take(pa.array(rows)).to_pylist()
    return list(zip(rows.tolist(), found, strict=True))


def find(cells: pa.Table, checks: Iterable[Check]) -> list[Finding]:
    """What some checks find in the distinct values of the settings that they look at."""
    return [
        (row, setting, message)
        for names, setting, look in checks
        for row, values in distinct(cells, names)
        if (message := look(values)) is not None
    ]
