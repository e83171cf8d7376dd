"""Runs killed by SIGKILL while a shard runs, each finished by one plain run.

The kill lands at a random moment (seeded) and is checked to have landed while a shard ran: the
process group is stopped first, looked at, and let go on if no shard is running.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from lindiff.progress import read_progress
from tests.once import once
from tests.tables import differences
from tests.workflow.workspace import Workspace

log = logging.getLogger(__name__)

pytestmark = pytest.mark.slow

# A shard for each of twelve families; each builds the tables of its filters over all levels, which
# takes about as long as its process takes to start.
SLOW = {
    "shard": "{seconds: 1.0e-6}",
    "timesteps": "1000",
    "d": "16",
    "n": "[12, 24, 48]",
    "seed": "{range: [0, 4]}",
    "weight_decay": "{log: [1.0e-4, 1, 8]}",
    "experiments": "    stop: {log: [1, 1.0e+4, 16]}",
}
SHARDS = 12
_PASSED = 3  # shards of which the first to the last is the first that a kill may meet
_LATEST = 0.4  # seconds after which it comes
FAMILY = 8 * 16
CELLS = SHARDS * FAMILY


@dataclass(frozen=True)
class Landed:
    """Where a kill landed.

    Attributes:
        shard: A shard that ran.
        pid: Its process.
        phase: What it was doing.
    """

    shard: str
    pid: int
    phase: str


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> pa.Table:
    def make(folder: Path) -> None:
        workspace = Workspace(folder, repository)
        workspace.write(**SLOW)
        assert workspace.finish().jobs["shard"] == SHARDS

    return Workspace(once(tmp_path_factory, "undisturbed", make), repository).table()


@contextmanager
def started(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """The workflow in a process group of its own, of which nothing is left afterwards."""
    process = subprocess.Popen(
        workspace.command(),
        cwd=workspace.folder,
        env=workspace.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def members(group: int) -> dict[int, list[str]]:
    """Command lines of the living processes of a process group."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found[int(folder.name)] = command
    return found


def running_shard(workspace: Workspace, group: int) -> Landed | None:
    """A shard that a process of the group is at, in the stopped or running group."""
    for pid, command in members(group).items():
        if "run" in command and "--out" in command and "bash" not in command[0]:
            part = workspace.folder / command[command.index("--out") + 1]
            doing = phase(workspace, part, pid)
            if doing is not None:
                return Landed(part.stem, pid, doing)
    return None


def phase(workspace: Workspace, part: Path, pid: int) -> str | None:
    """What the process of a shard is doing; None if it is done but for its end."""
    if list(part.parent.glob(f".{part.name}.*.tmp")):
        return "writing its part"
    report = read_progress(workspace.results / f"store/progress/{part.stem}.json")
    if report is None or report.pid != pid:
        return "starting"
    if report.state == "finished":
        return None
    return f"computing (last report: {report.done} of {report.total} cells)"


def kill(
    workspace: Workspace,
    process: subprocess.Popen[bytes],
    rng: random.Random,
    orphans: bool = False,
    starting: bool = False,
) -> Landed:
    """Kill the group at a random moment at which a shard is being computed or written.

    Args:
        workspace: Where the group runs.
        process: Its leader, Snakemake.
        rng: Chooses the moment.
        orphans: Kill Snakemake alone.
        starting: Take also a moment at which the shard's process is still starting.
    """
    skip, latest = rng.randrange(_PASSED), _LATEST
    seen: set[int] = set()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it was killed"
        shard = running_shard(workspace, process.pid)
        if shard is not None and (starting or shard.phase != "starting"):
            seen.add(shard.pid)
        if len(seen) <= skip:
            time.sleep(0.01)
            continue
        time.sleep(rng.uniform(0, latest))
        os.killpg(process.pid, signal.SIGSTOP)
        landed = running_shard(workspace, process.pid)
        if landed is None or (landed.phase == "starting" and not starting):
            os.killpg(process.pid, signal.SIGCONT)
            latest /= 2  # sooner each time: shards that are short leave no other moment
            continue
        if orphans:
            process.kill()
            os.killpg(process.pid, signal.SIGCONT)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return landed
    pytest.fail("no shard was seen running")


def check_finished(workspace: Workspace, undisturbed: pa.Table) -> None:
    """One plain run ends in the table of an undisturbed run, and then there is nothing to do."""
    workspace.finish()
    assert len(workspace.rows()) == CELLS
    assert differences(undisturbed, workspace.table()) == []
    assert not list((workspace.results / "store/parts").glob(".*"))
    assert "Nothing to be done" in workspace.finish("-n").text


