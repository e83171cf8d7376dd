"""Gap between test and train loss over N/d, by Monte Carlo and exact, and the null space's share.

Points in (a) and (b) are the gap on noisy training and fresh samples, mean over training sets with
±1.96 standard errors of the Monte Carlo noise as band, dashed lines the talk's formula
Tr W²(Σ − Σ0) for the same training sets, solid lines the large-system theory; (c) has medians with
their 95 % interval, above 1 where the learned directions, of too large λ, lower the gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.figures import Needs, _slices, _tables
from lindiff.figures import draw as art
from lindiff.intervals import mean_interval, median_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(
    axes=("n",),
    metrics=("train_loss", "test_loss", "null_loss", "monte_carlo_gap"),
    settings=(("draw", "samples"),),
)
CATEGORY = "Transition"
_KEYS = ("d", "n", "n_over_d", "regularizer", "strength")
_SE = 1.96


def query(metrics: pa.Table) -> pa.Table:
    """Both gaps, their difference in standard errors and the share of the null space."""
    # Without noise (a stop at 0 leaves W = 0) there is no gap to compare.
    cells = _slices.measured(metrics)
    cells = cells.filter(pc.greater(cells["monte_carlo_gap_se"], 0))
    cells = _slices.regularizations(
        cells, ("n",), lambda values: _slices.spread(values, 5), {"d": max, **_slices.POWER_LAW}
    )
    theory = _with_gap(_slices.theory(metrics, cells))
    square = pc.multiply(cells["monte_carlo_gap_se"], cells["monte_carlo_gap_se"])
    cells = _with_gap(_tables.with_columns(_tables.with_ratio(cells), square=square))
    means = _tables.summarise(
        cells, _KEYS, ("monte_carlo_gap", "exact_gap", "square"), mean_interval
    )
    shares = _tables.summarise(cells, _KEYS, ("null_share",), median_interval)
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in pa.concat_tables([means, shares]).to_pylist():
        groups.setdefault(tuple(row[key] for key in _KEYS), {})[row["quantity"]] = row
    rows = [row for group in groups.values() for row in _compare(group)]
    found = pa.Table.from_pylist(rows, schema=means.schema)
    return _tables.with_theory(found, theory, _KEYS, ("exact_gap", "null_share"))


def _with_gap(cells: pa.Table) -> pa.Table:
    cells = _tables.with_gap(cells)
    return _tables.with_columns(cells, null_share=pc.divide(cells["null_loss"], cells["exact_gap"]))


def _compare(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one N and c, the Monte Carlo gap with the interval of its noise."""
    measured, exact = group["monte_carlo_gap"], group["exact_gap"]
    # Independent noise in each of the k training sets: the variance of their mean is Σ se²/k².
    se = (group["square"]["value"] / measured["seeds"]) ** 0.5
    value = measured["value"]
    z = (value - exact["value"]) / se
    return [
        measured | {"low": value - _SE * se, "high": value + _SE * se},
        measured | {"quantity": "difference", "value": z, "low": None, "high": None},
        exact | {"low": None, "high": None},
        group["null_share"],
    ]


def draw(data: pa.Table) -> Figure:
    """(a) both gaps, (b) their difference in standard errors, (c) the share of the null space."""
    figure, axes = art.panels(1, 3, height=2.4)
    names = ("monte_carlo_gap", "difference", "null_share")
    series = art.strengths(data)
    for strength, colour, marker, _ in series:
        for ax, name in zip(axes.flat, names, strict=True):
            part = _tables.arrays(data, strength=strength, quantity=name)
            art.points(ax, part["n_over_d"], part, colour, marker)
        exact = _tables.arrays(data, strength=strength, quantity="exact_gap")
        art.line(axes[0, 0], exact["n_over_d"], exact["value"], colour, art.DASHES[1])
        for ax, name in ((axes[0, 0], "exact_gap"), (axes[0, 2], "null_share")):
            theory = _tables.arrays(data, strength=strength, quantity=f"{name}_theory")
            art.line(ax, theory["n_over_d"], theory["value"], colour)
    art.axis(axes[0, 0], "n_over_d", "exact_gap")
    art.axis(axes[0, 1], "n_over_d", "difference", log="x")
    art.axis(axes[0, 2], "n_over_d", "null_share", log="x")
    axes[0, 1].axhspan(-_SE, _SE, color=art.GREY, alpha=0.2, linewidth=0)
    axes[0, 1].axhline(0, color=art.BLACK)
    art.titles(axes, ["gap", f"Monte Carlo against exact, $\\pm{_SE}$", "null space"])
    art.heading(figure, data, without=("sampler",))
    lines = [
        art.handle(art.GREY, "exact, same sets", dash=art.DASHES[1]),
        art.handle(art.GREY, "theory", dash="-"),
    ]
    art.legend(figure, [*(entry for *_, entry in series), *lines], columns=6)
    return figure
