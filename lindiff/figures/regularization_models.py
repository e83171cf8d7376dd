"""Losses of a network and of the linear model of the same data over weight decay, and the best one.

Above, filled markers are test losses, open ones train losses, means over training sets, joined by
lines, with a 95 % t-interval as band from 8 on; short lines at the left are without weight decay,
dashed curves the theory of the test loss, crosses the least of the mean curves. Below is where that
is, and the least mean of the relative test loss, that over the one of the same training set without
weight decay (at most 1: none is among them), over the training sets that have every weight decay,
with 95 % jackknife intervals from 3 on. The linear γ penalizes γ‖W‖² beside a loss summed over the
d dimensions, that of a network is γ times a weight in the gradient of the loss per dimension: equal
γ are not equally strong, and only how the best one moves with N compares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import compare, drawn, labels, slices, style, tables
from lindiff.drawing.intervals import FEWEST_SETS
from lindiff.drawing.needs import Needs
from lindiff.models import LIMITS, MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Array = NDArray[np.float64]
    Rows = list[dict[str, Any]]

NEEDS = Needs(axes=("n", "weight_decay"), metrics=("train_loss", "test_loss"))
CATEGORY = "Networks"
LOSSES = ("test_loss", "train_loss")
_MODELS = tuple(name for name in compare.giving(*LOSSES) if "weight_decay" in MODELS[name].settings)
_KEYS = ("model", *compare.POPULATION, "n", "weight_decay")
_CHOICES: dict[str, slices.Choice] = {
    # AdamW's decay is no penalty, and is not what the linear γ is compared with.
    "optimizer": lambda names: min(names, key=lambda name: (name == "adamw", name)),
}
_SIZES = 4
_ROOM = 3.0  # panels show losses up to this many times the largest without weight decay


def query(metrics: pa.Table) -> pa.Table:
    """Curves of the losses at a few N, and the best weight decay and its gain at every N."""
    cells = compare.side_by_side(metrics, _MODELS, ("n", "weight_decay"), _CHOICES, count=1)
    cells = cells.filter(pc.fill_null(pc.is_finite(cells["test_loss"]), False))
    cells = cells.filter(pc.is_valid(cells["weight_decay"]))
    sizes = tables.distinct(cells.filter(pc.invert(compare.limits(cells))), "n")
    few = tables.keep(cells, "n", slices.spread(sizes, _SIZES))
    found = compare.summary(few, _KEYS, LOSSES)
    return tables.curve(found, _optima(cells))


def _optima(cells: pa.Table) -> Rows:
    """Rows of the best weight decay, where inside its range, and of the least relative loss.

    ``test_loss_minimum`` is the least mean loss, for the crosses.
    """
    from lindiff.science import optima

    rows: Rows = []
    for row, x, Y in _matrices(cells):
        end = "_theory" if row["model"] in LIMITS.values() else ""
        best = optima.measured(x, Y)
        own = row | {"seeds": None if end else best.count}
        if best.inside:
            interval = (best.x, best.x_low, best.x_high)
            rows.append(own | {"quantity": f"best_decay{end}"} | _ends(*interval, best.count))
            at = {"weight_decay": best.x, "quantity": f"test_loss_minimum{end}"}
            rows.append(own | at | {"value": best.value})
        if x[0] == 0:
            gain = optima.measured(x, Y / Y[:, :1])
            ends = (gain.value, gain.value_low, gain.value_high)
            rows.append(own | {"quantity": f"decay_gain{end}"} | _ends(*ends, gain.count))
    return rows


def _matrices(cells: pa.Table) -> Iterator[tuple[dict[str, Any], Array, Array]]:
    """Keys, weight decays (K,) and test losses (seeds, K) of every model and N with a curve."""
    for key in tables.distinct_keys(cells, _KEYS[:-1]):
        row = dict(zip(_KEYS[:-1], key, strict=True))
        part = tables.arrays(cells, **row)
        decays, column = np.unique(part["weight_decay"].astype(float), return_inverse=True)
        seeds = np.array([-1 if seed is None else seed for seed in part["seed"].tolist()])
        seeds, line = np.unique(np.nan_to_num(seeds.astype(float), nan=-1), return_inverse=True)
        Y = np.full((len(seeds), len(decays)), np.nan)
        Y[line, column] = part["test_loss"]
        Y = Y[~np.isnan(Y).any(axis=1)]
        if len(Y) and len(decays) > 1:
            yield row, decays, Y


def _ends(value: float, low: float, high: float, count: int) -> dict[str, float | None]:
    if count < FEWEST_SETS or math.isnan(low):
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": low, "high": high}


def draw(data: pa.Table) -> Figure:
    """Above a panel of curves per model; below the best weight decay and what it gains."""
    models = [name for name in compare.names(data) if name not in LIMITS.values()]
    sizes = _sizes(data)
    figure, axes = style.panels(2, max(2, len(models)), height=2.2)
    for ax, model in zip(axes[0], models, strict=False):
        _curves(ax, data, model, sizes)
    for ax, quantity in zip(axes[1], ("best_decay", "decay_gain"), strict=False):
        _best(ax, data, quantity, models)
    for ax in (*axes[0, len(models) :], *axes[1, 2:]):
        ax.set_axis_off()
    words = [MODELS[name].look.label for name in models]
    blank = [""] * (axes.shape[1] - len(models))
    style.titles(axes, [*words, *blank, "best weight decay", "what it gains"])
    data_words = [compare.population_words(own) for own in compare.populations(data)]
    compare.heading(figure, data, note=", ".join([*data_words, *_left_out(data)]))
    curves, best = _entries(sizes), [compare.entry(model, filled=False) for model in models]
    entries = [*style.within(axes[0], curves), *style.within(axes[1], best)]
    if set(compare.names(data)) & set(LIMITS.values()):
        entries.append(style.handle(style.GREY, "theory", dash=style.DASHES[1]))
    style.legend(figure, entries)
    return figure


def _left_out(data: pa.Table) -> list[str]:
    """How many curves are least at an end of their range, where no best value can be drawn."""
    quantities = data["quantity"].to_pylist()
    count = quantities.count("decay_gain") - quantities.count("best_decay")
    return [f"left out: {count} best values at the end of their axis"] * (count > 0)


def _sizes(data: pa.Table) -> dict[int, tuple[Any, str]]:
    """Colour and marker of the N with curves."""
    from matplotlib import colormaps

    found = tables.distinct(tables.keep(data, "quantity", LOSSES), "n")
    colours = colormaps["viridis"](np.linspace(0, 0.75, len(found)))
    return dict(zip(found, zip(colours, style.MARKERS, strict=False), strict=False))


def _curves(ax: Axes, data: pa.Table, model: str, sizes: dict[int, tuple[Any, str]]) -> None:
    """Both losses over weight decay, the least test loss as a cross."""
    own = tables.where(data, model=model)
    exact = tables.where(data, model=LIMITS.get(model, ""))
    free = [0.0]
    for n, (colour, marker) in sizes.items():
        for loss, filled in zip(LOSSES, (True, False), strict=True):
            part = _inside(tables.arrays(own, n=n, quantity=loss))
            style.points(ax, part["weight_decay"], part, colour, marker, filled=filled)
            style.line(ax, part["weight_decay"], part["value"], colour, linewidth=0.6, zorder=1)
            none = tables.arrays(own, n=n, quantity=loss, weight_decay=0.0)["value"]
            free += none.tolist()
            ax.plot(
                np.full(len(none), 0.03), none, linestyle="none", marker="_", color=colour,
                markersize=8, markeredgewidth=1.4 if filled else 0.7,
                transform=ax.get_yaxis_transform(),
            )  # fmt: skip
        theory = _inside(tables.arrays(exact, n=n, quantity="test_loss_theory"))
        style.line(
            ax, theory["weight_decay"], theory["value"], colour, style.DASHES[1], linewidth=0.8
        )
        least = tables.arrays(own, n=n, quantity="test_loss_minimum")
        ax.plot(least["weight_decay"], least["value"], "x", color=style.BLACK, zorder=5)
    style.axis(ax, "weight_decay")
    ax.set_ylabel("Test and train loss")
    values = tables.arrays(tables.keep(own, "quantity", LOSSES))["value"]
    top = _ROOM * max(free) if max(free) > 0 else math.inf
    style.fit(ax, values[values <= top], log=True)


def _inside(part: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The points of a curve that a logarithmic axis can show, ascending."""
    order = np.argsort(part["weight_decay"])
    order = order[part["weight_decay"][order] > 0]
    return {name: column[order] for name, column in part.items()}


