"""Many denoisers of one shape trained as one (docs/theory.md, "Trained denoisers").

Models are trained in packs, one pack after another (`lindiff.training.pack`). A pack that does not
fit in the memory is halved, a model whose numbers are not finite fails alone, and a training that
was killed goes on from the checkpoints of its packs.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lindiff.errors import is_out_of_memory
from lindiff.science.schedule import Schedule
from lindiff.training.checkpoint import Keeper
from lindiff.training.devices import models_at_once
from lindiff.training.pack import State, advance, begin
from lindiff.training.task import (
    Network,
    Recipe,
    Run,
)
from lindiff.training.watch import Reporter, Watch, silent


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gives.

    Attributes:
        stops: The recipe's stops.
        parameters: The parameters at each stop, shape (stops, models, parameters), on the CPU in
            the training's dtype; nan from a model's failure on.
        losses: Mean of the batches' losses since the stop before, shape (stops, models).
        failed: Models that were not trained to the end: their index and what happened.
    """

    stops: tuple[int, ...]
    parameters: Tensor
    losses: Tensor
    failed: dict[int, str]


def train(
    network: Network,
    runs: Sequence[Run],
    recipe: Recipe,
    schedule: Schedule,
    *,
    pack: int = 0,
    checkpoints: Path | None = None,
    watch: Callable[[Watch], None] = silent,
) -> Trained:
    """Trains every run on the ε-loss with drawn rows, levels and noise.

    Args:
        network: The form of all models.
        runs: The models; their rows are of one d, dtype and device.
        recipe: How they are trained.
        schedule: The noise schedule.
        pack: Models trained as one at the most; 1 is a loop over single trainings, 0 what suits
            the device.
        checkpoints: Folder for checkpoints, which no other process uses meanwhile; they stay until
            the caller removes them. None keeps none.
        watch: Called with the state of affairs, at most every `WATCH_SECONDS`.

    Raises:
        ValueError: No runs, or rows that do not fit together; dropout of a network that has none.
    """
    kinds = {(run.rows.shape[1:], run.rows.dtype, run.rows.device) for run in runs}
    if len(kinds) != 1:
        raise ValueError("runs must have rows of one d, dtype and device, and be at least one")
    if recipe.dropout and not network.droppable:
        raise ValueError("the network has no layer that dropout takes units of")
    shape = len(recipe.stops), len(runs)
    dtype = runs[0].rows.dtype
    trained = Trained(
        stops=recipe.stops,
        parameters=torch.full((*shape, network.size), torch.nan, dtype=dtype),
        losses=torch.full(shape, torch.nan, dtype=dtype),
        failed={},
    )
    size = pack or models_at_once(network, runs, recipe)
    todo = _packs(len(runs), size)
    done = 0
    while todo:
        models = todo.pop(0)
        reporter = Reporter(watch, done + 1, done + 1 + len(todo))
        part = slice(models.start, models.stop)
        state = _train_pack(network, runs[part], recipe, schedule, checkpoints, reporter)
        if state is not None:
            trained.parameters[:, part] = state.snapshots
            trained.losses[:, part] = state.losses
            trained.failed.update((models[m], why) for m, why in state.failed.items())
        elif len(models) == 1:
            # No property of the cell: its part waits for another try, which finds checkpoints.
            raise MemoryError(f"out of memory on {runs[part][0].rows.device}")
        else:
            todo[:0] = _halves(models)
            continue
        done += 1
    return trained


def _packs(models: int, size: int) -> list[range]:
    """As few packs of at most `size` as there can be, of near-equal sizes, the larger first."""
    count = math.ceil(models / size)
    ends = [math.ceil(models * i / count) for i in range(count + 1)]
    return [range(a, b) for a, b in itertools.pairwise(ends)]


def _halves(models: range) -> list[range]:
    middle = len(models) // 2
    print(
        f"out of memory with {len(models)} models as one; going on with {middle} and "
        f"{len(models) - middle}",
        file=sys.stderr,
        flush=True,
    )
    return [models[:middle], models[middle:]]


def _train_pack(
    network: Network,
    runs: Sequence[Run],
    recipe: Recipe,
    schedule: Schedule,
    checkpoints: Path | None,
    reporter: Reporter,
) -> State | None:
    """The pack's state at its end; None if it does not fit in the memory."""
    try:
        state = begin(network, runs, recipe)
        keeper = Keeper(checkpoints, network, runs, recipe, schedule) if checkpoints else None
        if keeper:
            keeper.load(state)
        reporter.start(state.step)
        before = state.step
        for losses in advance(network, runs, recipe, schedule, state):
            if keeper:
                keeper.save_if_due(state)
            reporter.tell(state.step, recipe.stops[-1], losses)
        if keeper and state.step > before:
            keeper.save(state)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return state
    # Here, after the handler, no frame of the failed attempt holds on to its memory.
    if runs[0].rows.is_cuda:
        torch.cuda.empty_cache()
    return None
