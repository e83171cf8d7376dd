"""Test loss relative to its optimum and both KL on the plane of N/d and ridge c; the best ridge.

Maps, contours (at the ticks of the colour bars) and the line of the best ridge are the large-system
theory, white where it has no finite value; circles are means over training sets in the same
colours: one that stands out departs. Infinite KL are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import drawn, labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Condition, Needs
from lindiff.models import THEORY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

# What there is a colour for.
MAP = Condition("a theory that is finite and above 0 at some n and some ridge above 0")
NEEDS = Needs(
    axes=("n", "ridge"),
    metrics=("residual_loss", "optimal_loss", "kl_model_data", "kl_data_model"),
    settings=(("model", THEORY),),
    conditions=(MAP,),
)
CATEGORY = "Regularization"
QUANTITIES = ("relative_loss", "kl_model_data", "kl_data_model")
_SIZE = (*slices.SPECTRUM, "d", "n", "n_over_d")
_KEYS = (*_SIZE, "ridge")
_COLOURS = "viridis_r"  # the best is light, where the line of the best ridge is seen


def query(metrics: pa.Table) -> pa.Table:
    """The measured cells, the map of the theory and its best ridge per N; up to two spectra."""
    cells = slices.measured(metrics)
    cells = slices.pick(cells, ("n", "ridge", *slices.SPECTRUM), {"d": max})
    cells = tables.with_ratio(slices.spectra(cells, 2))
    cells = _regularized(cells)
    theory = _regularized(slices.theory(metrics, cells, finer=("n", "ridge")))
    finite = cells.filter(pc.and_(*(pc.is_finite(cells[name]) for name in QUANTITIES[1:])))
    found = tables.summarise(finite, _KEYS, QUANTITIES, mean_interval)
    found = tables.with_theory(found, theory, _KEYS, QUANTITIES)
    return tables.curve(found, _best(found))


def _regularized(table: pa.Table) -> pa.Table:
    """The rows of a ridge above 0, which has a place on a logarithmic axis."""
    best = pc.if_else(pc.greater(table["optimal_loss"], 0), table["optimal_loss"], None)
    relative = pc.divide(table["residual_loss"], best)
    table = tables.with_columns(table, relative_loss=relative)
    return table.filter(pc.greater(table["ridge"], 0))


def _best(found: pa.Table) -> list[dict[str, Any]]:
    """The ridge that is best in theory for each N, where the map has it inside."""
    from lindiff.science.optima import minimum

    rows = []
    for name in QUANTITIES:
        theory = tables.keep(found, "quantity", [f"{name}_theory"])
        for key in tables.distinct_keys(theory, _SIZE):
            own = dict(zip(_SIZE, key, strict=True))
            part = tables.arrays(theory, **own)
            best = (
                minimum(part["ridge"], part["value"]) if np.isfinite(part["value"]).any() else None
            )
            if best is not None and best.inside:
                row = {"quantity": f"{name}_best", "ridge": best.x, "value": best.value}
                rows.append(own | row)
    return rows


def draw(data: pa.Table) -> Figure:
    """A row of maps per spectrum, a column with one colour bar per quantity."""
    from matplotlib.colors import LogNorm

    spectra = tables.distinct_keys(data, slices.SPECTRUM)
    figure, axes = style.panels(len(spectra), 3, height=2.2, sharex=True, sharey=True)
    for column, name in zip(axes.T, QUANTITIES, strict=True):
        column[-1].set_xlabel(labels.label("n_over_d"))
        values = tables.arrays(data, quantity=f"{name}_theory")["value"]
        values = values[np.isfinite(values) & (values > 0)]
        if not len(values):
            for ax in column:
                drawn.nothing(ax, MAP.words)
            continue
        norm = LogNorm(values.min(), max(values.max(), values.min() * (1 + 1e-6)))
        for ax, (kind, params) in zip(column, spectra, strict=True):
            mesh = _panel(ax, data, name, norm, {"spectrum": kind, "spectrum_params": params})
        style.colour_bar(figure, column, partial(_bar, figure, mesh, norm, name))
    for ax, key in zip(axes[:, 0], spectra, strict=True):
        ax.set_ylabel(labels.spectrum(*key) + "\n" + labels.label("ridge"))
    style.titles(
        axes, [labels.label(name).partition(" [")[0] for name in QUANTITIES] * len(spectra)
    )
    style.heading(figure, data, without=("spectrum",), note=_agreement(data))
    best = style.handle(style.BLACK, "best ridge, theory", dash="-")
    cells = style.handle(style.BLACK, "training sets, colour as the map (theory)", marker="o")
    style.legend(figure, [best, cells])
    return figure


def _bar(figure: Figure, mesh: Any, norm: Any, name: str, axes: Sequence[Axes]) -> Axes:
    """The colour bar of a quantity below its maps."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    bar = figure.colorbar(mesh, ax=list(axes), location="bottom", aspect=25, pad=0.02)
    bar.set_label(labels.label(name))
    bar.set_ticks(_levels(norm), minor=False)
    bar.ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: labels.number(float(f"{value:.3g}")))
    )
    bar.ax.xaxis.set_minor_formatter(NullFormatter())
    return bar.ax


