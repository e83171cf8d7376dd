"""The empirical score: what memorizes most (docs/theory.md, "Empirical score").

The minimiser of the training loss over all functions, with its losses and its samples, on the
training set that the linear models have. Losses are Monte Carlo, on noises that the draw alone
names: they are the same for every sampler of a family, and for train and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models.linear_cells import GAUSSIAN, Filters, groups, level_indices
from lindiff.models.linear_family import (
    Family,
    as_objects,
    make_family,
    of_data,
    to_table,
)
from lindiff.science import empirical
from lindiff.science.draws import generator
from lindiff.science.pools import make_pool
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]

SAMPLES = 128
_MEMORIZED = "memorized_fraction"
_TOO_FEW = "memorized_fraction needs 3 training points: of two, the second-nearest is the other one"


def training_points(family: Family) -> Array:
    """The training set less its centre, shape (N, d).

    Raises:
        ValueError: The draw has no samples.
    """
    if family.draw.centred is None:
        raise ValueError("empirical needs the training samples: set `draw: samples`")
    return family.draw.centred


def _losses(family: Family, schedule: Schedule) -> tuple[Array, Array]:
    """Train and test loss at every level in every round, shape (T, R) each."""
    draw, points = family.draw, training_points(family)
    if family.row["data"] == GAUSSIAN:
        test = empirical.normal(draw.mean - draw.centre, draw.spectrum)
    else:
        test = empirical.rows_of(make_pool(family.row["data"]).held_out - draw.centre)
    denoise, rng = empirical.empirical(points, schedule), generator("loss", **family.key)
    return empirical.monte_carlo_losses(denoise, schedule, (empirical.rows_of(points), test), rng)


def _samples(family: Family, filters: Filters) -> Array:
    """Generated points less the centre, shape (SAMPLES, d); `ideal` draws training points."""
    points, rng = training_points(family), generator("samples", **family.key)
    schedule, sampler = filters.make_schedule(), filters.make_sampler()
    if sampler is None:
        return empirical.rows_of(points)(rng, SAMPLES)
    denoise = empirical.empirical(points, schedule)
    return empirical.generate(denoise, schedule, sampler, family.draw.centre, rng, SAMPLES)


def _levels(schedule: Schedule, train: Array, test: Array) -> list[dict[str, float]]:
    """Losses at noise levels log-spaced in t, each a mean over rounds."""
    return [
        {
            "t": index + 1,
            "alpha_bar": float(schedule.alpha_bar[index]),
            "train_loss": float(train[index].mean()),
            "test_loss": float(test[index].mean()),
        }
        for index in level_indices(schedule.timesteps)
    ]


def _of_losses(family: Family, filters: Filters) -> dict[str, NDArray[Any]]:
    """The metrics that no sampler changes, arrays of shape (1,)."""
    schedule = filters.make_schedule()
    train, test = _losses(family, schedule)
    found: dict[str, float] = {}
    found["train_loss"], found["train_loss_se"] = empirical.over_rounds(train)
    found["test_loss"], found["test_loss_se"] = empirical.over_rounds(test)
    found["optimal_loss"], found["pool_fraction"] = of_data(family, filters.schedule)
    found["residual_loss"] = found["test_loss"] - found["optimal_loss"]
    levels = as_objects([_levels(schedule, train, test)])
    return {name: np.array([value]) for name, value in found.items()} | {"levels": levels}


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: The draw has no samples.
    """
    family, results = make_family(cells), []
    points = training_points(family)
    measured = frozenset(wanted) - {_MEMORIZED}
    lost = _MEMORIZED in wanted and len(points) < 3
    by_schedule: dict[tuple[Any, ...], dict[str, NDArray[Any]]] = {}
    for rows, filters in groups(cells):
        if measured and filters.schedule not in by_schedule:
            by_schedule[filters.schedule] = _of_losses(family, filters)
        found = by_schedule.get(filters.schedule, {}) | {_MEMORIZED: np.array([np.nan])}
        if _MEMORIZED in wanted and not lost:
            memorized = empirical.memorized_fraction(_samples(family, filters), points)
            found[_MEMORIZED] = np.array([memorized])
        results.append((rows, found))
    reason = _TOO_FEW if lost else None
    return to_table(cells, wanted, results, ["ok"] * len(cells), [reason] * len(cells))
