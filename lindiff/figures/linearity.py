"""How far from affine a trained denoiser is, and how far from the linear model of the same data.

Nonlinearity is the residual of the best affine fit to the network's x̂_0 over the variance of x̂_0,
on noisy rows that it was not trained on (0: affine), dotted that of the empirical score; distance
is the mean square of the difference of ε̂ and that of the linear model of the same training set,
averaged over the leading or the trailing quarter of the modes of Σ0 with λ > 0. Points are means
over training sets, with a 95 % t-interval as band from 8 on and else with a bar of one standard
error of their measurement (of distances an upper bound).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import compare, drawn, labels, slices, style, tables
from lindiff.drawing.needs import Needs, modes_at_least
from lindiff.models import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST = 4  # modes that have quarters
QUARTERS = modes_at_least(_FEWEST)  # for the distances from the linear model
NEEDS = Needs(axes=("n",), metrics=("linearity", "directions"), conditions=(QUARTERS,))
CATEGORY = "Networks"
ENDS = ("leading", "trailing")  # quarters of the modes
_KEYS = ("model", *compare.POPULATION, "n", "t")
_MODELS = compare.giving("linearity")
# The one that is not trained.
_REFERENCE = next(name for name in _MODELS if not MODELS[name].trained)
_LEVELS, _SIZES, _ROWS = 3, 4, 4


def query(metrics: pa.Table, linearity: pa.Table, directions: pa.Table) -> pa.Table:
    """Nonlinearity by N and level, and the distances of both quarters, with standard errors."""
    cells = compare.side_by_side(metrics, _MODELS)
    rows = _valid(tables.join(linearity, cells), "nonlinearity")
    found = _means(rows, "nonlinearity", cells)
    for end, part in _quarters(_valid(tables.join(directions, cells), "distance")).items():
        found = pa.concat_tables([found, _means(part, f"distance_{end}", cells)])
    return found


def _valid(rows: pa.Table, name: str) -> pa.Table:
    return rows.filter(pc.fill_null(pc.is_finite(rows[name]), False))


def _means(rows: pa.Table, name: str, cells: pa.Table) -> pa.Table:
    """Means over training sets, and as ``NAME_se`` the standard errors of their measurement."""
    rows = tables.with_facts(rows, **tables.facts(cells))
    found = tables.summarise(rows, _KEYS, [name], compare.means)
    square = pc.multiply(rows[f"{name}_se"], rows[f"{name}_se"])
    spread = rows.append_column("square", square).group_by(list(_KEYS), use_threads=False)
    sums = spread.aggregate([("square", "sum"), ("square", "count")])
    return tables.curve(
        found,
        [
            row | {"quantity": f"{name}_se", "seeds": row["square_count"]}
            | {"value": row["square_sum"] ** 0.5 / row["square_count"]}
            for row in sums.sort_by([(key, "ascending") for key in _KEYS]).to_pylist()
            if row["square_count"]
        ],
    )  # fmt: skip


def _quarters(rows: pa.Table) -> dict[str, pa.Table]:
    """Distances of each cell and level, averaged over the leading and the trailing quarter."""
    rows = rows.filter(pc.greater(rows["eigenvalue"], 0))
    keys = ["cell_id", "seed", *_KEYS]
    own = rows.sort_by([(key, "ascending") for key in ("cell_id", "t", "mode")])
    groups = own.group_by(keys, use_threads=False)
    lists = groups.aggregate([("distance", "list"), ("distance_se", "list")]).to_pylist()
    lists = [row for row in lists if len(row["distance_list"]) >= _FEWEST]
    return {end: _quarter(lists, end, rows.select(keys).schema) for end in ENDS}


def _quarter(lists: Sequence[dict[str, Any]], end: str, schema: pa.Schema) -> pa.Table:
    name = f"distance_{end}"
    found = []
    for row in lists:
        count = len(row["distance_list"]) // 4
        part = slice(0, count) if end == "leading" else slice(-count, None)
        errors = [0.0 if error is None else error for error in row["distance_se_list"][part]]
        means = {
            name: float(np.mean(row["distance_list"][part])),
            # All modes are measured on the same rows: the bound for errors that go together.
            f"{name}_se": float(np.mean(errors)),
        }
        found.append({key: row[key] for key in schema.names} | means)
    for column in (name, f"{name}_se"):
        schema = schema.append(pa.field(column, pa.float64()))
    return pa.Table.from_pylist(found, schema=schema)


def draw(data: pa.Table) -> Figure:
    """A row per network and population: nonlinearity over N and over t, distances over N."""
    rows = _rows(data)
    levels, sizes = _levels(data), _sizes(data)
    figure, axes = style.panels(len(rows), 3, height=1.65 + 0.9 / len(rows))
    for (over_n, over_t, apart), (population, model) in zip(axes, rows, strict=True):
        own = compare.where(data, **population)
        _over(over_n, own, model, "n", "t", levels)
        _over(over_t, own, model, "t", "n", sizes)
        _distances(apart, own, model, levels)
        for ax in (over_n, apart):
            compare.mark_dimension(ax, population)
    style.titles(axes, [text for row in rows for text in (_title(*row), "", "")])
    compare.heading(figure, data)
    entries = [_level_entry(t, *look) for t, look in levels.items()]
    entries += [
        style.handle(look[0], labels.setting("n", n), marker=look[1], dash="-")
        for n, look in sizes.items()
    ]
    if _REFERENCE in compare.names(data):
        words = MODELS[_REFERENCE].look.label
        entries.append(style.handle(style.GREY, words, dash=style.DASHES[2]))
    for end, filled, dash in zip(ENDS, (True, False), ("-", style.DASHES[1]), strict=True):
        text = f"{end} quarter of the modes"
        if f"distance_{end}" not in data["quantity"].to_pylist():
            continue
        entries.append(style.handle(style.GREY, text, marker="o", dash=dash, filled=filled))
    style.legend(figure, entries)
    return figure


def _rows(data: pa.Table) -> list[tuple[dict[str, Any], str]]:
    """Populations and their networks; the empirical score alone only where nothing is trained."""
    found = []
    for population in compare.populations(data):
        names = compare.names(compare.where(data, **population))
        trained = [name for name in names if name in compare.TRAINED]
        found += [(population, name) for name in trained or names]
    return found[:_ROWS]


def _title(population: dict[str, Any], model: str) -> str:
    return f"{MODELS[model].look.label}, {compare.population_words(population)}"


Looks = dict[Any, tuple[Any, str]]


def _levels(data: pa.Table) -> Looks:
    """Colour and marker of a few noise levels, without the ends of many."""
    levels = tables.distinct(tables.keep(data, "quantity", ["nonlinearity"]), "t")
    levels = levels[1:-1] if len(levels) > _LEVELS + 1 else levels
    few = slices.spread(levels, _LEVELS)
    return dict(zip(few, zip(style.COLOURS, style.MARKERS, strict=True), strict=False))


def _sizes(data: pa.Table) -> Looks:
    """Colour and marker of a few N, from few to many samples."""
    from matplotlib import colormaps

    sizes = tables.distinct(tables.keep(data, "quantity", ["nonlinearity"]), "n")
    few = slices.spread(sizes, _SIZES)
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(few)))
    return dict(zip(few, zip(colours, reversed(style.MARKERS), strict=False), strict=False))


def _level_entry(t: int, colour: str, marker: str) -> Any:
    return style.handle(colour, f"$t={t}$", marker=marker, dash="-")


def _over(ax: Axes, own: pa.Table, model: str, x: str, series: str, looks: Looks) -> None:
    """Nonlinearity over `x`, a line per value of `series`."""
    for value, (colour, marker) in looks.items():
        condition = {series: value, "model": model}
        _measured(ax, own, x, "nonlinearity", condition, colour, marker, "-", filled=False)
        if model != _REFERENCE:
            dotted = {series: value, "model": _REFERENCE, "quantity": "nonlinearity"}
            part = tables.arrays(own, **dotted)
            order = np.argsort(part[x])
            style.line(ax, part[x][order], part["value"][order], colour, style.DASHES[2], zorder=1)
    style.axis(ax, x, "nonlinearity")
    shown = tables.keep(compare.where(own, quantity="nonlinearity"), series, list(looks))
    values, network = shown["value"].to_numpy(), compare.where(shown, model=model)["value"]
    style.fit(ax, values[values >= (pc.min(network).as_py() or 0)], log=True)


def _distances(ax: Axes, own: pa.Table, model: str, levels: Looks) -> None:
    """Distance from the linear model over N, for both quarters of the modes."""
    for t, (colour, marker) in levels.items():
        for end, filled, dash in zip(ENDS, (True, False), ("-", style.DASHES[1]), strict=True):
            condition = {"t": t, "model": model}
            _measured(
                ax, own, "n", f"distance_{end}", condition, colour, marker, dash, filled=filled
            )
    style.axis(ax, "n", "distance")
    if drawn.empty(ax):
        drawn.nothing(ax, QUARTERS.words)


def _measured(
    ax: Axes, own: pa.Table, x: str, quantity: str, condition: dict[str, Any], colour: Any,
    marker: str, dash: Any, *, filled: bool,
) -> None:  # fmt: skip
    """Means joined by a line, with their band or else the bars of their measurement."""
    keys = [(key, "ascending") for key in ("t", "n")]
    own = compare.where(own, **condition).sort_by(keys)
    part = tables.arrays(own, quantity=quantity)
    errors = tables.arrays(own, quantity=f"{quantity}_se")
    style.line(ax, part[x], part["value"], colour, dash, linewidth=0.7, zorder=1)
    style.points(ax, part[x], part, colour, marker, filled=filled)
    error = dict(zip(errors[x].tolist(), errors["value"].tolist(), strict=True))
    bar = np.array([error.get(at, np.nan) for at in part[x].tolist()])
    bar = np.where(np.isfinite(part["low"].astype(float)), np.nan, bar)
    value = part["value"].astype(float)
    ax.vlines(part[x], value - bar, value + bar, colors=[colour], linewidth=0.8)
