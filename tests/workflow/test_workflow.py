"""The workflow through real Snakemake: what runs again, and what does not."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lindiff.files import lock_run
from lindiff.report.ending import memory
from lindiff.report.resources import minutes
from lindiff.report.workflow import Sweep
from lindiff.sweep.store import FORMAT, Shard
from tests.once import once
from tests.tables import differences
from tests.workflow.workspace import ROOT, Workspace

NOTHING = "Nothing to be done"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder in which the tiny config has been run: 4 cells in 2 families, each a shard."""

    def make(folder: Path) -> None:
        workspace = Workspace(folder, repository)
        workspace.write()
        outcome = workspace.finish()
        assert outcome.jobs == {"plan": 1, "shard": 2, "collect": 1, "page": 1}
        farewell = (
            "table:    results/tiny/metrics.parquet\n"
            "page:     results/tiny/index.html (open it in a browser)\n"
            "report:   snakemake --config sweep=tiny.yaml results=results "
            "--report results/tiny/report.zip"
        )
        assert farewell in outcome.text

    return once(tmp_path_factory, "base", make)


@pytest.fixture
def finished(base: Path, tmp_path: Path, repository: Path) -> Workspace:
    """A copy of that folder, times included."""
    return Workspace(Path(shutil.copytree(base, tmp_path / "copy")), repository)


@pytest.fixture(scope="session")
def less(tmp_path_factory: pytest.TempPathFactory, base: Path, repository: Path) -> Path:
    """The same where a value was removed and the experiment renamed: that runs no shard."""

    def make(folder: Path) -> None:
        workspace = Workspace(Path(shutil.copytree(base, folder, dirs_exist_ok=True)), repository)
        before, rows = workspace.parts, workspace.rows()
        workspace.write(weight_decay="[0]")
        path = workspace.folder / "tiny.yaml"
        path.write_text(path.read_text().replace("  one:", "  two:"))
        assert workspace.finish().jobs == {"plan": 1, "collect": 1, "page": 1}
        assert workspace.parts == before
        after = workspace.rows()
        assert len(after) == 2
        for cell, row in after.items():
            assert row == rows[cell] | {"experiments": ["two"]}

    return once(tmp_path_factory, "less", make)


@pytest.fixture
def reduced(less: Path, tmp_path: Path, repository: Path) -> Workspace:
    """A copy of that folder, times included."""
    return Workspace(Path(shutil.copytree(less, tmp_path / "copy")), repository)


def test_farewell_leaves_the_report_to_make(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "LINDIFF_SOURCE"):  # a sweep that is opened sets them
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.chdir(finished.folder)
    sweep = Sweep.open({"sweep": "tiny.yaml"}, main=False)
    alone = sweep.farewell().splitlines()
    monkeypatch.setenv("LINDIFF_MAKE", "yes")
    assert (
        sweep.farewell().splitlines()
        == alone[:-1]
        == [
            "table:    results/tiny/metrics.parquet",
            "page:     results/tiny/index.html (open it in a browser)",
        ]
    )


