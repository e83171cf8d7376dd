"""A curve of the theory as a file: a table or a picture, by the suffix of its name."""

from __future__ import annotations

import math
import os
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff import files
from lindiff.columns import METRIC, SETTING
from lindiff.drawing import labels, output, style, tables
from lindiff.errors import InputError
from lindiff.report.curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".csv", ".parquet", ".pdf", ".png")
_TITLE = "lindiff theory"  # of a picture, by which it is known again
_MOST_BYTES = 2**26  # of a file that may be one of ours
_COLUMNS = {"d", "n", "n_over_d"}  # of every curve, besides settings, metrics and `message`
_NUMBERS = ("int", "float")
_LOGARITHMIC = 10  # ratio of the ends from which an axis is logarithmic
_MOST_CURVES = math.lcm(len(style.COLOURS), len(style.DASHES))  # then a pair of both comes again


def check_path(path: Path) -> None:
    """Refuse a file that `write_curve` could not write, or that it would take away.

    Raises:
        InputError: The suffix is not one of `SUFFIXES`, the folder does not exist or cannot be
            written to, or the file is there and holds anything but a curve.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: the name must end in {', '.join(SUFFIXES[:-1])} or .png")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written to")
    if path.is_dir():
        raise InputError(f"{path}: is a folder")
    if path.exists() and not _is_curve(path):
        raise InputError(
            f"{path}: is there, and is no curve of `lindiff theory`; give another name, or remove "
            "that file first"
        )


def _is_curve(path: Path) -> bool:
    """Whether a file is empty or of `write_curve`: a table by its columns, a picture by its title.

    A table of results has columns that a curve has not: its cells' ids, or means over seeds.
    """
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return False
    content = path.read_bytes()
    if not content:
        return True
    if path.suffix in (".pdf", ".png"):
        return _TITLE.encode() in content
    try:
        if path.suffix == ".parquet":
            names = pq.read_schema(pa.BufferReader(content)).names
        else:
            head = content.partition(b"\n")[0].decode()
            names = [word.strip('"') for word in head.strip().split(",")]
    except (pa.ArrowException, UnicodeDecodeError, OSError):
        return False
    return _COLUMNS <= set(names) <= {*_COLUMNS, *SETTING, *METRIC, "message"}


def write_curve(curve: Curve, path: Path) -> None:
    """Write a curve: a table as CSV or Parquet, a picture as PDF or PNG, whole or not at all.

    Raises:
        InputError: As `check_path`, or there is nothing that can be drawn.
    """
    check_path(path)
    if path.suffix == ".parquet":
        files.write_table(curve.table, path, curve.table.schema.metadata or {})
    elif path.suffix == ".csv":
        from lindiff.report.console import write_csv

        with files.atomic(path) as temporary, temporary.open("wb") as file:
            write_csv(curve.table, file)
    else:
        with style.applied():
            output.write(draw(curve), path, _TITLE)


def draw(curve: Curve) -> Figure:
    """A panel per metric, with a line per curve.

    Raises:
        InputError: There is no axis of numbers, there are more curves than styles of lines, or no
            value is finite.
    """
    axis = _axis(curve)
    groups = tables.distinct_keys(curve.table, curve.curves) if curve.curves else [()]
    if len(groups) > _MOST_CURVES:
        raise InputError(f"a picture holds up to {_MOST_CURVES} curves, not {len(groups)}")
    series = [
        (dict(zip(curve.curves, group, strict=True)), colour, dash)
        for group, colour, dash in zip(
            groups, cycle(style.COLOURS), cycle(style.DASHES), strict=False
        )
    ]
    columns = min(len(curve.metrics), 2)
    width = style.ONE_COLUMN if columns == 1 else style.TWO_COLUMNS
    rows = math.ceil(len(curve.metrics) / columns)
    figure, axes = style.panels(rows, columns, width=width, height=2.2)
    drawn = [
        _panel(ax, curve, axis, metric, series)
        for ax, metric in zip(axes.flat, curve.metrics, strict=False)
    ]
    if not any(drawn):
        raise InputError("nothing to draw: every value is infinite or does not exist")
    for ax in axes.flat[len(drawn) :]:
        ax.set_axis_off()
    figure.suptitle(labels.held({"fixed": curve.fixed}))
    if curve.curves:
        entries = [style.handle(colour, _name(own), dash=dash) for own, colour, dash in series]
        style.legend(figure, entries, columns=2 * columns)
    return figure


def _axis(curve: Curve) -> str:
    name = curve.axis
    if name is None or (name in SETTING and SETTING[name].type not in _NUMBERS):
        raise InputError("a picture needs a setting with several numbers, such as n or ridge")
    return name


def _panel(ax: Axes, curve: Curve, axis: str, metric: str, series: list[Any]) -> bool:
    """One metric; returns whether anything is seen."""
    x, y = (_numbers(curve.table[name]) for name in (axis, metric))
    log = "x" * _spans(x) + "y" * (_spans(y) and bool(np.all(y[np.isfinite(y)] > 0)))
    seen = np.isfinite(x) & np.isfinite(y) & ((x > 0) | ("x" not in log))
    for own, colour, dash in series:
        part = tables.arrays(curve.table, **own)
        # What has no place on the axis (ridge 0, stop inf) is left out; what has no value is a gap.
        abscissa, values = (np.asarray(part[name], dtype=float) for name in (axis, metric))
        there = np.isfinite(abscissa) & ((abscissa > 0) | ("x" not in log))
        style.line(ax, abscissa[there], values[there], colour, dash)
    if seen.sum() == 1:
        ax.plot(x[seen], y[seen], "o", color=style.BLACK)
    style.axis(ax, axis, metric, log=log)
    style.fit(ax, y[seen], log="y" in log)
    return bool(seen.any())


def _numbers(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=float)


def _spans(x: NDArray[np.float64]) -> bool:
    """Whether a logarithmic axis shows more: by the ratio of the positive ends, none negative."""
    positive = x[np.isfinite(x) & (x > 0)]
    none_below = not np.any(x < 0)
    return bool(none_below and len(positive) and positive.max() >= _LOGARITHMIC * positive.min())


def _name(own: dict[str, Any]) -> str:
    if "spectrum" in own:
        return labels.spectrum(own["spectrum"], own["spectrum_params"])
    ((name, value),) = own.items()
    if name == "n_over_d":
        return f"$N/d$ = {labels.number(value)}"
    return labels.setting(name, value)
