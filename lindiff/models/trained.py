"""Networks that are trained, many at once, and measured as every denoiser is.

The cells of several families come together; each family is one training run, and its stops are
snapshots of that run (docs/theory.md, "Trained denoisers"). Training sets, held-out rows, noises of
the losses and of the samples are those of the other models, so that rows compare pairwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from lindiff import session
from lindiff.columns.arrays import family_rows, steps_made
from lindiff.columns.groups import GAUSSIAN, SCHEDULE
from lindiff.errors import is_of_machine
from lindiff.models.augmented import group_size
from lindiff.models.linear_cells import (
    IDEAL,
    Common,
    are_frozen,
    common,
    groups,
    loss_weights,
    make_filters,
    noises_of,
)
from lindiff.models.linear_family import Family, make_family, to_table, training_key, undefined
from lindiff.models.measured import (
    OF_SAMPLES,
    OF_TWO,
    Metrics,
    compared,
    diverged,
    finite,
    measure,
    of_schedule,
    reason,
)
from lindiff.models.proximity import training_points
from lindiff.science.denoisers import Denoiser, Pairs
from lindiff.science.pictures import picture_of
from lindiff.science.pools import make_pool
from lindiff.science.schedule import Schedule
from lindiff.training.devices import device_of
from lindiff.training.engine import train
from lindiff.training.forms import Form, make_network
from lindiff.training.frozen import frozen_noise
from lindiff.training.sizes import ACTIVATIONS, HELD
from lindiff.training.task import Network, Recipe, Run, views
from lindiff.training.watch import Watch, line

Array = NDArray[np.float64]

BETAS = (0.9, 0.99)


@dataclass(frozen=True, eq=False)
class Task:
    """One family on its way: its cells and what is trained for them.

    Attributes:
        cells: The cells of the family.
        family: Its draw and population.
        runs: The model, and its partner where halves are to be compared.
    """

    cells: pa.Table
    family: Family
    runs: tuple[Run, ...]

    @property
    def row(self) -> dict[str, Any]:
        """The settings of the first cell."""
        return self.family.row


def _recipe(shared: Common, stops: Sequence[int]) -> Recipe:
    return Recipe(
        steps=shared["steps"],
        stops=tuple(stops),
        batch_size=shared["batch_size"],
        optimizer=shared["optimizer"],
        betas=BETAS,
        warm_up=shared["warm_up"],
        decay=shared["learning_rate_decay"],
        ema=shared["ema"],
        dropout=shared["dropout"],
    )


@lru_cache(maxsize=8)
def _network(model: str, data: str, d: int, width: int, preconditioning: str) -> Network:
    """The network of a model, for pictures where the data are some."""
    picture = None if data == GAUSSIAN else picture_of(make_pool(data))
    return make_network(model, Form(d, width, preconditioning, picture))


def _make_run(
    row: dict[str, Any], points: Array, key: dict[str, object], dtype: torch.dtype
) -> Run:
    """One training run.

    Args:
        row: Settings of the family.
        points: The training set less its centre, shape (N, d).
        key: What names the training set.
        dtype: Of the training.
    """
    device = device_of(session.current().device)
    weights = loss_weights(row, make_filters(row, ()).make_schedule())
    return Run(
        rows=torch.as_tensor(points).to(device, dtype),
        key=training_key(row, key),
        learning_rate=row["learning_rate"],
        weight_decay=row["weight_decay"],
        scale=float(np.sqrt(np.mean(points**2))),
        noises=noises_of(row),
        weights=None if weights is None else torch.as_tensor(weights),
    )


def _task(cells: pa.Table, pair: bool, dtype: torch.dtype) -> Task:
    """The training runs of one family: the model and, of a pair, the one on the other half."""
    family = make_family(cells)
    runs = [_make_run(family.row, training_points(family), family.key, dtype)]
    if pair:
        other = family.halves.other.centred
        assert other is not None
        runs.append(_make_run(family.row, other, {**family.key, "half": 1}, dtype))
    return Task(cells, family, tuple(runs))


def as_denoiser(network: Network, parameters: Tensor, run: Run, schedule: Schedule) -> Denoiser:
    """The denoiser of one model.

    Args:
        network: Its form.
        parameters: Its parameters, shape (parameters,).
        run: Its run: precision, device and rms of its data.
        schedule: The noise schedule.
    """
    own = views(parameters.to(run.rows)[None], network.shapes)
    scale = run.rows.new_tensor([run.scale])
    sigma = np.sqrt(schedule.q / schedule.alpha_bar)

    # Rows at a time, by the network alone: of pictures all at once would not fit in the memory.
    block = max(1, ACTIVATIONS // network.kept)

    @torch.no_grad()
    def denoise(x: Array, index: int) -> Array:
        found = np.empty_like(x)
        for start in range(0, len(x), block):
            given = torch.as_tensor(x[start : start + block]).to(run.rows)[None]
            level = given.new_full(given.shape[:2], float(sigma[index]))
            made = network.predict(own, given, level, scale)[0]
            found[start : start + block] = made.double().cpu().numpy()
        return found

    return denoise


def _frozen(task: Task) -> Pairs | None:
    """The training points with the noises that the model was trained on; None where it had all."""
    if not are_frozen(task.row):
        return None
    points, run = training_points(task.family), task.runs[0]

    def pairs(rng: np.random.Generator, level: int, count: int) -> tuple[Array, Array]:
        index = rng.integers(len(points), size=count)
        copy = torch.as_tensor(rng.integers(int(run.noises), size=count))
        at = torch.full_like(copy, level)
        noise = frozen_noise(run.key, torch.as_tensor(index), at, copy, points.shape[1])
        return points[index], noise.double().numpy()

    return pairs


def _log(watch: Watch) -> None:
    session.current().log(line(watch), watch.share)


def _measured(
    task: Task,
    network: Network,
    snapshots: Mapping[int, Tensor],
    failed: Sequence[str | None],
    wanted: Sequence[str],
) -> pa.Table:
    """The rows of a family.

    Args:
        task: The family and its runs.
        network: Their form.
        snapshots: Parameters at each step of a stop, shape (runs, parameters); nan from the step on
            at which a run failed.
        failed: Why each run did, or None.
        wanted: Names of the metric columns.
    """
    cells, results = task.cells, []
    message = [reason(task.family, wanted)] * len(cells)
    status = ["ok"] * len(cells)
    stops = steps_made(cells).to_pylist()
    of_stop: dict[int, Metrics] = {}
    frozen = _frozen(task)
    for rows, filters in groups(cells):
        for row in rows:
            stop = stops[row]
            sound = snapshots[stop].isfinite().all(dim=1).tolist()
            if not sound[0]:
                status[row], message[row] = "diverged", str(failed[0])
                continue
            denoise, *partner = (
                as_denoiser(network, own, run, filters.make_schedule())
                for own, run, fine in zip(snapshots[stop], task.runs, sound, strict=True)
                if fine
            )
            if not all(sound):
                message[row] = f"the other half: {failed[1]}"
            try:
                if stop not in of_stop:
                    of_stop[stop] = of_schedule(
                        task.family, filters.schedule, denoise, wanted, frozen, *partner
                    )
                found = dict(of_stop[stop])
                why = diverged(found)
                try:
                    asked = OF_SAMPLES & set(wanted)
                    found |= measure(task.family, filters, denoise, asked, *partner)
                except FloatingPointError as error:
                    why = f"{why}; {error}" if why else str(error)
                    found = {name: undefined(name, 1) for name in wanted} | found
                else:
                    pair = compared(filters) & {"agreement", "proximity_bias"}
                    if partner and any(np.isnan(found.get(name, 0)) for name in pair):
                        message[row] = "the other half: the generated samples are not finite"
            except Exception as error:
                if is_of_machine(error):
                    raise
                # Here, not around the call: the others of the batch would be trained again.
                status[row], message[row] = "failed", f"{type(error).__name__}: {error}"
                session.current().failures.add(cells["cell_id"][row].as_py(), error)
                continue
            if why is not None:
                status[row], message[row] = "diverged", f"{why} (after step {stop})"
                found = finite(found)
            results.append(([row], found))
    return to_table(cells, wanted, results, status, message)


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of families of one network, data set, dimension, schedule and recipe.

    Args:
        cells: Cells in the schema of `lindiff.columns.cell_schema`; their families differ in
            nothing but `Model.batched`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: A draw has no samples, the data are no pictures where they must be, or the cells
            differ in a setting of the training that is one for all.
    """
    members = family_rows(cells)
    shared = common(cells)
    stops = sorted(set(steps_made(cells).to_pylist()))
    names = ("model", "data", "d", "width", "preconditioning")
    network = _network(*(shared[name] for name in names))
    dtype = getattr(torch, shared["precision"])
    pair = bool(OF_TWO & set(wanted))
    first = cells.take(pa.array([rows[0] for rows in members])).to_pylist()
    largest = max(row["n"] * group_size(row) for row in first) * shared["d"]
    at_once = max(1, HELD // ((network.size * len(stops) + 3 * largest) * (1 + pair)))
    found = []
    for start in range(0, len(members), at_once):
        chunk = members[start : start + at_once]
        tasks = [_task(cells.take(pa.array(rows)), pair, dtype) for rows in chunk]
        found += _trained(tasks, network, shared, stops, wanted)
    order = np.argsort(np.concatenate(members))
    return pa.concat_tables(found).take(pa.array(order))


def _trained(
    tasks: Sequence[Task],
    network: Network,
    shared: Common,
    stops: Sequence[int],
    wanted: Sequence[str],
) -> list[pa.Table]:
    """Train the runs of all tasks together and measure each family."""
    recipe = _recipe(shared, stops)
    runs = [run for task in tasks for run in task.runs]
    settings = {name: shared[name] for name in SCHEDULE} | {"sampler": IDEAL}
    schedule = make_filters(settings, ()).make_schedule()
    folder = session.current().checkpoints
    if folder is not None:
        # Names of checkpoints tell shapes apart, not what is made of them.
        folder /= shared["preconditioning"]
    trained = train(network, runs, recipe, schedule, checkpoints=folder, watch=_log)
    tables, first = [], 0
    for task in tasks:
        own = range(first, first + len(task.runs))
        snapshots = {
            stop: trained.parameters[place, own.start : own.stop]
            for place, stop in enumerate(recipe.stops)
        }
        failed = [trained.failed.get(model) for model in own]
        tables.append(_measured(task, network, snapshots, failed, wanted))
        first += len(task.runs)
    return tables
