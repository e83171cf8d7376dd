"""How far a running shard is: a small file that its process rewrites every few seconds."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

INTERVAL = 2.0
PATIENCE = 30.0
# Above this share of its limit a job that ended without a word was killed for memory.
_FULL = 0.9
# What Snakemake's own processes take beside a job on a cluster node, in MB.
BESIDE_MB = 250


def duration(seconds: float) -> str:
    """``seconds`` as a person would say it: ``40 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    if seconds < 1:
        return "1 s"
    for limit, unit, text in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {text}"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


@dataclass(frozen=True)
class Progress:
    """A report on a shard.

    Attributes:
        shard: Name of the shard.
        done: Cells computed.
        total: Cells of the shard.
        started: Time of the start, seconds since the epoch.
        updated: Time of this report.
        seconds: Seconds of computation so far.
        host: Host of the process.
        pid: Its process id there.
        state: ``running``, ``finished`` or ``failed``.
        message: Why it failed; of a running one the last line of its training, if any.
        family_seconds: Seconds of each family, in the order of the spec; once finished.
        memory: Peak of the process's memory so far, bytes; 0 where the system does not tell.
        limit: Memory that its job may use, bytes; 0 where no cluster has set one.
        part: Beside `done`: of the cells that are trained now, those that the steps made amount to.
    """

    shard: str
    done: int
    total: int
    started: float
    updated: float
    seconds: float
    host: str
    pid: int
    state: str
    message: str = ""
    family_seconds: tuple[float, ...] = ()
    memory: int = 0
    limit: int = 0
    part: float = 0.0

    @property
    def share(self) -> float:
        """Share of the shard that is computed."""
        return (self.done + self.part) / max(self.total, 1)

    def broke_off(self) -> bool:
        """Whether its process ended without a word."""
        return self.state == "running" and not self.alive(time.time())

    def epitaph(self) -> str:
        """What is known of a process that ended without a word."""
        text = (
            f"a process on {self.host} ended without a word about "
            f"{duration(self.updated - self.started)} after its start"
        )
        if not self.memory:
            return text
        text += f"; by its last report it had used {self.memory / 1e6:,.0f} MB"
        if not self.limit:
            return f"{text}: stopped from outside, or the machine had no more memory"
        text += (
            f", beside some {BESIDE_MB} MB of Snakemake's own, of the {self.limit / 1e6:,.0f} MB "
            "that its job asked for"
        )
        if self.memory + BESIDE_MB * 1e6 > _FULL * self.limit:
            return f"{text}: out of memory"
        return f"{text}: cancelled, out of time, or out of memory that it took since"

    def alive(self, now: float) -> bool:
        """Whether a process still works on it: it reported lately and, on this host, exists."""
        if self.state != "running" or now - self.updated > PATIENCE:
            return False
        if self.host != socket.gethostname():
            return True
        return exists(self.pid)


def exists(pid: int) -> bool:
    """Whether a process exists here; one that is dead but not yet reaped does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # It exists and is another user's.
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # Gone meanwhile, unless there is no /proc here.
    return state not in "ZX"


def memory_limit() -> int:
    """Memory that this job of Slurm asked for, bytes; 0 elsewhere, where nothing enforces it.

    The rule `shard` says it: Snakemake's executor drops what Slurm tells.
    """
    text = os.environ.get("LINDIFF_MEM_MB", "") if "SLURM_JOB_ID" in os.environ else ""
    return int(text) * 2**20 if text.isdecimal() else 0


def machine_memory() -> int:
    """Memory of this machine, bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    """Peak of this process's memory, bytes; 0 where the system does not tell.

    Not `ru_maxrss`, which counts what the parent had when it forked.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def read_progress(path: Path) -> Progress | None:
    """The report at `path`; None if there is none that can be read.

    Nothing depends on a report: without it a part is as good as before, and its time unknown.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Progress(**(data | {"family_seconds": tuple(data["family_seconds"])}))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Heartbeat:
    """Writes the report of a shard while its block runs, by a thread, and a last one at its end.

    Attributes:
        done: Cells computed so far.
        family_seconds: Seconds of the families so far; the block appends to it.
    """

    def __init__(self, path: Path | None, shard: str, total: int) -> None:
        """Report to `path`, or nowhere if it is None."""
        self.done = 0
        self._call = 0
        self._heard = ("", 0.0)
        self.family_seconds: list[float] = []
        self._path = path
        self._shard = shard
        self._total = total
        self._started = time.time()
        self._works = True
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def hear(self, line: str, share: float) -> None:
        """Report a line of the training, and the share of it that is made, with the next beat."""
        self._heard = (line, share)

    def start(self, cells: int) -> None:
        """A call of `cells` cells begins."""
        self._call, self._heard = cells, ("", 0.0)

    def finish(self) -> None:
        """The call has ended."""
        self.done, self._call, self._heard = self.done + self._call, 0, ("", 0.0)

    def __enter__(self) -> Heartbeat:
        self._write("running")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        if kind is None:
            self._write("finished")
        else:
            self._write("failed", f"{kind.__name__}: {error}")

    def _beat(self) -> None:
        while not self._end.wait(INTERVAL):
            self._write("running")

    def _write(self, state: str, message: str = "") -> None:
        if self._path is None or not self._works:
            return
        now = time.time()
        line, share = self._heard
        report = Progress(
            shard=self._shard,
            done=self.done,
            total=self._total,
            started=self._started,
            updated=now,
            seconds=now - self._started,
            host=socket.gethostname(),
            pid=os.getpid(),
            state=state,
            message=message or (line if state == "running" else ""),
            family_seconds=tuple(self.family_seconds) if state == "finished" else (),
            memory=_peak(),
            limit=memory_limit(),
            part=share * self._call,
        )
        temporary = self._path.with_name(f".{self._path.name}.{report.host}-{report.pid}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # No fsync: a report lost in a power cut is replaced by the next run's.
            temporary.write_text(json.dumps(asdict(report)), encoding="utf-8")
            os.replace(temporary, self._path)
        except OSError as error:
            # Nothing depends on a report, so nothing fails for want of one.
            self._works = False
            print(f"{self._path}: cannot be written ({error}); going on", file=sys.stderr)
