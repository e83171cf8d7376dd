"""Tables of a finished sweep as data frames."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lindiff
from lindiff.columns import METRICS, SETTINGS
from lindiff.drawing import labels
from lindiff.errors import InputError
from lindiff.report import query
from tests.once import once
from tests.sweeps import Sweep

DEFAULTS = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}"
ONE = (
    "{d: 4, n: [3, 8], spectrum: [isotropic, {power_law: 1}, {power_law: 2}], "
    "metrics: [levels, modes], theory: {n: 8}}"
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Sweep:
    def make(folder: Path) -> None:
        own = Sweep(folder)
        own.finish(own.config(ONE, defaults=DEFAULTS, shard="60"))

    return Sweep(once(tmp_path_factory, "read", make))


@pytest.fixture
def folder(sweep) -> Path:
    return sweep.results / "tiny"


def test_rows_and_numbers_are_those_of_the_file(folder):
    frame, table = lindiff.read(folder), pq.read_table(folder / "metrics.parquet")
    assert set(frame) == {*table.column_names, "n_over_d"}
    assert frame["cell_id"].tolist() == table["cell_id"].to_pylist()
    for name in ("n", "d", "test_loss", "seed", "draw", "status", "final_noise", "message"):
        own = [None if pd.isna(value) else value for value in frame[name]]
        assert own == table[name].to_pylist(), name
    assert (frame["n_over_d"] == frame["n"] / frame["d"]).all()
    assert frame.columns.get_loc("n_over_d") == frame.columns.get_loc("n") + 1
    assert frame["experiments"].tolist() == [("one",)] * len(table)


def test_types_do_not_hang_on_the_rows(folder):
    frame = lindiff.read(folder)
    theory = frame["model"] == "linear_theory"
    assert theory.any()
    assert frame.loc[theory, "seed"].isna().all()
    kinds = {"str": "category", "json": "category", "int": "Int64", "bool": "boolean",
             "float": "float64"}  # fmt: skip
    for column in SETTINGS:
        assert frame[column.name].dtype == kinds[column.type], column.name
    assert all(frame[c.name].dtype == "float64" for c in METRICS if c.type == "float")


def test_a_spectrum_has_the_words_of_the_figures(folder):
    frame = lindiff.read(folder)
    assert frame["spectrum"].dtype == "category"
    pairs = dict(zip(frame["spectrum_params"], frame["spectrum"], strict=True))
    words = labels.spectrum("power_law", '{"exponent":2.0}')
    assert pairs == {
        "{}": "isotropic",
        '{"exponent":1.0}': labels.spectrum("power_law", '{"exponent":1.0}'),
        '{"exponent":2.0}': words,
    }
    assert (frame["spectrum"] == words).sum() == 5


def test_labels_and_units_stay(folder):
    """They are plain values: pandas compares them where it joins frames."""
    frame = lindiff.read(folder)
    assert frame.attrs["labels"]["n_over_d"] == "$N/d$"
    assert frame.attrs["labels"]["test_loss"] == labels.label("test_loss")
    assert set(frame.attrs["labels"]) == set(frame)
    assert frame.attrs["units"]["kl_model_data"] == "nats"
    assert "test_loss" not in frame.attrs["units"]
    small = frame[frame["n"] == 3]
    for other in (frame.copy(), small, pd.concat([small, frame[frame["n"] == 8]])):
        assert other.attrs == frame.attrs
    assert len(pd.concat([frame, pd.DataFrame({"n": [1]})])) == len(frame) + 1
    pd.testing.assert_frame_equal(frame, lindiff.read(folder))
    assert (frame["n"] == frame.copy()["n"]).all()
    assert len(frame.merge(small, on="cell_id")) == len(small)


def test_rows_of_other_tables_come_with_the_settings_of_their_cell(folder):
    cells, levels = lindiff.read(folder), lindiff.read(folder, "levels")
    assert set(levels["cell_id"]) == set(cells["cell_id"])
    assert {"t", "train_loss", "n", "n_over_d", "spectrum", "status"} <= set(levels)
    table = pq.read_table(folder / "levels.parquet")
    assert len(levels) == len(table)
    np.testing.assert_array_equal(levels["test_loss"], table["test_loss"].to_numpy())
    n = cells.set_index("cell_id")["n"]
    assert (levels["n"].to_numpy() == n[levels["cell_id"]].to_numpy()).all()
    assert levels.attrs["labels"]["t"] == labels.label("t")
    assert set(lindiff.read(folder, "modes")["mode"]) == {1, 2, 3, 4}


def test_a_cell_that_is_not_ok_is_a_row(folder, tmp_path):
    table = pq.read_table(folder / "metrics.parquet")
    status = ["diverged", *["ok"] * (len(table) - 1)]
    place = table.column_names.index("status")
    pq.write_table(
        table.set_column(place, "status", pa.array(status)), tmp_path / "metrics.parquet"
    )
    frame = lindiff.read(tmp_path)
    assert frame["status"].tolist() == status
    assert len(frame) == len(table)


def test_the_same_cells_as_by_conditions(folder):
    frame = lindiff.read(str(folder))
    rows = query.matching(folder, ["n=3", "model=linear_exact"])
    own = frame[(frame["n"] == 3) & (frame["model"] == "linear_exact")]
    assert set(own["cell_id"]) == set(rows["cell_id"].to_pylist())


@pytest.mark.parametrize(
    ("where", "table", "words"),
    [
        ("tyny", "metrics", "tyny: no such folder; results has results of: tiny (did you mean ti"),
        ("tiny", "level", "no such table; there are: metrics, levels, modes (did you mean levels"),
        ("tiny/metrics.parquet", "metrics", "a file; name its folder"),
        (".", "metrics", "name the results of one config in it: tiny"),
        ("store", "metrics", "store: it has no metrics.parquet; the sweep has to finish first"),
        ("none/at/all", "metrics", "none/at/all: no such folder"),
        ("tiny", "../tiny/metrics", "no such table"),
    ],
)
def test_what_is_no_table_is_told_with_what_there_is(sweep, monkeypatch, where, table, words):
    monkeypatch.chdir(sweep.folder)
    with pytest.raises(InputError) as caught:
        lindiff.read(Path("results") / where, table)
    assert words in str(caught.value)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [flip, lambda p: p.write_bytes(p.read_bytes()[:-9])])
@pytest.mark.parametrize("name", ["metrics", "levels"])
def test_a_damaged_table_is_refused(tmp_path, spoil, name):
    own = Sweep(tmp_path)
    own.finish(own.config("{d: 4, n: 3, seed: 0, metrics: [levels]}", shard="60"))
    folder = own.results / "tiny"
    spoil(folder / f"{name}.parquet")
    with pytest.raises(InputError, match=rf"{name}\.parquet: damaged: it is not what was written"):
        lindiff.read(folder, name)


def test_another_parquet_file_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "metrics.parquet")
    with pytest.raises(InputError, match="it has no column cell_id"):
        lindiff.read(tmp_path)
    (tmp_path / "metrics.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="damaged: it cannot be opened"):
        lindiff.read(tmp_path)
