"""Attack a small sweep many times and say how it came out.

    python -m tests.faults KIND [--count N] [--seed S] [--folder FOLDER]

KIND is one of `calls`, `gone`, `full` (calls on files that fail once, from one on, or for want of
space), `kills` (at such a call), `renames` (kills there), `flips` (of one bit of a file), or `all`.
Without --count every place is tried once, and 1,000 bits.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.victim import Victim, hasten, in_child

READS, WRITES, RENAMES = 1, 2, 4
ONCE, ALWAYS, DIE = 0, 1, 2
# What is counted and struck, how, and with which error.
CALLS = {
    "calls": (READS | WRITES, ONCE, errno.EIO),
    "gone": (READS | WRITES, ALWAYS, errno.EIO),
    "full": (WRITES, ALWAYS, errno.ENOSPC),
    "kills": (READS | WRITES, DIE, 0),
    "renames": (RENAMES, DIE, 0),
}
KINDS = (*CALLS, "flips")


def build(folder: Path) -> Path:
    """The library that strikes, compiled."""
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass
class Report:
    """How the attacks came out.

    Attributes:
        outcomes: Number of attacks of each outcome.
        wrong: What was not as it must be, a line each.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def text(self, kind: str) -> str:
        """As JSON."""
        number = sum(self.outcomes.values())
        data = {"kind": kind, "attacks": number, **self.outcomes, "wrong": self.wrong}
        return json.dumps(data, indent=1)


@dataclass(frozen=True)
class Undisturbed:
    """What every attacked sweep must end with, and the states that it is attacked in.

    Attributes:
        empty: Nothing has run.
        half: Some shards have, one was killed while it trained.
        whole: All is done.
    """

    empty: Victim
    half: Victim
    whole: Victim

    @classmethod
    def make(cls, folder: Path, shim: ctypes.CDLL | None) -> Undisturbed:
        """Make all, in this process: the forks find its tables of filters and its code read."""
        empty = Victim(folder / "empty")
        empty.create()
        whole = empty.copy(folder / "whole")
        whole.run()
        half = empty.copy(folder / "half")
        half.run(most=2)
        if shim is not None:
            # Killed by its last rename: checkpoints are there, the part is not.
            interrupted(half, shim, folder / "log")
        return cls(empty, half, whole)

    def wrong(self, victim: Victim) -> str:
        """In which way the tables of a victim are not the undisturbed ones; nothing if they are."""
        if victim.rows() != self.whole.rows():
            return "other rows"
        return "" if victim.levels() == self.whole.levels() else "other levels"


def interrupted(victim: Victim, shim: ctypes.CDLL, log: Path) -> None:
    """Kill the next trained shard of a victim after some of its checkpoints."""
    for at in range(1, 200):
        shim_at = at

        def work(at: int = shim_at) -> None:
            shim.arm(str(victim.results / "store/checkpoints").encode(), RENAMES, at, DIE, 0)
            victim.run(most=None)

        if in_child(work, log) == 0:
            break
        if list(victim.store.checkpoints.rglob("*.safetensors")):
            break


def chosen(total: int, given: argparse.Namespace) -> list[int]:
    """Which calls are to fail: each in turn, `count` of them at random, or those given."""
    places = list(range(1, total + 1))
    if given.at:
        return [at for at in given.at if at <= total]
    if given.count is None:
        return places
    if given.count < total:
        return sorted(random.Random(given.seed).sample(places, given.count))
    return [places[i % total] for i in range(given.count)]


def strike(kind: str, known: Undisturbed, shim: ctypes.CDLL, given: argparse.Namespace,
           folder: Path, report: Report) -> None:  # fmt: skip
    """Let calls on files fail, one at a time, and run plainly after each."""
    kinds, manner, number = CALLS[kind]
    total = counted(known, shim, kinds, folder)
    for at in chosen(total, given):
        victim = known.empty.copy(folder / "victim")

        def work(at: int = at, victim: Victim = victim) -> None:
            shim.arm(str(victim.results).encode(), kinds, at, manner, number)
            victim.run()

        code = in_child(work, folder / "log")
        what = f"{kind} {at} of {total}"
        said = (folder / "log").read_text(errors="replace").strip()
        if code == 1 or (code < 0 and manner != DIE):
            report.wrong.append(f"{what}: exit code {code}: {said[-2000:]}")
        before = victim.parts()
        if victim.store.damaged.exists():
            report.wrong.append(f"{what}: moved {os.listdir(victim.store.damaged)}: {said}")
        recovered(victim, known, what, 1, folder, report)
        after = victim.parts()
        if {name: after.get(name) for name in before} != before:
            report.wrong.append(f"{what}: a finished part was lost or changed")
        report.outcomes[f"exit code {code}"] += 1


