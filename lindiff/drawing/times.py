"""The times of a training run: onset of memorization, best stop, time to a fixed quality.

Each is read off the curve of one training set over the steps of its run, and belongs to an N only
if every training set there has it: leaving single ones out would bias the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns.arrays import steps_made
from lindiff.drawing import compare, need, style, tables
from lindiff.drawing.intervals import Interval, geometric_mean_interval
from lindiff.science import optima
from lindiff.science.scaling import first_crossing

Array = NDArray[np.float64]
Curves = dict[int, dict[int, tuple[Array, Array]]]  # by N and seed: steps, ascending, and values
# Steps and values of one curve -> the time that is read off it, if it has one.
TimeOf = Callable[[Array, Array], float | None]

TIMES = ("onset", "best_stop", "quality")
ONSET = 0.1  # the memorized fraction at its onset
RISE = 0.01  # how far the test loss rises above its least value where that is a best stop
FALL = 0.25  # the share of the fall of the test loss at the largest N that is the fixed quality


def stopped(metrics: pa.Table, fewest: int, count: int) -> pa.Table:
    """The rows of the first trained model with `fewest` stops or more, with their `step`.

    Args:
        metrics: Rows of ``metrics.parquet``.
        fewest: Fewest stops of a run.
        count: Most kinds of data.
    """
    for model in compare.TRAINED:
        cells = compare.side_by_side(metrics, (model,), ("n", "stop_step"), count=count)
        cells = tables.with_columns(cells, step=steps_made(cells))
        if len(tables.distinct(cells, "step")) >= fewest:
            return cells
    return cells.slice(0, 0)


def sizes(data: pa.Table) -> list[tuple[int, str, str]]:
    """N, colour and marker of each N of a figure's data, the colours from dark to light."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    found = tables.distinct(data, "n")
    shades = [to_hex(shade) for shade in colormaps["viridis"](np.linspace(0, 0.9, len(found)))]
    markers = [style.MARKERS[i % len(style.MARKERS)] for i in range(len(found))]
    return list(zip(found, shades, markers, strict=True))


def curves(cells: pa.Table, quantity: str) -> Curves:
    """The curves of a quantity over the column ``step`` with two finite points or more."""
    cells = cells.filter(pc.is_finite(cells[quantity])).sort_by("step")
    points: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for n, seed, *point in tables.keys_of(cells, ("n", "seed", "step", quantity)):
        points.setdefault((n, seed), []).append((point[0], point[1]))
    found: Curves = {}
    for n, seed in sorted(points):
        steps, values = np.array(points[n, seed], float).T
        if len(steps) > 1:
            found.setdefault(n, {})[seed] = (steps, values)
    return found


def onset(steps: Array, values: Array) -> float | None:
    """The first step at which the memorized fraction is `ONSET`, if it starts below."""
    return first_crossing(steps, values, ONSET) if values[0] < ONSET else None


def best_stop(steps: Array, losses: Array) -> float | None:
    """The step with the least test loss, if it is by `RISE` higher at the end of the run.

    On a plateau training noise alone makes a minimum inside.
    """
    found = optima.minimum(steps, losses)
    return found.x if found.inside and losses[-1] > (1 + RISE) * losses.min() else None


def level(losses: Curves) -> float | None:
    """The fixed quality: the share `FALL` of the way down that training at the largest N goes.

    Down from the mean test loss of the first stop to the least one; None where there is no way.
    """
    if not losses:
        return None
    by_step: dict[float, list[float]] = {}
    for steps, values in losses[max(losses)].values():
        for step, value in zip(steps, values, strict=True):
            by_step.setdefault(step, []).append(value)
    mean = [float(np.mean(by_step[step])) for step in sorted(by_step)]
    return mean[0] - FALL * (mean[0] - min(mean)) if min(mean) < mean[0] else None


def reaches(quality: float) -> TimeOf:
    """The function that gives the first step at which the test loss falls below `quality`."""

    def time(steps: Array, losses: Array) -> float | None:
        return first_crossing(steps, losses, quality) if losses[0] > quality else None

    return time


def times(curves: Curves, time_of: TimeOf) -> dict[int, dict[int, float]]:
    """The times of each seed by N, of the N where every seed has one."""
    found = {}
    for n, by_seed in curves.items():
        own = {seed: time_of(*curve) for seed, curve in by_seed.items()}
        reached = {seed: time for seed, time in own.items() if time is not None}
        if len(reached) == len(own):
            found[n] = reached
    return found


def rows(name: str, found: dict[int, dict[int, float]]) -> list[dict[str, Any]]:
    """Rows of a time over N, with geometric means over seeds, and of its power law.

    Their intervals are Student's t on logarithms, a jackknife that leaves out a training set at a
    time, from `FEWEST_SETS` sets on.
    The law's quantities are `exponent`, `prefactor` and `scatter` of `need.fit`, without an n.
    """
    made = [
        {"time": name, "n": n, **need.row(name, _mean(by_seed))} for n, by_seed in found.items()
    ]
    law = need.fit([float(n) for n in found], list(found.values()))
    return made + [{"time": name, **row} for row in law]


def _mean(by_seed: dict[int, float]) -> Interval:
    return geometric_mean_interval(list(by_seed.values())).of_enough()
