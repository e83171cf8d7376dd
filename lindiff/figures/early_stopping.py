"""Loss and both KL over training time for several N, the emergence of the modes, the best stop.

Points are means over training sets with their 95 % t-interval as band, larger filled markers and
(f) the minima of the mean curves with a 95 % jackknife interval, lines the large-system theory; in
(d) and (e) points are modes of one training set, lines the filter at λ, dotted its limit for λ and
1/τ between β₁ and 1, and τ₂ is the time from which on v is at most twice its final value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.drawing import emergence, labels, optima, slices, style, tables
from lindiff.drawing.needs import Needs, three_strengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(
    axes=("n", "stop"),
    metrics=(*optima.METRICS, "modes"),
    settings=(("stop", math.inf),),
    conditions=(three_strengths("stop"),),
)
CATEGORY = "Regularization"
LOOK = {  # colour, marker and dash of the best stop
    "residual_loss": (style.BLACK, "o", style.DASHES[0]),
    "kl_model_data": (style.COLOURS[4], "s", style.DASHES[1]),
    "kl_data_model": (style.COLOURS[5], "^", style.DASHES[3]),
}
_SIZES = 4
# Shares of (d): where its legend begins, and what it takes of the height.
_BESIDE, _ROOM = 0.15, 0.4


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """Curves over τ and their minima, then v over τ per mode and τ_2 over λ, with their laws."""
    parts = optima.curves(metrics, ("stop",))
    if not parts:
        return tables.with_nulls(
            optima.nothing(metrics), mode=pa.int64(), mode_eigenvalue=pa.float64()
        )
    cells, theory = parts["stop"]
    sizes = slices.spread(tables.distinct(cells, "n"), _SIZES)
    found = optima.along(cells, theory, sizes)
    found = tables.curve(found, optima.optima(cells, theory))
    found = tables.with_nulls(found, mode=pa.int64(), mode_eigenvalue=pa.float64())
    return tables.curve(found, emergence.rows(tables.keep(cells, "n", sizes), modes))


def draw(data: pa.Table) -> Figure:
    """Above the curves, a panel per metric; below v over τ, τ_2 over λ and the best stop."""
    series = optima.sizes(data)
    figure, axes = style.panels(2, 3, height=2.15)
    for ax, metric in zip(axes[0], optima.METRICS, strict=True):
        optima.draw_curves(ax, data, metric, series)
        style.axis(ax, "stop", metric)
    _variances(axes[1, 0], data)
    _learning(axes[1, 1], data, series)
    _best(axes[1, 2], data)
    sizes = tables.distinct(tables.keep(data, "quantity", ["generated_variance"]), "n")
    below = [
        ", ".join(["modes", *(labels.setting("n", n) for n in sizes)]),
        "emergence of modes",
        "best stop",
    ]
    style.titles(axes, ["", "", "", *below])
    note = optima.at_the_end(data)
    style.heading(figure, data, without=slices.REGULARIZERS, note=note)
    entries = style.within([*axes[0], axes[1, 1]], [entry for *_, entry in series])
    if tables.has_theory(data):
        entries.append(style.handle(style.GREY, "theory", dash="-"))
    entries.append(style.handle(style.BLACK, r"small $\lambda$ and $1/\tau$", dash=style.DASHES[2]))
    best = [
        style.handle(colour, f"best for {optima.short(metric)}", marker=marker, dash=dash)
        for metric, (colour, marker, dash) in LOOK.items()
    ]
    entries += style.within(axes[1, 2], best)
    style.legend(figure, entries, columns=5)
    return figure


def _variances(ax: Axes, data: pa.Table) -> None:
    """Generated variance over training time, the colours from the largest λ to the smallest."""
    from matplotlib import colormaps

    part = tables.keep(data, "quantity", ["generated_variance"])
    keys = tables.distinct_keys(part, ("mode", "mode_eigenvalue"))
    shades = colormaps["viridis"](np.linspace(0, 0.85, len(keys)))
    entries = []
    for (mode, value), shade, marker in zip(keys, shades, style.MARKERS, strict=False):
        measured = tables.arrays(part, mode=mode)
        line = tables.arrays(data, mode=mode, quantity="generated_variance_filter")
        style.points(ax, measured["strength"], measured, shade, marker)
        style.line(ax, line["strength"], line["value"], shade, linewidth=0.8)
        text = rf"$\lambda$ = {labels.number(float(f'{value:.2g}'))}"
        entries.append(style.handle(shade, text, marker=marker, dash="-"))
    law = tables.arrays(data, quantity="unlearned_law")
    style.line(ax, law["strength"], law["value"], style.BLACK, style.DASHES[2])
    style.axis(ax, "stop", "generated_variance")
    style.fit(ax, tables.arrays(part)["value"], log=True)
    if not entries:
        return
    if ax.get_yscale() == "log":
        drawn = ("generated_variance", "generated_variance_filter")
        _make_room(ax, tables.arrays(tables.keep(data, "quantity", drawn)))
    ax.legend(
        handles=entries, loc="upper right", ncols=2, handlelength=1.5, labelspacing=0.2,
        columnspacing=1,
    )  # fmt: skip


def _make_room(ax: Axes, part: dict[str, Any]) -> None:
    """Room for a legend at the upper right, where v has come down from where it began to λ."""
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    strength, value = part["strength"], part["value"]
    beside = value[(strength > left * (right / left) ** _BESIDE) & np.isfinite(value)]
    if beside.size:
        ax.set_ylim(top=max(high, low * (beside.max() / low) ** (1 / (1 - _ROOM))))


def _learning(ax: Axes, data: pa.Table, series: list[tuple[int, str, str, Any]]) -> None:
    """The learning time of every mode against its λ."""
    for n, colour, marker, _ in series:
        part = tables.arrays(data, n=n, quantity="learning_time")
        style.points(ax, part["mode_eigenvalue"], part, colour, marker)
    for name, dash in (("filter", style.DASHES[0]), ("law", style.DASHES[2])):
        part = tables.arrays(data, quantity=f"learning_time_{name}")
        style.line(ax, part["mode_eigenvalue"], part["value"], style.BLACK, dash)
    style.axis(ax, "mode_eigenvalue", "learning_time")
    style.fit(ax, tables.arrays(data, quantity="learning_time")["value"], log=True)


def _best(ax: Axes, data: pa.Table) -> None:
    """The best stop for every metric over N/d."""
    for metric, look in LOOK.items():
        optima.draw_best(ax, data, metric, look)
    style.axis(ax, "n_over_d")
    ax.set_ylabel(r"Best training time $\tau$")
