"""Loss and both KL over ridge and weight decay for several N, and the best of either over N/d.

Points are means over training sets with their 95 % t-interval as band, lines the large-system
theory; larger filled markers are the minima of the mean curves with a 95 % jackknife interval, and
the dotted line is the ridge that is best for the ideal sampler at large N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.drawing import labels, optima, slices, style, tables
from lindiff.drawing.needs import Needs, three_strengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = ("ridge", "weight_decay")
NEEDS = Needs(axes=("n",), metrics=optima.METRICS, conditions=(three_strengths(*NAMES),))
CATEGORY = "Regularization"
LOOK = {  # colour, marker and dash of the best value
    "ridge": (style.BLACK, "o", style.DASHES[0]),
    "weight_decay": (style.GREY, "s", style.DASHES[1]),
}
_SIZES = 4


def query(metrics: pa.Table) -> pa.Table:
    """The curves over each regularization, and its best value over N with theory and tail."""
    parts = optima.curves(metrics, NAMES)
    drawn = []
    for name, (cells, theory) in parts.items():
        sizes = slices.spread(tables.distinct(cells, "n"), _SIZES)
        found = optima.along(cells, theory, sizes)
        found = tables.curve(found, optima.optima(cells, theory))
        if name == "ridge":
            found = tables.curve(found, _tails(cells))
        drawn.append(found)
    return pa.concat_tables(drawn) if drawn else optima.nothing(metrics)


def _tails(cells: pa.Table) -> list[dict[str, Any]]:
    """The large-N law of the best ridge from the middle of the range of N on."""
    from lindiff.science.ridge import METRICS, best_ridge_tail

    (key,) = tables.distinct_keys(cells, (*slices.SPECTRUM, "d"))
    s = slices.eigenvalues(*key, scale=slices.scale(cells))
    ns = tables.distinct(cells, "n")
    grid = [n for n in ns if n >= np.sqrt(ns[0] * ns[-1])]
    return [
        {
            "regularizer": "ridge",
            "d": len(s),
            "n": n,
            "n_over_d": n / len(s),
            "quantity": f"{metric}_argmin_tail",
            "value": best_ridge_tail(s, n, metric),
        }
        for metric in METRICS
        for n in grid
    ]


def draw(data: pa.Table) -> Figure:
    """A row of curves per regularization, a column per metric; below the best value over N/d."""
    names = [name for name in NAMES if name in tables.distinct(data, "regularizer")]
    series = optima.sizes(data)
    figure, axes = style.panels(len(names) + 1, 3, height=1.85)
    for row, name in zip(axes, names, strict=False):
        own = tables.keep(data, "regularizer", [name])
        for ax, metric in zip(row, optima.METRICS, strict=True):
            optima.draw_curves(ax, own, metric, series)
            style.axis(ax, name, metric)
    for ax, metric in zip(axes[-1], optima.METRICS, strict=True):
        _best(ax, data, metric, names)
    above = [""] * len(optima.METRICS) * len(names)
    style.titles(axes, [*above, *(f"best for {optima.short(m)}" for m in optima.METRICS)])
    note = optima.at_the_end(data)
    style.heading(figure, data, without=slices.REGULARIZERS, note=note)
    entries = style.within(axes[:-1], [entry for *_, entry in series])
    entries.append(style.handle(style.GREY, "line: theory", dash="-"))
    best = [
        style.handle(colour, f"best {labels.label(name).lower()}", marker=marker, dash=dash)
        for name, (colour, marker, dash) in LOOK.items()
        if name in names
    ]
    entries += style.within(axes[-1], best)
    if "ridge" in names:
        entries.append(style.handle(style.BLACK, "large $N$, ideal sampler", dash=style.DASHES[2]))
    style.legend(figure, entries)
    return figure


def _best(ax: Axes, data: pa.Table, metric: str, names: list[str]) -> None:
    """The best ridge and weight decay for one metric over N/d."""
    for name in names:
        optima.draw_best(ax, tables.keep(data, "regularizer", [name]), metric, LOOK[name])
    tail = tables.arrays(data, quantity=f"{metric}_argmin_tail")
    style.line(ax, tail["n_over_d"], tail["value"], style.BLACK, style.DASHES[2])
    style.axis(ax, "n_over_d")
    ax.set_ylabel(" or ".join(f"best {labels.symbol(name)}" for name in names).capitalize())
