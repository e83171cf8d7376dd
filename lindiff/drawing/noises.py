"""Curves of several m, the frozen noises a training sample: intervals, looks and the legend."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from numpy.typing import ArrayLike

from lindiff.drawing import labels, style, tables
from lindiff.drawing.intervals import LONGER, Interval, geometric_mean_interval


def interval(values: ArrayLike) -> Interval:
    """Of the geometric mean of test losses; near N m = d a few are far above the others."""
    return geometric_mean_interval(values, above=LONGER)


def series(data: pa.Table) -> list[tuple[float, str, str]]:
    """Each m with its colour and marker."""
    return list(zip(tables.distinct(data, "noises"), style.COLOURS, style.MARKERS, strict=False))


def entries(data: pa.Table, dash: str | None = None) -> list[Any]:
    """The legend of each m, with a line of this dash where there is one."""
    symbol = labels.symbol("noises")
    return [
        style.handle(colour, labels.equal(symbol, labels.number(m)), marker=marker, dash=dash)
        for m, colour, marker in series(data)
    ]
