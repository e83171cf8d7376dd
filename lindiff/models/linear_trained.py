"""The linear denoiser that is trained: one matrix a noise level, with exact metrics.

By full gradient descent on the exact loss, which must meet `linear_exact` with a stop, or by an
optimizer on drawn rows and noise. Levels do not touch each other, so each chunk of them is trained
to the end, measured at every stop, handed to the samplers on their way from high noise to low, and
forgotten (docs/theory.md, "Trained denoisers").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from lindiff.columns import EXACT_DESCENT
from lindiff.columns.arrays import steps_made
from lindiff.models import linear_frozen
from lindiff.models.linear_cells import (
    Filters,
    are_frozen,
    groups,
    level_rows,
    loss_weights,
    noises_of,
    training_of,
)
from lindiff.models.linear_family import (
    Family,
    as_objects,
    make_family,
    mode_rows,
    of_data,
    to_table,
    training_key,
)
from lindiff.models.measured import compared, diverged, finite
from lindiff.models.proximity import PROXIMITY, of_gaussians, white_noise
from lindiff.science import matrices
from lindiff.science.draws import Draw
from lindiff.science.filters import Bank
from lindiff.science.matrices import Generation
from lindiff.science.schedule import Schedule
from lindiff.training.linear import descend
from lindiff.training.linear_noise import Levels, train_levels
from lindiff.training.sizes import BLOCK, CHUNK
from lindiff.training.task import Recipe, Run

Array = NDArray[np.float64]

# Without these a cell is nothing.
_ESSENTIAL = ("test_loss", "kl_model_data", "kl_data_model")


@dataclass(frozen=True, eq=False)
class Measured:
    """What one training run gave.

    Attributes:
        train: Train loss at each stop and level, shape (K, T).
        test: Test loss, shape (K, T).
        generated: For each sampler what it generates at each stop.
        failed: The first step whose loss is not finite, or None.
        unstable: Why it diverges whether or not its numbers are finite, or None.
    """

    train: Array
    test: Array
    generated: Mapping[Filters, Generation]
    failed: int | None
    unstable: str | None

    def reason(self, stop: int) -> str | None:
        """Why the model after `stop` steps has no metrics, or None."""
        if self.failed is None or stop < self.failed:
            return self.unstable
        return f"the loss is not finite at step {self.failed}"


def _unstable(
    row: dict[str, Any], draw: Draw, key: dict[str, object], schedule: Schedule
) -> str | None:
    """Why full gradient descent diverges on this draw, or None."""
    if row["optimizer"] != EXACT_DESCENT:
        return None
    bank = Bank(schedule, (training_of(row),))
    largest = float(bank.largest_stable_rate(draw.eigenvalues.max(initial=0))[0])
    if are_frozen(row):
        largest = linear_frozen.stable_rate(row, draw, key, schedule)
    if row["learning_rate"] < largest:
        return None
    return (
        f"gradient descent diverges: learning_rate = {row['learning_rate']:g}, "
        f"largest stable {largest:.4g}"
    )


def _by_descent(
    row: dict[str, Any], draw: Draw, schedule: Schedule, stops: Sequence[int], levels: range
) -> Levels:
    """Full gradient descent on the exact loss at some levels."""
    make = linear_frozen.as_tensors(row)
    alpha_bar, q = (make(a[levels.start : levels.stop]) for a in (schedule.alpha_bar, schedule.q))
    penalty, rate = (
        make(a[None, levels.start : levels.stop]) for a in linear_frozen.weighted(row, schedule)
    )
    covariance = make(matrices.training_covariance(draw))[None]
    found = descend(covariance, alpha_bar, q, penalty, rate, stops, ema=row["ema"])
    return Levels(torch.cat([weights for _, weights in found]))


def _run(row: dict[str, Any], draw: Draw, key: dict[str, object], schedule: Schedule) -> Run:
    """The run on drawn noise; its random numbers hang on the training set and `train_seed` only."""
    if draw.centred is None:
        raise ValueError(
            f"linear_trained with optimizer {row['optimizer']} needs the training samples: "
            "set `draw: samples`"
        )
    weights = loss_weights(row, schedule)
    return Run(
        rows=linear_frozen.as_tensors(row)(draw.centred),
        key=training_key(row, key),
        learning_rate=row["learning_rate"],
        weight_decay=row["weight_decay"] or 0.0,
        noises=noises_of(row),
        weights=None if weights is None else torch.as_tensor(weights),
    )


def _chunks(timesteps: int, size: int) -> Iterator[range]:
    """The levels from high noise to low, `size` at a time."""
    for stop in range(timesteps, 0, -size):
        yield range(max(0, stop - size), stop)


def trained(
    row: dict[str, Any],
    draw: Draw,
    key: dict[str, object],
    schedule: Schedule,
    stops: Sequence[int],
) -> Iterator[tuple[range, Levels]]:
    """W_t of one training run at each stop, chunks of levels from high noise to low.

    Args:
        row: Settings of the family.
        draw: The training set.
        key: What names it.
        schedule: The noise schedule.
        stops: Steps at which the model is wanted, ascending.

    Raises:
        ValueError: Noise is to be drawn for a draw without samples.
    """
    if row["optimizer"] == EXACT_DESCENT:
        size = max(1, CHUNK // draw.d**2)
        for levels in _chunks(schedule.timesteps, size):
            if are_frozen(row):
                yield levels, linear_frozen.descend(row, draw, key, schedule, stops, levels)
            else:
                yield levels, _by_descent(row, draw, schedule, stops, levels)
        return
    run = _run(row, draw, key, schedule)
    recipe = Recipe(
        steps=row["steps"],
        stops=tuple(stops),
        batch_size=row["batch_size"],
        optimizer=row["optimizer"],
        warm_up=row["warm_up"],
        decay=row["learning_rate_decay"],
        ema=row["ema"],
    )
    size = max(1, CHUNK // (draw.d * max(draw.d, BLOCK * recipe.batch_size)))
    for levels in _chunks(schedule.timesteps, size):
        yield levels, train_levels(run, recipe, schedule, levels)


def _measure(
    row: dict[str, Any],
    draw: Draw,
    key: dict[str, object],
    samplings: Sequence[Filters],
    stops: Sequence[int],
) -> Measured:
    """Train and measure one half; arguments as of `trained`, `samplings` its samplers."""
    schedule = samplings[0].make_schedule()
    train, test = np.full((2, len(stops), schedule.timesteps), np.nan)
    moment = matrices.population_moment(draw)
    generated, failed = _generations(samplings, draw, len(stops)), None
    unstable = _unstable(row, draw, key, schedule)
    for levels, found in trained(row, draw, key, schedule, stops):
        weights = found.weights.double().cpu().numpy()
        if found.failed is not None:
            failed = min(found.failed, failed or found.failed)
        part = slice(levels.start, levels.stop)
        train[:, part] = linear_frozen.of_training(row, draw, key, schedule, levels, weights)
        test[:, part] = matrices.losses(weights, schedule, levels, moment)
        for i in range(len(levels) - 1, -1, -1):
            for generation in generated.values():
                generation.step(weights[:, i], levels[i])
    return Measured(train, test, generated, failed, unstable)


def _generations(samplings: Sequence[Filters], draw: Draw, count: int) -> dict[Filters, Generation]:
    """For each sampler its start under `count` models."""
    found = {}
    for filters in samplings:
        sampler = filters.make_sampler()
        if sampler is None:
            raise ValueError("linear_trained has no `sampler: ideal`")
        found[filters] = Generation(sampler, filters.make_schedule(), draw, count)
    return found


def _cell(
    family: Family,
    filters: Filters,
    halves: Sequence[Measured],
    stop_index: int,
    wanted: frozenset[str],
) -> dict[str, NDArray[Any]]:
    """The metrics of one cell, arrays of shape (1,).

    Args:
        family: The family.
        filters: Schedule and sampler.
        halves: The model's training run, and its partner's if there is one.
        stop_index: Which of the stops.
        wanted: Names of the metric columns.
    """
    draw, train, test = family.draw, halves[0].train[stop_index], halves[0].test[stop_index]
    generated, *others = (half.generated[filters].result(stop_index) for half in halves)
    optimum, fraction = of_data(family, filters.schedule)
    found = {"train_loss": train.mean(), "test_loss": test.mean(), "optimal_loss": optimum}
    found |= {"residual_loss": found["test_loss"] - optimum, "pool_fraction": fraction}
    kl = matrices.divergences(generated, draw.spectrum)
    found["kl_model_data"], found["kl_data_model"] = kl
    if "bures" in wanted:
        found["bures"] = matrices.bures(generated, draw.spectrum)
    found["agreement"] = np.nan
    for other in others:
        if filters.noiseless:
            found["agreement"] = matrices.agreement(generated, other)
    if wanted & PROXIMITY:
        found |= _proximity(family, generated, others)
    result = {name: np.array([value]) for name, value in found.items()}
    if "levels" in wanted:
        result["levels"] = as_objects([level_rows(filters.make_schedule(), train, test)])
    if "modes" in wanted:
        variances = matrices.node_variances(draw, generated)
        result["modes"] = as_objects(mode_rows(draw, family.mu, variances[None]))
    return result


def _proximity(
    family: Family, generated: matrices.Gaussian, others: Sequence[matrices.Gaussian]
) -> dict[str, float]:
    """The proximity bias of samples that are drawn from what both halves generate."""
    noise = white_noise(family)
    value, error = of_gaussians(family, [each.samples(noise) for each in (generated, *others)])
    return {"proximity_bias": value, "proximity_bias_se": error}


def _halves(
    family: Family, samplings: Sequence[Filters], stops: Sequence[int], wanted: frozenset[str]
) -> list[Measured]:
    """The training run of the family, and that of its partner where halves are to be compared."""
    halves = [_measure(family.row, family.draw, family.key, samplings, stops)]
    paired = [filters for filters in samplings if compared(filters) & wanted]
    if paired and halves[0].reason(stops[0]) is None:
        key = {**family.key, "half": 1}
        halves.append(_measure(family.row, family.halves.other, key, paired, stops))
    return halves


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family: one training run gives all stops and samplers.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: Settings that the model cannot compute.
    """
    family, samplings = make_family(cells), groups(cells)
    of_cell = steps_made(cells).to_pylist()
    stops = sorted(set(of_cell))
    halves = _halves(family, [filters for _, filters in samplings], stops, frozenset(wanted))
    status = ["ok"] * len(cells)
    message: list[str | None] = [None] * len(cells)
    results = []
    for rows, filters in samplings:
        able = [half for half in halves if filters in half.generated]
        for i in rows:
            reason, *others = [half.reason(of_cell[i]) for half in able]
            # Without a loss that was not finite there are numbers, of unstable descent too.
            if reason is None or able[0].failed is None:
                sound = [able[0], *(half for half in able[1:] if half.reason(of_cell[i]) is None)]
                found = _cell(family, filters, sound, stops.index(of_cell[i]), frozenset(wanted))
                message[i] = next((f"the other half: {text}" for text in others if text), None)
                reason = reason or diverged(found)
                if reason is None and np.isnan([found[name][0] for name in _ESSENTIAL]).any():
                    reason = "a divergence is not a number"
                if reason is not None:
                    reason, found = f"{reason} (after step {of_cell[i]})", finite(found)
                results.append(([i], found))
            if reason is not None:
                status[i], message[i] = "diverged", reason
    return to_table(cells, wanted, results, status, message)
