"""How fast a sweep goes, by what its shards have measured, and what of it is left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
        calibration: Measured over estimated seconds of what is computed; 1 where nothing is.
    """

    done: float
    total: int
    left: float
    active: int
    calibration: float

    @property
    def seconds(self) -> float:
        """Seconds left with the processes that run now, or else the cores."""
        return self.left / (self.active or os.cpu_count() or 1)


def pace_of(
    shards: Iterable[tuple[Shard, Progress | None]],
    finished: Sequence[Shard] = (),
    times: tuple[float, float] = (0.0, 0.0),
) -> Pace:
    """The pace of shards, of which some run and some are finished.

    Args:
        shards: Unfinished shards, with the reports of those that a process works on.
        finished: Finished ones that count too.
        times: Estimated and measured seconds of finished shards.
    """
    estimated, measured = times
    done = float(sum(shard.cells for shard in finished))
    total, active, waiting = int(done), 0, 0.0
    for shard, report in shards:
        share = 0.0 if report is None else min(report.share, 1.0)
        total += shard.cells
        done += share * shard.cells
        active += report is not None
        waiting += shard.seconds * (1 - share)
        if report is not None and share > _TELLING:
            estimated, measured = estimated + shard.seconds * share, measured + report.seconds
    calibration = measured / estimated if estimated > 0 and measured > 0 else 1.0
    return Pace(done, total, waiting * calibration, active, calibration)


def look(shards: Sequence[Shard], store: Store) -> Pace:
    """The pace of the shards of a run now; reads the reports of its store."""
    now, open_shards, finished = time.time(), [], []
    for shard in shards:
        if store.part(shard.name).exists():
            finished.append(shard)
            continue
        report = store.read_progress(shard.name)
        works = report is not None and report.alive(now)
        open_shards.append((shard, report if works else None))
    return pace_of(open_shards, finished, store.times(finished))
