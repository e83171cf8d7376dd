"""Train and test loss over N/d, as the mean over noise levels and at three fixed levels.

Points are geometric means over training sets with their 95 % t-interval (on logarithms) as band,
coloured lines the large-system theory of Gaussian data with the population's covariance, black ones
the population optimum.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.science.laws import optimal_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("train_loss", "test_loss", "optimal_loss", "levels"))
CATEGORY = "Transition"
LOSSES = ("train_loss", "test_loss")
_KEYS = (*slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d", "t", "alpha_bar")


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """Losses over N/d of up to two spectra and two d, without and with the least regularization."""
    shown = ("d", "n", *slices.SPECTRUM)
    measured = slices.measured(metrics)
    cells = slices.regularizations(measured, shown, lambda strengths: strengths[:2])
    cells = tables.with_ratio(slices.spectra(slices.taken(cells, "d", 2), 2))
    mean, single = _with_levels(cells, levels)
    keys = tables.keys_of(single, ("alpha_bar", *slices.SPECTRUM, "d"))
    spectra = {key: slices.eigenvalues(*key[1:], scale=slices.scale(cells)) for key in set(keys)}
    optima = {key: float(optimal_loss(key[0], s)) for key, s in spectra.items()}
    single = tables.with_columns(single, optimal_loss=pa.array([optima[key] for key in keys]))
    names = (*LOSSES, "optimal_loss")
    both = [part.select([*_KEYS, *names]) for part in (mean, single)]
    rows = pa.concat_tables(both, promote_options="permissive")
    rows = tables.with_facts(rows, **tables.facts(cells))
    found = tables.summarise(rows, _KEYS, names, geometric_mean_interval)
    for part in _with_levels(slices.theory(metrics, cells), levels):
        found = tables.with_theory(found, part, _KEYS, LOSSES)
    return found


def _with_levels(cells: pa.Table, levels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The cells, and their losses at three noise levels."""
    mean = tables.with_nulls(cells, t=pa.int64(), alpha_bar=pa.float64())
    few = cells.drop_columns([*LOSSES, "optimal_loss"])
    return mean, tables.join(three_levels(levels), few)


def three_levels(levels: pa.Table) -> pa.Table:
    """The rows of the three noise levels that divide the range of ln t into four."""
    times = np.array(tables.distinct(levels, "t"))
    if not len(times):
        return levels
    targets = np.geomspace(times[0], times[-1], 5)[1:-1]
    chosen = {int(times[np.argmin(np.abs(np.log(times / target)))]) for target in targets}
    return tables.keep(levels, "t", sorted(chosen))


def draw(data: pa.Table) -> Figure:
    """A row of panels per spectrum: the mean over levels, then the three levels."""
    spectra = tables.distinct_keys(data, slices.SPECTRUM)
    levels = tables.distinct_keys(data, ("t", "alpha_bar"))
    height = (
        1.75 if len(spectra) > 1 else 2.2
    )  # heading and legend take as much of one row as of two
    figure, axes = style.panels(len(spectra), len(levels), height=height, sharex=True)
    for row, (kind, params) in zip(axes, spectra, strict=True):
        row[0].set_ylabel(
            labels.population(tables.facts(data), kind, params) + "\nloss per dimension"
        )
        for ax, (t, _) in zip(row, levels, strict=True):
            _panel(ax, data, {"spectrum": kind, "spectrum_params": params, "t": t})
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.titles(axes, [_title(*level) for _ in spectra for level in levels])
    name, strengths = slices.strengths(data)
    alone = labels.setting(name, strengths[0]) if len(strengths) == 1 else ""
    style.heading(figure, data, without=("sampler",), note=alone)
    style.legend(figure, _entries(data))
    return figure


def _panel(ax: Axes, data: pa.Table, panel: dict[str, Any]) -> None:
    strengths = slices.strengths(data)[1]
    ds = zip(tables.distinct(data, "d"), style.MARKERS, style.DASHES, strict=False)
    for (d, marker, dash), strength in itertools.product(ds, strengths):
        own = panel | {"d": d, "strength": strength}
        for loss, colour in zip(LOSSES, style.COLOURS, strict=False):
            part = tables.arrays(data, **own, quantity=loss)
            full = strength == strengths[-1]
            style.points(ax, part["n_over_d"], part, colour, marker, filled=full)
            theory = tables.arrays(data, **own, quantity=f"{loss}_theory")
            style.line(ax, theory["n_over_d"], theory["value"], colour, dash, linewidth=0.8)
        best = tables.arrays(data, **own, quantity="optimal_loss")
        style.line(ax, best["n_over_d"], best["value"], dash=dash)
    style.axis(ax, "n_over_d")


def _title(t: int | None, alpha_bar: float | None) -> str:
    if t is None or alpha_bar is None:
        return "mean over $t$"
    return rf"$t={t}$, $1-\bar\alpha_t={1 - alpha_bar:.2g}$"


def _entries(data: pa.Table) -> list[Any]:
    """The legend: losses by colour, d by marker and dash, regularization by filling."""
    name, strengths = slices.strengths(data)
    sizes = [labels.setting("d", d) for d in tables.distinct(data, "d")]
    optimum, lines = labels.label("optimal_loss"), tables.has_theory(data)
    entries = []
    for loss, colour in zip(LOSSES, style.COLOURS, strict=False):
        text = labels.label(loss) + ", line: theory" * lines
        line = "-" if lines else None
        entries.append(style.handle(colour, text, marker="o", dash=line, filled=True))
    # A dot that tells nothing apart would look like one that does.
    if len(sizes) > 1:
        for text, marker in zip(sizes, style.MARKERS, strict=False):
            entries.append(style.handle(style.GREY, text, marker=marker, filled=True))
    if len(strengths) > 1:
        for strength, full in zip(strengths, (False, True), strict=True):
            text = labels.setting(name, strength)
            entries.append(style.handle(style.GREY, text, marker="o", filled=full))
    for text, dash in zip(sizes, style.DASHES, strict=False):
        entries.append(style.handle(style.BLACK, f"{optimum}, {text}", dash=dash))
    return entries
