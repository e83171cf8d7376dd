"""Sets of metrics as bits of one number, so that a million cells have theirs in an array."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lindiff.columns import REQUESTABLE

Bits = NDArray[np.uint64]


def bits(metrics: Iterable[str]) -> np.uint64:
    """A set of metrics as bits: bit i says that it has ``REQUESTABLE[i]``.

    Names that are not requestable are left out: an older lindiff may have had more of them.
    """
    return np.uint64(sum(1 << REQUESTABLE.index(name) for name in metrics if name in REQUESTABLE))


def names(mask: np.uint64) -> tuple[str, ...]:
    """The metrics of a set of bits, sorted."""
    return tuple(sorted(name for i, name in enumerate(REQUESTABLE) if int(mask) >> i & 1))
