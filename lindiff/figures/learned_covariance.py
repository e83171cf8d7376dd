"""Variance v that the sampler generates along each mode of Σ0: its eigenvalue λ plus the ridge c.

Points are geometric means over training sets, mode by mode in the order of λ (log-spaced ranks of
many), of up to three N; bars are 95 % t-intervals (on logarithms). Lines are v = λ + c, exact for
the ideal sampler. Bars at the left edge of (a) are the null space, λ = 0, as one mode; modes that
are generated without variance are left out. (b) has the same points over λ + c, divided by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("ridge",), metrics=("modes",))
CATEGORY = "Distances"
QUANTITIES = ("mode_eigenvalue", "expected_variance", "generated_variance", "ratio")
_MODES = 16
_NODES = 61  # points of a line
_ROOM = 3.0  # factor on the least λ, left of which the null space stands


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """λ, λ + c, v and v/(λ + c) by rank of the mode, for up to three N and five c."""
    choices: dict[str, slices.Choice] = {"d": max, **slices.POWER_LAW}
    cells = slices.regularizations(
        slices.measured(metrics),
        ("n",),
        lambda values: slices.spread(values, 5),
        choices,
        of=("ridge",),
    )
    cells = slices.taken(cells, "n", 3)
    rows = tables.join(modes, tables.with_ratio(cells))
    ranks = slices.spread(tables.distinct(rows, "mode"), _MODES)
    few = pc.is_in(rows["mode"], value_set=pa.array(ranks, rows["mode"].type))
    rows = rows.filter(pc.or_(few, pc.equal(rows["eigenvalue"], 0)))
    expected = pc.add(rows["eigenvalue"], rows["ridge"])
    ratio = pc.divide(rows["generated_variance"], expected)
    new = {"mode_eigenvalue": rows["eigenvalue"], "expected_variance": expected, "ratio": ratio}
    rows = tables.with_columns(rows, **new)
    rows = rows.filter(pc.and_(pc.greater(expected, 0), pc.greater(rows["generated_variance"], 0)))
    rows = tables.with_facts(rows, **tables.facts(cells))
    keys = ("d", "n", "n_over_d", "regularizer", "strength", "mode")
    return tables.summarise(rows, keys, QUANTITIES, geometric_mean_interval)


def draw(data: pa.Table) -> Figure:
    """Left v over λ with a line per ridge, right v over λ + c."""
    series = style.strengths(data)
    figure, axes = style.panels(1, 2, height=2.6)
    variance, ratio = axes[0]
    _variances(variance, data, series)
    for strength, colour, marker, _ in reversed(series):  # the least regularized on top
        x, y = (
            tables.arrays(data, strength=strength, quantity=q)
            for q in ("expected_variance", "ratio")
        )
        style.bars(ratio, x["value"], y, colour, marker)
    ratio.axhline(1, color=style.BLACK, linewidth=style.scaled(0.8), zorder=0)
    style.axis(ratio, "expected_variance", log="x")
    ratio.set_ylabel(r"$v/(\lambda+c)$")
    sizes = [labels.number(n) for n in tables.distinct(data, "n")]
    of = f"$N$ = {', '.join(sizes)}"
    style.titles(axes, [f"generated variance, {of}", "over what the ideal sampler generates"])
    style.heading(figure, data)
    entries = [entry for *_, entry in series]
    entries += style.within(
        variance,
        [
            style.handle(style.GREY, r"$v=\lambda+c$", dash="-"),
            style.handle(style.GREY, r"null space, $\lambda=0$", marker="_"),
        ],
    )
    style.legend(figure, entries, columns=4)
    return figure


def _variances(ax: Axes, data: pa.Table, series: list[tuple[float, str, str, Any]]) -> None:
    """v over λ, and at the left edge that of the null space."""
    every = tables.arrays(data, quantity="mode_eigenvalue")["value"]
    positive = every[every > 0]
    grid = np.geomspace(positive.min(), positive.max(), _NODES) if len(positive) else positive
    for strength, colour, marker, _ in reversed(series):
        x, v = (
            tables.arrays(data, strength=strength, quantity=q)
            for q in ("mode_eigenvalue", "generated_variance")
        )
        null = x["value"] == 0
        seen = {name: column[~null] for name, column in v.items()}
        style.line(ax, grid, grid + strength, colour, linewidth=0.7, zorder=1)
        style.bars(ax, x["value"][~null], seen, colour, marker)
        ax.plot(
            np.full(null.sum(), 0.03), v["value"][null], linestyle="none", marker="_", color=colour,
            markersize=style.scaled(8), transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    style.axis(ax, "mode_eigenvalue", "generated_variance")
    style.fit(ax, tables.arrays(data, quantity="generated_variance")["value"], log=True)
    if len(positive):
        ax.set_xlim(left=positive.min() / _ROOM)
