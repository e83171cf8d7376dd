"""How far a config is: per experiment and in all, from the store and the reports of its shards."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns.arrays import Rows, as_text, places
from lindiff.config.resolve import Config
from lindiff.progress import Progress
from lindiff.report.pace import pace_of
from lindiff.report.searches import told
from lindiff.sweep.coverage import Coverage, Stale, cover
from lindiff.sweep.grid import Wanted, wanted
from lindiff.sweep.packing import Target, pack
from lindiff.sweep.plan import store_of
from lindiff.sweep.rounds import Arm, Rounds, rounds_of, with_rounds
from lindiff.sweep.store import DamagedError, Shard, Store, read_table

Mask = NDArray[np.bool_]

_TAIL = 3
# Finished parts whose times are read.
_SAMPLE = 200


@dataclass(frozen=True)
class Row:
    """The cells of an experiment.

    Attributes:
        name: Its name.
        wanted: Cells wanted.
        done: Those that have all their metrics.
        running: Those whose shard a process works on.
        computed: Those of `running` that are computed, but whose part is not written yet.
        waiting: The rest.
        bad: Number of finished cells of each status but ``ok``.
    """

    name: str
    wanted: int
    done: int
    running: int
    computed: int
    waiting: int
    bad: dict[str, int]


@dataclass(frozen=True)
class Job:
    """A shard that is not finished and has a report or a log.

    Attributes:
        shard: Its name.
        state: ``running``, ``dead or queued`` (its last report is old, or its process is gone) or
            ``failed``.
        done: Cells computed when it last reported.
        total: Its cells.
        age: Seconds since its last report.
        host: Where it runs or ran.
        message: Why it failed, or the end of its log.
    """

    shard: str
    state: str
    done: int
    total: int
    age: float
    host: str
    message: str


@dataclass(frozen=True)
class Status:
    """How far a config is.

    Attributes:
        config: Its name.
        rows: One row an experiment, and one of all, whose cells are counted once.
        jobs: Unfinished shards that have started.
        failures: Messages of finished cells that are not ok, with their numbers, most first.
        failed_parts: Files of the finished parts that have failed cells.
        stale: Finished cells of older code.
        damaged: Names of damaged parts.
        shards: Number of shards that are not finished.
        seconds_left: Estimated computation that is left, on one core.
        time_left: The same divided by the processes that run now, or else the cores.
        rounds: How far searches along refined axes are; None without any. What is left is of this
            round.
        searches: A line for each of them.
        calibration: Measured over estimated seconds of finished shards and of what running ones
            have computed; 1 where none is known.
    """

    config: str
    rows: tuple[Row, ...]
    jobs: tuple[Job, ...]
    failures: tuple[tuple[str, int], ...]
    failed_parts: tuple[str, ...]
    stale: tuple[Stale, ...]
    damaged: tuple[str, ...]
    shards: int
    seconds_left: float
    time_left: float
    calibration: float
    rounds: Rounds | None = None
    searches: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Seen:
    """What changes only with the files of the store: cells, searches, coverage, shards."""

    files: tuple[str, ...]
    config: Config
    grid: Wanted
    arms: tuple[Arm, ...]
    found: Coverage
    shards: list[tuple[Shard, Rows]]
    bad: dict[tuple[str, str], Rows]
    failed_parts: tuple[str, ...]


class Watcher:
    """Reads the status of a config, again and again; what has not changed is not read anew."""

    def __init__(self, config: Config, results: Path) -> None:
        """Watch `config` in the folder `results`."""
        self._config = config
        self._results = Path(results)
        self._last: _Seen | None = None

    def look(self) -> Status:
        """The status now; reads only.

        Raises:
            InputError: The store was written by a newer lindiff.
        """
        store = store_of(self._results)
        folders = (store.parts, store.specs)
        files = tuple(sorted(str(path) for folder in folders for path in folder.glob("*.parquet")))
        if self._last is None or self._last.files != files:
            self._last = self._see(store, files)
        logs = self._results / self._config.name / "logs"
        return _status(self._config, store, logs, self._last)

    def _see(self, store: Store, files: tuple[str, ...]) -> _Seen:
        config, arms = with_rounds(self._config, store)
        last = self._last
        grid = last.grid if last is not None and last.config == config else wanted(config)
        found = cover(grid, store, config, refuse=False)
        ids = grid.cells["cell_id"].combine_chunks()
        shards = [(shard, found.rows[shard.name]) for shard in found.pending]
        target = Target(config.target_seconds, config.target_bytes)
        shards += pack(grid.cells, found.lack, target, found.fingerprints)
        return _Seen(files, config, grid, arms, found, shards, *_bad(ids, store, found))


def _bad(
    ids: pa.Array, store: Store, found: Coverage
) -> tuple[dict[tuple[str, str], Rows], tuple[str, ...]]:
    """The finished cells that are not ok, by status and message, and the parts with failed ones."""
    groups: dict[tuple[str, str], list[int]] = {}
    failed: dict[str, None] = {}
    for name in found.reuse:
        try:
            part = read_table(store.part(name), ["cell_id", "status", "message"])
        except DamagedError:
            continue  # Damaged since: the next look finds it among the damaged ones.
        part = part.filter(pc.not_equal(as_text(part["status"]), "ok"))
        pairs = zip(part["status"].to_pylist(), part["message"].to_pylist(), strict=True)
        for row, (status, message) in zip(places(part["cell_id"], ids), pairs, strict=True):
            if row < 0:
                continue
            groups.setdefault((status, message or ""), []).append(int(row))
            if status == "failed":
                failed[str(store.part(name))] = None
    bad = {key: np.unique(np.array(rows, np.int64)) for key, rows in sorted(groups.items())}
    return bad, tuple(failed)


def _status(config: Config, store: Store, logs: Path, seen: _Seen) -> Status:
    now = time.time()
    grid = seen.grid
    running = np.zeros(len(grid.cells), bool)
    computed = np.zeros(len(grid.cells), bool)
    jobs: list[Job] = []
    reports: list[Progress | None] = []
    for shard, rows in seen.shards:
        report = store.read_progress(shard.name)
        job = _job(shard, report, logs / f"{shard.name}.log", now)
        works = job is not None and job.state == "running"
        reports.append(report if works else None)
        if job is not None:
            jobs.append(job)
            if job.state == "running":
                running[rows] = True
                computed[rows[: job.done]] = True
    pace = pace_of(
        zip((shard for shard, _ in seen.shards), reports, strict=True),
        times=_times(store, seen.found.reuse),
    )
    done = seen.found.missing == 0
    running &= ~done
    everything = np.arange(len(grid.cells))
    rows_of = [*grid.experiments.items(), ("all", everything)]
    failures = {message: len(rows) for (_, message), rows in seen.bad.items()}
    return Status(
        config=config.name,
        rows=tuple(
            _row(name, rows, done, running, running & computed, seen.bad) for name, rows in rows_of
        ),
        jobs=tuple(jobs),
        failures=tuple(sorted(failures.items(), key=lambda item: (-item[1], item[0]))),
        failed_parts=seen.failed_parts,
        stale=seen.found.stale,
        damaged=tuple(sorted(seen.found.damaged)),
        shards=len(seen.shards),
        seconds_left=pace.left,
        time_left=pace.seconds,
        calibration=pace.calibration,
        rounds=rounds_of(seen.arms),
        searches=tuple(told(arm) for arm in seen.arms),
    )


def _row(
    name: str,
    rows: Rows,
    done: Mask,
    running: Mask,
    computed: Mask,
    bad: dict[tuple[str, str], Rows],
) -> Row:
    count: dict[str, int] = {}
    for (status, _), cells in bad.items():
        count[status] = count.get(status, 0) + len(np.intersect1d(cells, rows))
    finished, active = int(done[rows].sum()), int(running[rows].sum())
    return Row(
        name=name,
        wanted=len(rows),
        done=finished,
        running=active,
        computed=int(computed[rows].sum()),
        waiting=len(rows) - finished - active,
        bad={status: number for status, number in count.items() if number},
    )


def _job(shard: Shard, report: Progress | None, log: Path, now: float) -> Job | None:
    """What is known of an unfinished shard; None where it has not started."""
    tail = _tail(log)
    if report is None:
        if not tail:
            return None
        return Job(shard.name, "failed", 0, shard.cells, now - log.stat().st_mtime, "", tail)
    if report.state == "finished":
        return None  # Its part was removed since: it waits like any other.
    state = report.state
    if state == "running" and not report.alive(now):
        state = "dead or queued"
    message = report.message or ("" if state == "running" else tail)
    age = now - report.updated
    return Job(shard.name, state, report.done, report.total, age, report.host, message)


def _tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-_TAIL:])


def _times(store: Store, names: tuple[str, ...]) -> tuple[float, float]:
    """Estimated and measured seconds of the finished parts, a sample of them."""
    step = max(1, len(names) // _SAMPLE)
    return store.times(store.find_parts(names[::step])[0].values())
