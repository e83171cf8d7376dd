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

from lindiff.figures import Needs, _emergence, _optima, _slices, _tables, _words
from lindiff.figures import draw as art

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(
    axes=("n", "stop"), metrics=(*_optima.METRICS, "modes"), settings=(("stop", math.inf),)
)
CATEGORY = "Regularization"
LOOK = {  # colour, marker and dash of the best stop
    "residual_loss": (art.BLACK, "o", art.DASHES[0]),
    "kl_model_data": (art.COLOURS[4], "s", art.DASHES[1]),
    "kl_data_model": (art.COLOURS[5], "^", art.DASHES[3]),
}
_SIZES = 4


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """Curves over τ and their minima, then v over τ per mode and τ_2 over λ, with their laws."""
    parts = _optima.curves(metrics, ("stop",))
    if not parts:
        return metrics.slice(0, 0)
    cells, theory = parts["stop"]
    sizes = _slices.spread(_tables.distinct(cells, "n"), _SIZES)
    found = _optima.along(cells, theory, sizes)
    found = _tables.curve(found, _optima.optima(cells, theory))
    found = _tables.with_nulls(found, mode=pa.int64(), mode_eigenvalue=pa.float64())
    return _tables.curve(found, _emergence.rows(_tables.keep(cells, "n", sizes), modes))


def draw(data: pa.Table) -> Figure:
    """Above the curves, a panel per metric; below v over τ, τ_2 over λ and the best stop."""
    series = _optima.sizes(data)
    figure, axes = art.panels(2, 3, height=2.15)
    for ax, metric in zip(axes[0], _optima.METRICS, strict=True):
        _optima.draw_curves(ax, data, metric, series)
        art.axis(ax, "stop", metric)
    _variances(axes[1, 0], data)
    _learning(axes[1, 1], data, series)
    _best(axes[1, 2], data)
    (n,) = _tables.distinct(_tables.keep(data, "quantity", ["generated_variance"]), "n")
    below = [f"modes, {_words.setting('n', n)}", "emergence of modes", "best stop"]
    art.titles(axes, ["", "", "", *below])
    note = _optima.at_the_end(data)
    art.heading(figure, data, without=_slices.REGULARIZERS, note=note)
    entries = [entry for *_, entry in series]
    entries.append(art.handle(art.GREY, "theory", dash="-"))
    entries.append(art.handle(art.BLACK, r"small $\lambda$ and $1/\tau$", dash=art.DASHES[2]))
    entries += [
        art.handle(colour, f"best for {_optima.short(metric)}", marker=marker, dash=dash)
        for metric, (colour, marker, dash) in LOOK.items()
    ]
    art.legend(figure, entries, columns=5)
    return figure


def _variances(ax: Axes, data: pa.Table) -> None:
    """Generated variance over training time, the colours from the largest λ to the smallest."""
    from matplotlib import colormaps

    part = _tables.keep(data, "quantity", ["generated_variance"])
    keys = _tables.distinct_keys(part, ("mode", "mode_eigenvalue"))
    shades = colormaps["viridis"](np.linspace(0, 0.85, len(keys)))
    entries = []
    for (mode, value), shade, marker in zip(keys, shades, art.MARKERS, strict=False):
        measured = _tables.arrays(part, mode=mode)
        line = _tables.arrays(data, mode=mode, quantity="generated_variance_filter")
        art.points(ax, measured["strength"], measured, shade, marker)
        art.line(ax, line["strength"], line["value"], shade, linewidth=0.8)
        text = rf"$\lambda$ = {_words.number(float(f'{value:.2g}'))}"
        entries.append(art.handle(shade, text, marker=marker, dash="-"))
    law = _tables.arrays(data, quantity="unlearned_law")
    art.line(ax, law["strength"], law["value"], art.BLACK, art.DASHES[2])
    art.axis(ax, "stop", "generated_variance")
    art.fit(ax, _tables.arrays(part)["value"], log=True)
    low, high = ax.get_ylim()
    ax.set_ylim(bottom=low * (low / high) ** 0.3)  # room for the legend
    ax.legend(handles=entries, loc="lower left", handlelength=1.5, labelspacing=0.2)


def _learning(ax: Axes, data: pa.Table, series: list[tuple[int, str, str, Any]]) -> None:
    """The learning time of every mode against its λ."""
    for n, colour, marker, _ in series:
        part = _tables.arrays(data, n=n, quantity="learning_time")
        art.points(ax, part["mode_eigenvalue"], part, colour, marker)
    for name, dash in (("filter", art.DASHES[0]), ("law", art.DASHES[2])):
        part = _tables.arrays(data, quantity=f"learning_time_{name}")
        art.line(ax, part["mode_eigenvalue"], part["value"], art.BLACK, dash)
    art.axis(ax, "mode_eigenvalue", "learning_time")
    art.fit(ax, _tables.arrays(data, quantity="learning_time")["value"], log=True)


def _best(ax: Axes, data: pa.Table) -> None:
    """The best stop for every metric over N/d."""
    for metric, look in LOOK.items():
        _optima.draw_best(ax, data, metric, look)
    art.axis(ax, "n_over_d")
    ax.set_ylabel(r"Best training time $\tau$")
