"""Eigenvalues of the training covariance against the limiting density, per unit of ln λ.

Points are the share of eigenvalues in bins of ln λ, mean over training sets with their 95 %
t-interval as band; lines are the large-system limit, bars its mean over each bin, ticks at the foot
the eigenvalues of the population; the null space of Σ0, the share written in a panel, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import SETTING
from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NEEDS = Needs(axes=("n",), metrics=("modes",))
CATEGORY = "Transition"
_SIZE = (*slices.SPECTRUM, "d", "n", "n_over_d")
_KEYS = (*_SIZE, "mode_eigenvalue")
_BINS = 20
_POINTS = 600
_LOWEST = 1e-3
_MANY = 20  # bands that a line of the usual width makes one black patch


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """Measured and limiting density for up to two spectra and three N, and both bin by bin."""
    cells = slices.measured(metrics)
    cells = slices.pick(cells, ("n", *slices.SPECTRUM), {"d": max})
    cells = tables.with_ratio(slices.spectra(cells, 2))
    cells = slices.taken(cells, "n", 3)
    rows = tables.join(modes, cells)
    known = tables.facts(cells)["fixed"].get("centre") == "known"
    rows = rows.filter(pc.is_finite(rows["eigenvalue"]))
    schema = rows.select(_SIZE).schema
    for field in ("mode_eigenvalue", "density", "null_share"):
        schema = schema.append(pa.field(field, pa.float64()))
    bins, curves = [schema.empty_table()], list[dict[str, Any]]()
    positive = rows.filter(pc.greater(rows["eigenvalue"], 0))
    for key in tables.distinct_keys(positive, _SIZE):
        own = dict(zip(_SIZE, key, strict=True))
        found = tables.arrays(rows, **own)
        s = slices.eigenvalues(*key[:3], scale=slices.scale(cells))
        edges = _edges(found["eigenvalue"])
        bins.append(_shares(found, edges, own, schema))
        curves += _limit(s, own, edges, known)
    table = tables.with_facts(pa.concat_tables(bins), **tables.facts(cells))
    return tables.curve(
        tables.summarise(table, _KEYS, ("density", "null_share"), mean_interval), curves
    )


def _edges(eigenvalues: Array) -> Array:
    """Edges of bins of equal width in ln λ that hold all eigenvalues but the zeros."""
    positive = eigenvalues[eigenvalues > 0]
    return np.geomspace(positive.min() / 1.001, positive.max() * 1.001, _BINS + 1)


def _shares(
    modes: dict[str, NDArray[Any]], edges: Array, own: dict[str, Any], schema: pa.Schema
) -> pa.Table:
    """The share of eigenvalues per unit of ln λ in each bin, a row per training set and bin."""
    cells, cell = np.unique(modes["cell_id"], return_inverse=True)
    bins = np.searchsorted(edges, modes["eigenvalue"]) - 1
    zero = modes["eigenvalue"] == 0
    counts, null = np.zeros((len(cells), _BINS)), np.zeros(len(cells))
    np.add.at(counts, (cell[~zero], bins[~zero]), modes["multiplicity"][~zero])
    np.add.at(null, cell[zero], modes["multiplicity"][zero])
    density = counts / (own["d"] * np.diff(np.log(edges)))
    centres = np.sqrt(edges[1:] * edges[:-1])
    columns = {name: pa.array([value] * density.size) for name, value in own.items()}
    return pa.table(
        columns
        | {
            "mode_eigenvalue": np.tile(centres, len(cells)),
            "density": density.ravel(),
            "null_share": np.repeat(null / own["d"], _BINS),
        },
        schema=schema,
    )


def _limit(s: Array, own: dict[str, Any], edges: Array, known: bool) -> list[dict[str, Any]]:
    """Rows of the limit: its density, its mean over each bin, and the population eigenvalues."""
    from lindiff.science import density

    n = own["n"]
    bands = density.bands(s, n, known)
    # A band that reaches 0 is drawn from where its density has become small.
    cut = min(edges[0], bands[0, 1]) / 10
    reaches = bands[0, 0] < cut
    bands[0, 0] = max(bands[0, 0], cut)
    turns = np.sin(np.linspace(0, np.pi / 2, 2 + _POINTS // len(bands))) ** 2
    lam = np.exp(np.log(bands[:, :1]) + turns * np.diff(np.log(bands), axis=1))
    curve = lam * density.density(s, n, lam, known)
    curve[int(reaches) :, 0] = curve[:, -1] = 0  # not what rounding makes of the edges
    mean = np.diff(density.cumulative(s, n, edges, known)) / np.diff(np.log(edges))
    centres = np.sqrt(edges[1:] * edges[:-1])
    levels, counts = np.unique(s, return_counts=True)
    parts = (
        ("density_limit", lam.ravel(), curve.ravel()),
        ("bin_limit", centres, mean),
        ("population", levels, counts / len(s)),
    )
    return [
        own | {"quantity": name, "mode_eigenvalue": x, "value": y}
        for name, abscissae, values in parts
        for x, y in zip(abscissae.tolist(), values.tolist(), strict=True)
    ]


def draw(data: pa.Table) -> Figure:
    """A row of panels per spectrum, a column per N."""
    spectra = tables.distinct_keys(data, slices.SPECTRUM)
    sizes = tables.distinct_keys(data, ("n", "n_over_d"))
    height = 1.8 if len(spectra) > 1 else 2.2
    figure, axes = style.panels(len(spectra), len(sizes), height=height, sharex="row")
    for row, (kind, params) in zip(axes, spectra, strict=True):
        own = {"spectrum": kind, "spectrum_params": params}
        for ax, (n, _) in zip(row, sizes, strict=True):
            _panel(ax, data, own | {"n": n})
        # At N = d the tail reaches 0 and holds next to nothing.
        smallest = tables.arrays(data, **own, quantity="population")["mode_eigenvalue"].min()
        row[0].set_xlim(left=max(row[0].get_xlim()[0], _LOWEST * smallest))
        row[0].set_ylabel(labels.spectrum(kind, params) + "\n" + r"density per $\ln\lambda$")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.titles(axes, [_title(data, *size) for _ in spectra for size in sizes])
    style.heading(figure, data, without=[name for name in SETTING if name not in ("d", "centre")])
    entries = [
        style.handle(style.COLOURS[0], "training sets", marker="o"),
        style.handle(style.BLACK, "limit", dash="-"),
        style.handle(style.COLOURS[1], "limit, mean over a bin", dash="-"),
        style.handle(style.COLOURS[2], "population", marker="|"),
    ]
    style.legend(figure, entries)
    return figure


def _panel(ax: Axes, data: pa.Table, own: dict[str, Any]) -> None:
    found, limit, mean, population = (
        tables.arrays(data, **own, quantity=name)
        for name in ("density", "density_limit", "bin_limit", "population")
    )
    if not len(found["value"]):
        return  # the other spectrum alone has this N
    lam, curve = limit["mode_eigenvalue"], limit["value"]
    many = np.count_nonzero(curve == 0) > 2 * _MANY
    ax.fill_between(lam, 0, curve, color=style.GREY, alpha=0.3, linewidth=0)
    style.line(ax, lam, curve, linewidth=0.15 if many else 0.6, zorder=1)
    x = found["mode_eigenvalue"]
    half = (x[1] / x[0]) ** 0.5
    ax.hlines(mean["value"], x / half, x * half, colors=style.COLOURS[1], linewidth=1.2)
    style.points(ax, x, found, style.COLOURS[0], style.MARKERS[0])
    # Taller than the ticks of the axis, which point inwards too.
    transform, green = ax.get_xaxis_transform(), style.COLOURS[2]
    ax.vlines(population["mode_eigenvalue"], 0, 0.07, green, linewidth=0.5, transform=transform)
    style.axis(ax, "mode_eigenvalue", log="x")
    ax.set_ylim(bottom=0)


def _title(data: pa.Table, n: int, ratio: float) -> str:
    null = tables.arrays(data, n=n, quantity="null_share")["value"][0]
    return f"$N/d={ratio:.3g}$" + (f", null space {100 * null:.3g} %" if null else "")
