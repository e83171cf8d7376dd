"""Test loss and proximity bias over the steps of a training run, and where the best stop lies.

The proximity bias is how much nearer samples are to the training points of their own model than to
those of one trained on as many other rows, in units of √tr Σ. The best stop is the step with the
least test loss, if that is at least 1 % higher at the end of the run; it is shown at the N where
every training set has one, as the geometric mean over training sets: left at the least value of the
mean curve, right on the mean curve, linear in ln step between stops. Not every bias is
memorization: a network that is centred at the mean of few training points is nearer to them from
its first step.
Points are means over training sets; bands are their 95 % t-intervals where at least 3 sets stand
behind a point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.drawing import compare, labels, slices, style, tables, times
from lindiff.drawing.intervals import FEWEST_SETS
from lindiff.drawing.needs import Needs, stops

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = ("test_loss", "proximity_bias")
_STOPS = 3  # fewest stops of a run
NEEDS = Needs(axes=("n", "stop_step"), metrics=CURVES, conditions=(stops(_STOPS),))
CATEGORY = "Networks"
_POPULATIONS, _SIZES = 2, 5  # most kinds of data, most N with curves
_BEST = "P"  # the marker of the best stop, which no N has
_KEYS = ("model", *compare.POPULATION, "n", "step")


def query(metrics: pa.Table) -> pa.Table:
    """Both curves over `step` at some N, and the best stop of each of them as `time`.

    Of the first trained model that is stopped at three steps or more.
    """
    cells = times.stopped(metrics, _STOPS, _POPULATIONS)
    parts, rows = [cells.slice(0, 0)], []
    for population in compare.populations(cells):
        own = tables.where(cells, **population)
        few = tables.keep(own, "n", slices.spread(tables.distinct(own, "n"), _SIZES))
        parts.append(few)
        found = times.times(times.curves(few, "test_loss"), times.best_stop)
        made = [row for row in times.rows("best_stop", found) if "n" in row]
        rows += [{"model": few["model"][0].as_py()} | population | row for row in made]
    taken = slices.counted(pa.concat_tables(parts), "n", tables.distinct(cells, "n"))
    curves = compare.summary(taken, _KEYS, CURVES, fewest=FEWEST_SETS)
    return tables.curve(tables.with_nulls(curves, time=pa.string()), rows)


def draw(data: pa.Table) -> Figure:
    """For each kind of data the loss, at its left, and the bias."""
    populations = compare.populations(data)
    figure, axes = style.panels(len(populations), len(CURVES), width=style.TWO_COLUMNS)
    series = times.sizes(data)
    for row, population in zip(axes, populations, strict=True):
        for ax, quantity in zip(row, CURVES, strict=True):
            _panel(ax, data, population, quantity, series)
    texts = [
        compare.population_words(each) if i == 0 else "" for each in populations for i in (0, 1)
    ]
    style.titles(axes, texts)
    compare.heading(figure, data)
    entries = [style.handle(shade, labels.setting("n", n), marker=m) for n, shade, m in series]
    entries.append(style.handle(style.BLACK, labels.label("best_stop"), marker=_BEST))
    zero = style.handle(style.GREY, "no bias", dash=style.DASHES[2])
    style.legend(figure, [*entries, *style.within(axes[:, 1], [zero])])
    return figure


def _panel(
    ax: Any, data: pa.Table, population: dict[str, Any], quantity: str, series: list[Any]
) -> None:
    loss = quantity == "test_loss"
    if not loss:
        ax.axhline(0, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    for n, colour, marker in series:
        part = tables.arrays(data, quantity=quantity, n=n, **population)
        style.points(ax, part["step"], part, colour, marker)
        best = tables.arrays(data, time="best_stop", n=n, **population)["value"]
        if len(best) and len(part["step"]):
            at = np.interp(np.log(best), np.log(part["step"]), part["value"])
            height = np.full(1, part["value"].min()) if loss else at
            ax.scatter(
                best, height, s=22, c=colour, marker=_BEST, edgecolors=style.BLACK, linewidths=0.5,
                zorder=5, gid=_BEST,
            )  # fmt: skip
    style.axis(ax, "stop_step", quantity, log="xy" if loss else "x")
