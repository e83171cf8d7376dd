"""Loss and both KL over training time for several N, the emergence of the modes, the best stop.

Points are means over training sets with their 95 % t-interval as band (in (d) and (e) geometric
means, mode by mode), larger filled markers and (f) the minima of the mean curves with a 95 %
jackknife interval; lines are the large-system theory, in (d) and (e) the filter at λ, and dotted
its limit for small λ and little noise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

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
    art.heading(figure, data, without=_slices.REGULARIZERS)
    entries = [entry for *_, entry in series]
    entries.append(art.handle(art.GREY, "theory", dash="-"))
    entries.append(art.handle(art.BLACK, r"limit of small $\lambda$", dash=art.DASHES[2]))
    art.legend(figure, entries)
    return figure


def _variances(ax: Axes, data: pa.Table) -> None:
    """Generated variance over training time, the colours from the largest λ to the smallest."""
    from matplotlib import colormaps

    part = _tables.keep(data, "quantity", ["generated_variance"])
    keys = sorted(_tables.distinct_keys(part, ("mode", "mode_eigenvalue")))
    entries = []
    for i, ((mode, value), marker) in enumerate(zip(keys, art.MARKERS, strict=False)):
        colour = colormaps["viridis"](0.9 * i / max(len(keys) - 1, 1))
        measured = _tables.arrays(part, mode=mode)
        line = _tables.arrays(data, mode=mode, quantity="generated_variance_filter")
        art.points(ax, measured["strength"], measured, colour, marker)
        art.line(ax, line["strength"], line["value"], colour, linewidth=0.8)
        text = rf"$\lambda$ = {_words.number(float(f'{value:.2g}'))}"
        entries.append(art.handle(colour, text, marker=marker, dash="-"))
    law = _tables.arrays(data, quantity="unlearned_law")
    art.line(ax, law["strength"], law["value"], art.BLACK, art.DASHES[2])
    art.axis(ax, "stop", "generated_variance")
    art.fit(ax, _tables.arrays(part)["value"], log=True)
    ax.legend(handles=entries, loc="lower left", handlelength=1.5, labelspacing=0.2)


def _learning(ax: Axes, data: pa.Table, series: list[tuple[int, str, str, Any]]) -> None:
    for n, colour, marker, _ in series:
        part = _tables.arrays(data, n=n, quantity="learning_time")
        art.bars(ax, part["mode_eigenvalue"], part, colour, marker)
    for name, dash in (("filter", art.DASHES[0]), ("law", art.DASHES[2])):
        part = _tables.arrays(data, quantity=f"learning_time_{name}")
        art.line(ax, part["mode_eigenvalue"], part["value"], art.BLACK, dash)
    art.axis(ax, "mode_eigenvalue", "learning_time")
    art.fit(ax, _tables.arrays(data, quantity="learning_time")["value"], log=True)


def _best(ax: Axes, data: pa.Table) -> None:
    looks = zip(_optima.METRICS, (art.BLACK, art.COLOURS[4], art.COLOURS[5]), strict=True)
    entries = []
    for (metric, colour), marker, dash in zip(looks, "os^", art.DASHES, strict=False):
        part = _tables.arrays(data, quantity=f"{metric}_argmin")
        theory = _tables.arrays(data, quantity=f"{metric}_argmin_theory")
        art.line(ax, theory["n_over_d"], theory["value"], colour, dash, linewidth=0.8)
        art.bars(ax, part["n_over_d"], part, colour, marker)
        text = _words.label(metric).partition(" [")[0]
        entries.append(art.handle(colour, text, marker=marker, dash=dash))
    art.axis(ax, "n_over_d")
    ax.set_ylabel(r"best training time $\tau$")
    ax.legend(handles=entries, loc="upper left")
