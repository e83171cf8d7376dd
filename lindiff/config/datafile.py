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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.config.npyfile import read_npy, read_npz
from lindiff.config.parquetfile import read_parquet
from lindiff.config.roles import pointed_out
from lindiff.config.yamlfile import shown

FORMATS = (".npy", ".npz", ".parquet")
Array = NDArray[np.float64]
# What a column is called: its name in a table, its number from 1 in an array.
Name = str | int
# Above these, float64 does not hold every whole number.
_LARGEST_WHOLE = 2**53
# A column that varies by less, relative to its values, varies by their rounding only.
_ROUNDING = 4 * np.finfo(np.float64).eps
# Standard deviations from which on a mean is far off: before, the division keeps nine digits.
_FAR = 1e7


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
        raise ValueError(f"{path} must end in one of {', '.join(FORMATS)}{_conversion(path)}")
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
    _check_finite(path, values, names)
    notes += pointed_out(values, names, categories)
    if standardize:
        values = standardized(values)
        notes.append("each column was divided by its standard deviation over all rows")
    return Matrix(values, tuple(notes))


def _conversion(path: Path) -> str:
    if path.suffix in (".csv", ".tsv", ".txt"):
        separator = ", sep='\\t'" if path.suffix == ".tsv" else ""
        into = path.with_suffix(".parquet").name
        return (
            f"; convert it: pandas.read_csv({path.name!r}{separator}).to_parquet({into!r}), with "
            "header=None where the first line has numbers"
        )
    return ""


def _of_table(
    path: Path, drop: Sequence[Name]
) -> tuple[Array, list[Name], frozenset[Name], list[str]]:
    """Values, a name for each column, which are categories, and notes."""
    for name in drop:
        if not isinstance(name, str):
            raise ValueError(f"{path} has columns of names; drop has {name}: write '{name}'")
    fields, index = read_parquet(path, [str(name) for name in drop])
    pieces = [_as_float(path, field.values, [field.name]) for field in fields]
    names: list[Name] = [field.name for field in fields for _ in range(field.values.shape[1])]
    values = np.concatenate(pieces, axis=1) if pieces else np.empty((0, 0))
    categories: frozenset[Name] = frozenset(field.name for field in fields if field.category)
    notes = [_left_out("the index that pandas saved", index)] if index else []
    if drop:
        notes.append(_left_out("drop", drop))
    notes += [
        f"the column {shown(field.name)} is a list of {field.values.shape[1]:,} numbers, each of "
        "them a column"
        for field in fields
        if field.values.shape[1] > 1
    ]
    return values, names, categories, notes


def _of_array(
    path: Path, array: str | None, drop: Sequence[Name]
) -> tuple[Array, list[Name], list[str]]:
    """Values, a number for each column, and notes."""
    found = read_npy(path) if path.suffix == ".npy" else read_npz(path, array)
    if found.ndim < 2:
        hint = "; of one value a row: x.reshape(-1, 1)" if found.ndim else ""
        raise ValueError(
            f"{path} must hold a matrix (rows, columns), not an array of shape {found.shape}{hint}"
        )
    values = found.reshape(len(found), math.prod(found.shape[1:]))
    columns: list[Name] = list(range(1, values.shape[1] + 1))
    for number in drop:
        if not isinstance(number, int) or not 1 <= number <= len(columns):
            raise ValueError(
                f"{path} has no column {shown(number)} to drop; there are: 1 to {len(columns)}, "
                "counted from 1"
            )
    notes = []
    if found.ndim > 2:
        shape = "×".join(map(str, found.shape[1:]))
        notes.append(
            f"arrays of {shape} values were made rows of {len(columns):,}, the last axis fastest"
        )
    if drop:
        notes.append(f"{_left_out('drop', drop)} of {len(columns)}")
        kept = [j for j, column in enumerate(columns) if column not in drop]
        values, columns = values[:, kept], [columns[j] for j in kept]
    return _as_float(path, values, columns), columns, notes


def _left_out(why: str, names: Sequence[Name]) -> str:
    what = "column" if len(names) == 1 else "columns"
    return f"left out ({why}): {what} {', '.join(map(shown, names))}"


def _as_float(path: Path, values: NDArray[Any], names: Sequence[Name]) -> Array:
    """Real numbers as float64, row by row in memory.

    Raises:
        ValueError: A whole number is not a float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = np.ascontiguousarray(values, dtype=np.float64)
        if values.dtype.kind in "iu" and matrix.size and np.abs(matrix).max() > _LARGEST_WHOLE:
            wrong = np.argwhere(matrix.astype(values.dtype) != values)
            if len(wrong):
                row, j = wrong[0].tolist()
                name = names[j] if len(names) > j else names[0]
                raise ValueError(
                    f"{path}: row {row + 1}, column {shown(name)} is {values[row, j]}, which "
                    "float64 does not hold (whole numbers beyond 2^53); "
                    f"`drop: [{shown(name)}]` leaves the column out"
                )
    return matrix


def _check_finite(path: Path, values: Array, names: Sequence[Name]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        row, j = divmod(int(np.argmin(finite)), values.shape[1])
        raise ValueError(
            f"{path}: {np.count_nonzero(~finite):,} of its values are NaN or infinite; the first "
            f"is {values[row, j]} in row {row + 1}, column {shown(names[j])}"
        )


def standardized(values: Array) -> Array:
    """Columns divided by their standard deviations over all rows (1/M), shape (rows, columns).

    Columns that are constant, but for the rounding of their values, stay as they are. One whose
    mean is far off loses it first, or the division would round at the digits of the mean.
    """
    # By powers of two, so that squares neither overflow nor vanish; exact.
    _, exponent = np.frexp(np.abs(values).max(axis=0))
    scaled = np.ldexp(values, -exponent)
    mean = scaled.mean(axis=0)
    centred = scaled - mean
    deviation = np.sqrt(np.mean((centred - centred.mean(axis=0)) ** 2, axis=0))
    constant = deviation <= _ROUNDING * np.abs(scaled).max(axis=0)
    near = np.where(np.abs(mean) > _FAR * deviation, centred, scaled)
    result: Array = np.where(constant, values, near / np.where(constant, 1, deviation))
    return result
