"""The least loss and KL that ridge, weight decay, early stopping and Ledoit–Wolf reach, over N/d.

Points are minima of the means over training sets with a 95 % jackknife interval (Ledoit–Wolf,
which has nothing to tune: the mean with its t-interval), coloured lines the large-system theory of
Gaussian data with the same covariance, solid black lines what no regularization costs. In a row per
spectrum all are divided by the theory of the best ridge of that spectrum: which regularization is
best depends on it; the last row has the values of the first spectrum.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import SETTING
from lindiff.drawing import labels, optima, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Needs, three_strengths
from lindiff.models import MODELS, SHRINKAGE
from lindiff.science import laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KL = ("kl_model_data", "kl_data_model")
FLOORS = tuple(f"{name}_floor" for name in KL)
NEEDS = Needs(axes=("n",), metrics=(*optima.METRICS, *FLOORS),
              conditions=(three_strengths(*slices.REGULARIZERS),))  # fmt: skip
CATEGORY = "Regularization"
_SPECTRA = 4
_LINEAR = 5.0  # ratios within this factor are read off better on a linear axis
LOOK = {  # colour, marker and dash
    "ridge": (style.COLOURS[0], "o", style.DASHES[0]),
    "weight_decay": (style.COLOURS[1], "s", style.DASHES[1]),
    "stop": (style.COLOURS[2], "^", style.DASHES[3]),
    SHRINKAGE: (style.COLOURS[3], "D", None),
}
LINES = {  # what bounds them: colour, dash, label
    "unregularized": (style.BLACK, style.DASHES[0], "not regularized, theory"),
    "tail": (style.BLACK, style.DASHES[2], "$(d+3)/(4N)$"),
    "floor": (style.GREY, style.DASHES[0], r"not regularized, $N=\infty$"),
}
_NAMES = {"stop": "early stopping", SHRINKAGE: "Ledoit–Wolf"}


def query(metrics: pa.Table) -> pa.Table:
    """Per spectrum the minima of every regularization over N, Ledoit–Wolf, bounds, and ratios."""
    found = []
    for kind, params in _spectra(metrics):
        minima = _named(_of_spectrum(slices.of_spectrum(metrics, kind, params)), kind, params)
        if minima.num_rows:
            found.append(minima)
    # All of one task: of the first spectrum, which is the one whose values are drawn.
    tasks = [_task(table) for table in found]
    found = [table for table, task in zip(found, tasks, strict=True) if task == tasks[0]]
    if not found:
        return _named(_of_spectrum(metrics.slice(0, 0)), "", "")
    rows = pa.concat_tables([table.replace_schema_metadata(None) for table in found])
    return tables.with_facts(rows, **tables.facts(found[0]))


def _named(minima: pa.Table, kind: str, params: str) -> pa.Table:
    """The minima of one spectrum, which they name."""
    count = minima.num_rows
    named = {"spectrum": pa.array([kind] * count, pa.string()),
             "spectrum_params": pa.array([params] * count, pa.string())}  # fmt: skip
    return tables.with_columns(minima, **named)


def _spectra(metrics: pa.Table) -> list[tuple[str, str]]:
    """A few spectra that minima are measured for, s ∝ 1/j first."""
    keys = slices.first_spectra(slices.measured(metrics), _SPECTRA)
    first = slices.POWER_LAW["spectrum_params"]([params for _, params in keys]) if keys else ""
    return sorted(keys, key=lambda key: (key[1] != first, key[0] != "isotropic", key))


def _task(found: pa.Table) -> dict[str, Any]:
    fixed = tables.facts(found)["fixed"]
    return {name: value for name, value in fixed.items() if name not in slices.SPECTRUM}


def _of_spectrum(metrics: pa.Table) -> pa.Table:
    """The minima of every regularization over N, Ledoit–Wolf and what bounds them; their ratios."""
    parts = optima.curves(metrics, slices.REGULARIZERS)
    if not parts:
        return tables.with_nulls(optima.nothing(metrics), unit=pa.string())
    cells, theory = next(iter(parts.values()))
    found = _ledoit_wolf(metrics, cells)
    for own, exact in parts.values():
        rows = optima.optima(own, exact)
        found = tables.curve(
            found, [row for row in rows if not row["quantity"].endswith("argmin_theory")]
        )
    rows = [*_unregularized(theory), *_tail(theory if theory.num_rows else cells)]
    found = tables.curve(found, rows)
    nats = pa.array(["absolute"] * found.num_rows)
    return _with_ratios(tables.with_columns(found, unit=nats))


def _ledoit_wolf(metrics: pa.Table, cells: pa.Table) -> pa.Table:
    """Means over training sets of the model `ledoit_wolf` in the slice of `cells`."""
    own = tables.keep(metrics, "model", [SHRINKAGE])
    for name in MODELS[SHRINKAGE].settings:
        if name not in ("model", "n", "draw", "seed"):
            own = own.filter(pc.is_in(own[name], value_set=pc.unique(cells[name])))
    named = pa.array([SHRINKAGE] * own.num_rows, pa.string())
    nothing = pa.nulls(own.num_rows, pa.float64())
    own = tables.with_columns(tables.with_ratio(own), regularizer=named, strength=nothing)
    own = tables.with_facts(own, **tables.facts(cells))
    found = tables.summarise(own, optima.KEYS, optima.METRICS, mean_interval)
    minimum = pc.binary_join_element_wise(found["quantity"], "minimum", "_")
    return found.set_column(found.column_names.index("quantity"), "quantity", minimum)


def _unregularized(theory: pa.Table) -> list[dict[str, Any]]:
    """The theory without regularization: all metrics where finite, and the floors of both KL."""
    name = tables.distinct(theory, "regularizer")
    rows = tables.keep(theory, "strength", [SETTING[name[0]].neutral] if name else [])
    return [
        {key: row[key] for key in ("d", "n", "n_over_d")}
        | {"quantity": metric if metric in FLOORS else f"{metric}_unregularized"}
        | {"value": row[metric]}
        for row in rows.sort_by("n").to_pylist()
        for metric in NEEDS.metrics
        if row[metric] is not None and math.isfinite(row[metric])
    ]


def _tail(cells: pa.Table) -> list[dict[str, Any]]:
    """(d+3)/(4N) from N = d on."""
    keys = tables.distinct_keys(cells, ("d", "n", "n_over_d"))
    return [
        {"d": d, "n": n, "n_over_d": ratio, "quantity": f"{metric}_tail"}
        | {"value": float(laws.kl_tail(n, d))}
        for metric in KL
        for d, n, ratio in keys
        if ratio >= 1
    ]


def _with_ratios(found: pa.Table) -> pa.Table:
    """The rows, and again in units of the theory of the best ridge at the same N, if there is."""
    rows = []
    for metric in optima.METRICS:
        unit = tables.arrays(found, regularizer="ridge", quantity=f"{metric}_minimum_theory")
        if not len(unit["n"]):
            continue
        own = [row for row in found.to_pylist() if _is_value(row["quantity"], metric)]
        for row in own:
            if not unit["n"].min() <= row["n"] <= unit["n"].max():
                continue
            at = math.exp(np.interp(math.log(row["n"]), np.log(unit["n"]), np.log(unit["value"])))
            ends = ("value", "low", "high")
            rows.append(
                row
                | {key: row[key] / at for key in ends if row[key] is not None}
                | {"unit": "ridge"}
            )
    return tables.curve(found, rows)


def _is_value(quantity: str, metric: str) -> bool:
    return quantity.startswith(metric) and not quantity.endswith("_argmin")


def draw(data: pa.Table) -> Figure:
    """A column per metric: each spectrum over its best ridge, then the values of the first."""
    names = [name for name in LOOK if name in tables.distinct(data, "regularizer")]
    rows = _rows(data)
    figure, axes = style.panels(len(rows), 3, height=2.1 if len(rows) < 3 else 1.5, sharex=True)
    for row, (unit, own) in zip(axes, rows, strict=True):
        for ax, metric in zip(row, optima.METRICS, strict=True):
            _panel(ax, own, unit, metric, names)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    titles = []
    for _, own in rows:
        (key,) = tables.distinct_keys(own, slices.SPECTRUM)
        titles += [labels.population(tables.facts(data), *key), *[""] * len(KL)]
    style.titles(axes, titles)
    hidden = (*slices.REGULARIZERS, *slices.SPECTRUM)
    style.heading(figure, data, without=hidden, note=_floors(rows[-1][1]))
    entries = []
    theory = data.filter(pc.ends_with(data["quantity"], "_minimum_theory"))
    exact = tables.distinct(theory, "regularizer")
    for name in names:
        colour, marker, dash = LOOK[name]
        dash = dash if name in exact else None
        text = _NAMES.get(name) or SETTING[name].label
        entries.append(style.handle(colour, text, marker=marker, dash=dash))
    entries += [
        style.handle(colour, text, dash=dash)
        for name, (colour, dash, text) in LINES.items()
        if name != "floor" or any(len(_floor(rows[-1][1], metric, near=True)) for metric in KL)
    ]
    style.legend(figure, entries)
    return figure


def _rows(data: pa.Table) -> list[tuple[str, pa.Table]]:
    """Unit and data of each row of panels: values of the first spectrum, ratios of each.

    Without the theory of a best ridge there are no ratios: values of each.
    """
    keys = dict.fromkeys(tables.keys_of(data, slices.SPECTRUM))
    of = {key: slices.of_spectrum(data, *key) for key in keys}
    ratios = [("ridge", own) for own in of.values() if "ridge" in tables.distinct(own, "unit")]
    values = [("absolute", own) for own in of.values()]
    return [*ratios, *values[:1]] if ratios else values


def _panel(ax: Axes, data: pa.Table, unit: str, metric: str, names: list[str]) -> None:
    own = tables.keep(data, "unit", [unit])
    seen = []
    for name in names:
        colour, marker, dash = LOOK[name]
        theory = tables.arrays(own, regularizer=name, quantity=f"{metric}_minimum_theory")
        style.line(ax, theory["n_over_d"], theory["value"], colour, dash or "-", linewidth=0.8)
        part = tables.arrays(own, regularizer=name, quantity=f"{metric}_minimum")
        style.bars(ax, part["n_over_d"], part, colour, marker)
        seen += [part["value"], part["low"], part["high"], theory["value"]]
    floor = _floor(own, metric, near=True) if unit == "absolute" else np.empty(0)
    values = np.concatenate([*seen, floor]).astype(float)
    for quantity, (colour, dashes, _) in LINES.items():
        if quantity == "floor" and unit != "absolute":
            continue
        part = tables.arrays(own, quantity=f"{metric}_{quantity}")
        style.line(ax, part["n_over_d"], part["value"], colour, dashes)
    shown = values[np.isfinite(values) & (values > 0)]
    log = unit == "absolute" or shown.max(initial=1) > _LINEAR * shown.min(initial=1)
    style.axis(ax, "n_over_d", metric if unit == "absolute" else None, log="xy" if log else "x")
    if unit != "absolute":
        ax.set_ylabel(labels.label(metric).partition(" [")[0] + "\nover best ridge")
    style.fit(ax, values, log=log)


def _floor(data: pa.Table, metric: str, *, near: bool = False) -> NDArray[np.float64]:
    """The floor of a KL over N; if only `near`, none where it lies far below the points."""
    found = tables.arrays(data, unit="absolute", quantity=f"{metric}_floor")["value"]
    least = tables.arrays(data, unit="absolute", quantity=f"{metric}_minimum")["value"]
    reach = least.min(initial=np.inf) / 100 if near else 0
    return np.asarray(found[found > reach])


def _floors(data: pa.Table) -> str:
    """The floors of both KL in words: they may lie far below the panels."""
    found = [floor[0] for metric in KL if len(floor := _floor(data, metric))]
    numbers = " and ".join(labels.number(float(f"{value:.2g}")) for value in found)
    return numbers and rf"in the last row, not regularized, at $N=\infty$ the KL are {numbers}"
