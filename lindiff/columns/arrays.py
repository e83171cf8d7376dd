"""What is asked of Arrow's columns in several rooms: plain texts, places, the rows of a family."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A dictionary column as plain strings, which compare and sort everywhere; others as is."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def nothing(count: int, kinds: Iterable[pa.DataType]) -> dict[pa.DataType, pa.Array]:
    """A column of `count` nulls of each type: one array may be many columns of a table."""
    return {kind: pa.nulls(count, kind) for kind in set(kinds)}


def plain(table: pa.Table) -> pa.Table:
    """The table with every dictionary column as text; metadata of the fields is kept."""
    fields = [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def places(values: pa.ChunkedArray, among: pa.Array) -> Rows:
    """Where each of `values` stands in `among`, or -1; shape (len(values),)."""
    found = pc.index_in(values, value_set=among).combine_chunks()
    return np.asarray(found.fill_null(-1)).astype(np.int64)


def combinations(table: pa.Table, names: Iterable[str]) -> tuple[Rows, Rows]:
    """The distinct combinations of some columns.

    Args:
        table: A table of M rows.
        names: The columns.

    Returns:
        The number of each row's combination, shape (M,), and the first row of each combination,
        ascending.
    """
    codes = np.zeros(len(table), np.int64)
    for name in names:
        column = table[name].combine_chunks()
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        count = len(column.dictionary) + 1
        own = np.asarray(column.indices.fill_null(count - 1))
        # Numbered anew after each column, by first rows, so that they never leave 64 bits.
        codes = np.asarray(pa.array(codes * count + own).dictionary_encode().indices, np.int64)
    first = np.full(codes.max(initial=-1) + 1, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, first


def family_rows(cells: pa.Table) -> list[Rows]:
    """The rows of each family of cells, ascending; families in the order of their first rows."""
    codes = np.asarray(cells["family_id"].combine_chunks().dictionary_encode().indices)
    ends = np.cumsum(np.bincount(codes))
    return np.split(np.argsort(codes, kind="stable"), ends)[:-1]


def steps_made(cells: pa.Table) -> pa.ChunkedArray:
    """The steps that the model of each cell has made: `stop_step`, of which 0 means `steps`."""
    return pc.if_else(pc.equal(cells["stop_step"], 0), cells["steps"], cells["stop_step"])
