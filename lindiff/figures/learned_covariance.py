"""Variance that the sampler generates along each mode of Σ0 against λ + c, per ridge c.

Points are geometric means over training sets, mode by mode in the order of λ (log-spaced ranks of
many), with their 95 % t-interval (on logarithms) as bar, the null space as one mode; the line is
v = λ + c, exact for the ideal sampler, and modes that are generated without variance are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("ridge",), metrics=("modes",))
CATEGORY = "Distances"
QUANTITIES = ("expected_variance", "generated_variance", "ratio")
_MODES = 24


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """λ + c, v and v/(λ + c) by rank of the mode, for up to three N and five c."""
    choices: dict[str, slices.Choice] = {"d": max, **slices.POWER_LAW}
    cells = slices.regularizations(
        slices.measured(metrics),
        ("n",),
        lambda values: slices.spread(values, 5),
        choices,
        of=("ridge",),
    )
    cells = tables.keep(cells, "n", slices.spread(tables.distinct(cells, "n"), 3))
    rows = tables.join(modes, tables.with_ratio(cells))
    ranks = slices.spread(tables.distinct(rows, "mode"), _MODES)
    few = pc.is_in(rows["mode"], value_set=pa.array(ranks, rows["mode"].type))
    rows = rows.filter(pc.or_(few, pc.equal(rows["eigenvalue"], 0)))
    expected = pc.add(rows["eigenvalue"], rows["ridge"])
    ratio = pc.divide(rows["generated_variance"], expected)
    rows = tables.with_columns(rows, expected_variance=expected, ratio=ratio)
    rows = rows.filter(pc.and_(pc.greater(expected, 0), pc.greater(rows["generated_variance"], 0)))
    rows = tables.with_facts(rows, **tables.facts(cells))
    keys = ("d", "n", "n_over_d", "regularizer", "strength", "mode")
    return tables.summarise(rows, keys, QUANTITIES, geometric_mean_interval)


def draw(data: pa.Table) -> Figure:
    """A column per N: above v against λ + c with the identity, below their ratio."""
    sizes = tables.distinct_keys(data, ("n", "n_over_d"))
    series = style.strengths(data)
    ends = tables.arrays(data, quantity=QUANTITIES[0])["value"]
    ends = np.array([ends.min(), ends.max()])
    figure, axes = style.panels(2, len(sizes), height=1.9, sharex=True, sharey="row")
    for (above, below), (n, _) in zip(axes.T, sizes, strict=True):
        for strength, colour, marker, _ in reversed(series):  # the least regularized on top
            x, v, ratio = (
                tables.arrays(data, n=n, strength=strength, quantity=q) for q in QUANTITIES
            )
            style.bars(above, x["value"], v, colour, marker)
            style.bars(below, x["value"], ratio, colour, marker)
        style.axis(above, "expected_variance")
        style.axis(below, "expected_variance", log="x")
        style.line(above, ends, ends)
        style.line(below, ends, ends / ends)
        above.set_xlabel("")
    axes[0, 0].set_ylabel("generated variance $v$")
    axes[1, 0].set_ylabel(r"$v/(\lambda+c)$")
    style.titles(axes, [f"{labels.setting('n', n)}, $N/d={x:.3g}$" for n, x in sizes] * 2)
    style.heading(figure, data)
    identity = style.handle(style.BLACK, r"$v=\lambda+c$", dash="-")
    style.legend(figure, [*(entry for *_, entry in series), identity], columns=6)
    return figure
