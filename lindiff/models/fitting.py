"""One trained model of a family with its denoiser: what `run` of its model does, and then forgets.

The numbers are those of a cell, since the code is (`lindiff.models.trained`,
`lindiff.models.linear_trained`); what is added is that the denoiser is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from lindiff.columns.arrays import steps_made
from lindiff.models import linear_frozen, linear_trained, trained
from lindiff.models.linear_cells import Filters, common, groups
from lindiff.models.linear_family import Family, to_table
from lindiff.models.measured import OF_TWO, PAIR, diverged, finite
from lindiff.models.proximity import training_points
from lindiff.science import matrices
from lindiff.science.denoisers import Denoiser
from lindiff.science.pictures import Picture
from lindiff.session import Session, session
from lindiff.training.devices import prepare
from lindiff.training.engine import train
from lindiff.training.forms import Form, make_network
from lindiff.training.task import Run

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model.

    Attributes:
        denoise: Its denoiser, of points less the centre of the training set.
        filters: Its schedule and sampler.
        measure: From names of metric columns to the cell's row, as a model's `run` returns it. What
            compares two models trains the one on the other half when it is first asked for.
        failed: Why it was not trained to the end, or None.
    """

    denoise: Denoiser
    filters: Filters
    measure: Callable[[Sequence[str]], pa.Table]
    failed: str | None


@contextmanager
def alone(device: str) -> Iterator[None]:
    """On that device and one core, as a job of a sweep, with the settings of torch put back after.

    Raises:
        ValueError: There is no such device.
    """
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.deterministic
    try:
        prepare(device)
        with threadpool_limits(1), session(Session(device)):
            yield
    finally:
        torch.set_num_threads(threads)
        cudnn.allow_tf32, cudnn.deterministic = before


def fit(cells: pa.Table, family: Family, picture: Picture | None) -> Fitted:
    """Train the model of one cell.

    Args:
        cells: The cell, a table of one row.
        family: Its family.
        picture: How the vectors are pictures, where they are.

    Raises:
        ValueError: The settings are none that the model can be trained with.
    """
    if family.row["width"] is None:
        return _linear(cells, family)
    return _network(cells, family, picture)


def _network(cells: pa.Table, family: Family, picture: Picture | None) -> Fitted:
    row, ((_, filters),) = family.row, groups(cells)
    (stop,) = steps_made(cells).to_pylist()
    form = Form(row["d"], row["width"], row["preconditioning"], picture)
    network = make_network(row["model"], form)
    points, dtype = training_points(family), getattr(torch, row["precision"])
    run = trained._make_run(row, points, family.key, dtype)
    recipe = trained._recipe(common(cells), [stop])
    schedule = filters.make_schedule()

    def trained_together(*runs: Run) -> tuple[trained.Task, Tensor, list[str | None]]:
        found = train(network, runs, recipe, schedule, watch=trained._log)
        failed = [found.failed.get(i) for i in range(len(runs))]
        return trained.Task(cells, family, runs), found.parameters[0], failed

    @cache
    def pair() -> tuple[trained.Task, Tensor, list[str | None]]:
        # Both again, as in a sweep: a batch of two may round otherwise than two of one.
        other = family.halves.other.centred
        assert other is not None
        key = {**family.key, "half": 1}
        return trained_together(run, trained._make_run(row, other, key, dtype))

    first = trained_together(run)

    def measure(wanted: Sequence[str]) -> pa.Table:
        task, parameters, failed = pair() if OF_TWO & set(wanted) else first
        return trained._measured(task, network, {stop: parameters}, failed, wanted)

    _, parameters, (failed,) = first
    denoise = trained.as_denoiser(network, parameters[0], run, schedule)
    return Fitted(denoise, filters, measure, failed)


def _linear(cells: pa.Table, family: Family) -> Fitted:
    row, draw, ((_, filters),) = family.row, family.draw, groups(cells)
    stops = steps_made(cells).to_pylist()
    schedule = filters.make_schedule()
    weights = np.empty((schedule.timesteps, draw.d, draw.d))
    failed: int | None = None
    for levels, found in linear_trained.trained(row, draw, family.key, schedule, stops):
        weights[levels.start : levels.stop] = found.weights[0].double().cpu().numpy()
        if found.failed is not None:
            failed = min(found.failed, failed or found.failed)

    @cache
    def partner() -> linear_trained.Measured:
        key = {**family.key, "half": 1}
        return linear_trained._measure(row, family.halves.other, key, [filters], stops)

    def measure(wanted: Sequence[str]) -> pa.Table:
        measured = _measured(family, filters, weights, failed)
        halves, message = [measured], None
        if PAIR & set(wanted) and measured.unstable is None:
            message = partner().reason(stops[0])
            halves += [partner()] if message is None else []
        result = linear_trained._cell(family, filters, halves, 0, frozenset(wanted))
        reason = measured.unstable or diverged(result)
        if reason is None and np.isnan([result[n][0] for n in linear_trained._ESSENTIAL]).any():
            reason = "a divergence is not a number"
        if reason is not None:
            reason, result = f"{reason} (after step {stops[0]})", finite(result)
        status = "ok" if reason is None else "diverged"
        message = reason or (message and f"the other half: {message}")
        return to_table(cells, wanted, [([0], result)], [status], [message])

    # Of W_t x the rows, as every denoiser has them.
    reason = None if failed is None else f"the loss is not finite at step {failed}"
    return Fitted(lambda x, index: x @ weights[index].T, filters, measure, reason)


def _measured(
    family: Family, filters: Filters, weights: Array, failed: int | None
) -> linear_trained.Measured:
    """What `linear_trained` measures while it trains, of the matrices of all levels (T, d, d)."""
    row, draw, schedule = family.row, family.draw, filters.make_schedule()
    levels = range(schedule.timesteps)
    train = linear_frozen.of_training(row, draw, family.key, schedule, levels, weights[None])
    test = matrices.losses(weights[None], schedule, levels, matrices.population_moment(draw))
    generated = linear_trained._generations([filters], draw, 1)
    for index in reversed(levels):
        generated[filters].step(weights[None, index], index)
    unstable = linear_trained._unstable(row, draw, family.key, schedule)
    return linear_trained.Measured(train, test, generated, failed, unstable)
