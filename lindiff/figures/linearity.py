"""How affine a trained denoiser is, and how far from the linear model of the same data, over N.

Left is the nonlinearity: the residual of the best affine fit to x̂_0 over the variance of x̂_0, on
noisy rows that the model was not trained on (0: affine). Right, of networks where there are any, is
the distance from the linear model: the mean square of the difference between ε̂ and that of the
linear model of the same training set along a mode of Σ0, averaged over the leading or the trailing
quarter of the modes with λ > 0, of 4 modes or more. Both at one noise level t in the middle of
those measured; the data of the figure have the others. Points are means over training sets, joined
by lines, with a 95 % t-interval as band from 8 on and else with a bar of one standard error of
their measurement (of distances an upper bound).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import compare, drawn, style, tables
from lindiff.drawing.needs import Needs, modes_at_least
from lindiff.models import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST = 4  # modes that have quarters
QUARTERS = modes_at_least(_FEWEST)  # for the distances from the linear model
NEEDS = Needs(axes=("n",), metrics=("linearity", "directions"), conditions=(QUARTERS,))
CATEGORY = "Networks"
# Quarters of the modes: whether their markers are filled, and the dash of their line.
LOOK = {"leading": (True, "-"), "trailing": (False, style.DASHES[1])}
_KEYS = ("model", *compare.POPULATION, "n", "t")
_MODELS = compare.giving("linearity")


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
    return {end: _quarter(lists, end, rows.select(keys).schema) for end in LOOK}


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
    """A row per population: nonlinearity and distance of every network over N."""
    populations = compare.populations(data)
    figure, axes = style.panels(len(populations), 2, height=1.9 + 0.4 / len(populations))
    texts = []
    for (affine, apart), population in zip(axes, populations, strict=True):
        own, t = _at_one_level(tables.where(data, **population))
        _nonlinearity(affine, own)
        _distances(apart, own)
        for ax in (affine, apart):
            compare.mark_dimension(ax, population)
        texts += [f"{compare.population_words(population)}, $t={t}$", ""]
    style.titles(axes, texts)
    compare.heading(figure, data)
    entries = [compare.entry(model) for model in compare.names(data)]
    quarters = [
        style.handle(
            style.GREY, f"{end} quarter of the modes", marker="o", dash=dash, filled=filled
        )
        for end, (filled, dash) in LOOK.items()
    ]
    style.legend(figure, [*entries, *style.within(axes[:, 1], quarters)])
    return figure


def _at_one_level(own: pa.Table) -> tuple[pa.Table, int]:
    """The rows of the level in the middle, in ln t, of those that have a nonlinearity."""
    levels = tables.distinct(tables.keep(own, "quantity", ["nonlinearity"]), "t")
    levels = levels or tables.distinct(own, "t")
    middle = np.log([levels[0], levels[-1]]).mean()
    t = min(levels, key=lambda level: abs(np.log(level) - middle))
    return tables.where(own, t=t), t


def _nonlinearity(ax: Axes, own: pa.Table) -> None:
    for model in compare.names(own):
        _measured(ax, own, "nonlinearity", model, "-", filled=True)
    style.axis(ax, "n", "nonlinearity")


def _distances(ax: Axes, own: pa.Table) -> None:
    """Distance over N for both quarters of the modes, of networks where there are some."""
    models = compare.names(own)
    for model in [name for name in models if name in compare.TRAINED] or models:
        for end, (filled, dash) in LOOK.items():
            _measured(ax, own, f"distance_{end}", model, dash, filled=filled)
    style.axis(ax, "n", "distance")
    if drawn.empty(ax):
        drawn.nothing(ax, QUARTERS.words)


def _measured(
    ax: Axes, own: pa.Table, quantity: str, model: str, dash: Any, *, filled: bool
) -> None:
    """Means joined by a line, with their band or else the bars of their measurement."""
    own = tables.where(own, model=model).sort_by("n")
    part = tables.arrays(own, quantity=quantity)
    errors = tables.arrays(own, quantity=f"{quantity}_se")
    colour = MODELS[model].look.colour
    style.line(ax, part["n"], part["value"], colour, dash, linewidth=0.7, zorder=1)
    compare.points(ax, part["n"], part, model, filled=filled)
    error = dict(zip(errors["n"].tolist(), errors["value"].tolist(), strict=True))
    bar = np.array([error.get(at, np.nan) for at in part["n"].tolist()])
    bar = np.where(np.isfinite(part["low"].astype(float)), np.nan, bar)
    value = part["value"].astype(float)
    ax.vlines(part["n"], value - bar, value + bar, colors=[colour], linewidth=style.scaled(0.8))
