"""Test loss of random features over their number p, for m frozen noises a sample and noise level.

Points are geometric means over training sets with their 95 % t-interval (on logarithms) as band,
lines the large-system theory, the black one the population optimum (of a data set that of its
whole pool); m = ∞ is the average over noise. Left, at the least weight decay, vertical lines in the
colour of m are at p = N m, where there are as many features as pairs of sample and noise, and of
m = ∞ at p = N. Right, at every p, the weight decay of the sweep with the least mean, for points and
theory each its own. Losses above 30 times the optimum, such as at a peak, are not shown; at p = N m
the theory without penalty is infinite.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.drawing import labels, noises, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models import FEATURES, FEATURES_THEORY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(
    axes=("features",), metrics=("test_loss", "optimal_loss"), settings=(("model", FEATURES),)
)
CATEGORY = "Transition"
LOSSES = ("test_loss", "optimal_loss")
# What is held of the weight decay in each panel.
PANELS = ("least", "best")
_SHOWN = ("features", "noises", "weight_decay")
_KEYS = ("n", "noises", "features", "weight_decay")
_FEW = 5
_ROOM = 30.0  # panels show losses up to this many times the optimum
_MARK = style.DASHES[2]


def query(metrics: pa.Table) -> pa.Table:
    """Losses over p of some m, at the least weight decay and at that with the least mean loss."""
    cells = slices.pick(slices.measured(metrics, FEATURES), _SHOWN, {})
    cells = slices.taken(cells, "noises", _FEW)
    theory = slices.theory(metrics, cells, ("features",), FEATURES_THEORY)
    found = tables.summarise(cells, _KEYS, LOSSES, geometric_mean_interval)
    found = tables.with_theory(found, theory, _KEYS, LOSSES[:1])
    parts = [_panel(found, name) for name in PANELS]
    return tables.with_facts(pa.concat_tables(parts), **tables.facts(found))


def _panel(found: pa.Table, name: str) -> pa.Table:
    """One row of every m, p and quantity: that of the least weight decay, or the least value."""
    if name == "least":
        # Of all, not of each p: where the theory has no limit there is a gap.
        found = tables.keep(found, "weight_decay", tables.distinct(found, "weight_decay")[:1])
    keys = ("quantity", "noises", "features")
    order = found.sort_by([(key, "ascending") for key in (*keys, "value")])
    rows = tables.keys_of(order, keys)
    first = [i for i, key in enumerate(rows) if i == 0 or key != rows[i - 1]]
    own = order.take(pa.array(first, pa.int64()))
    return tables.with_columns(own, panel=pa.array([name] * own.num_rows, pa.string()))


def draw(data: pa.Table) -> Figure:
    """Two panels: the least weight decay, and the best at every p."""
    figure, axes = style.panels(1, 2, height=2.4)
    for ax, panel in zip(axes[0], PANELS, strict=True):
        best = tables.arrays(data, panel=panel, quantity="optimal_loss")
        top = _ROOM * best["value"].min(initial=np.inf)
        for m, colour, marker in noises.series(data):
            own = {"panel": panel, "noises": m}
            _curve(ax, data, own, top, colour, marker)
            if panel == "least":
                _mark(ax, data, m, colour)
        order = np.argsort(best["features"])
        style.line(ax, best["features"][order], best["value"][order], dash=style.DASHES[1])
        style.axis(ax, "features", "test_loss")
        seen = tables.arrays(tables.keep(data, "panel", [panel]), quantity="test_loss")["value"]
        style.fit(ax, np.append(seen[seen <= top], best["value"]), log=True)
    axes[0, 1].set_ylabel("")
    decays = tables.distinct(tables.keep(data, "panel", ["least"]), "weight_decay")
    least = [labels.setting("weight_decay", decays[0])] if decays else [""]
    style.titles(axes, [*least, "best weight decay at each $p$"])
    style.heading(figure, data)
    style.legend(figure, _entries(data), columns=5)
    return figure


def _curve(
    ax: Axes, data: pa.Table, own: dict[str, Any], top: float, colour: str, marker: str
) -> None:
    """Points and theory of one m, without what is above `top` and would stretch all bands."""
    part = tables.arrays(data, **own, quantity="test_loss")
    beyond = part["value"] > top
    part |= {name: np.where(beyond, np.nan, part[name]) for name in ("value", "low", "high")}
    style.points(ax, part["features"], part, colour, marker)
    theory = tables.arrays(data, **own, quantity="test_loss_theory")
    x = np.union1d(part["features"], theory["features"])
    y = np.full(len(x), np.nan)
    y[np.searchsorted(x, theory["features"])] = theory["value"]
    style.line(ax, x, y, colour, linewidth=0.8)


def _mark(ax: Axes, data: pa.Table, m: float, colour: str) -> None:
    """A dotted line where there are as many features as pairs, or as samples."""
    look: dict[str, Any] = {"color": colour, "linestyle": _MARK, "linewidth": style.scaled(0.8)}
    for n in tables.distinct(data, "n"):
        ax.axvline(n * m if math.isfinite(m) else n, **look, zorder=0)


def _entries(data: pa.Table) -> list[Any]:
    """The legend: m by colour and marker, then the lines."""
    lines = "-" if tables.has_theory(data) else None
    entries = noises.entries(data, lines)
    if lines:
        entries.append(style.handle(style.GREY, "line: theory", dash="-"))
    optimum = labels.label("optimal_loss").lower()
    entries.append(style.handle(style.BLACK, optimum, dash=style.DASHES[1]))
    return [*entries, style.handle(style.GREY, "$p=Nm$", dash=_MARK)]
