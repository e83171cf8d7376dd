"""Test loss of linear denoisers trained on m frozen noises a sample and noise level, over N.

Points are geometric means over training sets with their 95 % t-interval (on logarithms, 1.4 times
as long above, for near N m = d a few sets have far higher losses) as band, coloured lines the
large-system theory, the black one the population optimum (of a data set that of its whole pool);
m = ∞ is the average over noise. Above over N/d, below over the number of pairs of sample and noise,
N m, over d: at N m = d, where the pairs are as many as dimensions, the theory without a penalty is
infinite, and its line has a gap.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lindiff.columns import SETTING
from lindiff.drawing import labels, noises, slices, style, tables
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n", "noises"), metrics=("test_loss", "optimal_loss"))
CATEGORY = "Transition"
LOSSES = ("test_loss", "optimal_loss")
_KEYS = ("d", "noises", "regularizer", "strength", "n", "n_over_d")
_CHOICES: dict[str, slices.Choice] = {"d": max, **slices.POWER_LAW}
_FEW = 5


def query(metrics: pa.Table) -> pa.Table:
    """The losses over N of some m, without and with the most of the regularization."""
    cells = slices.regularizations(
        slices.measured(metrics), ("n", "noises"), lambda found: slices.spread(found, 2), _CHOICES
    )
    cells = tables.with_ratio(slices.taken(cells, "noises", _FEW))
    theory = slices.theory(metrics, cells)
    found = tables.summarise(cells, _KEYS, LOSSES, noises.interval)
    return tables.with_theory(found, theory, _KEYS, LOSSES[:1])


def draw(data: pa.Table) -> Figure:
    """A column per strength: above over N/d, below over N m/d."""
    name, strengths = slices.strengths(data)
    figure, axes = style.panels(2, len(strengths), height=2.0, sharex="row")
    for column, strength in zip(axes.T, strengths, strict=True):
        for ax, x in zip(column, ("n_over_d", "pairs_over_d"), strict=True):
            for m, colour, marker in _series(data, x):
                own = {"strength": strength, "noises": m}
                _curve(ax, data, own, m if x == "pairs_over_d" else 1.0, colour, marker)
            _optimum(ax, data, strength, x)
            style.axis(ax, x, "test_loss")
        look: dict[str, Any] = {"color": style.GREY, "linestyle": "--", "zorder": 0}
        column[1].axvline(1, **look, linewidth=style.scaled(0.6))
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    style.titles(axes, [labels.setting(name, strength) for strength in strengths] * 2)
    style.heading(figure, data, without=(name,))
    style.legend(figure, _entries(data), columns=5)
    return figure


def _series(data: pa.Table, x: str = "n_over_d") -> list[tuple[float, str, str]]:
    """Each m with its colour and marker; the average over noise has no number of pairs."""
    return [one for one in noises.series(data) if x == "n_over_d" or math.isfinite(one[0])]


def _curve(
    ax: Axes, data: pa.Table, own: dict[str, Any], factor: float, colour: str, marker: str
) -> None:
    """Points and theory of one m over N/d times a factor."""
    part = tables.arrays(data, **own, quantity="test_loss")
    style.points(ax, part["n_over_d"] * factor, part, colour, marker)
    theory = tables.arrays(data, **own, quantity="test_loss_theory")
    x, y = theory["n_over_d"], theory["value"]
    if own["strength"] == SETTING[slices.strengths(data)[0]].neutral:
        x, y = noises.broken(x, y, 1 / own["noises"])
    style.line(ax, x * factor, y, colour, linewidth=0.8)


def _optimum(ax: Axes, data: pa.Table, strength: float, x: str) -> None:
    """The population optimum, which knows neither N nor m, along all points of a panel."""
    best = tables.arrays(data, strength=strength, quantity="optimal_loss")
    factor = best["noises"] if x == "pairs_over_d" else 1.0
    at = best["n_over_d"] * factor
    order = np.argsort(at)[np.isfinite(np.sort(at))]
    style.line(ax, at[order], best["value"][order], dash=style.DASHES[1])


def _entries(data: pa.Table) -> list[Any]:
    """The legend: m by colour and marker, then the lines."""
    lines = "-" if tables.has_theory(data) else None
    return [
        *noises.entries(data, lines),
        *itertools.compress([style.handle(style.GREY, "line: theory", dash="-")], [lines]),
        style.handle(style.BLACK, labels.label("optimal_loss").lower(), dash=style.DASHES[1]),
        style.handle(style.GREY, "$Nm=d$", dash="--"),
    ]
