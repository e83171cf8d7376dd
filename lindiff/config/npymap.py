"""Arrays of ``.npy`` files that are larger than memory: mapped, and read a few rows at a time.

What was touched of a mapping counts as memory of the process until it is unmapped, so every piece
is read through a mapping of its own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.config.npyfile import read_header
from lindiff.config.numbers import check_matrix
from lindiff.config.rows import Rows, near

# Bytes of the file that are mapped in at once.
_PIECE = 2**27


def map_npy(path: Path) -> Rows:
    """The rows of a ``.npy`` file of two or more axes, in any order and of any real dtype.

    Raises:
        ValueError: As for `read_npy`; or it has fewer axes.
    """
    header = read_header(path)
    check_matrix(path, header.shape)
    count, *each = header.shape

    def mapped(shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            return np.memmap(path, header.dtype, "r", header.offset, shape)
        except ValueError:
            raise ValueError(f"{path} has become shorter while it was read") from None

    def read_by_rows(start: int, stop: int) -> NDArray[Any]:
        return np.array(mapped(header.shape)[start:stop]).reshape(stop - start, -1)

    def read_by_columns(start: int, stop: int) -> NDArray[Any]:
        # The file is a matrix of columns, the first axis of a row fastest.
        columns = math.prod(each)
        found = np.empty((columns, stop - start), header.dtype)
        step = max(1, _PIECE // (count * header.dtype.itemsize))
        for j in range(0, columns, step):
            found[j : j + step] = mapped((columns, count))[j : j + step, start:stop]
        axes = found.reshape(*each[::-1], stop - start)
        return np.ascontiguousarray(axes.T).reshape(stop - start, columns)

    if header.by_columns:
        return Rows(header.shape, read_by_columns, near(header.dtype.itemsize))
    return Rows(header.shape, read_by_rows, near(math.prod(each) * header.dtype.itemsize))
