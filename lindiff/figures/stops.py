"""Over N, the stops that are best for the test loss and for each KL, and the first proximity bias.

A panel a model: training time τ of linear models in closed form, steps of those that are trained.
A best stop is where the mean curve over training sets is least, if that is inside the axis and the
curve ends 1 % above it or more. The first bias is the first stop at which samples are nearer to
the training set of their own model than to one of as many other points by 0.01 √tr Σ more than at
the first stop that there is: an untrained model may know the mean of its training set already.
Those of a trained model stand side by side about their N, so that none hides another. Bars are 95 %
jackknife intervals over training sets (3 or more), lines the large-system theory of the best stops;
it draws no samples, of which the bias is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.drawing import compare, drawn, labels, stopped, style, tables
from lindiff.drawing.needs import FEWEST_STRENGTHS, Condition, Needs
from lindiff.models import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _enough(cells: pa.Table) -> bool:
    return any(
        sum(0 < x < np.inf or (x == 0 and MODELS[model].trained) for x in values)
        >= FEWEST_STRENGTHS
        for model in stopped.MEASURED
        for values in [tables.distinct(tables.keep(cells, "model", [model]), stopped.axis(model))]
    )


_STOPS = Condition(f"a model with at least {FEWEST_STRENGTHS} values of stop or stop_step", _enough)
NEEDS = Needs(axes=("n",), metrics=(*stopped.BEST, stopped.BIASED), conditions=(_STOPS,))
CATEGORY = "Regularization"
LOOK: dict[str, tuple[str, str, Any]] = {  # colour, marker and dash of each stop
    "best_stop_test_loss": (style.BLACK, "o", style.DASHES[0]),
    "best_stop_kl_model_data": (style.COLOURS[4], "s", style.DASHES[1]),
    "best_stop_kl_data_model": (style.COLOURS[5], "^", style.DASHES[3]),
    "first_bias": (style.COLOURS[1], "D", None),
}
_POPULATIONS = 2  # most kinds of data
_ASIDE, _APART = 0.012, 0.2  # between stops of one N: of the axis, most of the way to the next N
_KEYS = ("model", *compare.POPULATION, "n")


def query(metrics: pa.Table) -> pa.Table:
    """The stops of every model over N, and those of the theory with the exact model."""
    cells = stopped.cells(metrics, _POPULATIONS)
    rows: list[dict[str, Any]] = []
    for population in compare.populations(cells):
        rows += [population | row for row in stopped.rows(tables.where(cells, **population))]
    return tables.curve(tables.summary_schema(cells, _KEYS).empty_table(), rows)


def draw(data: pa.Table) -> Figure:
    """A row of panels a kind of data, a panel a model."""
    populations = compare.populations(data)
    models = compare.names(data)
    figure, axes = style.panels(len(populations), len(models), height=2.6)
    texts = []
    for row, population in zip(axes, populations, strict=True):
        for ax, model in zip(row, models, strict=True):
            _panel(ax, tables.where(data, **population), model, population)
            texts.append(f"{MODELS[model].look.label}\n{compare.population_words(population)}")
    style.titles(axes, texts)
    compare.heading(figure, data)
    theory = tables.has_theory(data)
    entries = [
        style.handle(colour, labels.label(name), marker=marker, dash=dash if theory else None)
        for name, (colour, marker, dash) in LOOK.items()
    ]
    if theory:
        entries.append(style.handle(style.GREY, "line: theory", dash="-"))
    style.legend(figure, entries, columns=3)
    return figure


def _panel(ax: Axes, data: pa.Table, model: str, population: dict[str, Any]) -> None:
    sizes = tables.distinct(tables.keep(data, "model", [model]), "n")
    beside = _beside(sizes) if MODELS[model].trained else np.ones(len(LOOK))
    for (name, (colour, marker, dash)), factor in zip(LOOK.items(), beside, strict=True):
        if dash is not None:
            theory = tables.arrays(data, model=model, quantity=f"{name}_theory")
            style.line(ax, theory["n"], theory["value"], colour, dash, linewidth=0.8)
        part = tables.arrays(data, model=model, quantity=name)
        style.bars(ax, part["n"] * factor, part, colour, marker)
    style.axis(ax, "n", stopped.axis(model))
    if drawn.empty(ax):
        drawn.nothing(ax, "an n at which a curve over stops has its least value inside the axis")
    else:
        compare.mark_dimension(ax, population)


def _beside(sizes: list[int]) -> NDArray[np.float64]:
    """Factors on N by which the stops of one N stand side by side."""
    logs = np.log(sizes)
    step = 0.0
    if len(sizes) > 1:
        step = min(_ASIDE * float(np.ptp(logs)), _APART * float(np.diff(logs).min()))
    return np.asarray(np.exp(step * (np.arange(len(LOOK)) - (len(LOOK) - 1) / 2)), np.float64)
