"""Loss and both KL over ridge and weight decay for several N, and the best of either over N/d.

Points are means over training sets with their 95 % t-interval as band, lines the large-system
theory; larger filled markers are the minima of the mean curves with a 95 % jackknife interval, and
the dashed line is the ridge that is best for the ideal sampler at large N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.figures import Needs, _optima, _slices, _tables, _words
from lindiff.figures import draw as art

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=_optima.METRICS)
CATEGORY = "Regularization"
NAMES = ("ridge", "weight_decay")
LOOK = {  # colour, marker and dash of the best value
    "ridge": (art.BLACK, "o", art.DASHES[0]),
    "weight_decay": (art.GREY, "s", art.DASHES[1]),
}
_SIZES = 4


def query(metrics: pa.Table) -> pa.Table:
    """The curves over each regularization, and its best value over N with theory and tail."""
    parts = _optima.curves(metrics, NAMES)
    tables = []
    for name, (cells, theory) in parts.items():
        sizes = _slices.spread(_tables.distinct(cells, "n"), _SIZES)
        found = _optima.along(cells, theory, sizes)
        found = _tables.curve(found, _optima.optima(cells, theory))
        if name == "ridge":
            found = _tables.curve(found, _tails(cells))
        tables.append(found)
    return pa.concat_tables(tables) if tables else metrics.slice(0, 0)


def _tails(cells: pa.Table) -> list[dict[str, Any]]:
    """The large-N law of the best ridge from the middle of the range of N on."""
    from lindiff.science.ridge import METRICS, best_ridge_tail

    (key,) = _tables.distinct_keys(cells, (*_slices.SPECTRUM, "d"))
    s = _slices.eigenvalues(*key)
    ns = _tables.distinct(cells, "n")
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
    names = [name for name in NAMES if name in _tables.distinct(data, "regularizer")]
    series = _optima.sizes(data)
    figure, axes = art.panels(len(names) + 1, 3, height=1.85)
    for row, name in zip(axes, names, strict=False):
        own = _tables.keep(data, "regularizer", [name])
        for ax, metric in zip(row, _optima.METRICS, strict=True):
            _optima.draw_curves(ax, own, metric, series)
            art.axis(ax, name, metric)
    for ax, metric in zip(axes[-1], _optima.METRICS, strict=True):
        _best(ax, data, metric, names)
    above = [""] * len(_optima.METRICS) * len(names)
    art.titles(axes, [*above, *(f"best for {_optima.short(m)}" for m in _optima.METRICS)])
    note = _optima.at_the_end(data)
    art.heading(figure, data, without=_slices.REGULARIZERS, note=note)
    entries = [entry for *_, entry in series]
    entries.append(art.handle(art.GREY, "line: theory", dash="-"))
    entries += [
        art.handle(colour, f"best {_words.label(name).lower()}", marker=marker, dash=dash)
        for name, (colour, marker, dash) in LOOK.items()
        if name in names
    ]
    if "ridge" in names:
        entries.append(art.handle(art.BLACK, "large $N$, ideal sampler", dash=art.DASHES[2]))
    art.legend(figure, entries)
    return figure


def _best(ax: Axes, data: pa.Table, metric: str, names: list[str]) -> None:
    """The best ridge and weight decay for one metric over N/d."""
    for name in names:
        _optima.draw_best(ax, _tables.keep(data, "regularizer", [name]), metric, LOOK[name])
    tail = _tables.arrays(data, quantity=f"{metric}_argmin_tail")
    art.line(ax, tail["n_over_d"], tail["value"], art.BLACK, art.DASHES[2])
    art.axis(ax, "n_over_d")
    ax.set_ylabel(" or ".join(f"best {_words.symbol(name)}" for name in names).capitalize())
