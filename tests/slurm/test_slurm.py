"""The workflow through a real Slurm: the loopback cluster of `tests.slurm.cluster`.

Slow, and skipped where Slurm is not installed; LINDIFF_REQUIRE_SLURM=1 makes that a failure.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.report.searches import found
from lindiff.sweep.collect import collect
from lindiff.sweep.plan import plan_files, read_plan
from tests.slurm.cluster import Cluster, controller_down, missing, running
from tests.sweeps import Sweep
from tests.tables import compare

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "workflow" / "profiles" / "slurm"
TEST_PROFILE = ROOT / "tests" / "slurm" / "profile"
AUDIT = ROOT / "tests" / "slurm" / "audit"

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

# Several shards of two models, and figures: .ci/run takes the whole smoke config through Slurm.
SWEEP = """\
shard: {seconds: 0.5}
defaults: {seed: {range: [0, 4]}}
experiments:
  linear:
    model: linear_exact
    d: [8, 16]
    n_over_d: [0.25, 0.5, 1, 2, 4, 8]
    spectrum: [isotropic, {power_law: 1.0}]
    ridge: [0, 1.0e-2, 1.0e-1, 1]
    figures: [kl]
  trained:
    model: mlp
    d: 8
    n: [4, 64]
    spectrum: isotropic
    draw: samples
    timesteps: 100
    sampler: ddim
    width: 16
    steps: 60
    learning_rate: 1.0e-2
    figures: [transition_models]
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if lacking := missing():
        reason = f"Slurm is not installed here: {', '.join(lacking)}"
        if os.environ.get("LINDIFF_REQUIRE_SLURM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not in pytest's folder: the path of a socket has at most 107 characters.
    place = os.environ.get("LINDIFF_SLURM_STATE", "/tmp")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir=place) as state:
        Path(state).chmod(0o711)
        with running(Path(state) / "state") as started:
            yield started


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SWEEP)
    return path


def through_slurm(sweep: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(TEST_PROFILE), "--workflow-profile", str(PROFILE)),
        *("--config", f"sweep={sweep}"),
    ]


