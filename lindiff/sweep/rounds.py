"""The rounds of refined axes: what is finished says which values come next.

Nothing of it is kept but the cells themselves: each plan looks at the store, and its config then
holds the values that all rounds so far have added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns import METRIC, SETTING
from lindiff.columns.arrays import Rows, places
from lindiff.columns.groups import REPEATS, SCHEDULE
from lindiff.config.refine import Added, Refinement
from lindiff.config.resolve import Config, Experiment
from lindiff.fingerprint import fingerprints
from lindiff.sweep.coverage import stale_policy
from lindiff.sweep.grid import in_order
from lindiff.sweep.search import Search, search
from lindiff.sweep.store import DamagedError, Shard, Store, read_table

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Not told beside what varies: the model has its own place, figures' captions have the schedule.
_UNTOLD = frozenset({"model", *SCHEDULE})


@dataclass(frozen=True)
class Arm:
    """A search for one combination of the settings beside the axis and the seeds.

    Attributes:
        experiment: The experiment's name.
        refinement: What is looked for.
        where: The model, and the other settings that have several values and an effect.
        found: How far it is.
        curves: The metric of each seed at each of ``found.asked``, shape (seeds, values); nan where
            a cell has none, or is not finished.
        repeats: Cells at each value.
        held: Other settings that have one value and an effect, and not their neutral value; without
            the schedule.
    """

    experiment: str
    refinement: Refinement
    where: dict[str, Any]
    found: Search
    curves: Array
    repeats: int
    held: Mapping[str, Any] = field(default_factory=dict)

    @property
    def more(self) -> int:
        """Cells at the most that later rounds may ask for."""
        left = max(self.refinement.most - len(self.found.asked), 0)
        return left * self.repeats if self.found.open else 0


@dataclass(frozen=True)
class Rounds:
    """How far the searches of a config are.

    Attributes:
        round: The latest round that one of them is in.
        most: Rounds at the most.
        open: Whether one may ask for more, once what it asked for is finished.
        more: Cells at the most that later rounds may ask for.
    """

    round: int
    most: int
    open: bool
    more: int

    @property
    def text(self) -> str:
        """``round 2 of 6 at most``."""
        return f"round {self.round} of {self.most} at most"


def rounds_of(arms: Sequence[Arm]) -> Rounds | None:
    """How far some searches are; None where there are none."""
    if not arms:
        return None
    return Rounds(
        round=max((arm.found.round for arm in arms if arm.found.open), default=0)
        or max(arm.found.round for arm in arms),
        most=max(arm.refinement.rounds for arm in arms),
        open=any(arm.found.open for arm in arms),
        more=sum(arm.more for arm in arms),
    )


def with_rounds(config: Config, store: Store) -> tuple[Config, tuple[Arm, ...]]:
    """The config with what all rounds so far have added, and every search; reads only.

    Args:
        config: A config; what was added to it before is left out.
        store: The store.
    """
    searched = [(e, e.refine) for e in config.experiments.values() if e.refine is not None]
    if not searched:
        return config, ()
    parts = store.find_parts()[0]
    arms: list[Arm] = []
    for experiment, refinement in searched:
        results = _Results(config, refinement.metric, store, parts)
        arms += [arm for model in experiment.searched for arm in _arms(experiment, model, results)]
    added: dict[str, tuple[Added, ...]] = {}
    for arm in arms:
        start = set(arm.refinement.start)
        values = [value for value in arm.found.asked if value not in start]
        if values:
            own = Added(where=arm.where, values=values)
            added[arm.experiment] = (*added.get(arm.experiment, ()), own)
    return config.with_added(added), tuple(arms)


def _arms(experiment: Experiment, model: str, results: _Results) -> list[Arm]:
    """The searches of one model: each round looks at no more values than the rounds have asked for.

    All that they may ever ask for are many times as many.
    """
    refinement = experiment.refine
    assert refinement is not None
    asked = set(refinement.start)
    while True:
        values = [value for value in dict.fromkeys(refinement.values) if value in asked]
        arms = list(_arms_at(experiment, model, values, results))
        more = {value for arm in arms for value in arm.found.asked} - asked
        if not more:
            return arms
        asked |= more


def _arms_at(
    experiment: Experiment, model: str, values: Sequence[Any], results: _Results
) -> Iterator[Arm]:
    """The searches of one model as far as some values of the axis lead them.

    Combinations that differ in settings without effect are one search.
    """
    refinement = experiment.refine
    assert refinement is not None
    dense, _ = experiment.at({"model": model}, values)
    axes = dense.axes_of(model)
    repeats = [name for name in REPEATS if name in axes]
    outer = [name for name in axes if name not in (*repeats, refinement.axis)]
    inner = math.prod(len(axes[name]) for name in repeats)
    cells, rows = _ordered(dense, model, [*outer, *repeats, refinement.axis])
    metric, finished = results.of(cells, model)
    shape = (*(len(axes[name]) for name in outer), inner, len(values))
    rows = rows.reshape(shape)
    seen: set[bytes] = set()
    for at in np.ndindex(*shape[:-2]):
        own = rows[at]
        if np.any(own < 0) or own.tobytes() in seen:
            continue  # A spectrum or a data set that has no such d, or the cells of another search.
        seen.add(own.tobytes())
        numbers = metric[own]
        found = search(refinement, _mean(values, numbers, finished[own]))
        chosen = {name: axes[name][i] for name, i in zip(outer, at, strict=True)}
        kept = [i for i, value in enumerate(values) if value in found.asked]
        seeds = tuple(axes.get("seed", [None]))
        cell = cells.slice(int(own.flat[0]), 1)
        yield Arm(
            experiment=experiment.name,
            refinement=refinement,
            where={
                name: value
                for name, value in chosen.items()
                if name == "model" or (len(axes[name]) > 1 and not _is_void(cell, name))
            },
            held={
                name: value
                for name, value in chosen.items()
                if _is_held(name, axes[name]) and not _is_void(cell, name)
            },
            found=found,
            curves=numbers[:, kept].reshape(len(seeds), -1, len(kept)).mean(axis=1),
            repeats=inner,
        )


def _is_void(cell: pa.Table, name: str) -> bool:
    """Whether a setting is null in a cell, where it has no effect."""
    return name in cell.column_names and cell[name].null_count > 0


def _is_held(name: str, values: Sequence[Any]) -> bool:
    """Whether a setting has one value and it is not the neutral one."""
    column = SETTING.get(name)
    neutral = column is not None and values[0] == column.neutral
    return len(values) == 1 and name not in _UNTOLD and not neutral


def _ordered(dense: Experiment, model: str, names: Sequence[str]) -> tuple[pa.Table, Rows]:
    """The cells of the product of axes, and which has each place in the order of `names`, flat.

    Of equal cells the first has all their places; where settings exclude each other it is -1.
    """
    axes = dense.axes_of(model)
    cells, place = in_order(dense, model)
    shape = [len(values) for values in axes.values()]
    rows: Rows = np.full(math.prod(shape), -1, np.int64)
    rows[place] = places(cells["cell_id"], cells["cell_id"].combine_chunks())
    order = [list(axes).index(name) for name in names]
    return cells, rows.reshape(shape).transpose(order).ravel()


def _mean(values: Sequence[Any], numbers: Array, finished: Mask) -> dict[Any, float]:
    """The mean over repetitions at each value whose cells are all finished; nan of none."""
    curve = {}
    for i, value in enumerate(values):
        if finished[:, i].all():
            own = numbers[~np.isnan(numbers[:, i]), i]
            curve[value] = float(own.mean()) if len(own) else float("nan")
    return curve


class _Results:
    """The metrics of finished cells, of which those of older code count only where they are kept.

    Where several parts have a cell, the first by name counts, as for the table.
    """

    def __init__(
        self, config: Config, metric: str, store: Store, shards: Mapping[str, Shard]
    ) -> None:
        self._config, self._metric, self._store, self._shards = config, metric, store, shards
        self._parts = lru_cache(self._read)

    def of(self, cells: pa.Table, model: str) -> tuple[Array, Mask]:
        """The metric of each cell, nan where it is null, and whether the cell is finished."""
        numbers, finished = np.full(len(cells), np.nan), np.zeros(len(cells), bool)
        ids = cells["cell_id"].combine_chunks()
        # Cells that are equal stand in several places, and `places` finds the first of them.
        first = places(cells["cell_id"], ids)
        current = fingerprints(cells)
        keep = stale_policy(self._config, model) == "keep"
        for older in (False, True) if keep else (False,):
            for part in self._parts(model):
                rows = places(part["cell_id"], ids)
                own = np.flatnonzero(rows >= 0)
                code = np.asarray(part["fingerprint"].cast("string").to_numpy())[own]
                rows = rows[own]
                new = ~finished[rows] & ((code != current[rows]) == older)
                found = np.asarray(part[self._metric].to_numpy(), np.float64)[own]
                numbers[rows[new]] = found[new]
                finished[rows[new]] = True
        return numbers[first], finished[first]

    def _read(self, model: str) -> list[pa.Table]:
        """Ids, fingerprints and the metric of the parts that have it."""
        metric, found = self._metric, []
        asked = METRIC[metric].part_of or metric
        for name, shard in sorted(self._shards.items()):
            if shard.model == model and asked in shard.metrics:
                try:
                    table = read_table(self._store.part(name), ["cell_id", "fingerprint", metric])
                except DamagedError:
                    continue  # Its cells are missing, as the plan says.
                found.append(table)
        return found
