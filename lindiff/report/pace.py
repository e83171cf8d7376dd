"""How fast a sweep goes, by what its shards have measured, and what of it is left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lindiff.files import names_in
from lindiff.progress import Progress
from lindiff.sweep.store import Shard, Store

# Share of a shard from which on its time says something of the rest.
_TELLING = 0.02


@dataclass(frozen=True)
class Pace:
    """What is left of some shards.

    Attributes:
        done: Cells computed, those of running shards too; of a training the share of its steps.
        total: Cells of all shards.
        left: Estimated seconds of computation left, on one core.
        active: Shards that a process works on.
        waiting: Unfinished shards that none works on.
        calibration: Measured over estimated seconds of what is computed; 1 where nothing is.
    """

    done: float
    total: int
    left: float
    active: int
    waiting: int
    calibration: float

    @property
    def seconds(self) -> float:
        """Seconds left with the processes that run now, or else as many as have a core."""
        return self.left / (self.active or max(min(os.cpu_count() or 1, self.waiting), 1))


def pace_of(
    shards: Iterable[tuple[Shard, Progress | None]],
    finished: int = 0,
    times: tuple[float, float] = (0.0, 0.0),
) -> Pace:
    """The pace of shards, of which some run and some are finished.

    Args:
        shards: Unfinished shards, with the reports of those that a process works on.
        finished: Cells of finished ones that count too.
        times: Estimated and measured seconds of finished shards.
    """
    estimated, measured = times
    done, total, active, waiting, left = float(finished), finished, 0, 0, 0.0
    for shard, report in shards:
        share = 0.0 if report is None else min(report.share, 1.0)
        total += shard.cells
        done += share * shard.cells
        active += report is not None
        waiting += report is None
        left += shard.seconds * (1 - share)
        if report is not None and share > _TELLING:
            estimated, measured = estimated + shard.seconds * share, measured + report.seconds
    calibration = measured / estimated if estimated > 0 and measured > 0 else 1.0
    return Pace(done, total, left * calibration, active, waiting, calibration)


class Look:
    """Looks at the shards of a run again and again; of a finished one it asks nothing any more."""

    def __init__(self, shards: Sequence[Shard], store: Store) -> None:
        """At `shards`, whose parts and reports are in `store`."""
        self._store, self._open = store, list(shards)
        self._finished, self._times = 0, (0.0, 0.0)

    def now(self) -> Pace:
        """The pace now."""
        parts = set(names_in(self._store.parts, ".parquet"))
        finished = [shard for shard in self._open if shard.name in parts]
        self._open = [shard for shard in self._open if shard.name not in parts]
        self._finished += sum(shard.cells for shard in finished)
        estimated, measured = self._store.times(finished)
        self._times = self._times[0] + estimated, self._times[1] + measured
        reported = set(names_in(self._store.progress, ".json"))
        now = time.time()
        reports = [
            self._store.read_progress(shard.name) if shard.name in reported else None
            for shard in self._open
        ]
        working = [report if report and report.alive(now) else None for report in reports]
        return pace_of(zip(self._open, working, strict=True), self._finished, self._times)