def _panel(ax: Axes, data: pa.Table, name: str, norm: Any, own: dict[str, Any]) -> Any:
    """One map; returns what its colour bar shows."""
    xlabel = ax.get_xlabel()
    x, y, Z = _matrix(tables.arrays(data, quantity=f"{name}_theory", **own))
    mesh = ax.pcolormesh(_edges(x), _edges(y), Z, norm=norm, cmap=_COLOURS, rasterized=True)
    levels = [level for level in _levels(norm) if Z.count() and Z.min() < level < Z.max()]
    if min(Z.shape) > 1 and levels:
        ax.contour(x, y, Z, levels=levels, colors=_inks(norm, levels), linewidths=0.6)
    best = tables.arrays(data, quantity=f"{name}_best", **own)
    style.line(ax, best["n_over_d"], best["ridge"], linewidth=1.6)
    cells = tables.arrays(data, quantity=name, **own)
    ax.scatter(
        cells["n_over_d"], cells["ridge"], c=cells["value"], norm=norm, cmap=_COLOURS,
        s=16, edgecolors=_inks(norm, cells["value"]), linewidths=0.6, zorder=4, clip_on=False,
        gid="o",
    )  # fmt: skip
    style.axis(ax, "n_over_d", "ridge")
    # On the map, which would hide it, and where it is dark.
    (dimension,) = (line for line in ax.lines if line.get_gid() == drawn.DIMENSION)
    dimension.set(color="white", zorder=1.5)
    # Cells where the theory has no finite value lie on white.
    wide = [np.append(_edges(own), cells[name]) for name, own in (("n_over_d", x), ("ridge", y))]
    xlim, ylim = ((float(ends.min()), float(ends.max())) for ends in wide)
    ax.set(xlabel=xlabel, ylabel="", xlim=xlim, ylim=ylim)
    return mesh


def _inks(norm: Any, values: Any) -> list[str]:
    """Black on the light colours of the map, white on the dark ones."""
    return [style.BLACK if norm(value) < 0.5 else "white" for value in values]


def _matrix(rows: dict[str, NDArray[Any]]) -> tuple[Array, Array, Any]:
    """N/d, ridges and the values at both, shape (ridges, N), masked where they are not finite."""
    x, column = np.unique(rows["n_over_d"], return_inverse=True)
    y, row = np.unique(rows["ridge"], return_inverse=True)
    Z = np.full((len(y), len(x)), np.nan)
    Z[row, column] = rows["value"]
    return x, y, np.ma.masked_invalid(Z)


def _edges(centres: Array) -> Array:
    """Borders of the cells of a logarithmic axis, half-way between neighbours in log."""
    logs = np.log(centres)
    if len(logs) == 1:
        return np.asarray(centres[0] * np.array([0.6, 1.6]), np.float64)
    middle = (logs[1:] + logs[:-1]) / 2
    ends = 2 * logs[0] - middle[0], 2 * logs[-1] - middle[-1]
    edges: Array = np.exp(np.concatenate([[ends[0]], middle, [ends[1]]]))
    return edges


def _levels(norm: Any) -> list[float]:
    """Round numbers between the ends of a colour bar: decades, with 2 and 5 on a short range."""
    low, high = norm.vmin, norm.vmax
    steps = (1, 2, 5) if high < 1e3 * low else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    found = [v for e in decades for s in steps if low < (v := s * 10.0**e) < high]
    return found if len(found) > 1 else [low, high]


def _agreement(data: pa.Table) -> str:
    """The range of measured over theory, where the map has a node at the measured cell."""
    ratios = []
    for name in QUANTITIES:
        theory = tables.keep(data, "quantity", [f"{name}_theory"])
        value = dict(zip(tables.keys_of(theory, _KEYS), theory["value"].to_pylist(), strict=True))
        cells = tables.keep(data, "quantity", [name])
        keys = tables.keys_of(cells, _KEYS)
        pairs = zip(keys, cells["value"].to_pylist(), strict=True)
        ratios += [measured / value[key] for key, measured in pairs if value.get(key)]
    if not ratios:
        return ""
    return rf"measured/theory {min(ratios):.3g} to {max(ratios):.3g}"
