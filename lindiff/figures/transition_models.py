"""Test and train loss over N of the models that the legend names.

Points are means over training sets, bands their 95 % t-intervals, drawn where at least 8 sets stand
behind a point; coloured lines the large-system theory of the model, thin black ones the loss of the
linear optimum: of a population its own, of a data set that of its pool on held-out rows. Networks
are trained by the budget given below, on which their losses at small N depend; losses are means
over all noise levels, per dimension, of data sets the test loss on held-out rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns.groups import GAUSSIAN
from lindiff.drawing import compare, style, tables
from lindiff.drawing.needs import Needs
from lindiff.models import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = ("test_loss", "train_loss")
NEEDS = Needs(axes=("n",), metrics=(*LOSSES, "optimal_loss"))
CATEGORY = "Networks"
_KEYS = ("model", *compare.POPULATION, "n")


def query(metrics: pa.Table) -> pa.Table:
    """Losses over N of each model, and the optimal loss, for up to three kinds of data."""
    some = pc.or_(*(pc.is_valid(metrics[loss]) for loss in LOSSES))
    cells = compare.side_by_side(metrics.filter(some), compare.giving(*LOSSES))
    found = compare.summary(cells, _KEYS, LOSSES)
    optima = [row for own in compare.populations(cells) for row in compare.optimum(cells, own)]
    return tables.curve(found, optima)


def draw(data: pa.Table) -> Figure:
    """A column for each kind of data: above the test loss, below the train loss."""
    populations = compare.populations(data)
    width = style.TWO_COLUMNS if len(populations) > 1 else style.ONE_COLUMN
    figure, axes = style.panels(2, len(populations), width=width, height=2.1, sharex="col")
    for column, population in zip(axes.T, populations, strict=True):
        for ax, loss in zip(column, LOSSES, strict=True):
            _panel(ax, data, population, loss)
            style.axis(ax, "n", loss)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    words = [compare.population_words(own) for own in populations]
    style.titles(axes, words + [""] * len(populations))
    compare.heading(figure, data)
    entries = [compare.entry(model) for model in compare.names(data)]
    entries.append(style.handle(style.BLACK, "linear optimum", dash="-"))
    style.legend(figure, entries, columns=7 if len(populations) > 1 else 3)
    return figure


def _panel(ax: Axes, data: pa.Table, population: dict[str, Any], loss: str) -> None:
    if loss == "test_loss" or population["data"] == GAUSSIAN:
        best = tables.arrays(data, quantity="optimal_loss", **population)
        style.line(ax, best["n"], best["value"], linewidth=0.6)
    for model in compare.names(data):
        theory = tables.arrays(data, quantity=f"{loss}_theory", model=model, **population)
        style.line(ax, theory["n"], theory["value"], MODELS[model].look.colour, linewidth=0.8)
        part = tables.arrays(data, quantity=loss, model=model, **population)
        compare.points(ax, part["n"], part, model, filled=loss == "test_loss")
    compare.mark_dimension(ax, population)
