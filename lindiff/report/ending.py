"""What a job could not say itself: that it still runs, which limit killed it, or a full disk.

Run by the shell of a shard's job after its `lindiff run`, and by the main process for jobs that
ended together with their shell, as those do that a cluster kills for memory.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from lindiff.errors import machine_text
from lindiff.progress import BESIDE_MB, Progress, memory_limit
from lindiff.sweep.store import Shard, Store, read_header

# 128 + 9: the code of a process that SIGKILL ended, as a shell has it.
_KILLED = 137
# A disk with less space is full: a log, a report and a small part do not fit.
_LEAST_BYTES = 2**20


def memory(shard: Shard, attempt: int) -> int:
    """Memory of a shard's job in MB; grows with the attempt."""
    return (math.ceil(shard.bytes / 1e6) + BESIDE_MB) * attempt


def killed(store: Store, shards: Iterable[Shard]) -> list[str]:
    """A line for each shard that a process began and none finished or works on."""
    lines = []
    for shard in shards:
        report = store.read_progress(shard.name)
        if report is not None and report.broke_off() and not store.part(shard.name).exists():
            lines.append(f"{store.part(shard.name)}: {report.epitaph()}{_next(shard, report)}")
    return lines


def _next(shard: Shard, report: Progress) -> str:
    """What a retry asks for, where the job had a limit of memory."""
    if not report.limit:
        return ""
    attempt = max(1, round(report.limit / 1e6 / memory(shard, 1)))
    return f"; the next attempt asks for {memory(shard, attempt + 1):,} MB"


def earlier(store: Store, shards: Iterable[Shard]) -> list[str]:
    """A line if processes of an earlier run still compute shards of this one."""
    reports = [store.read_progress(shard.name) for shard in shards]
    alive = [r for r in reports if r is not None and r.alive(time.time())]
    if not alive:
        return []
    one = len(alive) == 1
    some = ", ".join(f"{r.shard} on {r.host} (process {r.pid})" for r in alive[:3])
    return [
        f"{len(alive)} {'job' if one else 'jobs'} of an earlier run still "
        f"{'computes' if one else 'compute'}: {some}{', …' if len(alive) > 3 else ''}; what they "
        "leave is used, and this run's jobs of the same shards wait for it"
    ]


def accounting() -> list[str]:
    """A line if this Slurm keeps no accounting, without which Snakemake may wait for ever."""
    command = ["scontrol", "show", "config"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    found = re.search(r"^AccountingStorageType\s*=\s*(\S+)", told.stdout, re.MULTILINE)
    if found is None or found[1] not in ("accounting_storage/none", "(null)"):
        return []
    return [
        f"this Slurm keeps no accounting (AccountingStorageType = {found[1]}), which Snakemake "
        "reads the ends of jobs from (sacct): with slurm-status-command: squeue it sees them as "
        "long as the controller remembers them (MinJobAge). If it waits although squeue shows no "
        "job: end it and start it again; what is finished is kept"
    ]


def no_space(results: Path) -> list[str]:
    """A line if nothing more can be written to a results folder."""
    try:
        found = os.statvfs(results)
    except OSError as error:
        return [machine_text(error)]
    if not os.access(results, os.W_OK):
        return [f"{results}: this folder cannot be written; make it writable and run again"]
    if found.f_bavail * found.f_frsize < _LEAST_BYTES or (found.f_files and not found.f_favail):
        return [
            f"{results}: no space left on its disk, so that logs may be empty; what was finished "
            "is kept: free some space and run again"
        ]
    return []


def main(spec: str, code: int) -> None:
    """Say in the job's log what a code of a signal means.

    Args:
        spec: The spec of the shard.
        code: The exit code of its `lindiff run`.
    """
    if code != _KILLED:
        return
    path = Path(spec)
    shard, store = read_header(path, "spec"), Store(path.parent.parent)
    report = store.read_progress(shard.name)
    if report is None:
        limit = memory_limit()
        known = f"; its job may use {limit / 1e6:,.0f} MB" if limit else ""
        print(f"{spec}: killed by signal 9 (SIGKILL){known}", file=sys.stderr)
        return
    print(f"{spec}: killed by signal 9 (SIGKILL): {report.epitaph()}{_next(shard, report)}",
          file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
