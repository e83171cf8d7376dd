"""Parts to the tables of a config."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lindiff import files
from lindiff.columns import METRICS, OUTCOME, SETTINGS
from lindiff.drawing.tables import read_metrics
from lindiff.errors import InputError
from lindiff.sweep import collect as module
from lindiff.sweep.collect import collect
from lindiff.sweep.ids import cell_ids
from lindiff.sweep.plan import read_plan
from lindiff.sweep.store import read_header, read_table, write_part
from tests.sweeps import Sweep

FULL = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}"


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def test_table_has_every_setting_and_metric(sweep: Sweep) -> None:
    done = sweep.finish(sweep.config(two="{d: 4, n: 3}"))
    (path,) = done.files
    table = pq.read_table(path)
    flat = [c.name for c in METRICS if c.type == "float"]
    assert table.column_names == [
        "cell_id", "family_id", "experiments", *(c.name for c in SETTINGS), *flat,
        *(c.name for c in OUTCOME), "seconds",
    ]  # fmt: skip
    ids = table["cell_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert cell_ids(table).to_pylist() == ids
    rows = table.to_pylist()
    assert sum(row["experiments"] == ["one", "two"] for row in rows) == 2
    assert sum(row["experiments"] == ["one"] for row in rows) == 6
    assert all(row["status"] == "ok" and row["message"] is None for row in rows)
    assert all(row["seconds"] > 0 for row in rows)
    assert all(row["test_loss"] > 0 and row["train_loss"] is None for row in rows)
    assert {row["numpy"] for row in rows} == {np.__version__}
    field = table.schema.field("kl_model_data")
    assert field.metadata[b"unit"] == b"nats"
    about = json.loads(table.schema.metadata[b"lindiff"])
    assert about["versions"]["numpy"] == np.__version__
    assert about["config"]["name"] == "tiny"


def test_times_and_the_cost_model_are_told(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan)
    for shard in plan.pending:
        path = sweep.store.progress_file(shard.name)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"family_seconds": [30.0]}))
    done = collect(plan, sweep.results / "tiny")
    table = pq.read_table(done.files[0])
    assert table["seconds"].to_pylist() == [15.0] * 8
    assert done.measured == 120.0
    assert done.estimated == pytest.approx(plan.seconds)
    first, second = done.lines()
    assert first.endswith("metrics.parquet: 8 cells")
    assert "120 s measured, ratio" not in second
    assert "2 min measured, ratio" in second
    # Without its report a part is as good; its time is unknown.
    sweep.store.progress_file(plan.pending[0].name).unlink()
    collect(plan, sweep.results / "tiny")
    assert pq.read_table(done.files[0])["seconds"].null_count == 2


def test_metrics_of_several_parts_are_merged(sweep: Sweep) -> None:
    whole = sweep.finish(sweep.config(name="whole", defaults=FULL))
    expected = sweep.rows("whole")
    assert whole.rows == 8
    other = Sweep(sweep.folder / "other")
    other.folder.mkdir()
    other.finish(other.config("{d: 4, n: [3, 8], weight_decay: [0, 0.1]}"))
    assert {row["train_loss"] for row in other.rows().values()} == {None}
    other.finish(other.config("{d: 4, n: [3, 8], weight_decay: [0, 0.1]}", defaults=FULL))
    assert other.rows() == expected
    # The store has more than this config asks for: its table does not.
    sweep.finish(sweep.config())
    for cell, row in sweep.rows().items():
        assert row["test_loss"] == expected[cell]["test_loss"]
        assert row["train_loss"] is None


def test_levels_and_modes_are_tables_of_their_own(sweep: Sweep) -> None:
    one = "{d: 4, n: [3, 8], spectrum: {power_law: 1.0}, metrics: {only: [test_loss, levels]}}"
    two = "{d: 4, n: 3, metrics: {only: [test_loss, modes]}}"
    done = sweep.finish(sweep.config(one, defaults=FULL, two=two))
    assert [path.name for path in done.files] == [
        "metrics.parquet", "levels.parquet", "modes.parquet",
    ]  # fmt: skip
    metrics, levels, modes = map(pq.read_table, done.files)
    assert levels.column_names == ["cell_id", "t", "alpha_bar", "train_loss", "test_loss"]
    rows = {row["cell_id"]: row for row in metrics.to_pylist()}
    asked = {cell for cell, row in rows.items() if "one" in row["experiments"]}
    assert list(dict.fromkeys(levels["cell_id"].to_pylist())) == sorted(asked)
    nested = {}
    for path in sweep.store.parts.iterdir():
        part = read_table(path)
        if "levels" in part.column_names:
            nested |= dict(
                zip(part["cell_id"].to_pylist(), part["levels"].to_pylist(), strict=True)
            )
    assert set(nested) == asked
    expected = [{"cell_id": cell, **row} for cell in sorted(asked) for row in nested[cell]]
    assert levels.to_pylist() == expected
    assert min(levels["t"].to_pylist()) == 1
    assert max(levels["t"].to_pylist()) == 20
    assert set(modes["cell_id"].to_pylist()) == set(rows) - asked
    # Asked for no longer, they do not stay behind.
    sweep.finish(sweep.config(defaults=FULL))
    assert {p.name for p in (sweep.results / "tiny").glob("*.parquet")} == {"metrics.parquet"}


def test_status_and_message_of_bad_cells(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan)
    name = plan.pending[0].name
    path = sweep.store.part(name)
    shard, part = read_header(path, "part"), read_table(path)
    for column, value in (("status", "failed"), ("message", "Error: why")):
        index = part.column_names.index(column)
        part = part.set_column(index, column, pa.array([value] * len(part)))
    path.unlink()
    write_part(path, shard, part)
    done = collect(plan, sweep.results / "tiny")
    assert done.status == {"ok": 6, "diverged": 0, "failed": 2}
    assert "8 cells (2 failed)" in done.lines()[0]
    bad = [row for row in sweep.rows().values() if row["status"] != "ok"]
    assert [(row["status"], row["message"]) for row in bad] == [("failed", "Error: why")] * 2


def test_unfinished_plan_is_refused(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan, 3)
    with pytest.raises(InputError, match="not finished; run snakemake again"):
        collect(read_plan(plan.file), sweep.results / "tiny")
    assert not (sweep.results / "tiny/metrics.parquet").exists()


def test_damaged_part_is_moved_aside(sweep: Sweep) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan)
    path = sweep.store.part(plan.pending[0].name)
    column = pq.read_schema(path).names.index("test_loss")
    place = pq.read_metadata(path).row_group(0).column(column)
    data = bytearray(path.read_bytes())
    data[place.data_page_offset + place.total_compressed_size - 3] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="was damaged; run snakemake again"):
        collect(plan, sweep.results / "tiny")
    assert (sweep.store.damaged / path.name).read_bytes() == bytes(data)
    sweep.finish(sweep.config())
    assert len(sweep.rows()) == 8


def test_lists_that_do_not_fit_together_are_unpacked_in_pieces(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = (
        "{model: linear_exact, timesteps: 20, seed: {range: [0, 6]}, "
        "metrics: {only: [test_loss, levels, modes]}}"
    )
    plan = sweep.write(sweep.config(defaults=defaults))
    sweep.compute(plan)
    tables = {}
    for held in (module._HELD_BYTES, 2000):
        monkeypatch.setattr(module, "_HELD_BYTES", held)
        _, *nested = collect(plan, sweep.results / "tiny").files
        tables[held] = [pq.read_table(path) for path in nested]
        assert all(pq.read_metadata(path).num_row_groups == 1 for path in nested) == (held > 2000)
    whole, pieces = tables.values()
    assert whole == pieces
    assert whole[0]["cell_id"].to_pylist() == sorted(whole[0]["cell_id"].to_pylist())
    assert len(whole[0]) == 24 * 15


def test_a_table_of_many_rows_has_groups_that_figures_read_one_by_one(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = sweep.write(sweep.config())
    sweep.compute(plan)
    folder = sweep.results / "tiny"
    (path,) = collect(plan, folder).files
    whole = read_metrics(folder, ["one"])
    monkeypatch.setattr(files, "ROW_GROUP", 3)
    collect(plan, folder)
    assert pq.read_metadata(path).num_row_groups == 3
    pieces = read_metrics(folder, ["one"])
    assert pieces.table.to_pylist() == whole.table.to_pylist()
    assert (pieces.left_out, pieces.fingerprints) == (0, whole.fingerprints)
    # Columns without a value are there, and null.
    assert pieces.table["bures"].null_count == pieces.table["optimizer"].null_count == 8
    assert pieces.table.schema.field("optimizer").type == pa.string()
