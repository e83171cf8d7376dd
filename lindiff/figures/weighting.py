"""What a weighting of the training loss over noise levels does to the test loss of each level.

(a) is the weight w_t of a level, 1 in the mean over all. The other panels are the test loss of a
level over that of the same model and training set with the weighting `uniform`, at the least and
the largest N: points are geometric means over training sets with their 95 % t-interval (on
logarithms, 1.4 times as long below) as band from 8 on, lines the large-system theory, dashed of
random features, else of linear models. Both have a matrix of their own at every level, so that at
the optimum without weight decay all their ratios are 1; a network has one set of parameters for all
levels, and is trained by the budget given below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lindiff.columns import SETTING
from lindiff.drawing import compare, labels, slices, style, tables
from lindiff.drawing.intervals import LONGER, Interval, geometric_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models import EXACT, FEATURES_THEORY, LIMITS, MODELS, THEORY
from lindiff.science.weighting import UNIFORM, make_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Looks = list[tuple[str, str, str]]  # weighting, colour, marker

NEEDS = Needs(
    axes=("weighting",), metrics=("test_loss", "levels"), settings=(("weighting", UNIFORM),)
)
CATEGORY = "Networks"
_MODELS = tuple(name for name in compare.giving("levels") if "weighting" in MODELS[name].settings)
_OF_CELL = ("model", *compare.POPULATION, "n", "weighting")
_KEYS = (*_OF_CELL, "t")
_SIZES = 2  # N, each a panel
_MARKED = 6  # levels of a line of weights that have its marker
_DASHES = {THEORY: "-", FEATURES_THEORY: style.DASHES[1]}


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """Losses of levels over those of `uniform` at the least and the largest N; the weights."""
    cells = compare.side_by_side(metrics, _MODELS, ("n", "weighting"), count=1)
    measured = cells.filter(pc.invert(compare.limits(cells)))
    cells = slices.taken(cells, "n", _SIZES, measured)
    rows = _over_uniform(tables.join(levels, cells))
    rows = tables.with_facts(rows, **tables.facts(cells))
    found = compare.summary(rows, _KEYS, ("level_ratio",), interval)
    return tables.curve(found, _weights(cells) if found.num_rows else [])


def interval(values: ArrayLike) -> Interval:
    """Of the geometric mean; in a few training sets ratios are far below those of the others."""
    return geometric_mean_interval(values, below=LONGER)


def _over_uniform(rows: pa.Table) -> pa.Table:
    """The test loss of every level over that of the same training set with `uniform`."""
    same = [*(key for key in _KEYS if key != "weighting"), "seed"]
    uniform = tables.keep(rows, "weighting", [UNIFORM])
    loss = dict(zip(tables.keys_of(uniform, same), uniform["test_loss"].to_pylist(), strict=True))
    unit = pa.array([loss.get(key) for key in tables.keys_of(rows, same)], pa.float64())
    return tables.with_columns(rows, level_ratio=pc.divide(rows["test_loss"], unit))


def _weights(cells: pa.Table) -> list[dict[str, Any]]:
    """w_t of every weighting at all levels."""
    schedule, rms = slices.schedule(cells), slices.scale(cells)
    return [
        {"weighting": name, "t": t, "quantity": "loss_weight", "value": weight}
        for name in tables.distinct(cells, "weighting")
        for t, weight in enumerate(make_weights(name, schedule, rms).tolist(), 1)
    ]


def draw(data: pa.Table) -> Figure:
    """The weights, then a panel for each N; a row of those for each model."""
    models = [name for name in compare.names(data) if name not in LIMITS.values()] or [EXACT]
    sizes = tables.distinct(data, "n")
    figure, axes = style.panels(len(models), 1 + len(sizes), height=2.4, sharex=True)
    looks = list(zip(_weightings(data), style.COLOURS, style.MARKERS, strict=False))
    _draw_weights(axes[0, 0], data, looks)
    axes[0, 0].tick_params(labelbottom=True)
    for ax in axes[1:, 0]:
        ax.set_axis_off()
    for row, model in zip(axes[:, 1:], models, strict=True):
        for ax, n in zip(row, sizes, strict=True):
            _panel(ax, data, {"model": model, "n": n}, looks)
    for ax in axes[:-1, 1:].flat:
        ax.set_xlabel("")
    words = [
        f"{MODELS[name].look.label}, {labels.setting('n', n)}" for name in models for n in sizes
    ]
    style.titles(np.array([axes[0, 0], *axes[:, 1:].flat]), ["weights", *words])
    compare.heading(figure, data)
    compare.title(figure, data)
    entries = [
        style.handle(colour, labels.number(name), marker=marker, dash="-")
        for name, colour, marker in looks
    ]
    for limit, dash in _DASHES.items():
        own = [_limit(model) == limit for model in models]
        if any(own):
            line = style.handle(style.GREY, MODELS[limit].look.label, dash=dash)
            entries += style.within(axes[own, 1:], [line])
    style.legend(figure, entries, columns=8)
    return figure


def _draw_weights(ax: Axes, data: pa.Table, looks: Looks) -> None:
    for name, colour, marker in looks:
        own = tables.arrays(data, quantity="loss_weight", weighting=name)
        few = [t - 1 for t in slices.spread(own["t"].tolist(), _MARKED)]
        look = {"marker": marker, "markerfacecolor": "white", "markeredgewidth": 0.7}
        style.line(ax, own["t"], own["value"], colour, markevery=few, **look)
    style.axis(ax, "t", "loss_weight")


def _panel(ax: Axes, data: pa.Table, own: dict[str, Any], looks: Looks) -> None:
    ax.axhline(1, color=style.GREY, linewidth=0.5, zorder=0)
    # The lines of linear models that know no weighting lie on that of `uniform`.
    for name, colour, marker in reversed(looks):
        part = tables.arrays(data, **own, quantity="level_ratio", weighting=name)
        if name != UNIFORM:
            style.points(ax, part["t"], part, colour, marker)
        limit = _limit(own["model"])
        where = own | {"model": limit, "quantity": "level_ratio_theory", "weighting": name}
        theory = tables.arrays(data, **where)
        style.line(ax, theory["t"], theory["value"], colour, dash=_DASHES[limit])
    style.axis(ax, "t", "level_ratio", log="x")


def _limit(model: str) -> str:
    """The limit beside a model: its own, else that of linear models."""
    return LIMITS.get(model, THEORY)


def _weightings(data: pa.Table) -> list[str]:
    """The weightings in the order of the setting, `uniform` first."""
    drawn = tables.distinct(data, "weighting")
    return [name for name in SETTING["weighting"].choices if name in drawn]