@pytest.fixture(scope="module")
def local(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which the sweep was run in this process."""
    folder = tmp_path_factory.mktemp("local")
    Sweep(folder).finish(load(sweep))
    return folder


@dataclass(frozen=True)
class Audited:
    """A run through Slurm, and what `tests/slurm/audit` logged."""

    folder: Path
    log: list[tuple[str, str, str]]
    states: dict[int, str]


@pytest.fixture(scope="module")
def audited(cluster: Cluster, sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    folder = tmp_path_factory.mktemp("remote")
    log = tmp_path_factory.mktemp("audit") / "log"
    environment = cluster.environment() | {"LINDIFF_AUDIT": str(log), "PYTHONPATH": str(AUDIT)}
    before = set(cluster.job_states())
    subprocess.run(
        through_slurm(sweep),
        cwd=folder,
        env=environment,
        check=True,
        timeout=1800,
        stdin=subprocess.DEVNULL,
    )
    states = {job: state for job, state in cluster.job_states().items() if job not in before}
    entries = [tuple(json.loads(line)) for line in log.read_text().splitlines()]
    return Audited(folder, entries, states)


def test_same_tables_as_a_local_run(audited: Audited, local: Path) -> None:
    assert compare(local / "results" / "small", audited.folder / "results" / "small") == []
    specs = len(list((audited.folder / "results" / "store" / "specs").iterdir()))
    assert specs > 1, "the sweep should make several shards"
    assert len(audited.states) > specs, "shards, collect and figures should be jobs"
    assert set(audited.states.values()) == {"COMPLETED"}


def test_parsing_in_a_job_writes_nothing(audited: Audited) -> None:
    parsed = {who for who, kind, what in audited.log if kind == "parse" and "rules/run.smk" in what}
    jobs = {str(job) for job in audited.states}
    assert "main" in parsed
    assert jobs <= parsed, "the audit should have seen every job parse the rules"
    # Snakemake itself fills its source cache in the home folder, and Python its __pycache__.
    inside = [
        what for _, kind, what in audited.log if kind == "write" and f" {audited.folder}" in what
    ]
    assert inside == []


def running_shard(cluster: Cluster, since: set[int], process: subprocess.Popen[bytes]) -> int:
    """Id of a job that runs a shard, as soon as there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before a shard was seen running"
        lines = cluster.client("squeue", "-h", "-t", "RUNNING", "-o", "%i %k").splitlines()
        for number, comment in (line.split(maxsplit=1) for line in lines):
            if int(number) not in since and "rule_shard" in comment:
                return int(number)
        time.sleep(0.1)
    pytest.fail(f"no shard ran within two minutes: {cluster.log_tail()}")


def test_cancelled_job_is_retried(
    cluster: Cluster, sweep: Path, local: Path, tmp_path: Path
) -> None:
    since = set(cluster.job_states())
    log = tmp_path / "snakemake.log"
    folder = tmp_path / "run"
    folder.mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(
            through_slurm(sweep),
            cwd=folder,
            env=cluster.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        cancelled = running_shard(cluster, since, process)
        cluster.client("scancel", str(cancelled))
        code = process.wait(timeout=1800)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
    text = log.read_text()
    assert code == 0, text
    assert cluster.job_states()[cancelled] == "CANCELLED"
    assert "Trying to restart job" in text
    assert compare(local / "results" / "small", folder / "results" / "small") == []
    parts = folder / "results" / "store" / "parts"
    specs = folder / "results" / "store" / "specs"
    assert {p.name for p in parts.iterdir()} == {s.name for s in specs.iterdir()}


# One shard of some seconds, and one that is also large.
LARGE = """\
shard: {seconds: 600}
experiments:
  one:
    model: linear_exact
    d: 2000
    n: 4000
    spectrum: {power_law: 1}
    seed: {range: [0, 6]}
"""
ONE = """\
experiments:
  one:
    model: linear_exact
    d: 256
    n: 512
    spectrum: isotropic
    ridge: [0, 1.0e-2]
    seed: {range: [0, 600]}
"""


def test_out_of_memory_is_named_and_the_next_attempt_asks_for_more(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The first attempt starts, and then draws more than it may; nobody in it can say so."""
    config = tmp_path / "one.yaml"
    # Well over 398 MB with the job's own Snakemake, well under 797, and for seconds: Slurm looks
    # once a second. With 315 MB a job may be killed before it has said that it is there.
    config.write_text(LARGE)
    done = subprocess.run(
        [*through_slurm(config), "--set-resources", "shard:mem_mb=380*attempt"],
        cwd=tmp_path, env=cluster.environment(), stdin=subprocess.DEVNULL, check=False,
        timeout=900, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "keeps no accounting" in done.stdout
    assert "Trying to restart job" in done.stdout
    logs = "".join(p.read_text() for p in (tmp_path / "results/one/logs").glob("*.log"))
    assert "of the 398 MB that its job asked for: out of memory; it is computed again" in logs


def test_jobs_of_a_killed_run_are_said_and_used(cluster: Cluster, tmp_path: Path) -> None:
    since = set(cluster.job_states())
    config = tmp_path / "one.yaml"
    config.write_text(ONE.replace("600", "6000"))
    command = {"cwd": tmp_path, "env": cluster.environment(), "stdin": subprocess.DEVNULL}
    first = subprocess.Popen(
        through_slurm(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **command
    )
    job = running_shard(cluster, since, first)
    reports = tmp_path / "results" / "store" / "progress"
    deadline = time.monotonic() + 120
    while not list(reports.glob("[!.]*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    first.kill()
    first.wait()
    done = subprocess.run(
        through_slurm(config), check=False, timeout=900, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **command,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "of an earlier run still compute" in done.stdout
    assert cluster.job_states()[job] == "COMPLETED"


def test_a_restart_of_the_controller_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """A shard runs on, perhaps to its end, while the controller is down; that is seen later."""
    since = set(cluster.job_states())
    config = tmp_path / "one.yaml"
    config.write_text(ONE.replace("600", "6000"))
    log = tmp_path / "snakemake.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            through_slurm(config), cwd=tmp_path, env=cluster.environment(),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    reports = tmp_path / "results" / "store" / "progress"
    try:
        job = running_shard(cluster, since, process)
        deadline = time.monotonic() + 120
        while not list(reports.glob("[!.]*.json")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        with controller_down(cluster):
            # Until Snakemake has asked, in vain.
            while b"Falling back to 'sacct'" not in log.read_bytes():
                assert time.monotonic() < deadline
                time.sleep(0.5)
            time.sleep(2)
        code = process.wait(timeout=900)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
    assert code == 0, log.read_text()
    assert cluster.job_states()[job] == "COMPLETED"
    assert "Trying to restart job" not in log.read_text()
    metrics = pq.read_table(tmp_path / "results/one/metrics.parquet", columns=["status"])
    assert metrics["status"].to_pylist() == ["ok"] * 12_000


# Rounds of one shard each: four at most.
REFINED = """\
shard: {seconds: 600}
experiments:
  one:
    model: linear_exact
    d: 16
    spectrum: isotropic
    timesteps: 100
    seed: {range: [0, 3]}
    metrics: {only: [test_loss]}
    n: {refine: test_loss, at: 0.5, within: 40%, between: [4, 64], start: 3}
"""


def round_of(results: Path) -> int:
    """The round of the plan that is written; 0 where none is, or it is just replaced."""
    try:
        (file,) = plan_files(results)
        return read_plan(file).rounds.round
    except (ValueError, InputError):
        return 0


def test_every_round_of_a_refined_axis_is_jobs_and_a_kill_in_one_resumes(
    cluster: Cluster, tmp_path: Path
) -> None:
    config, folder, log = tmp_path / "refined.yaml", tmp_path / "run", tmp_path / "log"
    config.write_text(REFINED)
    asked = load(config)
    here = Sweep(tmp_path)
    rounds = 0
    while (plan := here.write(asked)).rounds.open:
        rounds += 1
        here.compute(plan)
    collect(plan, here.results / "refined")
    assert rounds >= 3
    folder.mkdir()
    since = set(cluster.job_states())
    run = {"cwd": folder, "env": cluster.environment(), "stdin": subprocess.DEVNULL}
    command = [
        *(sys.executable, "-m", "lindiff.cli", "sweep", str(config), "--"),
        *("--profile", str(TEST_PROFILE), "--workflow-profile", str(PROFILE)),
    ]
    ended: dict[int, int] = {}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **run
        )
        try:
            for number in (2, 3):
                deadline = time.monotonic() + 240
                while round_of(folder / "results/refined") < number:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.1)
                # The job of this round: the others are over.
                over = {job for job, state in cluster.job_states().items() if state != "RUNNING"}
                ended[number] = running_shard(cluster, since | over | {*ended.values()}, process)
                if number == 2:
                    cluster.client("scancel", str(ended[number]))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    # Its job too, before it has computed anything: it starts Snakemake twice.
    cluster.client("scancel", str(ended[3]))
    assert "Trying to restart job" in log.read_text()
    parts = {part.name: part.read_bytes() for part in (folder / "results/store/parts").iterdir()}
    assert len(parts) == 2
    done = subprocess.run(
        command, check=False, timeout=900, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **run,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "refined axes: round 3 of 4 at most" in done.stdout, done.stdout
    assert "round 2 of" not in done.stdout
    for name, content in parts.items():
        assert (folder / "results/store/parts" / name).read_bytes() == content
    states = cluster.job_states()
    assert states[ended[2]] == states[ended[3]] == "CANCELLED"
    jobs = cluster.client("squeue", "-h", "-t", "all", "-o", "%i %k").splitlines()
    shards = [job for job in jobs if int(job.split()[0]) not in since and "rule_shard" in job]
    # A job a round, and the two that were cancelled.
    assert len(shards) == rounds + 2, "\n".join([*jobs, log.read_text(), done.stdout])
    assert found(asked, folder / "results") == found(asked, here.results)
    assert compare(here.results / "refined", folder / "results/refined") == []
