"""The classes of a mixture in a network's samples, and its copies by class, over training steps.

Left is the share of each class in generated samples, the mean probability of the class given the
sample and the exact mixture, over its weight in the population: 1 once it is learned. Right is the
share of the samples of a class, each counted by that probability, that is memorized: nearer to one
training point than a third of the distance to the next. At the least and the largest N of one
mixture and the first network that is stopped at three steps or more.
Points are means over training sets; bands are their 95 % t-intervals where at least 3 sets stand
behind a point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns.groups import ONE_CLASS
from lindiff.drawing import compare, labels, slices, style, tables, times
from lindiff.drawing.intervals import FEWEST_SETS
from lindiff.drawing.needs import Condition, Needs, stops

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STOPS = 3  # fewest stops of a run
_SIZES = 2  # most N, each a row


def _of_classes(cells: pa.Table) -> pa.Table:
    """The cells of mixtures."""
    return cells.filter(pc.fill_null(pc.not_equal(cells["mixture"], ONE_CLASS), False))


MIXTURE = Condition(
    f"a mixture other than {ONE_CLASS}", lambda cells: _of_classes(cells).num_rows > 0
)
NEEDS = Needs(axes=("stop_step",), metrics=("classes",), conditions=(MIXTURE, stops(_STOPS)))
CATEGORY = "Networks"
SHARES = ("class_ratio", "class_memorized")
_WEIGHT = "class_weight"
_KEYS = ("model", *compare.POPULATION, "n", "class", "step")
_NAMES = {"memorized_fraction": SHARES[1], "weight": _WEIGHT}


def query(metrics: pa.Table, classes: pa.Table) -> pa.Table:
    """Both numbers of each class over `step`, and its weight, at up to two N of one mixture."""
    cells = times.stopped(_of_classes(metrics), _STOPS, 1)
    cells = slices.taken(cells, "n", _SIZES)
    named = classes.rename_columns([_NAMES.get(name, name) for name in classes.column_names])
    named = tables.with_columns(named, class_ratio=pc.divide(named["fraction"], named[_WEIGHT]))
    rows = tables.with_facts(tables.join(named, cells), **tables.facts(cells))
    return compare.summary(rows, _KEYS, (*SHARES, _WEIGHT), fewest=FEWEST_SETS)


def draw(data: pa.Table) -> Figure:
    """A row for each N: the classes of the samples, and those that are copies."""
    sizes = tables.distinct(data, "n")
    figure, axes = style.panels(
        max(len(sizes), 1), len(SHARES), width=style.TWO_COLUMNS, height=1.9
    )
    found = tables.distinct(data, "class")
    for row, n in zip(axes, sizes, strict=False):
        for ax, quantity in zip(row, SHARES, strict=True):
            _panel(ax, data, quantity, n, found)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.titles(axes, [text for n in sizes for text in (labels.setting("n", n), "")])
    compare.heading(figure, data)
    compare.title(figure, data)
    entries = [
        style.handle(_colour(k), f"class {k}, weight {_weight(data, k):.3g}", marker=_marker(k))
        for k in found
    ]
    learned = style.handle(style.GREY, "the population", dash=style.DASHES[2])
    style.legend(figure, [*entries, *style.within(axes[:, 0], [learned])])
    return figure


def _panel(ax: Axes, data: pa.Table, quantity: str, n: int, classes: list[int]) -> None:
    if quantity == SHARES[0]:
        ax.axhline(1, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    for k in classes:
        part = tables.arrays(data, quantity=quantity, n=n, **{"class": k})
        style.points(ax, part["step"], part, _colour(k), _marker(k))
    # Shares are never below 0, whatever a band is.
    ax.set_ylim(bottom=-0.04, top=1.04 if quantity == SHARES[1] else None)
    style.axis(ax, "stop_step", quantity, log="x")


def _weight(data: pa.Table, k: int) -> float:
    found: Any = tables.arrays(data, quantity=_WEIGHT, **{"class": k})["value"]
    return float(found[0]) if len(found) else float("nan")


def _colour(k: int) -> str:
    return style.COLOURS[(k - 1) % len(style.COLOURS)]


def _marker(k: int) -> str:
    return style.MARKERS[(k - 1) % len(style.MARKERS)]
