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
        picture: Height and width of its rows, where they are grey pictures; else None.
    """

    values: Array
    notes: tuple[str, ...]
    picture: tuple[int, int] | None = None


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
    return Matrix(values, source.notes, grey_picture(source.picture or ()))


def grey_picture(shape: Sequence[int]) -> tuple[int, int] | None:
    """Height and width of a sample of a shape that is a grey picture, else None.

    >>> grey_picture((8, 6)), grey_picture((8, 6, 1)), grey_picture((8, 6, 3)), grey_picture((48,))
    ((8, 6), (8, 6), None, None)
    """
    own = shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape
    return (own[0], own[1]) if len(own) == 2 else None
