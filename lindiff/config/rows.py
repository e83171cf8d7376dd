"""Rows of numbers that are read from their file when they are asked for, not before."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

# Bytes that take no longer to be read than a call.
_PAGES = 2**14


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a file.

    Attributes:
        shape: How many there are, and then the shape of each.
        read: From the first row and the one after the last: these, of any real dtype, shape (last -
            first, columns), in memory of their own. Where the file is damaged or has changed, it
            raises a ValueError whose text is the end of a message.
        gap: Of two rows so far apart, those between are as well read as passed over.
    """

    shape: tuple[int, ...]
    read: Callable[[int, int], NDArray[Any]]
    gap: int = 1

    @property
    def columns(self) -> int:
        """Numbers in each row."""
        return math.prod(self.shape[1:])


def in_memory(values: NDArray[Any]) -> Rows:
    """Rows of an array of two or more axes."""

    def read(start: int, stop: int) -> NDArray[Any]:
        # A copy: who computes in place must not change what is read next.
        return values[start:stop].copy().reshape(stop - start, -1)

    return Rows(values.shape, read, near(values[0].nbytes if len(values) else 0))


def near(size: int) -> int:
    """The gap of rows of `size` bytes that lie one after the other."""
    return max(1, _PAGES // max(1, size))
