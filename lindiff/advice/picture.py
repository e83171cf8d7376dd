"""The advice as a picture: the spectrum, the losses and the divergences over N, the best ridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lindiff.advice.check import CURVES
from lindiff.advice.result import Advice
from lindiff.drawing import style
from lindiff.drawing.ticks import label_logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WITHOUT, _BEST = style.COLOURS[1], style.COLOURS[0]


def draw(advice: Advice) -> Figure:
    """Three panels: what the rows show, and what it says.

    (a) eigenvalues of the sample (points) and of the population as estimated (line, with the 95 %
    interval as band); (b) predicted losses over N, and those of denoisers trained on the data
    themselves (points, bars of two standard errors); (c) predicted KL over N of Gaussian rows, full
    lines for KL(generated‖population), dashed ones for KL(population‖generated). Bands are 95 %
    intervals for what the rows leave open of the spectrum; the grey line is the N of the data.
    Where the spectrum was given there are no points, bands and grey line.
    """
    figure, axes = style.panels(1, 3, height=2.5)
    spectrum, losses, divergences = axes[0]
    _spectrum(spectrum, advice)
    _losses(losses, advice)
    _divergences(divergences, advice)
    style.titles(axes, ["spectrum", "loss", "KL, full: generated‖population"])
    entries = [
        style.handle(style.GREY, "sample", marker="o"),
        style.handle(style.BLACK, "population", dash="-"),
        style.handle(_WITHOUT, "no regularization", dash="-"),
        style.handle(_BEST, "best ridge", dash="-"),
        style.handle(style.BLACK, "measured on the data", marker="s"),
        style.handle(style.BLACK, "train loss; optimum", dash=style.DASHES[2]),
        style.handle(_WITHOUT, "KL(population‖generated)", dash=style.DASHES[1]),
    ]
    style.legend(figure, entries, columns=4)
    return figure


def _spectrum(ax: Axes, advice: Advice) -> None:
    value, low, high = advice.spectrum
    rank = np.arange(1, len(value) + 1)
    ax.fill_between(rank, low, high, color=style.BLACK, alpha=0.2, linewidth=0)
    seen = value
    if advice.sample is not None:
        sample = advice.sample.eigenvalues[advice.sample.eigenvalues > 0]
        some = np.unique(np.rint(np.geomspace(1, len(sample), 60)).astype(int))
        ax.plot(
            some, sample[some - 1], linestyle="none", marker="o", color=style.GREY,
            markerfacecolor="white", markeredgewidth=0.7,
        )  # fmt: skip
        seen = np.concatenate([value, sample[some - 1]])
    style.line(ax, rank, value)
    _logarithmic(ax)
    ax.set_xlabel("rank $j$")
    ax.set_ylabel("variance $s_j$ (mean 1)")
    style.fit(ax, seen, log=True)


def _losses(ax: Axes, advice: Advice) -> None:
    n = np.array(advice.n)
    for curve, colour in zip(CURVES, (_WITHOUT, _BEST), strict=True):
        _band(ax, n, advice.curves[curve], colour, style.DASHES[0])
        if advice.check.n:
            measured, error = advice.check.measured[curve], advice.check.errors[curve]
            ax.errorbar(
                advice.check.n, measured, 2 * error, linestyle="none", marker="s", color=colour,
                markerfacecolor="white", markeredgewidth=0.7, elinewidth=0.7,
            )  # fmt: skip
    style.line(ax, n, advice.curves["train_loss"][0], style.BLACK, style.DASHES[2])
    ax.axhline(advice.optimal_loss.value, color=style.BLACK, linestyle=style.DASHES[2])
    _finish(ax, advice, "loss per dimension")


def _divergences(ax: Axes, advice: Advice) -> None:
    n = np.array(advice.n)
    for metric, dash in (("kl_model_data", style.DASHES[0]), ("kl_data_model", style.DASHES[1])):
        _band(ax, n, advice.curves[metric], _WITHOUT, dash)
        _band(ax, n, advice.curves[f"{metric}_best"], _BEST, dash)
    _finish(ax, advice, "KL per dimension [nats]")


def _band(ax: Axes, n: np.ndarray, curve: np.ndarray, colour: str, dash: object) -> None:
    value, low, high = np.where(np.isfinite(curve), curve, np.nan)
    ax.fill_between(n, low, high, color=colour, alpha=0.2, linewidth=0)
    style.line(ax, n, value, colour, dash)


def _finish(ax: Axes, advice: Advice, label: str) -> None:
    if advice.sample is not None:
        ax.axvline(advice.sample.rows, color=style.GREY, linewidth=0.8, zorder=0)
    _logarithmic(ax)
    ax.set_xlabel("$N$")
    ax.set_ylabel(label)


def _logarithmic(ax: Axes) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    label_logarithmic(ax.xaxis, plain=True)
    label_logarithmic(ax.yaxis, plain=False)
