"""A cell of a table computed again: what agrees, what does not, and what cannot be computed."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from lindiff.cli import main
from lindiff.columns import METRIC, SETTING
from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.models import linear
from lindiff.report.recompute import EXACT, TRAINED, Recomputed, compared, recompute
from lindiff.science import datasets
from lindiff.science.pools import make_pool
from tests.configs import values
from tests.sweeps import Sweep

ROOT = Path(__file__).parents[2]
EXPERIMENTS = {
    "others": "{model: [ledoit_wolf, empirical], d: 4, n: [9, 12], draw: samples, sampler: ddim}",
    "theory": "{model: linear_theory, d: 5, n: 7, metrics: [levels]}",
    "own": "{data: [{file: m.npy}, gaussian], n: 5, sampler: ddim,"
    " metrics: [levels, modes, agreement]}",
}
# Their batches have sizes at which float32 rounds otherwise than alone.
NETWORKS = (
    "{model: mlp, data: digits, n: [16, 33], steps: 30, width: 7, learning_rate: 6.0e-3, sampler:"
    " ddim, precision: [float32, float64], metrics: [agreement, levels, linearity, pictures]}"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    sweep = Sweep(tmp_path_factory.mktemp("whole"))
    np.save(sweep.folder / "m.npy", values())
    sweep.finish(sweep.config(shard="60", **EXPERIMENTS))
    (sweep.folder / "m.npy").unlink()
    return sweep


@pytest.fixture
def sweep(tmp_path: Path, whole: Sweep, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A copy of a finished sweep, whose data file is gone."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(whole.folder, tmp_path, dirs_exist_ok=True)
    return Sweep(tmp_path)


def call(*arguments: object) -> Result:
    words = ["recompute", "results/tiny", *map(str, arguments)]
    return CliRunner().invoke(main, words)


def refused(*arguments: object) -> str:
    """What is said of what cannot be computed."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.stderr


def one(sweep: Sweep, **settings: Any) -> str:
    """The id of a cell with these settings."""
    rows = sweep.rows().values()
    return next(r["cell_id"] for r in rows if all(r[k] == v for k, v in settings.items()))


