"""Spec to part: failures, repeatability, what is already there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from lindiff import fingerprint
from lindiff.columns import delivered, result_schema
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.progress import Heartbeat
from lindiff.sweep import run as module
from lindiff.sweep.run import compute, run_spec
from lindiff.sweep.store import Shard, read_header, read_table
from tests.sweeps import Sweep

METRICS = ("test_loss",)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


@pytest.fixture
def planned(sweep: Sweep) -> tuple[Sweep, Shard]:
    """A sweep with one pending shard of four families of two cells."""
    made = sweep.write(sweep.config(shard="60"))
    (shard,) = made.pending
    return sweep, shard


class FakeModel:
    """Gives the position of a cell in its call, and raises for some cells."""

    def __init__(self, bad: set[str]) -> None:
        self.bad = bad
        self.calls: list[int] = []

    def __call__(self, cells: pa.Table, metrics: Sequence[str]) -> pa.Table:
        self.calls.append(len(cells))
        ids = cells["cell_id"].to_pylist()
        if broken := sorted(self.bad & set(ids)):
            raise ZeroDivisionError(f"{len(broken)} are bad")
        values = {"cell_id": ids, "test_loss": [float(i) for i in range(len(ids))],
                  "status": ["ok"] * len(ids), "message": [None] * len(ids)}  # fmt: skip
        return pa.table({f.name: values[f.name] for f in result_schema(metrics)})


def computed(cells: pa.Table, model: module.Run, beat: Heartbeat | None = None) -> list[dict]:
    shard = Shard("s", "fake", METRICS, "f" * 16, len(cells), 1, 1.0, 1)
    beat = beat or Heartbeat(None, "s", len(cells))
    return compute(cells, shard, model, beat, MODELS["linear_exact"]).to_pylist()


def test_each_family_is_one_call(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    cells = read_table(sweep.store.spec(shard.name))
    model, beat = FakeModel(set()), Heartbeat(None, "s", 8)
    rows = computed(cells, model, beat)
    assert model.calls == [2, 2, 2, 2]
    assert [row["test_loss"] for row in rows] == [0.0, 1.0] * 4
    assert [row["cell_id"] for row in rows] == cells["cell_id"].to_pylist()
    assert (beat.done, len(beat.family_seconds)) == (8, 4)
    assert {row["fingerprint"] for row in rows} == set(fingerprint.fingerprints(cells))


def test_families_that_go_together_are_one_call_and_keep_their_places(
    planned: tuple[Sweep, Shard],
) -> None:
    sweep, shard = planned
    cells = read_table(sweep.store.spec(shard.name))
    seeds = cells["seed"].to_pylist()
    spread = cells.set_column(
        cells.column_names.index("d"), "d", pa.array([4 + seed % 2 for seed in seeds])
    )
    model, beat = FakeModel(set()), Heartbeat(None, "s", 8)
    shard = Shard("s", "fake", METRICS, "f" * 16, 8, 4, 1.0, 1)
    registered = MODELS["linear_exact"]
    batched = replace(registered, batched=frozenset(registered.settings) - {"d"})
    table = compute(spread, shard, model, beat, batched)
    assert model.calls == [4, 4]
    assert table["cell_id"].to_pylist() == cells["cell_id"].to_pylist()
    # Each call numbered its own cells: odd and even seeds alternate in the spec.
    positions = {parity: [x for x, s in zip(table["test_loss"].to_pylist(), seeds, strict=True)
                          if s % 2 == parity] for parity in (0, 1)}  # fmt: skip
    assert positions == {0: [0.0, 1.0, 2.0, 3.0], 1: [0.0, 1.0, 2.0, 3.0]}
    assert (beat.done, len(beat.family_seconds)) == (8, 4)


def test_failing_cell_becomes_a_row_and_the_rest_is_kept(
    planned: tuple[Sweep, Shard], capsys: pytest.CaptureFixture[str]
) -> None:
    sweep, shard = planned
    cells = read_table(sweep.store.spec(shard.name))
    bad = cells["cell_id"][3].as_py()
    rows = computed(cells, FakeModel({bad}))
    assert [row["status"] for row in rows] == ["ok"] * 3 + ["failed"] + ["ok"] * 4
    assert rows[3]["message"] == "ZeroDivisionError: 1 are bad"
    assert rows[3]["test_loss"] is None
    assert [row["cell_id"] for row in rows] == cells["cell_id"].to_pylist()
    error = capsys.readouterr().err
    assert f"cell {bad} failed" in error
    assert "Traceback" in error


def test_one_bad_cell_of_a_large_family_costs_few_calls(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    one = read_table(sweep.store.spec(shard.name)).slice(0, 1)
    ids = [f"{i:032x}" for i in range(256)]
    cells = pa.concat_tables([one] * 256).set_column(0, one.schema.field(0), pa.array(ids))
    model = FakeModel({ids[100]})
    rows = computed(cells, model)
    assert sum(row["status"] == "failed" for row in rows) == 1
    assert len(model.calls) <= 2 * 8 + 1


def failing(
    shard: tuple[Sweep, Shard], kind: Callable[[int], Exception]
) -> tuple[list[dict], list[str]]:
    """The rows of 512 cells of one family that all fail, and their ids."""
    sweep, planned = shard
    one = read_table(sweep.store.spec(planned.name)).slice(0, 1)
    ids = [f"{i:032x}" for i in range(512)]
    cells = pa.concat_tables([one] * 512).set_column(0, one.schema.field(0), pa.array(ids))

    def model(cells: pa.Table, metrics: Sequence[str]) -> pa.Table:
        raise kind(int(cells["cell_id"][0].as_py(), 16))

    rows = computed(cells, model)
    assert [row["cell_id"] for row in rows] == ids
    assert {row["status"] for row in rows} == {"failed"}
    return rows, ids


def test_one_reason_is_told_once(
    planned: tuple[Sweep, Shard], capsys: pytest.CaptureFixture[str]
) -> None:
    rows, ids = failing(planned, lambda cell: ZeroDivisionError("always"))
    assert {row["message"] for row in rows} == {"ZeroDivisionError: always"}
    error = capsys.readouterr().err
    assert len(error.splitlines()) < 30
    assert error.count("Traceback") == error.count("cell " + ids[0] + " failed:") == 1
    last = error.splitlines()[-1]
    assert last.startswith("512 cells failed with ZeroDivisionError: always (")
    assert last.endswith(f": {ids[0]}, {ids[1]}, {ids[2]}, …")
    assert f"{Path(__file__).name}:" in last


def test_each_reason_is_told_up_to_some_number(
    planned: tuple[Sweep, Shard], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(planned, lambda cell: ValueError(f"{cell % 2}"))
    error = capsys.readouterr().err
    assert error.count("Traceback") == 2
    assert error.count("256 cells failed with ValueError: ") == 2
    rows, _ = failing(planned, lambda cell: ValueError(f"{cell}"))
    assert [row["message"] for row in rows] == [f"ValueError: {i}" for i in range(512)]
    error = capsys.readouterr().err
    assert error.count("Traceback") == 10
    assert error.splitlines()[-1] == "502 cells failed for 502 other reasons"
    assert len(error.splitlines()) < 200


def test_model_that_returns_other_cells_is_a_failure(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    cells = read_table(sweep.store.spec(shard.name))

    class Wrong(FakeModel):
        def __call__(self, cells: pa.Table, metrics: Sequence[str]) -> pa.Table:
            return super().__call__(cells.slice(1), metrics)

    rows = computed(cells, Wrong(set()))
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["message"] for row in rows} == {
        "ValueError: the model returned other cells than it was given"
    }


def test_same_spec_gives_the_same_bytes(planned: tuple[Sweep, Shard], tmp_path: Path) -> None:
    sweep, shard = planned
    part = sweep.store.part(shard.name)
    assert run_spec(sweep.store.spec(shard.name), part)
    assert run_spec(sweep.store.spec(shard.name), tmp_path / "mine.parquet")
    assert (tmp_path / "mine.parquet").read_bytes() == part.read_bytes()
    assert read_header(part, "part") == shard
    table = read_table(part)
    assert table["status"].unique().to_pylist() == ["ok"]
    assert set(delivered(shard.metrics)) < set(table.column_names)


def test_finished_part_is_left_alone(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    assert run_spec(spec, part)
    before = part.stat()  # its access time is the reader's, not the writer's
    report = sweep.store.progress_file(shard.name).read_text()
    assert not run_spec(spec, part)
    after = part.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sweep.store.progress_file(shard.name).read_text() == report


def test_progress_is_reported(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
    report = sweep.store.read_progress(shard.name)
    assert report is not None
    assert (report.state, report.done, report.total) == ("finished", 8, 8)
    assert len(report.family_seconds) == 4
    assert 0 < sum(report.family_seconds) <= report.seconds


def test_failure_of_the_process_is_reported(
    planned: tuple[Sweep, Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, shard = planned

    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "write_part", full)
    with pytest.raises(OSError, match="No space"):
        run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
    report = sweep.store.read_progress(shard.name)
    assert report is not None
    assert (report.state, report.message) == ("failed", "OSError: No space left on device")
    assert not sweep.store.part(shard.name).exists()


def test_leftovers_of_a_killed_process_are_removed(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    part = sweep.store.part(shard.name)
    (part.parent / f".{part.name}.1-2.tmp").write_text("half")
    run_spec(sweep.store.spec(shard.name), part)
    assert list(part.parent.iterdir()) == [part]


def test_damaged_part_in_the_store_is_moved_aside(planned: tuple[Sweep, Shard]) -> None:
    sweep, shard = planned
    part = sweep.store.part(shard.name)
    part.write_bytes(b"damaged")
    assert run_spec(sweep.store.spec(shard.name), part)
    assert (sweep.store.damaged / part.name).read_bytes() == b"damaged"
    assert read_header(part, "part") == shard


def test_other_files_are_not_overwritten(planned: tuple[Sweep, Shard], tmp_path: Path) -> None:
    sweep, shard = planned
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    with pytest.raises(InputError, match="it is not overwritten"):
        run_spec(sweep.store.spec(shard.name), mine)
    assert mine.read_text() == "years of work"


def test_code_that_changed_since_the_plan_is_refused(
    planned: tuple[Sweep, Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, shard = planned
    monkeypatch.setattr(fingerprint, "code", lambda module: "f" * 16)
    with pytest.raises(InputError, match=rf"planned for linear_exact {shard.fingerprint}, but"):
        run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))


@pytest.mark.parametrize(("content", "message"), [(None, "no such spec"), (b"x", "truncated or")])
def test_spec_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    spec = tmp_path / "spec.parquet"
    if content is not None:
        spec.write_bytes(content)
    with pytest.raises(InputError, match=message):
        run_spec(spec, tmp_path / "part.parquet")


def test_packing_changes_no_row(tmp_path: Path) -> None:
    one = "{d: [4, 6], n: [3, 8], spectrum: [isotropic, {power_law: 1.0}], ridge: [0, 0.1]}"
    defaults = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1, 2]}"
    tables = []
    for folder, seconds in (("many", "1.0e-6"), ("some", "0.02"), ("one", "1.0e+6")):
        (tmp_path / folder).mkdir()
        sweep = Sweep(tmp_path / folder)
        sweep.finish(sweep.config(one, defaults=defaults, shard=seconds))
        tables.append(sweep.rows())
    many, some, whole = tables
    assert sorted(many) == sorted(some) == sorted(whole)
    for cell, row in whole.items():
        for other in (many[cell], some[cell]):
            assert row.keys() == other.keys()
            for name, value in row.items():
                same = other[name] == value or (
                    isinstance(value, float)
                    and math.isclose(value, other[name], rel_tol=1e-12, abs_tol=1e-12)
                )
                assert same, (name, value, other[name])


def test_tables_of_many_families_are_joined_on_the_way(
    planned: tuple[Sweep, Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, shard = planned
    spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
    run_spec(spec, part)
    before = part.read_bytes()
    part.unlink()
    monkeypatch.setattr(module, "_TOGETHER", 3)
    run_spec(spec, part)
    assert part.read_bytes() == before


def test_an_attempt_that_broke_off_is_told_in_the_log_of_the_next(
    planned: tuple[Sweep, Shard], capsys: pytest.CaptureFixture[str]
) -> None:
    sweep, shard = planned
    report = {
        "shard": shard.name, "done": 0, "total": 8, "started": 100.0, "updated": 130.0,
        "seconds": 30.0, "host": "node7", "pid": 1, "state": "running", "family_seconds": [],
        "memory": 900_000_000, "limit": 1_000_000_000,
    }  # fmt: skip
    sweep.store.progress_file(shard.name).write_text(json.dumps(report))
    run_spec(sweep.store.spec(shard.name), sweep.store.part(shard.name))
    told = capsys.readouterr().err
    assert "a process on node7 ended without a word about 30 s after its start" in told
    assert "900 MB, beside some 250 MB of Snakemake's own, of the 1,000 MB" in told
    assert "out of memory; it is computed again" in told
