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

from lindiff.figures import Needs, _slices, _tables, _words
from lindiff.figures import draw as art
from lindiff.intervals import geometric_mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("ridge",), metrics=("modes",))
CATEGORY = "Distances"
QUANTITIES = ("expected_variance", "generated_variance", "ratio")
_MODES = 24


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """λ + c, v and v/(λ + c) by rank of the mode, for up to three N and five c."""
    choices: dict[str, _slices.Choice] = {"d": max, **_slices.POWER_LAW}
    cells = _slices.regularizations(
        _slices.measured(metrics),
        ("n",),
        lambda values: _slices.spread(values, 5),
        choices,
        of=("ridge",),
    )
    cells = _tables.keep(cells, "n", _slices.spread(_tables.distinct(cells, "n"), 3))
    rows = _tables.join(modes, _tables.with_ratio(cells))
    ranks = _slices.spread(_tables.distinct(rows, "mode"), _MODES)
    few = pc.is_in(rows["mode"], value_set=pa.array(ranks, rows["mode"].type))
    rows = rows.filter(pc.or_(few, pc.equal(rows["eigenvalue"], 0)))
    expected = pc.add(rows["eigenvalue"], rows["ridge"])
    ratio = pc.divide(rows["generated_variance"], expected)
    rows = _tables.with_columns(rows, expected_variance=expected, ratio=ratio)
    rows = rows.filter(pc.and_(pc.greater(expected, 0), pc.greater(rows["generated_variance"], 0)))
    rows = _tables.with_facts(rows, **_tables.facts(cells))
    keys = ("d", "n", "n_over_d", "regularizer", "strength", "mode")
    return _tables.summarise(rows, keys, QUANTITIES, geometric_mean_interval)


def draw(data: pa.Table) -> Figure:
    """A column per N: above v against λ + c with the identity, below their ratio."""
    sizes = _tables.distinct_keys(data, ("n", "n_over_d"))
    series = art.strengths(data)
    ends = _tables.arrays(data, quantity=QUANTITIES[0])["value"]
    ends = np.array([ends.min(), ends.max()])
    figure, axes = art.panels(2, len(sizes), height=1.9, sharex=True, sharey="row")
    for (above, below), (n, _) in zip(axes.T, sizes, strict=True):
        for strength, colour, marker, _ in series:
            x, v, ratio = (
                _tables.arrays(data, n=n, strength=strength, quantity=q) for q in QUANTITIES
            )
            art.bars(above, x["value"], v, colour, marker)
            art.bars(below, x["value"], ratio, colour, marker)
        art.axis(above, "expected_variance")
        art.axis(below, "expected_variance", log="x")
        art.line(above, ends, ends)
        art.line(below, ends, ends / ends)
        above.set_xlabel("")
    axes[0, 0].set_ylabel("generated variance $v$")
    axes[1, 0].set_ylabel(r"$v/(\lambda+c)$")
    art.titles(axes, [f"{_words.setting('n', n)}, $N/d={x:.3g}$" for n, x in sizes] * 2)
    art.heading(figure, data)
    identity = art.handle(art.BLACK, r"$v=\lambda+c$", dash="-")
    art.legend(figure, [*(entry for *_, entry in series), identity], columns=6)
    return figure