def _best(ax: Axes, data: pa.Table, quantity: str, models: list[str]) -> None:
    """One number of every curve over N, a series per model."""
    for model in models:
        look = MODELS[model].look
        part = tables.arrays(data, model=model, quantity=quantity)
        style.bars(ax, part["n"], part, look.colour, look.marker)
        style.line(ax, part["n"], part["value"], look.colour, linewidth=0.5, zorder=1)
    for limit in LIMITS.values():
        theory = tables.arrays(data, model=limit, quantity=f"{quantity}_theory")
        style.line(ax, theory["n"], theory["value"], MODELS[limit].look.colour, style.DASHES[1])
    for population in compare.populations(data):
        compare.mark_dimension(ax, population)
    shown = tables.keep(data, "quantity", [quantity, f"{quantity}_theory"]).num_rows
    style.axis(ax, "n", quantity, log="xy" if quantity == "best_decay" and shown else "x")
    if not shown:
        drawn.nothing(ax, "a least test loss inside the range of weight_decay: extend it")
    if quantity == "decay_gain":
        ax.axhline(1, color=style.GREY, linewidth=0.5, zorder=0)


def _entries(sizes: dict[int, tuple[Any, str]]) -> list[Any]:
    """The entries of the curves."""
    entries = [
        style.handle(colour, labels.setting("n", n), marker=marker, dash="-", filled=True)
        for n, (colour, marker) in sizes.items()
    ]
    entries.append(style.handle(style.GREY, "test loss", marker="o", filled=True))
    entries.append(style.handle(style.GREY, "train loss", marker="o"))
    entries.append(style.handle(style.BLACK, "least test loss", marker="x"))
    entries.append(style.handle(style.GREY, "without weight decay", marker="_"))
    return entries
