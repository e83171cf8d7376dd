"""Scatter of training sets about theory over N/d, its fall with d, and the heavy tails at N = d.

Markers are medians with the middle 80 % of the draws as bar or band, crosses means, lines theory
(those of one N are moved apart); against d stand the standard deviation over the mean, the mean's
distance from the limit d → ∞ and the farther end of its 95 % t-interval from theory at the same d.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import drawn, labels, scatter, slices, style, tables
from lindiff.drawing.needs import Needs, one_ratio_at_several_d, ratio_between
from lindiff.models import THEORY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("test_loss", "kl_model_data", "kl_data_model")
HEAVY = "kl_data_model"
_NEAR = (0.6, 1.8)  # N/d about N = d
# What the panels of the heavy tails take, and those of the moments against d.
NEAR, SEVERAL = ratio_between(*_NEAR), one_ratio_at_several_d()
# Two experiments feed it: many N at one d, and a few N/d at many d.
NEEDS = Needs(axes=("n",), metrics=METRICS, settings=(("model", THEORY),),
              conditions=(NEAR, SEVERAL))  # fmt: skip
CATEGORY = "Theory"
MOMENTS = {  # what stands against d, with a metric before it: marker and words
    "spread": ("s", "standard deviation of a draw"),
    "limit_average": ("o", r"mean from the limit $d\to\infty$, thick line: theory"),
    "relative_bound": ("v", "mean from theory at that $d$, at most"),
}
_SLICE = ("n_over_d", "regularizer", "strength")
_KEYS = ("d", "n", *_SLICE)
_FEW = 3
_SIZES = 11
_APART = (0.92, 1.0, 1.08)
RELATIVE = tuple(f"{name}_relative" for name in METRICS)
LIMIT = tuple(f"{name}_limit" for name in METRICS)


def query(metrics: pa.Table) -> pa.Table:
    """Draws over theory against N/d, in nats about N = d, and their moments against d."""
    cells = slices.measured(metrics)
    cells = slices.regularizations(cells, ("d", "n"), lambda values: slices.spread(values, _FEW))
    cells = tables.with_ratio(cells)
    theory = slices.theory(metrics, cells, finer=("d", "n"))
    cells = scatter.distance(cells, theory, METRICS, _KEYS, "relative")
    found = pa.concat_tables([_against_n(cells, theory), *_against_d(cells, theory)])
    return found.filter(pc.is_finite(found["value"]))


def _against_n(cells: pa.Table, theory: pa.Table) -> pa.Table:
    """Draws over theory, and those of the heavy tails in nats, at the d that has the most N."""
    counts = Counter(d for d, _ in tables.distinct_keys(cells, ("d", "n")))
    dense = sorted(counts, key=lambda d: (counts[d], d))[-1:]
    cells, theory = (tables.keep(table, "d", dense) for table in (cells, theory))
    near, line = (_near(table) for table in (cells, theory))
    few = tables.keep(cells, "n", slices.spread(tables.distinct(cells, "n"), _SIZES))
    parts = [
        scatter.summary(table, _KEYS, names, kind, estimator)
        for table, names in ((few, RELATIVE), (near, [HEAVY]))
        for kind, estimator in (("draws", scatter.band), ("average", scatter.mean))
    ]
    return tables.with_theory(pa.concat_tables(parts), line, _KEYS, [HEAVY])


def _near(table: pa.Table) -> pa.Table:
    x = table["n_over_d"]
    return table.filter(pc.and_(pc.greater(x, _NEAR[0]), pc.less(x, _NEAR[1])))


def _against_d(cells: pa.Table, theory: pa.Table) -> list[pa.Table]:
    """The rows of `MOMENTS` at a few N/d, of the strength that has the most of several d.

    The theory at its largest d stands for the limit d → ∞.
    """
    sizes = tables.distinct_keys(cells, ("strength", "n_over_d", "d"))
    counts = Counter((strength, x) for strength, x, _ in sizes)
    shared = [key for key, count in counts.items() if count > 1]
    if not shared or not theory.num_rows:
        return []
    often = Counter(strength for strength, _ in shared)
    strength = max(often, key=lambda value: (often[value], value))
    ratios = slices.spread(sorted(x for own, x in shared if own == strength), _FEW)
    cells, theory = (
        tables.keep(tables.keep(table, "strength", [strength]), "n_over_d", ratios)
        for table in (cells, theory)
    )
    last = max(tables.distinct(theory, "d"), default=0)
    limit = tables.keep(theory, "d", [last])
    cells, theory = (
        scatter.distance(table, limit, METRICS, _SLICE, "limit") for table in (cells, theory)
    )
    parts = [
        scatter.summary(cells, _KEYS, METRICS, "spread", scatter.spread),
        scatter.summary(cells, _KEYS, RELATIVE, "bound", scatter.bound),
        scatter.summary(cells, _KEYS, LIMIT, "average", scatter.mean),
    ]
    below = theory.filter(pc.less(theory["d"], last))
    return [tables.with_theory(pa.concat_tables(parts), below, _KEYS, LIMIT)]


def draw(data: pa.Table) -> Figure:
    """Above the draws over N/d, in the middle their moments against d, below those about N = d."""
    series = style.strengths(data)[:_FEW]
    figure, axes = style.panels(3, _FEW, height=1.85)
    for ax, name in zip(axes[0], METRICS, strict=True):
        for (strength, colour, marker, _), move in zip(series, _APART, strict=False):
            draws, means = _draws(data, f"{name}_relative", strength)
            style.bars(ax, draws["n_over_d"] * move, draws, colour, marker)
            _crosses(ax, means["n_over_d"] * move, means, colour)
        _finish(ax, data, f"{name}_relative", log="x")
    for ax, name in zip(axes[1], METRICS, strict=True):
        _moments(ax, data, name)
        if drawn.empty(ax):
            drawn.nothing(ax, SEVERAL.words)
    for ax, (strength, colour, marker, _) in zip(axes[2], series, strict=False):
        draws, means = _draws(data, HEAVY, strength)
        style.points(ax, draws["n_over_d"], draws, colour, marker)
        _crosses(ax, means["n_over_d"], means, colour)
        line = tables.arrays(data, quantity=f"{HEAVY}_theory", strength=strength)
        style.line(ax, line["n_over_d"], line["value"], colour)
        _finish(ax, data, HEAVY, log="y", strength=strength)
        ax.set_xlim(_NEAR)
        if drawn.empty(ax):
            drawn.nothing(ax, NEAR.words)
    for ax in axes[2, len(series) :]:
        ax.set_axis_off()
    axes[0, 0].set_ylabel("draw over theory − 1")
    axes[1, 0].set_ylabel("relative to the mean")
    axes[2, 0].set_ylabel(labels.label(HEAVY))
    style.titles(axes, _titles(data, [strength for strength, *_ in series]))
    style.heading(figure, data, without=("d",))
    style.legend(
        figure, _entries(data, [entry for *_, entry in series]), 3, "middle 80 % of the draws"
    )
    return figure


def _draws(data: pa.Table, name: str, strength: float) -> list[dict[str, Any]]:
    """Medians with their band, and means."""
    kinds = ("draws", "average")
    return [tables.arrays(data, quantity=f"{name}_{kind}", strength=strength) for kind in kinds]


def _crosses(ax: Axes, x: Any, means: dict[str, Any], colour: str) -> None:
    ax.plot(x, means["value"], color=colour, linestyle="none", marker="x")


def _finish(ax: Axes, data: pa.Table, name: str, *, log: str, **own: Any) -> None:
    """Axes that hold the bands, and the means too where the ordinate is logarithmic."""
    draws, means = (
        tables.arrays(data, quantity=f"{name}_{kind}", **own) for kind in ("draws", "average")
    )
    seen = [draws[end].astype(float) for end in ("value", "low", "high")]
    style.axis(ax, "n_over_d", log=log)
    style.fit(ax, np.concatenate([*seen, means["value"]] if "y" in log else seen), log="y" in log)


def _moments(ax: Axes, data: pa.Table, name: str) -> None:
    from matplotlib.ticker import NullLocator

    sizes, seen = set[int](), [0.0]
    for x, colour, dash in zip(_ratios(data), style.COLOURS[_FEW:], style.DASHES, strict=False):
        for moment, (marker, _) in MOMENTS.items():
            part = tables.arrays(data, quantity=f"{name}_{moment}", n_over_d=x)
            style.bars(ax, part["d"], part, colour, marker)
            if moment != "limit_average":  # whose line is the theory
                style.line(ax, part["d"], part["value"], colour, dash, linewidth=0.4, zorder=1)
            sizes.update(part["d"].tolist())
            seen += np.abs(part["value"]).tolist()
        line = tables.arrays(data, quantity=f"{name}_limit_theory", n_over_d=x)
        style.line(ax, line["d"], line["value"], colour, dash)
    style.axis(ax, "d")
    style.fit(ax, np.array(seen), log=True)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(sorted(sizes), [str(d) for d in sorted(sizes)])
    ends = np.array(ax.get_xlim())
    if not max(seen):
        return
    for decade in (1, 0.1, 0.01):
        guide = decade * max(seen) * ends[0] / ends
        style.line(ax, ends, guide, style.GREY, linewidth=0.4, zorder=0, scalex=False)


def _ratios(data: pa.Table) -> list[float]:
    """The N/d whose moments are shown."""
    names = [f"{name}_{moment}" for name, moment in itertools.product(METRICS, MOMENTS)]
    return tables.distinct(tables.keep(data, "quantity", names), "n_over_d")


def _titles(data: pa.Table, strengths: list[float]) -> list[str]:
    name = slices.strengths(data)[0]
    names = [labels.label(metric).partition(" [")[0] for metric in METRICS]
    draws = tables.keep(data, "quantity", [f"{RELATIVE[0]}_draws"])
    dense = "".join(f", {labels.setting('d', d)}" for d in tables.distinct(draws, "d"))
    moments = tables.keep(data, "quantity", [f"{METRICS[0]}_spread"])
    held = "".join(f", {labels.setting(name, c)}" for c in tables.distinct(moments, "strength"))
    near = [f"{names[-1]}{dense}, {labels.setting(name, c)}" for c in strengths]
    return [*(text + dense for text in names), *(text + held for text in names), *near]


def _entries(data: pa.Table, strengths: list[Any]) -> list[Any]:
    entries = [*strengths, style.handle(style.BLACK, "mean of the draws", marker="x")]
    for x, colour, dash in zip(_ratios(data), style.COLOURS[_FEW:], style.DASHES, strict=False):
        entries.append(style.handle(colour, f"$N/d={x:g}$", dash=dash))
    entries.append(style.handle(style.GREY, r"thin: $\propto 1/d$", dash="-"))
    for marker, words in MOMENTS.values():
        entries.append(style.handle(style.GREY, words, marker=marker))
    return entries
