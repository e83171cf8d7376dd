"""What samples have of the population's covariance and of its planted fourth cumulant, over N.

Left is KL(ρ_N‖ρ) between the Gaussians of the samples and of the population, which sees mean and
covariance alone. Right is the excess kurtosis of the samples along the line from the mean to that
of the first class of a mixture, whitened; the line is the population's, and 0 a Gaussian's. A model
that copies its training points has their kurtosis, whatever it has learned.
Of mixtures of two classes of one covariance. Points are means over training sets; bands are their
95 % t-intervals where at least 3 sets stand behind a point, of the kurtosis κ on ln(κ + 2), for it
is never below −2, and 1.4 times as long above.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from lindiff.columns.groups import ONE_CLASS
from lindiff.drawing import compare, style, tables
from lindiff.drawing.intervals import FEWEST_SETS, Interval, mean_interval, positive_mean_interval
from lindiff.drawing.needs import Condition, Needs
from lindiff.science.mixture import two_class_kurtosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = ("kl_model_data", "excess_kurtosis")
_LEAST = -2.0  # excess kurtosis, of two points alike
_POPULATIONS = 2  # most mixtures, each a row
_KEYS = ("model", *compare.POPULATION, "n")


def _of_two(cells: pa.Table) -> pa.Table:
    """The cells of mixtures whose kurtosis is known in closed form."""
    texts = cells["mixture"].to_pylist()
    known = {text: _population(text) is not None for text in set(texts)}
    return cells.filter(pa.array([known[text] for text in texts], pa.bool_()))


def _population(text: str | None) -> float | None:
    """Excess kurtosis of the population; None where this figure does not know it."""
    return None if text in (None, ONE_CLASS) else two_class_kurtosis(json.loads(str(text)))


TWO = Condition(
    "a mixture of two classes of one covariance", lambda cells: _of_two(cells).num_rows > 0
)
NEEDS = Needs(axes=("n",), metrics=QUANTITIES, conditions=(TWO,))
CATEGORY = "Networks"


def query(metrics: pa.Table) -> pa.Table:
    """Both numbers of every model that measures them over N, of up to two mixtures."""
    models = compare.giving(*QUANTITIES)
    cells = compare.side_by_side(_of_two(metrics), models, count=_POPULATIONS)
    parts = zip(QUANTITIES, (mean_interval, interval), strict=True)
    return pa.concat_tables(
        [compare.summary(cells, _KEYS, (name,), own, FEWEST_SETS) for name, own in parts]
    )


def interval(values: ArrayLike) -> Interval:
    """Of a mean excess kurtosis; that of copies of few points is at times far above the others."""
    return positive_mean_interval(values, floor=_LEAST)


def draw(data: pa.Table) -> Figure:
    """For each mixture the divergence, at its left, and the kurtosis."""
    populations = compare.populations(data)
    figure, axes = style.panels(max(len(populations), 1), 2, width=style.TWO_COLUMNS, height=2.1)
    for row, population in zip(axes, populations, strict=False):
        for ax, quantity in zip(row, QUANTITIES, strict=True):
            _panel(ax, data, population, quantity)
    words = [compare.population_words(population) for population in populations]
    style.titles(axes, [text for word in words for text in (word, "")])
    compare.heading(figure, data)
    entries = [compare.entry(model, filled=False) for model in compare.names(data)]
    known = style.handle(style.BLACK, "the population", dash="-")
    none = style.handle(style.GREY, "a Gaussian", dash=style.DASHES[2])
    style.legend(figure, [*entries, *style.within(axes[:, 1], [known, none])])
    return figure


def _panel(ax: Axes, data: pa.Table, population: dict[str, Any], quantity: str) -> None:
    kurtosis = quantity == QUANTITIES[1]
    for model in compare.names(data):
        part = tables.arrays(data, quantity=quantity, model=model, **population)
        compare.points(ax, part["n"], part, model)
    if kurtosis:
        n = tables.arrays(data, quantity=quantity, **population)["n"]
        if len(n):
            ends = np.array([n.min(), n.max()])
            style.line(ax, ends, np.full(2, _population(population["mixture"])))
        ax.axhline(0, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    compare.mark_dimension(ax, population)
    style.axis(ax, "n", quantity, log="x" if kurtosis else "xy")
