"""Test minus train loss at each noise level for several N, and which levels carry its mean.

Points are means over training sets with their 95 % t-interval as band, lines the large-system
theory; below, the gap of a level times t/T over the mean gap of all levels, so that the area over
ln t is the share of the levels below it (the band is that of the level's gap alone).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.figures import Needs, _slices, _tables, _words
from lindiff.figures import draw as art
from lindiff.intervals import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("train_loss", "test_loss", "levels"))
CATEGORY = "Transition"
QUANTITIES = ("exact_gap", "share")
_SIZE = (*_slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d")
_KEYS = (*_SIZE, "t", "alpha_bar")
_MARKS = (1e-3, 1e-2, 0.1, 0.5)
_LOSSES = ("train_loss", "test_loss")


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """Gap and share of each level for up to two spectra, two strengths and five N."""
    cells = _slices.regularizations(
        _slices.measured(metrics),
        ("n", *_slices.SPECTRUM),
        _slices.two,
        {"d": max},
    )
    cells = _slices.spectra(cells, 2)
    cells = _tables.keep(cells, "n", _slices.spread(_tables.distinct(cells, "n"), 5))
    theory = _slices.theory(metrics, cells, finer=())
    rows = _with_share(_tables.with_ratio(cells), levels)
    found = _tables.summarise(rows, _KEYS, QUANTITIES, mean_interval)
    return _tables.with_theory(found, _with_share(theory, levels), _KEYS, QUANTITIES)


def _with_share(cells: pa.Table, levels: pa.Table) -> pa.Table:
    """Levels of the cells with their gap and, over the mean gap of all seeds, their share.

    Where there is no gap (a stop at 0 leaves W = 0) there are no shares.
    """
    cells = _tables.with_gap(cells)
    means = cells.group_by(list(_SIZE), use_threads=False).aggregate([("exact_gap", "mean")])
    mean = dict(
        zip(_tables.keys_of(means, _SIZE), means["exact_gap_mean"].to_pylist(), strict=True)
    )
    rows = _tables.join(levels, cells.drop_columns([*_LOSSES, "exact_gap"]))
    rows = _tables.with_gap(rows)
    whole = pa.array([mean[key] or None for key in _tables.keys_of(rows, _SIZE)], pa.float64())
    part = pc.divide(
        pc.multiply(rows["exact_gap"], rows["t"].cast(pa.float64())), rows["timesteps"]
    )
    rows = _tables.with_columns(rows, share=pc.divide(part, whole))
    return _tables.with_facts(rows, **_tables.facts(cells))


def draw(data: pa.Table) -> Figure:
    """A column per strength and spectrum: above the gap of each level, below its share."""
    name, strengths = _slices.strengths(data)
    spectra = _tables.distinct_keys(data, _slices.SPECTRUM)
    columns = [(key, strength) for strength in strengths for key in spectra]
    figure, axes = art.panels(2, len(columns), height=2.0, sharex=True, sharey="row")
    keys = _tables.distinct_keys(data, ("n", "n_over_d"))
    sizes = list(zip(keys, art.COLOURS, art.MARKERS, strict=False))
    for column, ((kind, params), strength) in zip(axes.T, columns, strict=True):
        own = {"spectrum": kind, "spectrum_params": params, "strength": strength}
        for ax, quantity in zip(column, QUANTITIES, strict=True):
            _panel(ax, data, own | {"quantity": quantity}, sizes)
    for ax in axes[0]:
        _noise(ax, data)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    above = [f"{_words.spectrum(*key)}, {_words.setting(name, c)}" for key, c in columns]
    art.titles(axes, [*above, *(["share per $\\ln t$"] * len(columns))])
    art.heading(figure, data, without=("sampler",))
    entries = [
        art.handle(colour, f"$N/d={ratio:.3g}$", marker=marker)
        for (_, ratio), colour, marker in sizes
    ]
    art.legend(figure, [*entries, art.handle(art.GREY, "theory", dash="-")], columns=6)
    return figure


def _panel(ax: Axes, data: pa.Table, own: dict[str, Any], sizes: list[Any]) -> None:
    for (n, _), colour, marker in sizes:
        part = _tables.arrays(data, **own, n=n)
        art.points(ax, part["t"], part, colour, marker)
        theory = _tables.arrays(data, **(own | {"quantity": f"{own['quantity']}_theory"}), n=n)
        art.line(ax, theory["t"], theory["value"], colour)
    gap = own["quantity"] == "exact_gap"
    art.axis(ax, "t", own["quantity"], log="xy" if gap else "x")


def _noise(ax: Axes, data: pa.Table) -> None:
    """Marks of the noise variance 1 − ᾱ_t above the panel."""
    t, alpha_bar = np.array(_tables.distinct_keys(data, ("t", "alpha_bar"))).T
    noise = np.array([power for power in _MARKS if 1 - alpha_bar[0] <= power <= 1 - alpha_bar[-1]])
    # Both grow by powers of each other at first: between levels their logarithms are linear.
    places = np.exp(np.interp(np.log(noise), np.log(1 - alpha_bar), np.log(t)))
    ax.tick_params(which="both", top=False)
    above = ax.secondary_xaxis("top")
    above.set_xlabel(r"$1-\bar\alpha_t$", labelpad=2.5)
    above.set_xticks(places, [_words.number(float(value)) for value in noise])
    above.minorticks_off()
