"""Curves of several m, the frozen noises a sample: intervals, looks, legend and peaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from lindiff.drawing import labels, style, tables
from lindiff.drawing.intervals import LONGER, Interval, geometric_mean_interval

Array = NDArray[np.float64]


def interval(values: ArrayLike) -> Interval:
    """Of the geometric mean of test losses; near N m = d a few are far above the others."""
    return geometric_mean_interval(values, above=LONGER)


def series(data: pa.Table) -> list[tuple[float, str, str]]:
    """Each m with its colour and marker."""
    return list(zip(tables.distinct(data, "noises"), style.COLOURS, style.MARKERS, strict=False))


def broken(n: Array, values: Array, peak: float) -> tuple[Array, Array]:
    """A curve over N that is not drawn across the N of a peak, where it has no value.

    Args:
        n: Shape (K,), ascending.
        values: Shape (K,).
        peak: The N at which the theory is infinite: d/m without a penalty.

    Returns:
        Both, with a nan at the peak unless it is outside of them or the curve has a value there.
    """
    at = int(np.searchsorted(n, peak))
    if at in (0, len(n)) or n[at] == peak:
        return n, values
    return np.insert(n.astype(float), at, peak), np.insert(values, at, np.nan)


def entries(data: pa.Table, dash: str | None = None) -> list[Any]:
    """The legend of each m, with a line of this dash where there is one."""
    symbol = labels.symbol("noises")
    return [
        style.handle(colour, labels.equal(symbol, labels.number(m)), marker=marker, dash=dash)
        for m, colour, marker in series(data)
    ]
