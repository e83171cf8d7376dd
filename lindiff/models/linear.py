"""The exact linear model: one draw and one eigendecomposition give all cells of a family.

Each cell is a filter; the family's draw, and the population, are measures (docs/theory.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models import linear_noises
from lindiff.models.linear_cells import (
    FEW_LEVELS,
    Filters,
    are_frozen,
    difference_rows,
    groups,
    level_indices,
    level_row,
)
from lindiff.models.linear_family import (
    Family,
    against_all,
    as_objects,
    as_table,
    common_metrics,
    make_family,
    make_table,
    mode_rows,
)
from lindiff.models.proximity import PROXIMITY, of_gaussians, white_noise
from lindiff.science import measure, vectors
from lindiff.science.agreement import agreement
from lindiff.science.differences import differences
from lindiff.science.draws import generator
from lindiff.science.filters import Bank
from lindiff.science.metrics import level_losses
from lindiff.science.schedule import log_levels
from lindiff.science.tables import Evaluated

Array = NDArray[np.float64]


def _levels(mu: measure.Measure, bank: Bank) -> list[list[dict[str, float]]]:
    """Losses at noise levels log-spaced in t, one list a filter."""
    schedule = bank.schedule
    rows: list[list[dict[str, float]]] = [[] for _ in bank.trainings]
    for index in level_indices(schedule.timesteps):
        found = level_losses(mu, bank, index)
        level = level_row(schedule, index)
        train, test = found["train_loss"].tolist(), found["test_loss"].tolist()
        for row, a, b in zip(rows, train, test, strict=True):
            row.append(level | {"train_loss": a, "test_loss": b})
    return rows


def _differences(family: Family, bank: Bank) -> list[list[dict[str, float]]]:
    """Differences from the denoisers of the family's partner, one list a filter."""
    draw, other, schedule = family.draw, family.halves.other, bank.schedule
    found = {
        index: differences(draw, other, bank, index)
        for index in log_levels(schedule.timesteps, FEW_LEVELS)
    }
    exact = np.full(draw.d, np.nan)
    return [
        difference_rows(
            schedule, draw.spectrum, {i: (values[k], exact) for i, values in found.items()}
        )
        for k in range(len(bank.trainings))
    ]


def _agreement(family: Family, filters: Filters, evaluated: Evaluated) -> Array:
    """Agreement with the family's partner, shape (F,); NaN where sampling adds noise of its own."""
    if not filters.noiseless:
        return np.full(len(filters.trainings), np.nan)
    first, second = (_root(filters, half) for half in (evaluated, _partner(family, filters)))
    return agreement(family.halves, first, second, filters.root_alpha_bar)


def _partner(family: Family, filters: Filters) -> Evaluated:
    """The filters on the nodes of the family's partner."""
    nodes = measure.of_draw(family.halves.other).nodes
    return make_table(filters, family.span).at(nodes)


def _root(filters: Filters, evaluated: Evaluated) -> Array:
    """What the samples' noise is multiplied by, on the nodes of a measure, shape (m, F).

    `ideal` maps noise by the root of the covariance, DDIM by P, whose square that is; of samplers
    with noise of their own the samples have that covariance, too.
    """
    if filters.sampler is not None and filters.noiseless:
        return evaluated.pointwise("P")
    root: Array = np.exp(evaluated.pointwise("log_v") / 2)
    return root


def _proximity(family: Family, filters: Filters, evaluated: Evaluated) -> dict[str, Array]:
    """Proximity bias of samples of each filter, with its standard error, shape (F,) each."""
    noise = white_noise(family)
    made = [
        vectors.generated_samples(draw, each, _root(filters, each), filters.root_alpha_bar, noise)
        for draw, each in (
            (family.draw, evaluated),
            (family.halves.other, _partner(family, filters)),
        )
    ]
    found = np.array([of_gaussians(family, pair) for pair in zip(*made, strict=True)])
    return {"proximity_bias": found[:, 0], "proximity_bias_se": found[:, 1]}


def _group_metrics(
    family: Family, filters: Filters, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """Metric columns of the cells of one schedule and sampler, arrays of shape (F,)."""
    draw, mu = family.draw, family.mu
    table = make_table(filters, family.span)
    evaluated = table.at(mu.nodes)
    result = common_metrics(family, filters, evaluated, wanted)
    result |= against_all(family, filters, result["test_loss"], wanted)
    if "agreement" in wanted:
        result["agreement"] = _agreement(family, filters, evaluated)
    if wanted & PROXIMITY:
        result |= _proximity(family, filters, evaluated)
    if "bures" in wanted:
        result["bures"] = vectors.bures(draw, evaluated, filters.root_alpha_bar)
    if "monte_carlo_gap" in wanted:
        rng = generator("monte_carlo_gap", **family.key)
        gap = vectors.monte_carlo_gap(draw, table.bank, rng)
        result["monte_carlo_gap"], result["monte_carlo_gap_se"] = gap
    if "levels" in wanted:
        result["levels"] = as_objects(_levels(mu, table.bank))
    if "differences" in wanted:
        result["differences"] = as_objects(_differences(family, table.bank))
    if "modes" in wanted:
        variances = np.exp(evaluated.pointwise("log_v")).T
        result["modes"] = as_objects(mode_rows(draw, mu, variances))
    return result


def _unstable(family: Family, filters: Filters) -> list[str | None]:
    """For each filter why its gradient descent diverges on this draw, or None."""
    if not filters.discrete:
        return [None] * len(filters.trainings)
    largest = filters.make_bank().largest_stable_rate(family.draw.eigenvalues.max(initial=0))
    return [
        f"gradient descent diverges: learning_rate = {training.learning_rate:g}, "
        f"largest stable {rate:.4g}"
        if training.discrete and training.learning_rate >= rate
        else None
        for training, rate in zip(filters.trainings, largest, strict=True)
    ]


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: Settings that the model cannot compute.
    """
    family = make_family(cells)
    if are_frozen(family.row):
        return linear_noises.run(family, cells, wanted)
    message: list[str | None] = [None] * len(cells)
    results = []
    for rows, filters in groups(cells):
        reasons = _unstable(family, filters)
        for row, reason in zip(rows, reasons, strict=True):
            message[row] = reason
        sound = [i for i, reason in enumerate(reasons) if reason is None]
        if not sound:
            continue
        if len(sound) < len(rows):
            filters = replace(filters, trainings=tuple(filters.trainings[i] for i in sound))
        metrics = _group_metrics(family, filters, frozenset(wanted))
        results.append(([rows[i] for i in sound], metrics))
    return as_table(cells, wanted, results, message)
