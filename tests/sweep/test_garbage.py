"""`lindiff gc`: it removes what nothing wants, and never what a run would need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lindiff import files, progress
from lindiff.cli import main
from lindiff.files import lock_run, lock_shard
from lindiff.report.workflow import Sweep as Run
from lindiff.sweep.leftovers import _NAMES, leftovers
from tests.configs import save, values
from tests.sweeps import Sweep

LESS = "{d: 4, n: [3], spectrum: isotropic, weight_decay: [0, 0.1]}"


def gc(sweep: Sweep, *options: str) -> Result:
    return CliRunner().invoke(main, ["gc", "--results", str(sweep.results), *options])


def removed(sweep: Sweep, *options: str) -> set[str]:
    """The names of the files that go; without --yes none does."""
    before = sweep.files()
    told = gc(sweep, *options)
    assert told.exit_code == 0, told.output
    assert sweep.files() - {sweep.results / "store/lock"} == before - {sweep.results / "store/lock"}
    assert gc(sweep, "--yes", *options).exit_code == 0
    gone = before - sweep.files()
    assert all(str(path) in told.output or str(path.parent) in told.output for path in gone)
    return {str(path.relative_to(sweep.results)) for path in gone}


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def test_a_finished_sweep_has_no_garbage(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    assert removed(sweep) == removed(sweep, "--parts") == set()
    assert "nothing to remove" in gc(sweep).output


def test_parts_that_no_plan_wants_stay_unless_that_is_asked_for(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    everything = {path.stem for path in sweep.store.parts.iterdir()}
    sweep.finish(sweep.config(LESS))
    wanted = set(sweep.plan(sweep.config(LESS)).parts)
    assert len(wanted) < len(everything)
    assert removed(sweep) == set()
    gone = removed(sweep, "--parts")
    assert {Path(name).stem for name in gone} == everything - wanted
    assert {Path(name).parts[1] for name in gone} == {"parts", "specs", "progress"}
    # The config finds what it wants, the other one computes what is gone.
    assert sweep.plan(sweep.config(LESS)).written
    assert len(sweep.plan(sweep.config()).pending) == len(everything - wanted)


def test_parts_of_another_config_are_wanted(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    sweep.finish(sweep.config(LESS, name="other"))
    assert removed(sweep, "--parts") == set()


def test_a_run_that_was_killed_keeps_what_it_goes_on_from(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan, 1)
    checkpoint = sweep.store.checkpoints / plan.pending[1].name / "a.safetensors"
    done = sweep.store.checkpoints / plan.pending[0].name / "a.safetensors"
    other = sweep.store.checkpoints / "0123456789abcdef" / "a.safetensors"
    for path in (checkpoint, done, other):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(100))
    before = sweep.plan(sweep.config())
    assert {shard.name for shard in before.pending} == {s.name for s in plan.pending[1:]}
    assert removed(sweep) == {
        f"store/checkpoints/{path.parent.name}/a.safetensors" for path in (done, other)
    }
    assert sweep.plan(sweep.config()) == before


def test_specs_of_a_plan_that_is_gone_and_what_stands_for_nothing(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan, 1)
    plan.file.unlink()
    (sweep.store.progress / "0123456789abcdef.json").write_text("{}")
    sweep.store.damaged.mkdir()
    (sweep.store.damaged / "a.parquet").touch()
    (plan.file.parent / "damaged").mkdir()
    (plan.file.parent / "damaged/kl.png").touch()
    assert removed(sweep) == {
        *(f"store/specs/{shard.name}.parquet" for shard in plan.pending[1:]),
        "store/progress/0123456789abcdef.json", "store/damaged/a.parquet", "tiny/damaged/kl.png",
    }  # fmt: skip


def test_older_plans(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    older = plan.file.with_name("plan-0.json")
    older.write_bytes(plan.file.read_bytes())
    os.utime(older, ns=(0, 0))
    assert removed(sweep) == {"tiny/plan-0.json"}


@pytest.mark.parametrize("content", ["", "{}", "{"])
def test_nothing_goes_while_a_plan_cannot_be_read(sweep: Sweep, content: str) -> None:
    plan = sweep.write(sweep.config())
    plan.file.write_text(content)
    before = sweep.files()
    done = gc(sweep, "--yes", "--parts")
    assert done.exit_code == 2
    assert f"{plan.file}: no plan of this lindiff, or damaged" in done.output
    assert sweep.files() - before == {sweep.results / "store/lock"}


def test_matrices_that_nothing_names(sweep: Sweep) -> None:
    one = "{data: [%s, gaussian], n: 8, weight_decay: 0, draw: samples}"
    config = sweep.config(one % save(sweep.folder, values()))
    sweep.finish(config)
    (name,) = (path.name for path in sweep.store.data.iterdir())
    np.save(sweep.store.data / "0123456789abcdef.npy", values())
    assert removed(sweep) == {"store/data/0123456789abcdef.npy"}
    # Another plan in its place: the parts still name it.
    sweep.finish(sweep.config())
    assert removed(sweep) == set()
    removed(sweep, "--parts")
    assert removed(sweep) == {f"store/data/{name}"}


def test_a_damaged_part_may_name_any_matrix(sweep: Sweep) -> None:
    sweep.finish(sweep.config())
    sweep.store.data.mkdir(exist_ok=True)
    np.save(sweep.store.data / "0123456789abcdef.npy", values())
    next(sweep.store.parts.iterdir()).write_bytes(b"damaged")
    assert removed(sweep) == set()


def test_refused_while_a_run_or_a_shard_is_at_work(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    lock = lock_run(sweep.store.root)
    done = gc(sweep, "--yes")
    assert done.exit_code == 2
    assert "another run is at work on this store" in done.output
    os.close(lock)
    with lock_shard(sweep.store.spec(plan.pending[0].name)):
        done = gc(sweep, "--yes")
    assert done.exit_code == 2
    assert "a process computes it" in done.output
    assert gc(sweep, "--yes").exit_code == 0


def test_a_folder_without_a_store_is_told(sweep: Sweep) -> None:
    done = gc(sweep)
    assert done.exit_code == 2
    assert "there is no store" in done.output
    assert sweep.files() == set()


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def left(sweep: Sweep, dead: int) -> Iterator[tuple[set[Path], set[Path]]]:
    """What dead writers left, and what living ones write."""
    plan = sweep.write(sweep.config())
    held, free = (shard.name for shard in plan.pending[:2])
    mine, folder = os.getpid(), plan.file.parent
    (folder / "figures").mkdir()
    gone = {
        sweep.store.parts / f".{free}.parquet.{dead}-0123abcd.tmp",
        sweep.store.root / f".FORMAT.{dead}-0123abcd.tmp",
        sweep.store.progress / f".{free}.json.a-host.net-{dead}.tmp",
        folder / f".metrics.parquet.{dead}-01234567.tmp",
        folder / f"figures/.kl.png.{dead}-0123abcd.tmp",
        folder / f".answers.html.{mine}-0123abcd.tmp",  # quiet for long: another has the number
        folder / f".report.{dead}.aBc123/report.zip",
        folder / ".report.aBc123/report.zip",
    }
    kept = {
        sweep.store.parts / f".{held}.parquet.{dead}-0123abcd.tmp",  # on another machine
        sweep.store.progress / f".{held}.json.here-{mine}.tmp",
        folder / f".plan-0.json.{mine}-0123abcd.tmp",
        folder / f".report.{mine}.aBc123/report.zip",
    }
    for path in (*gone, *kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    os.utime(folder / f".answers.html.{mine}-0123abcd.tmp", (0, 0))
    with lock_shard(sweep.store.spec(held)):
        yield gone, kept


def test_leftovers_are_those_of_dead_writers(
    sweep: Sweep, left: tuple[set[Path], set[Path]]
) -> None:
    gone, kept = left
    found = leftovers(sweep.results)
    for path in gone:
        assert path in found or path.parent in found
    assert not any(path in found or path.parent in found for path in kept)


def test_a_run_sweeps_them_when_it_starts(
    sweep: Sweep, left: tuple[set[Path], set[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = left
    locks: list[int] = []
    monkeypatch.setattr("lindiff.report.workflow.stop_jobs_with_the_run", lambda: None)
    monkeypatch.setattr(
        "lindiff.report.workflow.lock_run", lambda root: locks.append(lock_run(root))
    )
    plan = sweep.plan(sweep.config())
    Run(str(sweep.folder / "tiny.yaml"), sweep.results, plan, main=True).start()
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    os.close(*locks)


def test_leftovers_are_known_by_the_names_that_writers_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr("lindiff.progress.os.replace", lambda one, _: names.append(one.name))
    with progress.Heartbeat(tmp_path / "0123456789abcdef.json", "0123456789abcdef", 1):
        pass
    monkeypatch.undo()
    with files.atomic(tmp_path / "metrics.parquet") as temporary:
        temporary.write_text("")
        names.append(temporary.name)
    for name in names:
        (match,) = filter(None, (pattern.fullmatch(name) for pattern in _NAMES))
        assert int(match["pid"]) == os.getpid()
