"""What is said of jobs that were killed, that still run, and of a cluster without accounting."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from lindiff.progress import memory_limit
from lindiff.report import ending, resources
from lindiff.sweep.store import Shard
from tests.sweeps import Sweep


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Sweep, Shard]:
    sweep = Sweep(tmp_path)
    (shard,) = sweep.write(sweep.config(shard="60")).pending
    return sweep, shard


def report(sweep: Sweep, shard: Shard, **given: Any) -> None:
    """Leave the report of a process that computes the shard."""
    now = time.time()
    known = {
        "shard": shard.name, "done": 0, "total": 8, "started": now - 50, "updated": now - 40,
        "seconds": 10.0, "host": "node7", "pid": 1, "state": "running", "family_seconds": [],
    }  # fmt: skip
    sweep.store.progress_file(shard.name).write_text(json.dumps(known | given))


@pytest.mark.parametrize(
    ("memory", "limit", "words"),
    [
        (0, 0, "after its start"),
        (10**8, 0, "stopped from outside, or the machine had no more memory"),
        (10**8, 10**9, "cancelled, out of time, or out of memory that it took since"),
        (7 * 10**8, 10**9, "of the 1,000 MB that its job asked for: out of memory"),
    ],
)
def test_killed_jobs_are_named_with_their_limit(planned, memory, limit, words) -> None:
    sweep, shard = planned
    report(sweep, shard, memory=memory, limit=limit)
    (line,) = ending.killed(sweep.store, [shard])
    assert line.startswith(f"{sweep.store.part(shard.name)}: a process on node7 ended without")
    assert words in line
    assert ("the next attempt asks for" in line) == (limit > 0)


def test_the_next_attempt_asks_for_more(planned) -> None:
    sweep, shard = planned
    first = ending.memory(shard, 1)
    assert [ending.memory(shard, attempt) for attempt in (2, 3)] == [2 * first, 3 * first]
    report(sweep, shard, memory=first * 1e6, limit=int(first * 1e6))
    (line,) = ending.killed(sweep.store, [shard])
    assert line.endswith(f"; the next attempt asks for {2 * first:,} MB")


@pytest.mark.parametrize("given", [{"state": "finished"}, {"state": "failed"}])
def test_jobs_that_ended_with_a_word_are_not_named(planned, given) -> None:
    sweep, shard = planned
    report(sweep, shard, **given)
    assert ending.killed(sweep.store, [shard]) == []


def test_the_job_says_what_killed_it(planned, capsys, monkeypatch) -> None:
    """As the shell of the rule `shard` calls it: other codes have had their message."""
    sweep, shard = planned
    spec = str(sweep.store.spec(shard.name))
    ending.main(spec, 1)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("LINDIFF_MEM_MB", "1000")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert memory_limit() == 0
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert memory_limit() == 1000 * 2**20
    ending.main(spec, 137)
    assert "killed by signal 9 (SIGKILL); its job may use 1,049 MB" in capsys.readouterr().err
    report(sweep, shard, memory=10**9, limit=memory_limit())
    ending.main(spec, 137)
    assert "its job asked for: out of memory; the next attempt" in capsys.readouterr().err


def test_jobs_of_an_earlier_run_are_said(planned) -> None:
    sweep, shard = planned
    assert ending.earlier(sweep.store, [shard]) == []
    report(sweep, shard, updated=time.time(), host=socket.gethostname(), pid=os.getpid())
    (line,) = ending.earlier(sweep.store, [shard])
    assert line.startswith("1 job of an earlier run still computes: ")
    assert f"{shard.name} on {socket.gethostname()} (process {os.getpid()})" in line
    assert ending.killed(sweep.store, [shard]) == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [("accounting_storage/none", 1), ("(null)", 1), ("accounting_storage/slurmdbd", 0)],
)
def test_a_cluster_without_accounting_is_said(tmp_path, monkeypatch, kind, told) -> None:
    fake = tmp_path / "scontrol"
    fake.write_text(f"#!/bin/sh\necho 'AccountingStorageType   = {kind}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    lines = ending.accounting()
    assert len(lines) == told
    assert all(f"AccountingStorageType = {kind}" in line for line in lines)


def test_no_slurm_says_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ending.accounting() == []


def test_tables_with_lists_reserve_their_memory(tmp_path) -> None:
    sweep = Sweep(tmp_path)
    sizes = []
    for metrics in ("[test_loss]", "[test_loss, levels]", "[test_loss, modes]"):
        text = "{d: 256, n: 512, spectrum: isotropic, ridge: {log: [1.0e-4, 1, 1000]}}"
        defaults = f"{{model: linear_exact, seed: {{range: [0, 5]}}, metrics: {{only: {metrics}}}}}"
        plan = sweep.plan(sweep.config(text, defaults=defaults))
        sizes.append(resources.table_memory(plan, 1))
        assert resources.table_memory(plan, 2) == 2 * sizes[-1]
    assert sizes[1] - sizes[0] == pytest.approx(5000 * 25 * 160 / 1e6, abs=1.1)
    assert sizes[2] - sizes[0] == pytest.approx(5000 * 257 * 160 / 1e6, abs=1.1)
