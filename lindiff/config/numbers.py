"""What numbers of any file must be: columns that are there, finite, and the same as float64.

`real_array` is of arrays that a user gives in Python.

Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.config.spelling import IN_YAML, Name, Spelling
from lindiff.config.yamlfile import shown

Array = NDArray[np.float64]
# From these on, a float64 may be a whole number that was rounded.
_LARGEST_WHOLE = 2**53


def as_float(
    path: Path,
    values: NDArray[Any],
    names: Sequence[Name],
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    spelling: Spelling = IN_YAML,
) -> Array:
    """Real numbers as float64, row by row in memory.

    Args:
        path: The file, for messages.
        values: Any real dtype, shape (rows, columns).
        names: One for each column, or one for all.
        rows: Which rows of the file they are, from 0; all of them if not given.
        spelling: How the user leaves out a column.

    Raises:
        ValueError: A whole number is not a float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = np.ascontiguousarray(values, dtype=np.float64)
        wide = values.dtype.kind in "iu" and values.dtype.itemsize > 4
        if wide and matrix.size and np.abs(matrix).max() >= _LARGEST_WHOLE:
            wrong = np.argwhere(matrix.astype(values.dtype) != values)
            if len(wrong):
                row, j = wrong[0].tolist()
                name = names[j] if len(names) > j else names[0]
                raise ValueError(
                    f"{path}: row {_number(row, rows)}, column {shown(name)} is {values[row, j]}, "
                    "which float64 does not hold (whole numbers beyond 2^53); "
                    f"`{spelling.drop([name])}` leaves the column out"
                )
    return matrix


def check_finite_rows(
    path: Path,
    values: Array,
    names: Sequence[Name],
    rows: Sequence[int] | NDArray[np.int64],
    spelling: Spelling,
) -> None:
    """Refuse some rows of a file; arguments as for `as_float`.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    finite = np.isfinite(values)
    if not finite.all():
        row, j = divmod(int(np.argmin(finite)), values.shape[1])
        raise ValueError(
            f"{path}: row {_number(row, rows)}, column {shown(names[j])} is {values[row, j]}; all "
            f"values must be finite; `{spelling.drop([names[j]])}` leaves the column out"
        )


def real_array(given: Any, what: str, *, objects: bool = False) -> NDArray[Any]:
    """An array of real numbers, of any shape and any dtype of them.

    Args:
        given: Anything that NumPy takes.
        what: What it is called in messages.
        objects: Take numbers that are Python objects too, as float64.

    Raises:
        ValueError: It is none, or a mask hides some.
    """
    if np.ma.is_masked(given):
        raise ValueError(f"{what}: values are masked; leave them out")
    try:
        array = np.asarray(given)
        if objects and array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: no array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: real numbers are needed, not {array.dtype}")
    return array


def as_numbers(names: Sequence[Name]) -> list[Name]:
    """Numbers of columns, of which some may be text: an option on the command line is."""
    return [int(n) if isinstance(n, str) and n.isascii() and n.isdecimal() else n for n in names]


def check_numbers(path: Path, numbers: Sequence[Name], count: int, purpose: str) -> None:
    """Refuse numbers of columns that an array of `count` columns does not have.

    Raises:
        ValueError: One is no number from 1 to `count`; the message says for what `purpose` it was.
    """
    for number in numbers:
        if not isinstance(number, int) or not 1 <= number <= count:
            raise ValueError(
                f"{path} has no column {shown(number)} to {purpose}; there are: 1 to {count}, "
                "counted from 1"
            )


def check_matrix(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse the shape of what is no matrix, nor can be read row by row as one.

    Raises:
        ValueError: There are fewer than two axes.
    """
    if len(shape) < 2:
        hint = "; of one value a row: x.reshape(-1, 1)" if shape else ""
        raise ValueError(
            f"{path} must hold a matrix (rows, columns), not an array of shape {shape}{hint}"
        )


def made_rows(shape: tuple[int, ...], columns: int) -> list[str]:
    """The note on how an array of this shape was read, of a matrix none."""
    if len(shape) < 3:
        return []
    each = "×".join(map(str, shape[1:]))
    return [f"arrays of {each} values were made rows of {columns:,}, the last axis fastest"]


def left_out(why: str, names: Sequence[Name]) -> str:
    """The note on columns that were left out."""
    what = "column" if len(names) == 1 else "columns"
    return f"left out ({why}): {what} {', '.join(map(shown, names))}"


def _number(row: int, rows: Sequence[int] | NDArray[np.int64] | None) -> int:
    """How the user counts a row: in the file, from 1."""
    return (row if rows is None else int(rows[row])) + 1
