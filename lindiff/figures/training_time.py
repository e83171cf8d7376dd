"""Losses and memorized fraction over the steps of a training run, and three times of it over N.

Onset: the first step at which 1/10 of the samples are memorized (nearest training point closer than
1/3 of the second-nearest). Best stop: the step with the least test loss, if that is at least 1 %
higher at the end of the run.
Time to fixed quality: the first step at which the test loss is at the dotted level, a quarter of
the way down that it goes at the largest N from the first stop to its least. Between stops curves
are linear in ln step (minima: a cubic spline); a time is shown at the N where every training set
whose training did not fail reaches it within the run. Titles give their count and, of four N or
more, the exponent of the power law with its 95 % interval over training sets and lack of fit. For
U-Nets on CelebA Bonnaire et al. (arXiv 2505.17638) find an onset ∝ N and a constant quality time.
Points of curves are means over training sets, of times geometric means; bands and bars are their
95 % t-intervals (a jackknife over sets; of times on logarithms) where at least 3 sets stand behind
a point. Of the memorized fraction, which is not normal near 0 and 1, it takes 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import compare, drawn, labels, slices, style, tables, times
from lindiff.drawing.intervals import FEWEST_SETS
from lindiff.drawing.needs import Needs, stops

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = ("train_loss", "test_loss", "memorized_fraction")
_STOPS = 3  # fewest stops of a run
NEEDS = Needs(axes=("n", "stop_step"), metrics=CURVES, conditions=(stops(_STOPS),))
CATEGORY = "Networks"
MARKS = {"onset": "*", "best_stop": "P", "quality": "X"}  # no marker of an N
_POPULATIONS, _SIZES = 2, 5  # most kinds of data, most N with curves
_KEYS = ("model", *compare.POPULATION, "n", "step")


def query(metrics: pa.Table) -> pa.Table:
    """Curves over `step` at some N, and the `time` of each kind over all N with its power law.

    Of the first trained model that is stopped at three steps or more. Facts: `level`, the fixed
    quality, and `sizes`, how many N have the curve of each time, of every population in order.
    """
    cells = times.stopped(metrics, _STOPS, _POPULATIONS)
    populations = compare.populations(cells)
    parts = []
    for population in populations:
        own = tables.where(cells, **population)
        parts.append(tables.keep(own, "n", slices.spread(tables.distinct(own, "n"), _SIZES)))
    few = pa.concat_tables([cells.slice(0, 0), *parts])
    found = pa.concat_tables(
        [
            compare.summary(few, _KEYS, CURVES[:2], fewest=FEWEST_SETS),
            compare.summary(few, _KEYS, CURVES[2:]),
        ]
    )
    found = tables.with_nulls(found, time=pa.string())
    levels, sizes, rows = [], [], []
    for population in populations:
        own = tables.where(cells, **population)
        losses = times.curves(own, "test_loss")
        memorized = times.curves(own, "memorized_fraction")
        quality = times.level(losses)
        made = times.rows("onset", times.times(memorized, times.onset))
        made += times.rows("best_stop", times.times(losses, times.best_stop))
        if quality is not None:
            made += times.rows("quality", times.times(losses, times.reaches(quality)))
        model = own["model"][0].as_py()
        rows += [{"model": model} | population | row for row in made]
        levels.append(quality)
        sizes.append([len(memorized), len(losses), len(losses)])
    return tables.with_facts(tables.curve(found, rows), level=levels, sizes=sizes)


def draw(data: pa.Table) -> Figure:
    """For each kind of data curves above, the three times over N below."""
    populations = compare.populations(data)
    facts = tables.facts(data)
    figure, axes = style.panels(2 * len(populations), 3, height=1.9)
    texts = []
    series = _series(data)
    for i, population in enumerate(populations):
        above, below = axes[2 * i], axes[2 * i + 1]
        for ax, quantity in zip(above, CURVES, strict=True):
            _curves(ax, data, population, quantity, series)
        _marks(above, data, population, series, facts["level"][i])
        for ax, time in zip(below, times.TIMES, strict=True):
            _over_sizes(ax, data, population, time)
        _same_limits(below, data, population)
        texts += [compare.population_words(population), "", ""]
        pairs = zip(times.TIMES, facts["sizes"][i], strict=True)
        texts += [_title(data, population, time, size) for time, size in pairs]
    style.titles(axes, texts)
    compare.heading(figure, data)
    entries = [entry for *_, entry in series]
    entries += [
        style.handle(style.BLACK, labels.label(time), marker=MARKS[time]) for time in times.TIMES
    ]
    entries.append(style.handle(style.BLACK, "fitted power law", dash="-"))
    for column, level in ((1, "level of the fixed quality"), (2, "level of the onset")):
        entry = style.handle(style.GREY, level, dash=style.DASHES[2])
        entries += style.within(axes[::2, column], [entry])
    style.legend(figure, entries, columns=5)
    return figure


def _series(data: pa.Table) -> list[tuple[int, Any, str, Any]]:
    """N, colour, marker and legend entry of each N with curves, the colours from dark to light."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    sizes = tables.distinct(tables.keep(data, "quantity", CURVES), "n")
    shades = [to_hex(shade) for shade in colormaps["viridis"](np.linspace(0, 0.9, len(sizes)))]
    markers = [style.MARKERS[i % len(style.MARKERS)] for i in range(len(sizes))]
    return [
        (n, shade, marker, style.handle(shade, labels.setting("n", n), marker=marker))
        for n, shade, marker in zip(sizes, shades, markers, strict=True)
    ]