def change(sweep: Sweep, made: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change rows of the table."""
    path = sweep.results / "tiny/metrics.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    made(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def put(cell: str, **columns: Any) -> Callable[[list[dict[str, Any]]], object]:
    return lambda rows: [row.update(columns) for row in rows if row["cell_id"] == cell]


# What agrees -----------------------------------------------------------------------------------


def test_every_exact_cell_has_the_numbers_of_its_table(sweep: Sweep) -> None:
    before = {path: path.read_bytes() for path in sweep.files()}
    for cell, row in sweep.rows().items():
        found = recompute(sweep.results / "tiny", cell)
        assert found.agrees, found.verdict()
        assert (found.cell_id, found.tolerance, found.notes) == (cell, EXACT, ())
        asked = "levels" if {"own", "theory"} & set(row["experiments"]) else "test_loss"
        assert asked in {metric.name for metric in found.metrics}
        assert call(cell).exit_code == 0
    assert {path: path.read_bytes() for path in sweep.files()} == before


def test_networks_trained_alone_have_the_numbers_of_their_batch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    sweep = Sweep(tmp_path)
    sweep.finish(sweep.config(NETWORKS, shard="60"))
    tolerances = set()
    for cell, row in sweep.rows().items():
        found = recompute(sweep.results / "tiny", cell)
        assert found.agrees, found.verdict()
        assert found.tolerance == TRAINED[row["precision"]]
        tolerances.add(found.tolerance)
        names = {metric.name for metric in found.metrics}
        assert {"agreement", "agreement_se", "levels", "linearity", "pictures"} <= names
    assert tolerances == {1e-5, 1e-10}


def test_tolerances_are_those_of_the_page() -> None:
    text = " ".join((ROOT / "docs/sweep.md").read_text(encoding="utf-8").split())
    words = (
        f"to {EXACT:g} where they are exact, to 1e-5 of a model that is trained in float32, to "
        f"{TRAINED['float64']:g} in float64"
    )
    assert (words in text, TRAINED["float32"]) == (True, 1e-5)
    assert set(TRAINED) == set(SETTING["precision"].choices)


def test_values_beside_the_config_are_those_of_the_row(sweep: Sweep) -> None:
    np.save(sweep.folder / "m.npy", values())
    sweep.finish(load(sweep.folder / "tiny.yaml", ["one.weight_decay=0.7"]))
    assert call(one(sweep, weight_decay=0.7)).exit_code == 0


def test_what_is_printed(sweep: Sweep) -> None:
    cell = one(sweep, d=5)
    result = call(cell[:9])
    shared, table = result.stdout.split("\n\n")
    assert shared.startswith(f"cell_id = {cell}, d = 5, n = 7, model = linear_theory")
    head, *lines, verdict = table.splitlines()
    assert head.split() == ["metric", "now", "in", "the", "table", "difference"]
    row = sweep.rows()[cell]
    shown = {line.split()[0]: line.split()[1:] for line in lines}
    assert float(shown["test_loss"][1]) == row["test_loss"]
    assert shown["levels"][1] == "rows"
    assert verdict.startswith("agrees: ")
    # No name and no number is broken in two where a terminal has 80 columns.
    assert set(shown) <= set(METRIC)
    assert "kl_model_data_eigenvectors" in shown
    found = json.loads(call(cell, "--json").stdout)
    assert (found["cell_id"], found["agrees"], found["status"]) == (
        cell, True, {"now": "ok", "table": "ok"},
    )  # fmt: skip
    assert found["metrics"]["test_loss"]["table"] == row["test_loss"]
    assert len(found["metrics"]["levels"]["now"]) == 15


# What does not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "code", "words"),
    [
        (1 + 3e-14, 0, "each to 1e-12, relative to it or, below 1, to 1"),
        (1 + 1e-9, 1, "does not agree: of 2 metrics 1 differs by more than 1e-12: test_loss"),
        (math.inf, 1, "does not agree: of 2 metrics 1 differs by more than 1e-12: test_loss"),
    ],
)
def test_a_number_that_is_another_is_found(
    sweep: Sweep, factor: float, code: int, words: str
) -> None:
    cell = one(sweep, d=4, n=3, experiments=["one"])
    change(sweep, put(cell, test_loss=sweep.rows()[cell]["test_loss"] * factor))
    result = call(cell)
    assert (result.exit_code, words in result.stdout) == (code, True), result.output
    found = json.loads(call(cell, "--json").stdout)["metrics"]["test_loss"]
    off = (1 - 1 / factor) * min(1, found["table"]) if math.isfinite(factor) else math.inf
    if math.isfinite(factor):
        assert found["difference"] == pytest.approx(off, rel=0.1)
    else:
        assert (found["table"], found["difference"]) == ("inf", "inf")


def test_a_number_that_is_missing_or_of_a_list_is_found(sweep: Sweep) -> None:
    cell = one(sweep, d=4, n=3, experiments=["one"])
    change(sweep, put(cell, c_mean=None))
    assert "1 differs by more than 1e-12: c_mean" in call(cell).stdout
    cell = one(sweep, experiments=["theory"])
    path = sweep.results / "tiny/levels.parquet"
    table = pq.read_table(path)
    losses = table["test_loss"].to_numpy().copy()
    (last,) = np.flatnonzero(np.array(table["cell_id"]) == cell)[-1:]
    losses[last] *= 1 + 1e-6
    pq.write_table(table.set_column(4, "test_loss", pa.array(losses)), path)
    assert "1 differs by more than 1e-12: levels" in call(cell).stdout
    pq.write_table(table.slice(0, 0), path)
    assert "1 differs by more than 1e-12: levels" in call(cell).stdout


def test_numbers_are_compared_one_by_one() -> None:
    rows = [{"t": 1, "loss": 1.0}, {"t": 2, "loss": 1e-14}]
    near = [{"t": 1, "loss": 1.0}, {"t": 2, "loss": 2e-14}]
    found = compared("levels", rows, near, EXACT)
    assert found.difference == pytest.approx(1e-14), "below 1 the difference itself counts"
    assert found.agrees
    assert compared("bures", 4.0, 5.0, EXACT).difference == 0.2
    for other in ([*rows, rows[0]], rows[:1], None, [{"t": 1, "loss": None}, rows[1]]):
        found = compared("levels", rows, other, EXACT)
        assert (found.difference, found.agrees) == (math.inf, False)
    assert compared("bures", math.inf, math.inf, EXACT).agrees
    assert not compared("bures", -math.inf, math.inf, EXACT).agrees


def test_other_code_and_versions_are_told(sweep: Sweep) -> None:
    cell = one(sweep, d=4, n=3, experiments=["one"])
    assert "another one" not in call(cell).stdout
    change(sweep, put(cell, fingerprint="0" * 16, numpy="1.0"))
    result = call(cell)
    assert result.exit_code == 0
    fingerprint = recompute(sweep.results / "tiny", cell).notes[0].split()[-6]
    assert f"the code of its model is another one: {fingerprint} now, {'0' * 16}" in result.stdout
    assert f"NumPy is another one: {np.__version__} now, 1.0 in the table" in result.stdout


def test_a_cell_that_fails_or_failed_does_not_agree(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = one(sweep, d=4, n=3, experiments=["one"])
    change(sweep, put(cell, status="failed", message="ValueError: why", test_loss=None))
    result = call(cell)
    assert result.exit_code == 1
    words = "does not agree: its status is ok, in the table failed (ValueError: why)"
    assert words in result.stdout

    def fails(*_: object) -> pa.Table:
        raise ValueError("no such thing")

    monkeypatch.setattr(linear, "run", fails)
    result = call(cell)
    assert result.exit_code == 1
    assert "failed: ValueError: no such thing" in result.stdout.splitlines()[-1]
    assert f"cell {cell} failed:" in result.stderr


def test_a_cell_that_diverged_agrees_where_it_diverges_again(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    sweep = Sweep(tmp_path)
    text = "{model: mlp, data: digits, n: 16, steps: 9, width: 4, learning_rate: 1.0e+30}"
    sweep.finish(sweep.config(text.replace("}", ", optimizer: sgd, seed: 0}"), shard="60"))
    ((cell, row),) = sweep.rows().items()
    assert row["status"] == "diverged"
    found: Recomputed = recompute(sweep.results / "tiny", cell)
    assert found.agrees
    assert found.verdict().startswith("agrees (diverged: ")


# What cannot be computed -----------------------------------------------------------------------


def test_ids_that_are_none(sweep: Sweep) -> None:
    ids = sorted(sweep.rows())
    (path,) = ("results/tiny/metrics.parquet",)
    assert f"'': no cell of {path} has an id that begins so" in refused("")
    assert f"'zz': no cell of {path} has an id that begins so\n" in refused("zz")
    first = ids[0]
    wrong = first[:20] + ("0" if first[20] != "0" else "1") + first[21:]
    assert f"begins so; the nearest is {first}" in refused(wrong)
    assert f"begins so; the nearest is {first}" in refused(first + "0")
    # More cells than hexadecimal digits: two of them begin alike.
    start, count = max((sum(i[0] == j[0] for i in ids), j[0]) for j in ids)[::-1]
    assert f"{count} cells of {path} begin so: " in refused(start)


def test_tables_that_are_none(sweep: Sweep) -> None:
    cell = one(sweep, experiments=["theory"])
    for folder, words in (
        ("results", "results/metrics.parquet: no such table"),
        ("tiny.yaml", "tiny.yaml: a config, no table; name its results, as results/tiny"),
        ("results/tiny/levels.parquet", "levels.parquet: a table of another lindiff: it has no "),
        ("nowhere", "nowhere: no such table"),
    ):
        result = CliRunner().invoke(main, ["recompute", folder, cell])
        assert result.exit_code == 2
        assert words in result.stderr
        assert "Traceback" not in result.output
    for ids in ([1, 2], [[1], [2]], [None, None], []):
        pq.write_table(pa.table({"cell_id": ids, "d": ids}), sweep.folder / "odd.parquet")
        result = CliRunner().invoke(main, ["recompute", "odd.parquet", "1"])
        assert result.exit_code == 2
        assert "odd.parquet" in result.stderr
    (sweep.results / "tiny/levels.parquet").unlink()
    assert "levels.parquet: no such table" in refused(one(sweep, experiments=["theory"]))


def test_tables_of_another_lindiff(sweep: Sweep) -> None:
    path, cell = sweep.results / "tiny/metrics.parquet", one(sweep, d=4, n=3)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["ridge"]), path)
    assert "a table of another lindiff: it has no column ridge" in refused(cell)
    for about in (None, {b"lindiff": b"no"}, {b"lindiff": b'{"config": {}}'}):
        pq.write_table(table.replace_schema_metadata(about), path)
        assert "does not say which config it is of" in refused(cell)
    pq.write_table(table, path)
    change(sweep, put(cell, n=4))
    assert "damaged: its settings are not those of its ids" in refused(cell)


def test_data_that_are_gone(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(r["data"] for r in sweep.rows().values() if "m.npy" in (r["data"] or ""))
    shutil.rmtree(sweep.store.data)
    monkeypatch.setattr(datasets, "_known", {})
    make_pool.cache_clear()
    assert f"data set {name}: " in refused(one(sweep, data=name))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from lindiff.cli import main
main(sys.argv[1:])
"""


def test_networks_without_torch_or_a_device(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    sweep = Sweep(tmp_path)
    text = "{model: mlp, data: digits, n: 16, steps: 2, width: 4, learning_rate: 1.0e-3, seed: 0}"
    sweep.finish(sweep.config(text, shard="60"))
    (cell,) = sweep.rows()
    command = [sys.executable, "-c", WITHOUT_TORCH, "recompute", "results/tiny", cell]
    found = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert found.returncode == 2
    words = f"cell {cell}: mlp is trained and needs the package torch: pip install 'lindiff[train]'"
    assert words in found.stderr
    assert "Traceback" not in found.stderr
    with pytest.raises(InputError, match=f"cell {cell}: "):
        recompute(sweep.results / "tiny", cell, "cuda:7")