def counted(known: Undisturbed, shim: ctypes.CDLL, kinds: int, folder: Path) -> int:
    """Number of calls of a whole sweep."""
    victim = known.empty.copy(folder / "victim")

    def work() -> None:
        shim.arm(str(victim.results).encode(), kinds, 0, ONCE, 0)
        victim.run()
        (folder / "count").write_text(str(shim.calls()))

    if in_child(work, folder / "log") != 0:
        raise RuntimeError((folder / "log").read_text())
    return int((folder / "count").read_text())


def recovered(
    victim: Victim, known: Undisturbed, what: str, runs: int, folder: Path, report: Report
) -> int:
    """Run plainly up to `runs` times until it succeeds, and compare; how many runs it took."""
    said = []
    for tries in range(1, runs + 1):
        code = in_child(victim.run, folder / "log")
        said.append((folder / "log").read_text(errors="replace").strip())
        if code == 0:
            if wrong := known.wrong(victim):
                report.wrong.append(f"{what}: {wrong} after {tries} runs")
            return tries
        if code != 2:
            break
        act(said[-1])
    report.wrong.append(f"{what}: {code} after {len(said)} plain runs: {said}")
    return 0


def act(sentence: str) -> None:
    """Do what a refusal says, where it says to remove a file."""
    if "remove it, and it is written anew" in sentence or "remove this one file" in sentence:
        Path(sentence.partition(": ")[0]).unlink()


def flip(known: Undisturbed, count: int, seed: int, folder: Path, report: Report) -> None:
    """Flip one bit of one file of a finished or half-finished sweep, and run plainly."""
    rng = random.Random(seed)
    for _ in range(count):
        state = rng.choice(["half", "whole"])
        victim = getattr(known, state).copy(folder / "victim")
        kinds: dict[str, list[Path]] = {}
        for path in sorted(victim.results.rglob("*")):
            if path.is_file() and path.stat().st_size:
                kinds.setdefault(str(path.parent.relative_to(victim.results)), []).append(path)
        path = rng.choice(kinds[rng.choice(sorted(kinds))])
        data = bytearray(path.read_bytes())
        place, bit = rng.randrange(len(data)), rng.randrange(8)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        what = f"bit {bit} of byte {place} of {path.relative_to(victim.results)} ({state})"
        runs = recovered(victim, known, what, 3, folder, report)
        report.outcomes[f"right after {runs} runs" if runs else "not right"] += 1


def main(arguments: Sequence[str]) -> int:
    """The command line; 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("kind", choices=(*KINDS, "all"))
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", type=int, nargs="+", help="only these calls, of kinds that count")
    given = parser.parse_args(arguments)
    if "LINDIFF_SHIM" not in os.environ:
        return again(arguments)
    shim = ctypes.CDLL(os.environ["LINDIFF_SHIM"])
    shim.arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    shim.calls.restype = ctypes.c_long
    wrong = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        hasten()
        known = Undisturbed.make(folder, shim)
        for kind in KINDS if given.kind == "all" else (given.kind,):
            report = Report()
            if kind == "flips":
                flip(known, given.count or 1000, given.seed, folder, report)
            else:
                strike(kind, known, shim, given, folder, report)
            print(report.text(kind), flush=True)
            wrong |= bool(report.wrong)
    return int(wrong)


def again(arguments: Sequence[str]) -> int:
    """Start anew with the library that strikes preloaded."""
    with tempfile.TemporaryDirectory() as name:
        library = str(build(Path(name)))
        environment = os.environ | {"LINDIFF_SHIM": library, "LD_PRELOAD": library}
        # One thread: a fork has no other.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.faults", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
