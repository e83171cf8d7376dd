"""Curves of several m, the frozen noises a training sample: their looks and their legend."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lindiff.drawing import labels, style, tables


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
