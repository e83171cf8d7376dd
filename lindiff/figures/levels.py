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

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("train_loss", "test_loss", "levels"))
CATEGORY = "Transition"
QUANTITIES = ("exact_gap", "share")
_SIZE = (*slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d")
_KEYS = (*_SIZE, "t", "alpha_bar")
_MARKS = (1e-3, 1e-2, 0.1, 0.5)
_LOSSES = ("train_loss", "test_loss")


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """Gap and share of each level for up to two spectra, two strengths and five N."""
    cells = slices.regularizations(
        slices.measured(metrics),
        ("n", *slices.SPECTRUM),
        slices.two,
        {"d": max},
    )
    cells = slices.taken(slices.spectra(cells, 2), "n", 5)
    theory = slices.theory(metrics, cells, finer=())
    rows = _with_share(tables.with_ratio(cells), levels)
    found = tables.summarise(rows, _KEYS, QUANTITIES, mean_interval)
    return tables.with_theory(found, _with_share(theory, levels), _KEYS, QUANTITIES)


def _with_share(cells: pa.Table, levels: pa.Table) -> pa.Table:
    """Levels of the cells with their gap and, over the mean gap of all seeds, their share.

    Where there is no gap (a stop at 0 leaves W = 0) there are no shares.
    """
    cells = tables.with_gap(cells)
    means = cells.group_by(list(_SIZE), use_threads=False).aggregate([("exact_gap", "mean")])
    mean = dict(zip(tables.keys_of(means, _SIZE), means["exact_gap_mean"].to_pylist(), strict=True))
    rows = tables.join(levels, cells.drop_columns([*_LOSSES, "exact_gap"]))
    rows = tables.with_gap(rows)
    whole = pa.array([mean[key] or None for key in tables.keys_of(rows, _SIZE)], pa.float64())
    part = pc.divide(
        pc.multiply(rows["exact_gap"], rows["t"].cast(pa.float64())), rows["timesteps"]
    )
    rows = tables.with_columns(rows, share=pc.divide(part, whole))
    return tables.with_facts(rows, **tables.facts(cells))


def draw(data: pa.Table) -> Figure:
    """A column per strength and spectrum: above the gap of each level, below its share."""
    name, strengths = slices.strengths(data)
    spectra = tables.distinct_keys(data, slices.SPECTRUM)
    columns = [(key, strength) for strength in strengths for key in spectra]
    figure, axes = style.panels(2, len(columns), height=2.0, sharex=True, sharey="row")
    keys = tables.distinct_keys(data, ("n", "n_over_d"))
    sizes = list(zip(keys, style.COLOURS, style.MARKERS, strict=False))
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
    above = [f"{labels.spectrum(*key)},\n{labels.setting(name, c)}" for key, c in columns]
    style.titles(axes, [*above, *(["share per $\\ln t$"] * len(columns))])
    style.heading(figure, data, without=("sampler",))
    entries = [
        style.handle(colour, f"$N/d={ratio:.3g}$", marker=marker)
        for (_, ratio), colour, marker in sizes
    ]
    style.legend(figure, [*entries, style.handle(style.GREY, "theory", dash="-")], columns=6)
    return figure


def _panel(ax: Axes, data: pa.Table, own: dict[str, Any], sizes: list[Any]) -> None:
    for (n, _), colour, marker in sizes:
        part = tables.arrays(data, **own, n=n)
        style.points(ax, part["t"], part, colour, marker)
        theory = tables.arrays(data, **(own | {"quantity": f"{own['quantity']}_theory"}), n=n)
        style.line(ax, theory["t"], theory["value"], colour)
    gap = own["quantity"] == "exact_gap"
    style.axis(ax, "t", own["quantity"], log="xy" if gap else "x")


def _noise(ax: Axes, data: pa.Table) -> None:
    """Marks of the noise variance 1 − ᾱ_t above the panel."""
    t, alpha_bar = np.array(tables.distinct_keys(data, ("t", "alpha_bar"))).T
    noise = np.array([power for power in _MARKS if 1 - alpha_bar[0] <= power <= 1 - alpha_bar[-1]])
    # Both grow by powers of each other at first: between levels their logarithms are linear.
    ticks = np.exp(np.interp(np.log(noise), np.log(1 - alpha_bar), np.log(t)))
    ax.tick_params(which="both", top=False)
    above = ax.secondary_xaxis("top")
    above.set_xlabel(r"$1-\bar\alpha_t$", labelpad=2.5)
    above.set_xticks(ticks, [labels.number(float(value)) for value in noise])
    above.minorticks_off()
