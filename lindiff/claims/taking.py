"""One number of a curve: where it crosses a level, its least value, or where that is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lindiff.claims.statement import Take
from lindiff.science import optima
from lindiff.science.scaling import between

Array = NDArray[np.float64]


class Undecided(Exception):
    """Why a number cannot be read, in words."""


def reduction(take: Take | None) -> Callable[[Array, Array], float]:
    """The function that takes one number of a curve: of its x, ascending, and its y, shape (K,).

    It raises `Undecided` where the curve does not have that number. Without a `take` it is the
    first value, that of the only point.
    """
    if take is None:
        return lambda x, y: float(y[0])
    if take.of in ("falls", "rises"):
        return lambda x, y: _crossing(x, y, float(take.level), take.of == "falls")

    def least(x: Array, y: Array) -> float:
        if not np.isfinite(y).any():
            raise Undecided("the curve is nowhere finite")
        found = optima.minimum(x, y)
        if take.of == "argmin" and not found.inside:
            raise Undecided(f"the least value over {take.along} is at an end of it")
        return found.x if take.of == "argmin" else found.value

    return least


def _crossing(x: Array, y: Array, level: float, falls: bool) -> float:
    """Where a curve last falls below a level, or first rises above it; `between` two points."""
    if not np.isfinite(y).all():
        raise Undecided("the curve is not finite everywhere")
    low = y <= level if falls else y >= level
    if low.all() or not (low[-1] if falls else low.any()):
        raise Undecided("the curve does not cross its level inside the axis")
    i = int(np.flatnonzero(~low)[-1]) + 1 if falls else int(np.argmax(low))
    if i == 0:
        raise Undecided("the curve is beyond its level from the start")
    return between(x[i - 1 : i + 1], y[i - 1 : i + 1], level)
