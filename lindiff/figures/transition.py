"""Train and test loss over N/d, as the mean over noise levels and at three fixed levels.

Points are geometric means over training sets with their 95 % t-interval (on logarithms) as band,
coloured lines the large-system theory, black ones the population optimum; Gaussian data.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.figures import Needs, _slices, _tables, _words
from lindiff.figures import draw as art
from lindiff.intervals import geometric_mean_interval
from lindiff.science.laws import optimal_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("train_loss", "test_loss", "optimal_loss", "levels"))
CATEGORY = "Transition"
LOSSES = ("train_loss", "test_loss")
_KEYS = (*_slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d", "t", "alpha_bar")


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """Losses over N/d of up to two spectra and two d, without and with the least regularization."""
    shown = ("d", "n", *_slices.SPECTRUM)
    measured = _slices.measured(metrics)
    cells = _slices.regularizations(measured, shown, lambda strengths: strengths[:2])
    cells = _tables.keep(cells, "d", _slices.spread(_tables.distinct(cells, "d"), 2))
    cells = _tables.with_ratio(_slices.spectra(cells, 2))
    mean, single = _with_levels(cells, levels)
    keys = _tables.keys_of(single, ("alpha_bar", *_slices.SPECTRUM, "d"))
    optima = {key: float(optimal_loss(key[0], _slices.eigenvalues(*key[1:]))) for key in set(keys)}
    single = _tables.with_columns(single, optimal_loss=pa.array([optima[key] for key in keys]))
    names = (*LOSSES, "optimal_loss")
    both = [part.select([*_KEYS, *names]) for part in (mean, single)]
    rows = pa.concat_tables(both, promote_options="permissive")
    rows = _tables.with_facts(rows, **_tables.facts(cells))
    found = _tables.summarise(rows, _KEYS, names, geometric_mean_interval)
    for part in _with_levels(_slices.theory(metrics, cells), levels):
        found = _tables.with_theory(found, part, _KEYS, LOSSES)
    return found


def _with_levels(cells: pa.Table, levels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The cells, and their losses at three noise levels."""
    mean = _tables.with_nulls(cells, t=pa.int64(), alpha_bar=pa.float64())
    few = cells.drop_columns([*LOSSES, "optimal_loss"])
    return mean, _tables.join(three_levels(levels), few)


def three_levels(levels: pa.Table) -> pa.Table:
    """The rows of the three noise levels that divide the range of ln t into four."""
    times = np.array(_tables.distinct(levels, "t"))
    targets = np.geomspace(times[0], times[-1], 5)[1:-1]
    chosen = {int(times[np.argmin(np.abs(np.log(times / target)))]) for target in targets}
    return _tables.keep(levels, "t", sorted(chosen))


def draw(data: pa.Table) -> Figure:
    """A row of panels per spectrum: the mean over levels, then the three levels."""
    spectra = _tables.distinct_keys(data, _slices.SPECTRUM)
    levels = _tables.distinct_keys(data, ("t", "alpha_bar"))
    figure, axes = art.panels(len(spectra), len(levels), height=1.75, sharex=True)
    for row, (kind, params) in zip(axes, spectra, strict=True):
        row[0].set_ylabel(_words.spectrum(kind, params) + "\nloss per dimension")
        for ax, (t, _) in zip(row, levels, strict=True):
            _panel(ax, data, {"spectrum": kind, "spectrum_params": params, "t": t})
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    art.titles(axes, [_title(*level) for _ in spectra for level in levels])
    art.heading(figure, data, without=("sampler",))
    art.legend(figure, _entries(data))
    return figure


def _panel(ax: Axes, data: pa.Table, panel: dict[str, Any]) -> None:
    strengths = _slices.strengths(data)[1]
    ds = zip(_tables.distinct(data, "d"), art.MARKERS, art.DASHES, strict=False)
    for (d, marker, dash), strength in itertools.product(ds, strengths):
        own = panel | {"d": d, "strength": strength}
        for loss, colour in zip(LOSSES, art.COLOURS, strict=False):
            part = _tables.arrays(data, **own, quantity=loss)
            full = strength == strengths[-1]
            art.points(ax, part["n_over_d"], part, colour, marker, filled=full)
            theory = _tables.arrays(data, **own, quantity=f"{loss}_theory")
            art.line(ax, theory["n_over_d"], theory["value"], colour, dash, linewidth=0.8)
        best = _tables.arrays(data, **own, quantity="optimal_loss")
        art.line(ax, best["n_over_d"], best["value"], dash=dash)
    art.axis(ax, "n_over_d")


def _title(t: int | None, alpha_bar: float | None) -> str:
    if t is None or alpha_bar is None:
        return "mean over $t$"
    return rf"$t={t}$, $1-\bar\alpha_t={1 - alpha_bar:.2g}$"


def _entries(data: pa.Table) -> list[Any]:
    """The legend: losses by colour, d by marker and dash, regularization by filling."""
    name, strengths = _slices.strengths(data)
    sizes = [_words.setting("d", d) for d in _tables.distinct(data, "d")]
    optimum = _words.label("optimal_loss")
    entries = []
    for loss, colour in zip(LOSSES, art.COLOURS, strict=False):
        text = f"{_words.label(loss)}, line: theory"
        entries.append(art.handle(colour, text, marker="o", dash="-", filled=True))
    for text, marker in zip(sizes, art.MARKERS, strict=False):
        entries.append(art.handle(art.GREY, text, marker=marker, filled=True))
    for strength in strengths:
        full = strength == strengths[-1]
        text = _words.setting(name, strength)
        entries.append(art.handle(art.GREY, text, marker="o", filled=full))
    for text, dash in zip(sizes, art.DASHES, strict=False):
        entries.append(art.handle(art.BLACK, f"{optimum}, {text}", dash=dash))
    return entries
