"""The live line of a sweep: what it says, and that it is there on a terminal."""

from __future__ import annotations

import errno
import os
import pty
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lindiff.progress import Progress
from lindiff.report.live import Follower
from lindiff.report.pace import Pace, pace_of
from lindiff.sweep.store import Shard
from tests.sweeps import Sweep


def shard(name: str, cells: int, seconds: float) -> Shard:
    return Shard(name, "linear_exact", (), "", cells, 1, seconds, 10**8)


def report(name: str, done: float, total: int, seconds: float) -> Progress:
    return Progress(
        shard=name, done=int(done), total=total, started=0.0, updated=0.0, seconds=seconds,
        host=socket.gethostname(), pid=os.getpid(), state="running", part=done - int(done),
    )  # fmt: skip


def test_what_is_left_goes_by_what_was_measured():
    shards = [shard("a", 10, 100.0), shard("b", 30, 300.0), shard("c", 10, 100.0)]
    nothing = pace_of((one, None) for one in shards)
    assert (nothing.done, nothing.total, nothing.left, nothing.active) == (0, 50, 500.0, 0)
    # Twice as slow as estimated, by the finished one and by half of the one that runs.
    reports = [(shards[1], report("b", 15.0, 30, 300.0)), (shards[2], None)]
    half = pace_of(reports, finished=10, times=(100.0, 200.0))
    assert (half.done, half.total, half.active) == (25, 50, 1)
    assert half.calibration == 2
    assert half.left == half.seconds == 2 * (150 + 100)
    # On as many cores as have a shard, where nothing runs yet.
    assert nothing.seconds == 500 / min(os.cpu_count() or 1, 3)


def test_a_training_of_one_call_counts_by_its_steps():
    one = shard("a", 7, 70.0)
    some = pace_of([(one, report("a", 3.5, 7, 70.0))])
    assert some.done == 3.5
    assert some.left == pytest.approx(70.0)


def test_the_line_has_cells_rate_and_time_left():
    follower = Follower(Path("nowhere"), "tiny")
    assert follower.look() is None
    pace = Pace(done=100, total=4000, left=100.0, active=2, waiting=5, calibration=1.0)
    assert follower.words(pace, 10.0) == "100 of 4,000 cells, 50 s left"
    pace = replace(pace, done=800, left=80.0)
    assert follower.words(pace, 20.0) == "800 of 4,000 cells, 70 a second, 40 s left"
    # The rate is that of the last half minute.
    pace = replace(pace, done=803)
    assert follower.words(pace, 50.0) == "803 of 4,000 cells, 6.0 a minute, 40 s left"
    assert follower.words(replace(pace, done=4000), 51.0).startswith("4,000 of 4,000 cells, ")
    assert "left" not in follower.words(replace(pace, done=4000), 52.0)


def test_the_line_speaks_of_one_round_of_a_refined_axis(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    search = "{refine: test_loss, at: 0.5, between: [4, 64], start: 3}"
    sweep.write(sweep.config(f"{{d: 4, n: {search}}}", name="tiny"))
    follower = Follower(sweep.results, "tiny")
    pace = follower.look()
    assert pace is not None
    assert re.fullmatch(
        r"round 1 of \d at most: 0 of 6 cells, .* left in this round", follower.words(pace, 1.0)
    )


def test_a_look_counts_finished_shards_once_and_outlives_a_failing_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep(tmp_path)
    config = sweep.config("{d: 4, n: [3, 8, 16]}", shard="1.0e-3")
    plan = sweep.write(config)
    follower = Follower(sweep.results, config.name)
    before = follower.look()
    assert before is not None
    assert (before.done, before.total, before.active) == (0, plan.wanted, 0)
    sweep.compute(plan)
    for _ in range(2):
        after = follower.look()
        assert after is not None
        assert (after.done, after.total, after.left) == (plan.wanted, plan.wanted, 0)

    def fail(self: object) -> None:
        raise OSError(errno.EIO, "it fails")

    monkeypatch.setattr("lindiff.report.live.Look.now", fail)
    assert follower.look() is None


CONFIG = """\
defaults: {model: linear_exact, seed: {range: [0, 60]}, sampler: ddpm_beta}
experiments: {one: {d: [64, 128], n: [64, 256], ridge: {log: [1.0e-3, 1, 30]}}}
"""


@pytest.mark.slow
def test_a_terminal_shows_one_line_and_no_line_a_job(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lindiff.cli", "sweep", "tiny.yaml"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert process.wait(timeout=60) == 0, text
    assert re.search(r"[\d,]+ of 7,200 cells", text), text
    assert re.search(r"left", text), text
    assert "Finished jobid" not in text
    assert "table:    results/tiny/metrics.parquet" in text
