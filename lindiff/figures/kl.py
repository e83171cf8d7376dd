"""KL divergence between generated and population distribution over N/d, in both directions.

Points are medians over training sets with the 95 % interval of the median (order statistics) as
band, infinite ones left out; lines are in colour the large-system theory of Gaussian data with the
population's covariance and, dash-dotted, the same model at N = ∞: its floor. Black are the laws of
Gaussian data without regularization and sampler, the exact mean and its tail (d+3)/(4N).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SETTING
from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import median_interval
from lindiff.drawing.needs import Needs, finite_kl
from lindiff.science import laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIRECTIONS = ("kl_model_data", "kl_data_model")
NEEDS = Needs(axes=("n",), metrics=(*DIRECTIONS, *(f"{name}_floor" for name in DIRECTIONS)),
              conditions=(finite_kl(),))  # fmt: skip
CATEGORY = "Distances"
SEEN = 0.01  # share of a KL from which on its floor is told from nothing
LAWS = {  # line: colour, dash, label, law per direction
    "mean": (style.BLACK, style.DASHES[0], "mean, no regularization, no sampler",
             (laws.kl_model_data_mean, laws.kl_data_model_mean)),
    "tail": (style.BLACK, style.DASHES[1], "$(d+3)/(4N)$", (laws.kl_tail, laws.kl_tail)),
    "leading": (style.GREY, style.DASHES[2], "$d/(4N)$", (laws.kl_tail_leading,) * 2),
}  # fmt: skip
DRAWN = ("mean", "tail")  # the leading term stays in the data


def query(metrics: pa.Table) -> pa.Table:
    """Both KL over N/d per regularization, then the least regularized in units of the tail."""
    cells = slices.regularizations(
        slices.measured(metrics),
        ("n",),
        lambda values: slices.spread(values, 5),
        {"d": min, **slices.POWER_LAW},
    )
    cells = tables.with_ratio(cells)
    excess = {f"{name}_excess": pc.subtract(cells[name], cells[f"{name}_floor"])
              for name in DIRECTIONS}  # fmt: skip
    cells = tables.with_columns(cells, **excess)
    keys = ("d", "regularizer", "strength", "n", "n_over_d")
    found = tables.summarise(cells, keys, (*NEEDS.metrics, *excess), median_interval)
    finite = pc.is_finite(found["value"])
    infinite = tables.keep(found.filter(pc.invert(finite)), "quantity", DIRECTIONS)
    theory = slices.theory(metrics, cells)
    found = tables.with_theory(found.filter(finite), theory, keys, DIRECTIONS)
    found = found.filter(pc.is_finite(found["value"]))
    if not {*DIRECTIONS, *(f"{k}_theory" for k in DIRECTIONS)} & {*found["quantity"].to_pylist()}:
        found = found.slice(0, 0)  # floors alone are no curve
    rows = [*found.to_pylist(), *(_laws(cells) if found.num_rows else ())]
    least = next(iter(slices.strengths(cells)[1]), None)
    nats = [row | {"unit": "nats"} for row in rows]
    tail = [
        _over_tail(row)
        for row in rows
        if row["n_over_d"] >= 2 and row.get("strength") in (least, None)
    ]
    schema = found.schema.append(pa.field("unit", pa.string()))
    return tables.with_facts(
        pa.Table.from_pylist(nats + tail, schema=schema),
        infinite=tables.distinct(infinite, "strength"),
        infinite_up_to=max(tables.distinct(infinite, "n_over_d"), default=None),
    )


def _over_tail(row: dict[str, Any]) -> dict[str, Any]:
    tail = float(laws.kl_tail(row["n"], row["d"]))
    ends = {key: row[key] / tail for key in ("value", "low", "high") if row.get(key) is not None}
    return row | ends | {"unit": "tail"}


def _laws(cells: pa.Table) -> list[dict[str, Any]]:
    """The laws over the range of N of the cells, where they are finite."""
    ns, (d,) = tables.distinct(cells, "n"), tables.distinct(cells, "d")
    start = min(max(ns[0], d // 2), ns[-1])
    grid = np.unique(np.rint(np.geomspace(start, ns[-1], 200)).astype(int))
    return [
        {"d": d, "n": n, "n_over_d": n / d, "quantity": f"{direction}_{law}", "value": value}
        for law, (*_, functions) in LAWS.items()
        for direction, function in zip(DIRECTIONS, functions, strict=True)
        for n, value in zip(grid.tolist(), function(grid, d).tolist(), strict=True)
        if np.isfinite(value)
    ]


def draw(data: pa.Table) -> Figure:
    """A column per direction: above in nats, below without regularization in units of the tail."""
    series = style.strengths(data)
    name = slices.strengths(data)[0]
    units = sorted(tables.distinct(tables.keep(data, "quantity", DIRECTIONS), "unit")) or ["nats"]
    figure, axes = style.panels(len(units), 2, height=2.1)
    for row, unit in zip(axes, units, strict=True):
        for ax, direction in zip(row, DIRECTIONS, strict=True):
            _panel(ax, data, unit, direction, series)
    names = ("generated from population", "population from generated")
    least = labels.setting(name, series[0][0])
    style.titles(axes, [*names, *(f"{text}, {least}" for text in names)])
    facts = tables.facts(data)
    infinite = ", ".join(labels.number(value) for value in facts["infinite"])
    up_to = labels.number(facts["infinite_up_to"])
    notes = [f"infinite and left out: {SETTING[name].label} = {infinite}, $N/d$ up to {up_to}"]
    notes = notes * bool(infinite) + _floors(data, series[0][0], least)
    crosses = any(len(_less_floor(data, direction)["value"]) for direction in DIRECTIONS)
    notes += [
        f"crosses are the KL less its floor, where that is above {100 * SEEN:g} % of it"
    ] * crosses
    style.heading(figure, data, note="; ".join(notes))
    entries = [entry for *_, entry in series]
    of = " of Gaussian data" if labels.is_real(facts) else ""
    if tables.has_theory(data):
        entries.append(style.handle(style.GREY, f"theory{of}", dash="-"))
    for colour, dash, text, _ in (LAWS[law] for law in DRAWN):
        entries.append(style.handle(colour, text.replace("mean", f"mean{of}"), dash=dash))
    entries.append(style.handle(style.GREY, r"same model at $N=\infty$", dash=style.DASHES[3]))
    if crosses:
        entries.append(style.handle(style.GREY, "KL less that", marker="x"))
    style.legend(figure, entries)
    return figure


def _floors(data: pa.Table, strength: float, setting: str) -> list[str]:
    """The floors of the least regularized curves in words: they may lie far below the panels."""
    found = [
        tables.arrays(data, unit="nats", strength=strength, quantity=f"{direction}_floor")["value"]
        for direction in DIRECTIONS
    ]
    numbers = [labels.number(float(f"{values[0]:.2g}")) for values in found if len(values)]
    return [f"at $N=\\infty$ and {setting} the KL are {' and '.join(numbers)}"] * bool(numbers)


def _less_floor(data: pa.Table, direction: str) -> dict[str, Any]:
    """The KL less its floor in units of the tail, without bands, where the floor is seen."""
    own = {
        name: tables.arrays(data, unit="tail", quantity=f"{direction}{name}")
        for name in ("", "_floor", "_excess")
    }
    floor = dict(zip(own["_floor"]["n"], own["_floor"]["value"], strict=True))
    value = dict(zip(own[""]["n"], own[""]["value"], strict=True))
    seen = [n in floor and floor[n] > SEEN * value[n] for n in own["_excess"]["n"]]
    part = {name: column[seen] for name, column in own["_excess"].items()}
    return part | dict.fromkeys(("low", "high"), part["value"])


def _panel(ax: Axes, data: pa.Table, unit: str, direction: str, series: list[Any]) -> None:
    for strength, colour, marker, _ in series:
        part = tables.arrays(data, unit=unit, strength=strength, quantity=direction)
        style.points(ax, part["n_over_d"], part, colour, marker)
        theory = tables.arrays(data, unit=unit, strength=strength, quantity=f"{direction}_theory")
        style.line(ax, theory["n_over_d"], theory["value"], colour, linewidth=0.8)
        floor = tables.arrays(data, unit=unit, strength=strength, quantity=f"{direction}_floor")
        style.line(ax, floor["n_over_d"], floor["value"], colour, style.DASHES[3], linewidth=0.8)
    for law in DRAWN:
        colour, dash, *_ = LAWS[law]
        part = tables.arrays(data, unit=unit, quantity=f"{direction}_{law}")
        style.line(ax, part["n_over_d"], part["value"], colour, dash)
    measured = tables.arrays(data, unit=unit, quantity=direction)
    lowest = measured["value"].min(initial=np.inf)
    if unit == "nats":
        floors = tables.arrays(data, unit=unit, quantity=f"{direction}_floor")["value"]
        style.axis(ax, "n_over_d", direction)
        # Floors far below the points would squeeze them; those nearby are worth the room.
        style.fit(ax, np.append(measured["value"], floors[floors > lowest / 100]), log=True)
    else:
        style.axis(ax, "n_over_d", log="x")
        excess = _less_floor(data, direction)
        style.points(ax, excess["n_over_d"], excess, series[0][1], "x")
        ax.set_ylabel(labels.label(direction).partition(" [")[0] + " over $(d+3)/(4N)$")
        ax.set_xlim(left=1.8)
        d = data["d"][0].as_py()
        ends = [part[end] for part in (measured, excess) for end in ("value", "low", "high")]
        style.fit(ax, np.concatenate([*ends, [1.0, d / (d + 3)]]), log=False)
