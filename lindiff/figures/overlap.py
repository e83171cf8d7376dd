"""Overlap of the leading eigenvectors of a training set with those of the population, over N/d.

The overlap is the mean weight of the k leading eigenvectors of Σ0 in the space of the k-fold
largest eigenvalue of Σ. Points are means over training sets with their 95 % t-interval of the logit
as band, 1.4 times as long below, for in some sets the overlap is far lower than in the others;
lines are the large-system theory at this d, where it has a value. Of spikes over a flat bulk the
dashed line is its limit for large d, which leaves 0 at N/d = 1/(s−1)², s the spike over the bulk
(Baik, Ben Arous and Péché 2005).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lindiff.drawing import drawn, labels, slices, style, tables
from lindiff.drawing.intervals import LONGER, Interval, share_interval
from lindiff.drawing.needs import Condition, Needs
from lindiff.science import laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _with_leading_modes(cells: pa.Table) -> bool:
    return any(kind != "isotropic" for kind in tables.distinct(cells, "spectrum"))


_LEADING = Condition("a spectrum with a largest eigenvalue: any but isotropic", _with_leading_modes)
NEEDS = Needs(axes=("n",), metrics=("overlap_1",), conditions=(_LEADING,))
CATEGORY = "Transition"
_KEYS = (*slices.SPECTRUM, "d", "n", "n_over_d")
_SPECTRA = 5
_POINTS = 400  # of the limit's line


def interval(values: ArrayLike) -> Interval:
    """Of the mean of overlaps; a few may be far below the others (docs/theory.md, "Overlap")."""
    return share_interval(values, below=LONGER)


def query(metrics: pa.Table) -> pa.Table:
    """The overlap over N/d of up to five spectra, then the theory."""
    known = metrics.filter(pc.is_valid(metrics["overlap_1"]))
    cells = slices.pick(slices.measured(known), ("n", *slices.SPECTRUM), {"d": max})
    cells = tables.with_ratio(slices.spectra(cells, _SPECTRA))
    found = tables.summarise(cells, _KEYS, NEEDS.metrics, interval)
    return tables.with_theory(found, slices.theory(known, cells), _KEYS, NEEDS.metrics)


def draw(data: pa.Table) -> Figure:
    """One panel."""
    figure, axes = style.panels(1, 1, height=2.6, width=style.ONE_COLUMN)
    ax, entries = axes[0, 0], []
    keys = slices.first_spectra(data, _SPECTRA)
    limited = False
    for (kind, params), colour, marker in zip(keys, style.COLOURS, style.MARKERS, strict=False):
        own = {"spectrum": kind, "spectrum_params": params}
        part = tables.arrays(data, **own, quantity="overlap_1")
        style.points(ax, part["n_over_d"], part, colour, marker)
        theory = tables.arrays(data, **own, quantity="overlap_1_theory")
        style.line(ax, theory["n_over_d"], theory["value"], colour)
        limited |= _limit(ax, kind, params, np.concatenate([part["n_over_d"], theory["n_over_d"]]))
        entries.append(style.handle(colour, labels.spectrum(kind, params), marker=marker))
    if tables.has_theory(data):
        entries.append(style.handle(style.GREY, "theory", dash="-"))
    if limited:
        entries.append(style.handle(style.BLACK, r"$d\to\infty$", dash=style.DASHES[1]))
    style.axis(ax, "n_over_d", "overlap_1", log="x")
    ax.set_ylim(-0.05, 1.05)
    if drawn.empty(ax):
        drawn.nothing(ax, _LEADING.words)
    style.heading(figure, data)
    style.legend(figure, entries, columns=2)
    return figure


def _limit(ax: Axes, kind: str, params: str, ratios: np.ndarray) -> bool:
    """The limit for large d of spikes over a bulk; whether there is one."""
    spike = float(json.loads(params or "{}").get("spike", 0.0))
    if kind != "spiked" or spike <= 1 or not len(ratios):
        return False
    x = np.geomspace(ratios.min(), ratios.max(), _POINTS)
    style.line(ax, x, laws.spike_overlap(x, spike), style.BLACK, style.DASHES[1])
    return True