def test_second_run_does_nothing(finished: Workspace) -> None:
    before = finished.files()
    assert NOTHING in finished.finish().text
    assert finished.files() == before
    assert all(row["status"] == "ok" for row in finished.rows().values())


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_dry_run_writes_nothing(snakefile: str, tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write()
    before = workspace.files()
    outcome = workspace.finish("-n", snakefile=snakefile)
    assert outcome.jobs == {"plan": 1, "shard": 2, "collect": 1, "page": 1}
    assert workspace.files() == before
    assert {p.name for p in tmp_path.iterdir()} == {"tiny.yaml", ".snakemake"}


def test_value_added_runs_only_its_cells(finished: Workspace) -> None:
    parts, rows = finished.parts, finished.rows()
    finished.write(weight_decay="[0, 0.1, 0.2]", seed="[0, 1]")
    assert finished.finish().jobs == {"plan": 1, "shard": 4, "collect": 1, "page": 1}
    assert {name: data for name, data in finished.parts.items() if name in parts} == parts
    after = finished.rows()
    assert {cell: after[cell] for cell in rows} == rows
    assert len(after) == 12
    assert NOTHING in finished.finish("-n").text


@pytest.mark.slow
def test_value_and_name_put_back(reduced: Workspace, base: Path, repository: Path) -> None:
    before = reduced.files()
    reduced.write()
    assert reduced.finish().jobs == {"plan": 1, "collect": 1, "page": 1}
    assert differences(Workspace(base, repository).table(), reduced.table()) == []
    assert NOTHING in reduced.finish("-n").text
    parts = {name: stat for name, stat in before.items() if "store/parts" in name}
    assert len(parts) == 2
    assert parts.items() <= reduced.files().items()


@pytest.mark.slow
def test_metric_added_runs_only_that_metric(finished: Workspace) -> None:
    parts, rows = finished.parts, finished.rows()
    finished.write(metrics="{only: [test_loss, kl_model_data, train_loss]}")
    assert finished.finish().jobs == {"plan": 1, "shard": 2, "collect": 1, "page": 1}
    new = set(finished.parts) - set(parts)
    assert len(new) == 2
    for cell, row in finished.rows().items():
        assert row["train_loss"] > 0
        assert row | {"train_loss": None} == rows[cell]
    # Asked for no longer: the store still has it, the table does not.
    finished.write()
    finished.finish()
    assert finished.rows() == rows


@pytest.mark.slow
def test_second_config_shares_the_store(finished: Workspace) -> None:
    parts = finished.parts
    finished.write("other", n="[3]", seed="[0, 5]")
    assert finished.finish(name="other").jobs == {"plan": 1, "shard": 1, "collect": 1, "page": 1}
    assert parts.items() <= finished.parts.items()
    shared = set(finished.rows()) & set(finished.rows("other"))
    assert len(shared) == 2
    assert all(finished.rows()[cell] == finished.rows("other")[cell] for cell in shared)
    assert NOTHING in finished.finish("-n").text


def test_snakemakes_folder_deleted(finished: Workspace) -> None:
    before = finished.files()
    shutil.rmtree(finished.folder / ".snakemake")
    assert NOTHING in finished.finish("-n").text
    assert finished.files() == before


@pytest.mark.slow
def test_part_deleted(finished: Workspace) -> None:
    parts, table = finished.parts, finished.table()
    name = sorted(parts)[0]
    (finished.results / f"store/parts/{name}.parquet").unlink()
    assert finished.finish().jobs == {"shard": 1, "collect": 1, "page": 1}
    assert finished.parts == parts, "the same spec gives the same bytes"
    assert differences(table, finished.table()) == []
    assert NOTHING in finished.finish("-n").text


@pytest.mark.slow
def test_part_deleted_that_has_cells_not_wanted_any_more(reduced: Workspace) -> None:
    name = sorted(reduced.parts)[0]
    (reduced.results / f"store/parts/{name}.parquet").unlink()
    assert reduced.finish().jobs == {"plan": 1, "shard": 1, "collect": 1, "page": 1}
    assert name not in reduced.parts
    assert len(reduced.rows()) == 2
    assert NOTHING in reduced.finish("-n").text


@pytest.mark.slow
def test_truncated_part_is_moved_aside_and_run_again(finished: Workspace) -> None:
    parts, table = finished.parts, finished.table()
    name = sorted(parts)[0]
    content = parts[name][:-100]
    (finished.results / f"store/parts/{name}.parquet").write_bytes(content)
    dry = finished.finish("-n")
    assert dry.jobs == {"plan": 1, "shard": 1, "collect": 1, "page": 1}
    assert f"part {name} is damaged" in dry.text
    finished.finish()
    assert (finished.results / f"store/damaged/{name}.parquet").read_bytes() == content
    assert "moved to" in (finished.results / "tiny/logs/plan.log").read_text()
    assert finished.parts == parts
    assert differences(table, finished.table()) == []
    # The same again: the plan file's name must not be the one that is there.
    (finished.results / f"store/parts/{name}.parquet").write_bytes(b"")
    assert finished.finish().jobs == {"plan": 1, "shard": 1, "collect": 1, "page": 1}
    assert finished.parts == parts
    assert NOTHING in finished.finish("-n").text


@pytest.mark.slow
def test_lost_specs_of_pending_shards_are_planned_again(tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write(n="[3]")
    workspace.finish("--until", "plan")
    for spec in (workspace.results / "store/specs").iterdir():
        spec.unlink()
    workspace.finish()
    assert len(workspace.rows()) == 2
    assert NOTHING in workspace.finish("-n").text


def test_second_run_on_the_store_is_refused(finished: Workspace) -> None:
    finished.write(seed="[0, 1]")
    descriptor = lock_run(finished.results / "store")
    try:
        outcome = finished.run()
    finally:
        os.close(descriptor)
    assert outcome.code != 0
    assert "another run is at work on this store" in outcome.text
    assert f"process {os.getpid()}" in outcome.text
    assert "Traceback" not in outcome.text
    assert finished.finish("--until", "plan").jobs == {"plan": 1}


def test_bad_config_is_told_without_a_traceback(tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write(n="[1]")
    outcome = workspace.run()
    assert outcome.code != 0
    assert "tiny.yaml:7:9: experiments.one.n[0] = 1: must be at least 2" in outcome.text
    assert "Traceback" not in outcome.text
    assert not workspace.results.exists()


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_unknown_key_is_refused_without_a_traceback(
    snakefile: str, tmp_path: Path, repository: Path
) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write()
    command = workspace.command("-n", snakefile=snakefile)
    outcome = workspace.call([*command[:-1], "sweeps=tiny.yaml"])
    assert outcome.code == 2
    assert "--config: unknown key sweeps (did you mean sweep?)" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_module_may_have_the_config_of_the_other_workflow(
    tmp_path: Path, repository: Path
) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write()
    (tmp_path / "Snakefile").write_text(
        f'module lindiff:\n    snakefile: "{repository}/workflow/Snakefile"\n    config: config\n'
        "use rule * from lindiff as lindiff_*\n"
    )
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    outcome = workspace.call(
        [*command, "--config", "sweep=tiny.yaml", "own=3", "--", "lindiff_sweep"]
    )
    assert outcome.code == 0, outcome.text
    assert outcome.jobs["lindiff_shard"] == 2


def test_newer_store_is_refused(finished: Workspace) -> None:
    (finished.results / "store/FORMAT").write_text(f"{FORMAT + 1}\n")
    before = finished.files()
    outcome = finished.run()
    assert outcome.code != 0
    assert f"written by a newer lindiff (format {FORMAT + 1}" in outcome.text
    assert "Traceback" not in outcome.text
    assert finished.files() == before


def test_job_on_another_machine_does_not_plan(reduced: Workspace) -> None:
    parts = reduced.parts
    name = sorted(parts)[0]
    # The plan says that this part is there; a job that makes it again has its spec.
    (reduced.results / f"store/parts/{name}.parquet").unlink()
    (reduced.folder / "tiny.yaml").unlink()
    before = reduced.files()
    job = ("--mode", "remote", "--target-jobs", f"shard:shard={name}", "--allowed-rules", "shard")
    outcome = reduced.finish(*job, "--force")
    assert "mem_mb=" in outcome.text
    new = {file for file, stat in reduced.files().items() if before.get(file) != stat}
    assert new == {
        f"results/store/parts/{name}.parquet",
        f"results/store/progress/{name}.json",
        f"results/tiny/logs/{name}.log",
    }
    assert reduced.parts[name] == parts[name]


def test_by_hand_gives_the_same_bytes(finished: Workspace) -> None:
    name, data = sorted(finished.parts.items())[0]
    outcome = finished.lindiff(
        "run", f"results/store/specs/{name}.parquet", "--out", "mine.parquet"
    )
    assert outcome.code == 0, outcome.text
    assert (finished.folder / "mine.parquet").read_bytes() == data


@pytest.mark.slow
def test_names_are_quoted(tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    folder = tmp_path / "it's; a $(touch caught) 'folder'"
    folder.mkdir()
    workspace.write(n="[3]")
    (tmp_path / "tiny.yaml").rename(folder / "tiny.yaml")
    command = workspace.command()
    command[-1] = f"sweep={folder}/tiny.yaml"
    outcome = workspace.call([*command, f"results={folder}/results"])
    assert outcome.code == 0, outcome.text
    assert (folder / "results/tiny/metrics.parquet").exists()
    assert not list(tmp_path.rglob("caught"))


def test_config_edited_between_plan_and_parse_is_refused(finished: Workspace) -> None:
    plan = next((finished.results / "tiny").glob("plan-*.json"))
    digest = json.loads(plan.read_text())["digest"]
    finished.write(seed="[1]")
    outcome = finished.lindiff("plan", "tiny.yaml", "--write", str(plan), "--digest", digest)
    assert outcome.code == 2
    assert "has changed since it was planned" in outcome.text
    assert json.loads(plan.read_text())["digest"] == digest


@pytest.mark.slow
def test_figure_edited_draws_only_that_figure(tmp_path: Path, repository: Path) -> None:
    """In a copy of the repository, so that nothing here is touched."""
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    workspace = Workspace(tmp_path, copy)
    figure = {"n": "[3, 8, 16]", "seed": "[0, 1]", "experiments": "    figures: [kl]\n"}
    workspace.write(metrics="[]", shard="{seconds: 60}", **figure)
    assert workspace.finish().jobs["shard"] == 1
    figures = {path.name for path in (workspace.results / "tiny/figures").iterdir()}
    assert figures == {"kl.pdf", "kl.png", "kl.txt", "kl.tex", "kl.parquet"}
    source = copy / "lindiff/figures/kl.py"
    source.write_text(source.read_text() + "\n# edited\n")
    assert workspace.finish().jobs == {"figure": 1, "answers": 1, "page": 1}
    assert NOTHING in workspace.finish("-n").text
    (workspace.results / "tiny/figures/kl.png").unlink()
    assert workspace.finish("-n").jobs == {"figure": 1, "answers": 1, "page": 1}


def test_memory_and_time_grow_with_the_attempt() -> None:
    shard = Shard("s", "linear_exact", ("test_loss",), "f" * 16, 8, 4, 90.0, 10**9)
    assert memory(shard, 1) == 1000 + 250
    assert minutes(shard, 1) == 5 + 5
    for grown in (memory, minutes):
        assert grown(shard, 3) == 3 * grown(shard, 1)


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_both_profiles_leave_locks_and_staleness_to_lindiff(name: str) -> None:
    path = ROOT / "workflow/profiles" / name / "config.yaml"
    profile = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    assert profile["nolock"]
    assert profile["rerun-incomplete"]
    assert profile["rerun-triggers"] == ["mtime", "params", "input"]
    if name == "default":
        assert profile["resources"] == ["gpu=1"]
    else:
        assert profile["retries"] == 2


@pytest.mark.slow
def test_as_a_module_of_another_workflow(tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write()
    page = (ROOT / "docs/snakemake.md").read_text(encoding="utf-8")
    text = page.split("```python\n")[1].split("```")[0]
    assert "path/to/lindiff" in text
    (tmp_path / "Snakefile").write_text(
        text.replace("path/to/lindiff", str(repository))
        + 'import sys\nprint("local:", *sorted(workflow._localrules), file=sys.stderr)\n'
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock"]
    outcome = workspace.call(command)
    assert outcome.code == 0, outcome.text
    assert outcome.jobs == {"lindiff_plan": 1, "lindiff_shard": 2, "lindiff_collect": 1, "mine": 1}
    assert len((tmp_path / "lines").read_text().splitlines()) > 2
    # A job must not plan, and without the module's `onstart` nobody would hold the store.
    assert "local: lindiff_plan lindiff_sweep\n" in outcome.text
    assert (workspace.results / "store/lock").read_text().startswith("process ")
    assert NOTHING in workspace.call([*command, "-n"]).text
