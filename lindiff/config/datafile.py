"""A matrix of the user: ``.npy``, ``.npz`` or ``.parquet``, one row a sample.

What holds in every format: true and false, whole numbers, floats of any size and decimals are
numbers, as float64 the same from each; an array of more than two axes (pictures) and a list in a
column are read row by row as columns; all else is refused. Nothing is unpickled. Every check raises
a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lindiff.config.conversion import conversion
from lindiff.config.npyfile import read_npy, read_npz
from lindiff.config.numbers import (
    Array,
    as_float,
    check_finite,
    check_matrix,
    check_numbers,
    left_out,
    made_rows,
)
from lindiff.config.parquetfile import read_parquet
from lindiff.config.roles import pointed_out
from lindiff.config.spelling import Name
from lindiff.config.standardize import standardized
from lindiff.config.table import joined

FORMATS = (".npy", ".npz", ".parquet")


@dataclass(frozen=True, eq=False)
class Matrix:
    """What a file holds.

    Attributes:
        values: One row a sample, shape (rows, columns), finite.
        notes: What the user should know of how it was read, and of columns that may be no
            features; one sentence each.
    """

    values: Array
    notes: tuple[str, ...]


def read_matrix(
    path: Path, array: str | None = None, drop: Sequence[Name] = (), standardize: bool = False
) -> Matrix:
    """The matrix in a file.

    Args:
        path: The file; its ending says what it is.
        array: Which array of an ``.npz``; not needed where there is one.
        drop: Columns to leave out: by name from a table, by number, from 1, from an array.
        standardize: Whether to divide each column by its standard deviation over all rows (1/M).

    Raises:
        ValueError: The file is missing, no regular file, empty, of another format or damaged, has
            no such array or column, or holds anything but one matrix of finite real numbers that
            float64 holds.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"{path} must end in one of {', '.join(FORMATS)}{conversion(path)}")
    if array is not None and path.suffix != ".npz":
        raise ValueError(f"array is for .npz files only, not {path}")
    try:
        if path.suffix == ".parquet":
            values, names, categories, notes = _of_table(path, drop)
        else:
            values, names, notes = _of_array(path, array, drop)
            categories = frozenset()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise ValueError(f"{path} needs more memory than there is") from None
    if not values.size:
        raise ValueError(f"{path} is empty: a matrix of shape {values.shape}")
    check_finite(path, values, names)
    notes += pointed_out(values, names, categories)
    if standardize:
        values = standardized(values)
        notes.append("each column was divided by its standard deviation over all rows")
    return Matrix(values, tuple(notes))


def _of_table(
    path: Path, drop: Sequence[Name]
) -> tuple[Array, list[Name], frozenset[Name], list[str]]:
    """Values, a name for each column, which are categories, and notes."""
    for name in drop:
        if not isinstance(name, str):
            raise ValueError(f"{path} has columns of names; drop has {name}: write '{name}'")
    fields, index = read_parquet(path, [str(name) for name in drop])
    table = joined(path, fields)
    notes = [left_out("the index that pandas saved", index)] if index else []
    if drop:
        notes.append(left_out("drop", drop))
    return table.values, table.names, table.categories, notes + table.notes


def _of_array(
    path: Path, array: str | None, drop: Sequence[Name]
) -> tuple[Array, list[Name], list[str]]:
    """Values, a number for each column, and notes."""
    found = read_npy(path) if path.suffix == ".npy" else read_npz(path, array)
    check_matrix(path, found.shape)
    values = found.reshape(len(found), math.prod(found.shape[1:]))
    columns: list[Name] = list(range(1, values.shape[1] + 1))
    check_numbers(path, drop, len(columns), "drop")
    notes = made_rows(found.shape, len(columns))
    if drop:
        notes.append(f"{left_out('drop', drop)} of {len(columns)}")
        kept = [j for j, column in enumerate(columns) if column not in drop]
        values, columns = values[:, kept], [columns[j] for j in kept]
    return as_float(path, values, columns), columns, notes
