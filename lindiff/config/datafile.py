"""A matrix of the user in memory, one row a sample; its rows are those of `sources`.

What holds in every format: true and false, whole numbers, floats of any size and decimals are
numbers, as float64 the same from each; an array of more than two axes (pictures) and a list in a
column are read row by row as columns; all else is refused. Nothing is unpickled. Every check raises
a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lindiff.config.inputfile import check_memory
from lindiff.config.numbers import Array
from lindiff.config.sources import open_source
from lindiff.config.spelling import IN_YAML, Name


@dataclass(frozen=True, eq=False)
class Matrix:
    """What a file holds.

    Attributes:
        values: One row a sample, shape (rows, columns), finite.
        notes: What the user should know of how it was read, and of columns that may be no
            features; one sentence each.
        picture: Height and width of its rows where they are pictures, with 3 of coloured ones; else
            None.
    """

    values: Array
    notes: tuple[str, ...]
    picture: tuple[int, ...] | None = None


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
    source = open_source(path, array=array, drop=drop, standardize=standardize, spelling=IN_YAML)
    # What is dense in the file, its reader has asked already.
    check_memory(path, (source.rows, source.columns), 8 * source.rows * source.columns)
    values = np.concatenate(list(source.blocks()))
    return Matrix(values, source.notes, picture_size(source.picture or ()))


def picture_size(shape: Sequence[int]) -> tuple[int, ...] | None:
    """The size of a sample that is a picture by its shape, else None.

    Grey is H×W or H×W×1, whose size is H×W; coloured is H×W×3.

    >>> picture_size((8, 6)), picture_size((8, 6, 1)), picture_size((8, 6, 3))
    ((8, 6), (8, 6), (8, 6, 3))
    >>> picture_size((48,)), picture_size((3, 8, 6))
    (None, None)
    """
    if len(shape) == 3 and shape[-1] == 1:
        shape = shape[:-1]
    return tuple(shape) if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 3) else None
