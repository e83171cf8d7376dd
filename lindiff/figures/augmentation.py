"""Test loss of linear denoisers over N for groups of several sizes |G|, and the N that it needs.

Left over N/d, in the middle over N |G|/d: the orbit of a training set has N |G| points, as many as
dimensions at the dotted line. Points are geometric means over training sets with their 95 %
t-interval (on logarithms) as band, coloured lines the theory, the black one the population optimum
(of a data set that of its whole pool). Right the N from which on the test loss is below the level
of the title, with its interval over training sets, lines the theory and N ∝ 1/|G| from the smallest
group on; groups that start below it, or never get there, have none.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.columns.groups import AUGMENTATION
from lindiff.drawing import labels, need, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models.augmented import size_or_none

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n", "augmentation"), metrics=("test_loss", "optimal_loss"))
CATEGORY = "Transition"
LOSSES = ("test_loss", "optimal_loss")
_KEYS = ("augmentation", "group_size", "d", "n", "n_over_d")
_CHOICES: dict[str, slices.Choice] = {"d": max, **slices.POWER_LAW}
_FEW = 6
_GUIDE = style.DASHES[2]


def query(metrics: pa.Table) -> pa.Table:
    """The losses over N of some groups, and the needed N of each; `group_size` is |G|."""
    cells = slices.pick(slices.measured(metrics), ("n", *AUGMENTATION), _CHOICES)
    theory = _sized(slices.theory(metrics, cells))
    cells = _sized(tables.with_ratio(cells))
    few = slices.spread(tables.distinct(cells, "group_size"), _FEW)
    cells, theory = (tables.keep(table, "group_size", few) for table in (cells, theory))
    found = tables.summarise(cells, _KEYS, LOSSES, geometric_mean_interval)
    found = tables.with_theory(found, theory, _KEYS, LOSSES[:1])
    curves = _curves([cells, theory])
    level = need.level_of(curves)
    found = tables.curve(found, _needed(need.needed(curves, level), cells))
    return tables.with_facts(found, **tables.facts(found), level=level)


def _sized(table: pa.Table) -> pa.Table:
    """The table with |G| in the place of the setting, which is null or 0 for the largest."""
    names = ("augmentation", "group_size", "data", "d")
    sizes = [size_or_none(row) for row in table.select(names).to_pylist()]
    at = table.column_names.index("group_size")
    return table.set_column(at, table.schema.field(at), pa.array(sizes, pa.int64()))


def _curves(groups: list[pa.Table]) -> need.Curves:
    """The test losses of each group over N by seed, None of the theory."""
    curves: need.Curves = defaultdict(lambda: defaultdict(list))
    names = ("augmentation", "group_size", "seed", "n", "test_loss")
    for table in groups:
        for kind, size, seed, n, loss in tables.keys_of(table.sort_by("n"), names):
            if loss is not None:
                curves[kind, size][seed].append((n, loss))
    return curves


def _needed(needed: need.Needed, cells: pa.Table) -> list[dict[str, Any]]:
    rows = []
    d = tables.distinct(cells, "d")
    for (kind, size), by_seed in sorted(needed.items()):
        own = {"augmentation": kind, "group_size": size, "d": d[0]}
        measured = [n for seed, n in by_seed.items() if seed is not None]
        if measured:
            found = need.row("needed", geometric_mean_interval(measured))
            rows.append(own | found)
        if None in by_seed:
            rows.append(own | {"quantity": "needed_theory", "value": by_seed[None]})
    return rows


def draw(data: pa.Table) -> Figure:
    """Three panels: losses over N/d, over N |G|/d, and the needed N over |G|."""
    figure, axes = style.panels(1, 3, height=2.3)
    for ax, x in zip(axes[0, :2], ("n_over_d", "points_over_d"), strict=True):
        for kind, size, colour, marker in _series(data):
            own = {"augmentation": kind, "group_size": size}
            factor = size if x == "points_over_d" else 1
            part = tables.arrays(data, **own, quantity="test_loss")
            style.points(ax, part["n_over_d"] * factor, part, colour, marker)
            theory = tables.arrays(data, **own, quantity="test_loss_theory")
            style.line(ax, theory["n_over_d"] * factor, theory["value"], colour, linewidth=0.8)
        _optimum(ax, data, x)
        style.axis(ax, x, "test_loss")
    look: dict[str, Any] = {"color": style.GREY, "linestyle": _GUIDE, "zorder": 0}
    axes[0, 1].axvline(1, **look, linewidth=style.scaled(0.8))
    axes[0, 1].set_ylabel("")
    _over_groups(axes[0, 2], data)
    level = labels.number(tables.facts(data).get("level", 1.0))
    style.titles(axes, ["over samples", "over points of the orbit", f"test loss {level}"])
    style.heading(figure, data, without=AUGMENTATION)
    style.legend(figure, _entries(data), columns=4)
    return figure


def _series(data: pa.Table) -> list[tuple[str, int, str, str]]:
    """Each group with its colour and marker, the smallest first."""
    losses = tables.keep(data, "quantity", ["test_loss"])
    groups = tables.distinct_keys(losses, ("group_size", "augmentation"))
    looks = zip(groups, style.COLOURS, style.MARKERS, strict=False)
    return [(kind, size, colour, marker) for (size, kind), colour, marker in looks]


def _optimum(ax: Axes, data: pa.Table, x: str) -> None:
    best = tables.arrays(data, quantity="optimal_loss")
    factor = best["group_size"] if x == "points_over_d" else 1
    at = best["n_over_d"] * factor
    order = np.argsort(at)
    style.line(ax, at[order], best["value"][order], dash=style.DASHES[1])


def _over_groups(ax: Axes, data: pa.Table) -> None:
    """The needed N of each group, in its look, with the theory and N ∝ 1/|G|."""
    for kind, size, colour, marker in _series(data):
        part = tables.arrays(data, augmentation=kind, group_size=size, quantity="needed")
        style.bars(ax, part["group_size"], part, colour, marker)
    theory = tables.arrays(data, quantity="needed_theory")
    order = np.argsort(theory["group_size"])
    style.line(ax, theory["group_size"][order], theory["value"][order], style.GREY)
    points = tables.arrays(data, quantity="needed")
    if len(points["value"]):
        sizes = points["group_size"]
        first, ends = int(np.argmin(sizes)), np.array([np.min(sizes), np.max(sizes)], float)
        guide = points["value"][first] * ends[0] / ends
        style.line(ax, ends, guide, style.GREY, dash=_GUIDE)
    style.axis(ax, "group_size")
    ax.set_ylabel("$N$ needed")


def _entries(data: pa.Table) -> list[Any]:
    """The legend: each group, then the lines."""
    lines = "-" if tables.has_theory(data) else None
    entries = [
        style.handle(colour, _words(kind, size), marker=marker, dash=lines)
        for kind, size, colour, marker in _series(data)
    ]
    if lines:
        entries.append(style.handle(style.GREY, "line: theory", dash="-"))
    optimum = labels.label("optimal_loss").lower()
    entries.append(style.handle(style.BLACK, optimum, dash=style.DASHES[1]))
    return [*entries, style.handle(style.GREY, r"$N|G|=d$, $N\propto1/|G|$", dash=_GUIDE)]


def _words(kind: str, size: int) -> str:
    if kind == "none":
        return "none, $|G|=1$"
    words = {"flip_shift": "flips and shifts", "shift": "shifts", "signs": "sign changes"}
    return f"{words.get(kind, kind)}, $|G|={size}$"
