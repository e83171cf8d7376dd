"""Which training points a network copies, beside how far the other points cover their place.

Left and middle are the copies of a training point among 1,024 generated samples at the end of the
run, over its own time (that at which its posterior weight on itself is ½) and over the log density
of the other points about it, means over the points of each fifth of a training set by that number.
Right is, over training steps, the probability that a point which is copied has a later own time
than one which is not (AUC): ½ where own times tell nothing. It is of the training sets that have
points of both kinds, where these are at least 3.
At some N of the first network that is stopped at three steps or more. Points are means over
training sets; bands are their 95 % t-intervals where at least 3 sets stand behind a point, of the
AUC on its logit, of copies on the logarithm of their mean and twice as long above, for few sets may
have most of them: where few points are copied it is still a little short. Copies have none where
all sets have as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lindiff.drawing import compare, drawn, labels, slices, style, tables, times
from lindiff.drawing.intervals import (
    FEWEST_SETS,
    Interval,
    mean_interval,
    positive_mean_interval,
    share_interval,
)
from lindiff.drawing.needs import Needs, stops

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STOPS = 3  # fewest stops of a run
NEEDS = Needs(
    axes=("n", "stop_step"), metrics=("coverage", "copied_auc"), conditions=(stops(_STOPS),)
)
CATEGORY = "Networks"
PLACES = ("own_time", "log_density")  # what a point is told by
AUC = "copied_auc"
FIFTHS = 5
# How many times as long as its lower side the upper one of an interval of copies is, of which few
# training sets may have most; chosen on other sets than it was judged by (docs/benchmarks.md).
_ABOVE = 2.0
_POPULATIONS, _SIZES = 2, 5  # most kinds of data, most N
_KEYS = ("model", *compare.POPULATION, "n")


def query(metrics: pa.Table, coverage: pa.Table) -> pa.Table:
    """Copies by fifths of each of `PLACES` at the end of the run, then the AUC over `step`.

    A fifth has two rows with the same ``fifth`` and ``place``, its ``quantity``: the place itself
    and ``copied``.
    """
    cells = times.stopped(metrics, _STOPS, _POPULATIONS)
    parts, rows = [cells.slice(0, 0)], list[dict[str, Any]]()
    for population in compare.populations(cells):
        own = tables.where(cells, **population)
        few = tables.keep(own, "n", slices.spread(tables.distinct(own, "n"), _SIZES))
        parts.append(few)
        # Runs on other data may be longer.
        rows += _at_the_end(coverage, few, tables.distinct(few, "step")[-1])
    cells = slices.counted(pa.concat_tables(parts), "n", tables.distinct(cells, "n"))
    areas = compare.summary(cells, (*_KEYS, "step"), (AUC,), share_interval, FEWEST_SETS)
    areas = areas.filter(pc.greater_equal(areas["seeds"], FEWEST_SETS))
    return tables.curve(tables.with_nulls(areas, place=pa.string(), fifth=pa.int64()), rows)


def _at_the_end(coverage: pa.Table, cells: pa.Table, step: int) -> list[dict[str, Any]]:
    """The rows of the fifths of the training sets of `cells`, at the last step of their runs."""
    last = tables.join(coverage, tables.keep(cells, "step", [step]))
    rows = list[dict[str, Any]]()
    for place in PLACES:
        fifths = tables.with_facts(_fifths(last, place), **tables.facts(cells))
        for quantity, own in ((place, mean_interval), ("copied", interval)):
            found = compare.summary(fifths, (*_KEYS, "fifth"), (quantity,), own, FEWEST_SETS)
            rows += [row | {"place": place, "step": step} for row in found.to_pylist()]
    return rows


def interval(values: ArrayLike) -> Interval:
    """Of the mean of copies, of which a few training sets may have most."""
    return positive_mean_interval(values, above=_ABOVE)


def _fifths(points: pa.Table, place: str) -> pa.Table:
    """The mean of a place and of the copies over each fifth of a training set, the least first.

    Fifths differ by one point at most; of fewer than five points there are fewer fifths.
    """
    points = points.filter(pc.is_valid(points[place])).sort_by(
        [("cell_id", "ascending"), (place, "ascending"), ("point", "ascending")]
    )
    ids = np.asarray(points["cell_id"].combine_chunks().dictionary_encode().indices)
    count = np.bincount(ids)
    rank = np.arange(len(ids)) - (np.cumsum(count) - count)[ids]
    fifth = rank * np.minimum(FIFTHS, count[ids]) // np.maximum(count[ids], 1)
    keys = ["cell_id", "seed", *_KEYS, "fifth"]
    groups = tables.with_columns(points, fifth=pa.array(fifth, pa.int64())).group_by(
        keys, use_threads=False
    )
    found = groups.aggregate([(place, "mean"), ("copied", "mean")])
    return found.rename_columns(
        [name.removesuffix("_mean") if name not in keys else name for name in found.column_names]
    )


def draw(data: pa.Table) -> Figure:
    """For each kind of data the copies over both places, at its left, and the AUC."""
    populations = compare.populations(data)
    figure, axes = style.panels(max(len(populations), 1), 3, width=style.TWO_COLUMNS, height=2.1)
    for ax in axes[1:, 2]:
        ax.sharex(axes[0, 2])
    series = times.sizes(data)
    for row, population in zip(axes, populations, strict=False):
        own = tables.where(data, **population)
        for ax, place in zip(row, PLACES, strict=False):
            _copies(ax, own, place, series)
        row[1].set_ylabel("")
        _areas(row[2], own, series)
    words = [compare.population_words(population) for population in populations]
    style.titles(axes, [text for word in words for text in (word, "", "")])
    compare.heading(figure, data)
    entries = [style.handle(shade, labels.setting("n", n), marker=m) for n, shade, m in series]
    chance = style.handle(style.GREY, "chance", dash=style.DASHES[2])
    style.legend(figure, [*entries, *style.within(axes[:, 2], [chance])])
    return figure


def _copies(ax: Axes, own: pa.Table, place: str, series: list[tuple[int, str, str]]) -> None:
    for n, colour, marker in series:
        at, copies = (
            tables.arrays(own, place=place, n=n, quantity=name) for name in (place, "copied")
        )
        style.points(ax, at["value"].astype(float), copies, colour, marker)
    style.axis(ax, place, "copied", log="y")


def _areas(ax: Axes, own: pa.Table, series: list[tuple[int, str, str]]) -> None:
    some = bool(tables.where(own, quantity=AUC).num_rows)
    if some:
        ax.axhline(0.5, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    for n, colour, marker in series:
        part = tables.arrays(own, quantity=AUC, n=n)
        style.points(ax, part["step"], part, colour, marker)
    style.axis(ax, "stop_step", AUC, log="x")
    ax.set_ylim(-0.03, 1.03)  # whatever a band is
    if not some:
        drawn.nothing(ax, f"{FEWEST_SETS} training sets with copied points and with others")
