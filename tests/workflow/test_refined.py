"""Refined axes through real Snakemake: round after round, killed, and a second time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lindiff.config.resolve import load
from lindiff.sweep.plan import make_plan, plan_files, read_plan
from tests.sweeps import Sweep
from tests.tables import differences
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.slow

# Three families in the first round, one in a second.
SEARCH = "{refine: test_loss, at: 0.5, within: 100%, between: [4, 64], start: 3}"
TOLD = "refined:  one: n where test_loss = 0.5, model linear_exact (spectrum isotropic, d 8): "
TINY = {"n": SEARCH, "d": "8", "seed": "0", "weight_decay": "0"}


@pytest.fixture
def workspace(tmp_path: Path, repository: Path) -> Workspace:
    found = Workspace(tmp_path, repository)
    found.write(**TINY)
    return found


@pytest.fixture
def undisturbed(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> Path:
    """Results of the same config, by the stages in this process."""
    from lindiff.sweep.collect import collect

    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"))
    config = load(workspace.folder / "tiny.yaml")
    while (plan := sweep.write(config)).rounds.open:
        sweep.compute(plan)
    collect(plan, sweep.results / "tiny")
    return sweep.folder


def sweep(workspace: Workspace) -> list[str]:
    return [sys.executable, "-m", "lindiff.cli", "sweep", "tiny.yaml", "--cores", "1"]


def test_all_rounds_run_and_a_second_time_nothing_does(
    workspace: Workspace, undisturbed: Path, repository: Path
) -> None:
    outcome = workspace.call(sweep(workspace))
    assert outcome.code == 0, outcome.text
    for number in (1, 2):
        assert f"tiny: refined axes: round {number} of 2 at most" in outcome.text
    assert TOLD in outcome.text
    assert outcome.text.count("rule collect") + outcome.text.count("Rule: collect") == 1
    page = (workspace.results / "tiny/index.html").read_text(encoding="utf-8")
    assert "<h3>Refined axes</h3>\n<ul>\n<li>one: n where test_loss = 0.5, model linear_" in page
    expected = Workspace(undisturbed, repository).table()
    assert differences(expected, workspace.table()) == []
    before = workspace.files()
    again = workspace.call(sweep(workspace))
    assert "Nothing to be done" in again.text
    assert "round" not in again.text
    assert workspace.files() == before


def test_a_plain_snakemake_runs_all_rounds_and_makes_the_table_once(
    workspace: Workspace, undisturbed: Path, repository: Path
) -> None:
    before = workspace.files()
    dry = workspace.finish("-n")
    known = {"plan": 1, "shard": 3, "next_round": 1, "searched": 1, "collect": 1, "page": 1}
    assert dry.jobs == known
    assert workspace.files() == before
    outcome = workspace.finish()
    for number, cells in ((1, 3), (2, 4)):
        told = f"{cells} cells wanted, {3 * (number - 1)} finished, {cells - 3 * (number - 1)} to"
        assert f"tiny: {told} run in" in outcome.text
        assert f"tiny: refined axes: round {number} of 2 at most" in outcome.text
    assert "tiny: 4 cells wanted, 4 finished\n" in outcome.text
    finished = Counter(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", outcome.text))
    assert finished == known | {"shard": 4, "next_round": 2, "all": 1}
    assert TOLD in outcome.text
    assert len(plan_files(workspace.results / "tiny")) == 1
    expected = Workspace(undisturbed, repository).table()
    assert differences(expected, workspace.table()) == []
    assert "Nothing to be done" in workspace.finish("-n").text
    # A part that is lost opens the search again, and no other runs; planned it is if the first
    # round lacks it.
    parts = workspace.parts
    (workspace.results / f"store/parts/{min(parts)}.parquet").unlink()
    again = workspace.finish()
    assert {**again.jobs, "plan": 1} == known | {"shard": 1}
    assert again.text.count("(Rule: shard)") == 1
    assert workspace.parts == parts
    assert differences(expected, workspace.table()) == []
    shutil.rmtree(workspace.folder / ".snakemake")
    assert "Nothing to be done" in workspace.finish("-n").text


def test_a_module_runs_all_rounds_for_the_table_alone(workspace: Workspace, repository: Path):
    """Also where a table of another search is there, which no file is newer than."""
    (workspace.folder / "Snakefile").write_text(
        f'module lindiff:\n    snakefile: "{repository}/workflow/Snakefile"\n'
        '    config: {"sweep": "tiny.yaml"}\nuse rule * from lindiff as lindiff_*\n'
        "onstart:\n    lindiff.onstart()\n"
        "rule mine:\n    input: rules.lindiff_collect.output\n    default_target: True\n"
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock"]
    between = {"0.5": 8, "0.45": 32}
    for level in ("0.5", "0.45"):
        workspace.write(**(TINY | {"n": SEARCH.replace("0.5", level)}))
        outcome = workspace.call(command)
        assert outcome.code == 0, outcome.text
        assert "tiny: 4 cells wanted, 4 finished" in outcome.text
        assert {row["n"] for row in workspace.rows().values()} == {4, 16, 64, between[level]}
    assert "Nothing to be done" in workspace.call([*command, "-n"]).text


def test_killed_in_a_round_it_goes_on_from_there(
    workspace: Workspace, undisturbed: Path, repository: Path
) -> None:
    process = subprocess.Popen(
        sweep(workspace), cwd=workspace.folder, env=workspace.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 200
        while _round(workspace) < 2:
            assert process.poll() is None, "it has ended before its second round"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    parts = workspace.parts
    assert len(parts) >= 3
    plan = make_plan(load(workspace.folder / "tiny.yaml"), workspace.results)
    assert plan.rounds.open
    outcome = workspace.call(sweep(workspace))
    assert outcome.code == 0, outcome.text
    assert "round 1 of" not in outcome.text
    assert parts.items() <= workspace.parts.items()
    expected = Workspace(undisturbed, repository).table()
    assert differences(expected, workspace.table()) == []


def _round(workspace: Workspace) -> int:
    """The round of the plan that is written."""
    for path in plan_files(workspace.results / "tiny"):
        try:
            return read_plan(path).rounds.round
        except Exception:  # it is just replaced
            return 0
    return 0
