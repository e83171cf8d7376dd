"""Gap between test and train loss over N/d, by Monte Carlo and exact, and the null space's share.

Points in (a) are the gap on noisy training and fresh samples, mean over training sets with ±1.96
standard errors of the Monte Carlo noise as band, dashed lines the exact gap of the same training
sets, (ᾱ/d) tr W²(Σ − Σ0) in the mean over noise levels with what the error of the mean adds, solid
lines the large-system theory; (b) has medians with their 95 % interval, above 1 where the learned
directions, of too large λ, lower the gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import slices, style, tables
from lindiff.drawing.intervals import mean_interval, median_interval
from lindiff.drawing.needs import Condition, Needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(
    axes=("n",),
    metrics=("train_loss", "test_loss", "null_loss", "monte_carlo_gap"),
    settings=(("draw", "samples"),),
    conditions=(
        Condition(
            "a gap between test and train loss: a small ridge, a stop above 0, n not too large"
        ),
    ),
)
CATEGORY = "Transition"
_KEYS = ("d", "n", "n_over_d", "regularizer", "strength")
_SE = 1.96


def query(metrics: pa.Table) -> pa.Table:
    """Both gaps, their difference in standard errors and the share of the null space."""
    # Without noise (a stop at 0 leaves W = 0) there is no gap to compare.
    cells = slices.measured(metrics)
    cells = cells.filter(pc.greater(cells["monte_carlo_gap_se"], 0))
    cells = slices.regularizations(
        cells, ("n",), lambda values: slices.spread(values, 5), {"d": max, **slices.POWER_LAW}
    )
    theory = _with_gap(slices.theory(metrics, cells))
    square = pc.multiply(cells["monte_carlo_gap_se"], cells["monte_carlo_gap_se"])
    cells = _with_gap(tables.with_columns(tables.with_ratio(cells), square=square))
    means = tables.summarise(
        cells, _KEYS, ("monte_carlo_gap", "exact_gap", "square"), mean_interval
    )
    shares = tables.summarise(cells, _KEYS, ("null_share",), median_interval)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in pa.concat_tables([means, shares]).to_pylist():
        groups.setdefault(tuple(row[key] for key in _KEYS), {})[row["quantity"]] = row
    rows = [row for group in groups.values() for row in _compare(group)]
    found = pa.Table.from_pylist(rows, schema=means.schema)
    return tables.with_theory(found, theory, _KEYS, ("exact_gap", "null_share"))


def _with_gap(cells: pa.Table) -> pa.Table:
    cells = tables.with_gap(cells)
    return tables.with_columns(cells, null_share=pc.divide(cells["null_loss"], cells["exact_gap"]))


def _compare(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one N and c, the Monte Carlo gap with the interval of its noise."""
    if "monte_carlo_gap" not in group or "exact_gap" not in group:
        return []
    measured, exact = group["monte_carlo_gap"], group["exact_gap"]
    # Independent noise in each of the k training sets: the variance of their mean is Σ se²/k².
    se = (group["square"]["value"] / measured["seeds"]) ** 0.5
    value = measured["value"]
    z = (value - exact["value"]) / se if math.isfinite(se) else math.nan
    return [
        measured | {"low": value - _SE * se, "high": value + _SE * se},
        measured | {"quantity": "difference", "value": z, "low": None, "high": None},
        exact | {"low": None, "high": None},
        *(row for name, row in group.items() if name == "null_share"),
    ]


def draw(data: pa.Table) -> Figure:
    """(a) both gaps, (b) the share of the null space."""
    figure, axes = style.panels(1, 2, height=2.4)
    names = ("monte_carlo_gap", "null_share")
    series = style.strengths(data)
    for strength, colour, marker, _ in series:
        for ax, name in zip(axes.flat, names, strict=True):
            part = tables.arrays(data, strength=strength, quantity=name)
            style.points(ax, part["n_over_d"], part, colour, marker)
        exact = tables.arrays(data, strength=strength, quantity="exact_gap")
        style.line(axes[0, 0], exact["n_over_d"], exact["value"], colour, style.DASHES[1])
        for ax, name in ((axes[0, 0], "exact_gap"), (axes[0, 1], "null_share")):
            theory = tables.arrays(data, strength=strength, quantity=f"{name}_theory")
            style.line(ax, theory["n_over_d"], theory["value"], colour)
    style.axis(axes[0, 0], "n_over_d", "exact_gap")
    style.axis(axes[0, 1], "n_over_d", "null_share", log="x")
    style.titles(axes, ["gap between test and train loss", "share of the null directions"])
    style.heading(figure, data, without=("sampler",))
    lines = [
        style.handle(style.GREY, "exact, same sets", dash=style.DASHES[1]),
        style.handle(style.GREY, "theory", dash="-"),
    ]
    style.legend(figure, [*(entry for *_, entry in series), *lines], columns=5)
    return figure