@pytest.mark.parametrize(
    "seeds",
    [(0, 1), *((s, s + 1, s + 2) for s in range(2, 14, 3))],
)
def test_killed_with_its_jobs(
    seeds: tuple[int, ...], tmp_path: Path, repository: Path, undisturbed: pa.Table
) -> None:
    """Killed again and again: what was finished before a kill stays as it is to the end."""
    workspace = Workspace(tmp_path, repository)
    workspace.write(**SLOW)
    kept: dict[str, bytes] = {}
    for seed in seeds:
        if SHARDS - len(kept) < 2 * _PASSED:
            break  # the run may end before one of the last shards is met at work
        with started(workspace) as process:
            landed = kill(workspace, process, random.Random(seed), starting=seed % 4 == 1)
        assert kept.items() <= workspace.parts.items()
        kept = workspace.parts
        log.warning("seed %d: killed while shard %s was %s; %d of %d parts were finished",
                    seed, landed.shard, landed.phase, len(kept), SHARDS)  # fmt: skip
    check_finished(workspace, undisturbed)
    assert kept.items() <= workspace.parts.items()


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_orphans_of_a_killed_run_are_waited_for(
    seed: int, tmp_path: Path, repository: Path, undisturbed: pa.Table
) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write(**SLOW)
    with started(workspace) as process:
        landed = kill(workspace, process, random.Random(seed), orphans=True)
        log.warning("seed %d: Snakemake killed while shard %s was %s", seed, landed.shard,
                    landed.phase)  # fmt: skip
        check_finished(workspace, undisturbed)
    # Both the orphan and the second run were asked for the shard; the orphan alone computed it.
    report = read_progress(workspace.results / f"store/progress/{landed.shard}.json")
    assert report is not None
    assert report.pid == landed.pid


@pytest.mark.parametrize("seeds", [(200, 201, 202), (203, 204, 205)])
def test_sigterm_stops_the_run_with_its_jobs(
    seeds: tuple[int, ...], tmp_path: Path, repository: Path, undisturbed: pa.Table
) -> None:
    """To Snakemake alone, at random moments, none of which may leave it waiting for itself."""
    workspace = Workspace(tmp_path, repository)
    workspace.write(**SLOW)
    for seed in seeds:
        rng = random.Random(seed)
        with started(workspace) as process:
            while running_shard(workspace, process.pid) is None:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 1.5))
            process.terminate()
            # A job takes longer than that only if it is not stopped; on a busy machine all is slow.
            assert process.wait(60) != 0
            assert members(process.pid) == {}
    check_finished(workspace, undisturbed)


def test_status_before_during_after_a_kill_and_at_the_end(
    tmp_path: Path, repository: Path, undisturbed: pa.Table
) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write(**SLOW)

    def counts() -> dict[str, int]:
        outcome = workspace.lindiff("status", "tiny.yaml", "--json")
        assert outcome.code == 0, outcome.text
        status = json.loads(outcome.text)
        one, everything = status["rows"]
        assert one["name"] == "one"
        assert one | {"name": "all"} == everything
        total = {key: one[key] for key in ("wanted", "done", "running", "waiting")}
        return total | {"shards": status["shards"], "left": status["seconds_left"] > 0}

    before = {"wanted": CELLS, "done": 0, "running": 0, "waiting": CELLS, "shards": SHARDS}
    assert counts() == before | {"left": True}
    assert not workspace.results.exists()
    with started(workspace) as process:
        reports_of = workspace.results / "store/progress"
        while running_shard(workspace, process.pid) is None or not list(reports_of.glob("*.json")):
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGSTOP)
        reports = [read_progress(path) for path in reports_of.glob("*.json")]
        alive = sum(r.total for r in reports if r is not None and r.state == "running")
        done = len(workspace.parts) * FAMILY
        during = counts()
        assert (during["done"], during["running"]) == (done, alive)
        assert during["waiting"] == CELLS - done - alive
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    killed = counts()
    assert (killed["done"], killed["running"]) == (done, 0)
    text = workspace.lindiff("status", "tiny.yaml").text
    assert alive == 0 or "dead or queued" in text
    check_finished(workspace, undisturbed)
    after = {"wanted": CELLS, "done": CELLS, "running": 0, "waiting": 0, "shards": 0}
    assert counts() == after | {"left": False}


@pytest.mark.parametrize("stage", ["collect", "figures", "answers", "page"])
@pytest.mark.parametrize("delay", [0.1, 0.6])
def test_killed_after_the_shards(
    stage: str, delay: float, tmp_path: Path, repository: Path
) -> None:
    """Killed while tables, a figure or a page are made: one plain run makes them whole."""
    workspace = Workspace(tmp_path, repository)
    figure = {"n": "[3, 8, 16]", "seed": "[0, 1]", "experiments": "    figures: [kl]\n"}
    workspace.write(metrics="[]", shard="{seconds: 60}", **figure)
    with started(workspace) as process:
        deadline = time.monotonic() + 120
        while not any(
            stage in command and "-c" not in command for command in members(process.pid).values()
        ):
            assert process.poll() is None, f"the run ended before {stage} was seen"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = workspace.parts
    assert kept
    workspace.finish()
    assert workspace.parts == kept
    folder = workspace.results / "tiny"
    made = {
        path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "logs"
    }
    assert {
        "metrics.parquet",
        "kl.pdf",
        "kl.png",
        "kl.tex",
        "kl.parquet",
        "answers.html",
        "index.html",
    } <= made
    assert not [name for name in made if name.startswith(".")]
    assert len(workspace.rows()) == 12
    assert "Nothing to be done" in workspace.finish("-n").text
