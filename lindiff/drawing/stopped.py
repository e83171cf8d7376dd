"""The stops of a training side by side: best for the loss, best for each KL, and the first bias.

A stop is a training time τ of linear models in closed form, a step of those that are trained. All
are read off the mean curve over training sets, as theory predicts it (`lindiff.science.optima`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns.arrays import steps_made
from lindiff.drawing import compare, tables
from lindiff.drawing.intervals import Interval, mean_interval
from lindiff.drawing.needs import FEWEST_STRENGTHS
from lindiff.models import EXACT, MODELS, THEORY
from lindiff.science import optima

Array = NDArray[np.float64]

# What is least at a best stop, and what is first above `BIAS`.
BEST = ("test_loss", "kl_model_data", "kl_data_model")
BIASED = "proximity_bias"
# How far a mean curve ends above its least value where that is a best stop, of the least value.
RISE = 0.01
# The proximity bias that is a first one, in units of √tr Σ, beyond that of the first stop: nearer
# by a hundredth of the rms distance of the data from their mean.
BIAS = 0.01
# Models whose cells have stops, those in closed form by their time, the others by their step.
MEASURED = tuple(
    name
    for name, model in MODELS.items()
    if {"stop", "stop_step"} & {*model.settings} and {*BEST, BIASED} <= model.metrics
)


def axis(model: str) -> str:
    """The setting that stops a model: `stop`, or `stop_step` where it is trained."""
    return "stop_step" if MODELS[model].trained else "stop"


def quantity(metric: str) -> str:
    """The name of the stop of a metric."""
    return "first_bias" if metric == BIASED else f"best_stop_{metric}"


QUANTITIES = tuple(map(quantity, (*BEST, BIASED)))


def cells(metrics: pa.Table, count: int) -> pa.Table:
    """The rows of all models that are stopped, and of the theory, with their stop as ``at``.

    Args:
        metrics: Rows of ``metrics.parquet``.
        count: Most kinds of data.
    """
    found = compare.side_by_side(
        metrics, (*MEASURED, THEORY), ("n", "stop", "stop_step"), count=count
    )
    steps = steps_made(found).cast(pa.float64())
    return tables.with_columns(found, at=pc.coalesce(steps, found["stop"].cast(pa.float64())))


def rows(own: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of the stops of one model of one population over N, in the columns of `summarise`.

    Those of the theory have the model `EXACT`, ``_theory`` after their quantity and no interval.
    """
    for n in tables.distinct(own, "n"):
        for model in compare.names(own):
            part = tables.where(own, n=n, model=model)
            name = EXACT if model == THEORY else model
            for metric in (*BEST, BIASED):
                interval = _stop(metric, *_curves(part, metric))
                if interval is None:
                    continue
                row = {"model": name, "n": n, "quantity": quantity(metric)} | interval.columns()
                row["seeds"] = interval.count
                if model == THEORY:
                    row |= {"quantity": f"{quantity(metric)}_theory", "seeds": None}
                yield row


def _curves(part: pa.Table, metric: str) -> tuple[Array, Array]:
    """The stops, shape (K,), and a curve over them a training set, shape (seeds, K).

    Left out are training sets without a value at some stop.
    """
    columns = tables.arrays(part.select(["seed", "at", metric]))
    x, column = np.unique(columns["at"].astype(float), return_inverse=True)
    seeds = np.nan_to_num(columns["seed"].astype(float), nan=-1.0)
    seeds, row = np.unique(seeds, return_inverse=True)
    Y = np.full((len(seeds), len(x)), np.nan)
    Y[row, column] = columns[metric].astype(float)
    return x, Y[~np.isnan(Y).any(axis=1)]


def _stop(metric: str, x: Array, Y: Array) -> Interval | None:
    """One stop with its interval; None where there is none."""
    inside = (x > 0) & np.isfinite(x)
    if not len(Y) or np.count_nonzero(inside) < FEWEST_STRENGTHS:
        return None
    if metric == BIASED:
        return _first_bias(x, Y, inside)
    mean = Y.mean(axis=0)
    if not np.isfinite(mean).any():
        return None
    best = optima.measured(x, Y)
    if not best.inside or not mean[-1] > best.value + RISE * abs(best.value):
        return None
    return _interval(best.x, best.x_low, best.x_high, best.count)


def _first_bias(x: Array, Y: Array, inside: NDArray[np.bool_]) -> Interval | None:
    """Where the bias beyond that of the first stop is `BIAS`, if that is beyond its error there."""
    if not np.isfinite(Y).all():
        return None
    added = (Y - Y[:, :1])[:, inside]
    found = optima.measured_rise(x[inside], added, BIAS)
    if found is None:
        return None
    after = int(np.searchsorted(x[inside], found.x * (1 - 1e-12)))
    if len(Y) > 1 and not mean_interval(added[:, after]).low > 0:
        return None
    return _interval(found.x, found.x_low, found.x_high, found.count)


def _interval(value: float, low: float, high: float, count: int) -> Interval:
    return Interval(value, low, high, count).of_enough()
