"""Test and train loss over N of several models trained on m frozen noises a sample and noise level.

Points are means over training sets with their 95 % t-interval as band where at least 8 sets stand
behind a point, of the test loss both on logarithms and the band 1.4 times as long above; coloured
lines the large-system theory of the linear model, thin black ones the loss of the linear optimum
for the population, or on held-out rows that for the pool. m = ∞ is the average over noise. At
N m = d, where pairs of sample and noise are as many as dimensions, the theory of the test loss
without a penalty is infinite, and its lines have a gap. The train loss is over the noises that a
model was trained on, the test loss over fresh ones. The networks are trained by the budget given
below, on which their losses at small N depend.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SETTING
from lindiff.drawing import compare, noises, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models import EXACT, MODELS, THEORY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = ("test_loss", "train_loss")
NEEDS = Needs(axes=("n", "noises"), metrics=(*LOSSES, "optimal_loss"))
CATEGORY = "Networks"
_MODELS = tuple(name for name in compare.giving(*LOSSES) if "noises" in MODELS[name].settings)
_KEYS = ("model", *compare.POPULATION, "noises", "n")
_FEW, _COLUMNS = 4, 4


def query(metrics: pa.Table) -> pa.Table:
    """Losses over N of each model at a few m, and the optimal loss, of one kind of data."""
    some = pc.or_(*(pc.is_valid(metrics[loss]) for loss in LOSSES))
    cells = metrics.filter(pc.and_(some, pc.is_valid(metrics["noises"])))
    cells = compare.side_by_side(cells, _MODELS, ("n", "noises"), count=1)
    measured = cells.filter(pc.not_equal(cells["model"], THEORY))
    cells = slices.taken(cells, "noises", _FEW, measured)
    # A train loss of 0 to rounding has a mean, on logarithms it has none worth drawing.
    estimators = zip(LOSSES, (noises.interval, mean_interval), strict=True)
    found = pa.concat_tables(
        [compare.summary(cells, _KEYS, (loss,), estimator) for loss, estimator in estimators]
    )
    optima = [row for own in compare.populations(cells) for row in compare.optimum(cells, own)]
    return tables.curve(found, optima)


def draw(data: pa.Table) -> Figure:
    """A column a model: above the test loss, below the train loss."""
    models = [name for name in compare.names(data) if name != THEORY][:_COLUMNS]
    figure, axes = style.panels(2, max(1, len(models)), height=2.0, sharex=True)
    for column, model in zip(axes.T, models or [EXACT], strict=True):
        for ax, loss, log in zip(column, LOSSES, ("xy", "x"), strict=True):
            _panel(ax, data, model, loss)
            style.axis(ax, "n", loss, log=log)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    words = [MODELS[name].look.label for name in models or [EXACT]]
    style.titles(axes, words + [""] * len(words))
    compare.heading(figure, data)
    compare.title(figure, data)
    style.legend(figure, _entries(data), columns=7)
    return figure


def _panel(ax: Axes, data: pa.Table, model: str, loss: str) -> None:
    for population in compare.populations(data):
        if loss == "test_loss":
            best = tables.arrays(data, quantity="optimal_loss", **population)
            style.line(ax, best["n"], best["value"], linewidth=0.6)
        for m, colour, marker in noises.series(data):
            own = {"noises": m, **population}
            if model == EXACT:
                theory = tables.arrays(data, quantity=f"{loss}_theory", model=THEORY, **own)
                n, value = theory["n"], theory["value"]
                if _is_free(data):
                    n, value = noises.broken(n, value, population["d"] / m)
                style.line(ax, n, value, colour, linewidth=0.8)
            part = tables.arrays(data, quantity=loss, model=model, **own)
            style.points(ax, part["n"], part, colour, marker)
        compare.mark_dimension(ax, population)


def _is_free(data: pa.Table) -> bool:
    """Whether the linear models have neither penalty nor stop, so that their theory has a peak."""
    (held,) = (one for one in tables.facts(data)["training"] if one["model"] == EXACT)
    return all(held.get(name) == SETTING[name].neutral for name in slices.REGULARIZERS)


def _entries(data: pa.Table) -> list[Any]:
    """The legend: m by colour and marker, then the lines."""
    lines = tables.has_theory(data)
    theory = [style.handle(style.GREY, "line: linear theory", dash="-")]
    optimum = style.handle(style.BLACK, "linear optimum", dash="-")
    return [*noises.entries(data), *itertools.compress(theory, [lines]), optimum]