def _curves(
    ax: Axes, data: pa.Table, population: dict[str, Any], quantity: str, series: list[Any]
) -> None:
    for n, colour, marker, _ in series:
        part = tables.arrays(data, quantity=quantity, n=n, **population)
        style.points(ax, part["step"], part, colour, marker)
    share = quantity == "memorized_fraction"
    style.axis(ax, "stop_step", quantity, log="x" if share else "xy")
    if share:
        ax.set_ylim(-0.05, 1.05)


def _marks(
    row: Any, data: pa.Table, population: dict[str, Any], series: list[Any], level: float | None
) -> None:
    """The times on the curves that they are read off, and the levels that define two of them."""
    _, losses, memorized = row
    memorized.axhline(times.ONSET, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    if level is not None:
        losses.axhline(level, color=style.GREY, linestyle=style.DASHES[2], linewidth=0.8)
    for n, colour, *_ in series:
        for time, ax, height in (
            ("onset", memorized, times.ONSET),
            ("quality", losses, level),
            ("best_stop", losses, None),
        ):
            x = tables.arrays(data, time=time, n=n, **population)["value"]
            curve = tables.arrays(data, quantity="test_loss", n=n, **population)
            y = [min(curve["value"], default=np.nan) if height is None else height] * len(x)
            ax.scatter(
                x, y, s=22, c=colour, marker=MARKS[time], edgecolors=style.BLACK, linewidths=0.5,
                zorder=5, gid=MARKS[time],
            )  # fmt: skip


def _over_sizes(ax: Axes, data: pa.Table, population: dict[str, Any], time: str) -> None:
    """One time over N, and its power law over the N that have it."""
    part = _points(data, population, time)
    style.bars(ax, part["n"], part, style.BLACK, MARKS[time])
    if law := _law(data, population, time):
        ends = np.array([part["n"].min(), part["n"].max()], float)
        values = law["prefactor"]["value"] * ends ** law["exponent"]["value"]
        style.line(ax, ends, values, linewidth=0.6)
    style.axis(ax, "n", "stop_step" if time == times.TIMES[0] else None)
    if drawn.empty(ax):
        drawn.nothing(ax, "an n at which every run reaches it: more steps")


def _points(data: pa.Table, population: dict[str, Any], time: str) -> dict[str, Any]:
    return tables.arrays(data.filter(pc.is_valid(data["n"])), time=time, **population)


def _law(data: pa.Table, population: dict[str, Any], time: str) -> dict[str, dict[str, Any]]:
    """Exponent, prefactor and scatter of a time; empty where there is no power law."""
    rows = tables.where(data, time=time, n=None, **population).to_pylist()
    return {row["quantity"]: row for row in rows}


def _same_limits(row: Any, data: pa.Table, population: dict[str, Any]) -> None:
    """The panels of the three times over the same N and the same steps, so that they compare."""
    found = [_points(data, population, time) for time in times.TIMES]
    steps = np.concatenate([part["value"] for part in found])
    sizes = tables.distinct(tables.where(data, **population), "n")
    for ax in row:
        style.fit(ax, steps, log=True)
        if sizes:
            ax.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)


def _title(data: pa.Table, population: dict[str, Any], time: str, size: int) -> str:
    """The exponent of a time with its interval, and at how many N it is reached."""
    words = time.replace("_", " ").capitalize()
    if law := _law(data, population, time):
        exponent = law["exponent"]
        text = f"{exponent['value']:.2f}"
        if exponent["low"] is not None:
            half = (exponent["high"] - exponent["low"]) / 2
            digits = 2 if half >= 0.01 else 3
            text = rf"{exponent['value']:.{digits}f}\pm{half:.{digits}f}"
        words += rf" $\propto N^{{{text}}}$"
    return f"{words}, {len(_points(data, population, time)['n'])} of {size} $N$"
