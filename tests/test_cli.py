"""The command line: what it prints, what it refuses, and how."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from lindiff.cli import main
from lindiff.report.query import cells
from lindiff.sweep.store import read_header, read_table, write_part
from tests.sweeps import DEFAULTS, Sweep


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.chdir(tmp_path)
    return Sweep(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    sweep = Sweep(tmp_path_factory.mktemp("whole"))
    sweep.finish(sweep.config(two="{d: 5, n: 4, spectrum: {power_law: 1.0}}"))
    return sweep


@pytest.fixture
def finished(sweep: Sweep, whole: Sweep) -> Sweep:
    """A copy of a finished sweep."""
    shutil.copytree(whole.folder, sweep.folder, dirs_exist_ok=True)
    return sweep


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(*arguments: object) -> Any:
    return json.loads(output(*arguments, "--json"))


def test_start_is_light() -> None:
    code = (
        "import sys, lindiff.cli;"
        "heavy = {'numpy', 'pyarrow', 'pydantic', 'matplotlib', 'rich', 'pandas', 'torch'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_it_runs_as_a_module() -> None:
    run = subprocess.run([sys.executable, "-m", "lindiff", "--version"], capture_output=True)
    assert run.stdout.startswith(b"lindiff, version ")


def test_every_verb_has_help() -> None:
    verbs = ("validate", "plan", "run", "collect", "figures", "status", "cells", "theory")
    for verb in (*verbs, "recompute", "sweep", "init"):
        assert f"Usage: main {verb}" in output(verb, "--help")


def test_validate(sweep: Sweep) -> None:
    sweep.config(two="{d: 4, n: 3}")
    assert output("validate", "tiny.yaml") == "tiny.yaml: 8 cells\n  one: 8\n  two: 2\n"
    found = parsed("validate", "tiny.yaml")
    assert (found["cells"], found["experiments"], found["warnings"]) == (
        8,
        {"one": 8, "two": 2},
        [],
    )
    assert not sweep.results.exists()


def test_validate_warns(sweep: Sweep) -> None:
    sweep.config("{d: 4, n: 3}", defaults="{model: linear_exact, beta_max: 1.0e-3, seed: 0}")
    result = call("validate", "tiny.yaml")
    assert result.exit_code == 0
    assert "warning: tiny.yaml:5:8: experiments.one.schedule = 'linear': alpha_bar" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("validate", "absent.yaml"), "absent.yaml: no such file"),
        (("plan", "bad.yaml"), "bad.yaml:3:18: experiments.one.n = 1: must be at least 2"),
        (("status", "bad.yaml"), "bad.yaml:3:18: experiments.one.n = 1: must be at least 2"),
        (("run", "absent.parquet", "--out", "x"), "absent.parquet: no such spec"),
        (("collect", "plan-absent.json"), "plan-absent.json: no such plan file"),
        (("figures", "plan-absent.json"), "plan-absent.json: no such plan file"),
        (("cells", "."), "metrics.parquet: no such table"),
    ],
)
def test_what_is_wrong_is_said_on_stderr(
    sweep: Sweep, arguments: tuple[str, ...], message: str
) -> None:
    (sweep.folder / "bad.yaml").write_text(
        "defaults: {model: linear_exact, seed: 0}\nexperiments:\n  one: {d: 4, n: 1}\n"
    )
    before = sweep.files()
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output
    assert sweep.files() == before


def test_limit_on_the_grid_can_be_lifted(sweep: Sweep) -> None:
    sweep.config(more="max_cells: 7")
    result = call("plan", "tiny.yaml")
    assert result.exit_code == 2
    assert "the grid has 8 cells" in result.stderr
    assert "--max-cells" in result.stderr
    assert "8 cells wanted" in output("plan", "tiny.yaml", "--max-cells", "8")


def test_plan_shows_what_would_run(sweep: Sweep) -> None:
    sweep.config()
    text = output("plan", "tiny.yaml")
    assert "tiny: 8 cells wanted, 0 finished, 8 to run in 4 shards (about 1 s" in text
    assert "linear_exact" in text
    assert "MB" in text
    found = parsed("plan", "tiny.yaml")
    assert (found["wanted"], found["done"], len(found["pending"])) == (8, 0, 4)
    assert found["pending"][0]["cells"] == 2
    assert not sweep.results.exists()


def test_plan_of_many_shards_is_short(sweep: Sweep) -> None:
    sweep.config("{d: 4, n: {range: [3, 33]}}")
    text = output("plan", "tiny.yaml")
    assert "… and 48 more shards" in text
    assert len(text.splitlines()) < 20


def test_stages_by_hand(sweep: Sweep) -> None:
    config = sweep.config()
    plan = sweep.plan(config)
    assert "4 shards to run" in output(
        "plan", "tiny.yaml", "--write", plan.file, "--digest", plan.digest
    )
    for shard in plan.pending:
        spec, part = sweep.store.spec(shard.name), sweep.store.part(shard.name)
        assert output("run", spec, "--out", part) == ""
        assert "already there" in output("run", spec, "--out", part)
    text = output("collect", plan.file)
    assert "metrics.parquet: 8 cells" in text
    assert "cost model: " in text
    assert len(sweep.rows()) == 8


def test_figures(sweep: Sweep) -> None:
    defaults = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1, 2]}"
    config = sweep.config("{d: 4, n: [3, 8, 16], figures: [kl]}", defaults=defaults)
    sweep.finish(config)
    plan = sweep.plan(config)
    files = output("figures", plan.file).split()
    assert [Path(file).name for file in files] == [
        "kl.pdf",
        "kl.png",
        "kl.txt",
        "kl.tex",
        "kl.parquet",
    ]
    result = call("figures", plan.file, "lk")
    assert result.exit_code == 2
    assert "no figure named 'lk'" in result.stderr


# Status -----------------------------------------------------------------------------------------


def test_status_of_nothing_and_of_everything(sweep: Sweep) -> None:
    config = sweep.config(two="{d: 4, n: [3, 9]}")
    before = parsed("status", "tiny.yaml")
    rows = {row["name"]: (row["wanted"], row["done"], row["waiting"]) for row in before["rows"]}
    assert rows == {"one": (8, 0, 8), "two": (4, 0, 4), "all": (10, 0, 10)}
    assert before["shards"] == 6
    assert before["seconds_left"] > 0
    assert not sweep.results.exists()
    plan = sweep.write(config)
    sweep.compute(plan, 2)
    part = parsed("status", "tiny.yaml")
    rows = {row["name"]: row for row in part["rows"]}
    assert rows["all"]["done"] == sum(shard.cells for shard in plan.pending[:2])
    assert rows["all"]["done"] + rows["all"]["waiting"] == 10
    sweep.finish(config)
    after = parsed("status", "tiny.yaml")
    rows = {row["name"]: (row["wanted"], row["done"], row["waiting"]) for row in after["rows"]}
    assert rows == {"one": (8, 8, 0), "two": (4, 4, 0), "all": (10, 10, 0)}
    assert (after["shards"], after["seconds_left"], after["jobs"]) == (0, 0, [])
    assert "left:" not in output("status", "tiny.yaml")
    assert "10" in output("status", "tiny.yaml", "--watch"), "nothing to watch: it ends"


def test_status_tells_failed_cells_and_jobs(finished: Sweep) -> None:
    config = finished.config(two="{d: 5, n: 4, spectrum: {power_law: 1.0}}", three="{d: 6, n: 4}")
    plan = finished.write(config)
    path = finished.store.part(plan.reuse[0])
    shard, part = read_header(path, "part"), read_table(path)
    for column, value in (("status", "failed"), ("message", "Error: [why] it failed")):
        index = part.column_names.index(column)
        part = part.set_column(index, column, pa.array([value] * len(part)))
    write_part(path, shard, part)
    waiting = plan.pending[0].name
    log = finished.results / f"tiny/logs/{waiting}.log"
    log.parent.mkdir()
    log.write_text("one\ntwo\nKilled\n")
    found = parsed("status", "tiny.yaml")
    (job,) = found["jobs"]
    assert (job["shard"], job["state"], job["message"]) == (waiting, "failed", "one\ntwo\nKilled")
    assert found["failures"] == [["Error: [why] it failed", shard.cells]]
    assert found["rows"][-1]["bad"] == {"failed": shard.cells}
    text = output("status", "tiny.yaml")
    assert "Error: [why] it failed" in text
    assert f"remove their parts: rm results/store/parts/{shard.name}.parquet" in text.replace(
        "\n", ""
    )
    assert "Killed" in text
    assert f"{shard.cells} failed" in text


def test_status_tells_damaged_parts(finished: Sweep) -> None:
    finished.config()
    name = sorted(path.stem for path in finished.store.parts.iterdir())[0]
    finished.store.part(name).write_bytes(b"")
    assert parsed("status", "tiny.yaml")["damaged"] == [name]
    assert f"damaged parts, to be run again: {name}" in output("status", "tiny.yaml")


# Cells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ((), 10),
        (("d=4",), 8),
        (("d=4", "n=3"), 4),
        (("weight_decay=0,0.1", "d=4"), 8),
        (("weight_decay=0.1",), 4),
        (("weight_decay=0.10",), 4),
        (("weight_decay!=0",), 4),
        (("n<8",), 6),
        (("n<=8", "n >= 4"), 6),
        (("stop=inf",), 10),
        (("stop=.inf",), 10),
        (("stop!=inf",), 0),
        (("train_loss=null",), 10),
        (("test_loss!=null",), 10),
        (("spectrum=power_law",), 2),
        (('spectrum_params={"exponent": 1.0}',), 2),
        (('spectrum_params={"exponent":1}',), 2),
        (('spectrum_params={"exponent":2},{"exponent":1}',), 2),
        (('spectrum_params!={"exponent":1}',), 8),
        (("final_noise=false",), 10),
        (("experiments=two",), 2),
        (("experiments=one,two",), 10),
        (("experiments!=one",), 2),
        (("status=failed",), 0),
    ],
)
def test_conditions(finished: Sweep, conditions: tuple[str, ...], count: int) -> None:
    assert len(cells(finished.results / "tiny", conditions)) == count
    assert len(parsed("cells", "results/tiny", *conditions)) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rigde=0",), "no column 'rigde'; did you mean ridge?"),
        (("d=four",), "'d=four': 'four' is not a whole number"),
        (("d=4.0",), "'4.0' is not a whole number"),
        (("ridge=x",), "'x' is not a number"),
        (("final_noise=1",), "'1' is not true or false"),
        (("spectrum<x",), "spectrum is not a number"),
        (("d",), "'d': a condition is NAME=VALUE"),
        (("spectrum_params={",), "is not JSON"),
        (("spectrum_params={" + '"a":[' * 9000,), "is not JSON"),
        (("d=99999999999999999999",), "is not a whole number of 64 bits"),
        (("d<99999999999999999999",), "is not a whole number of 64 bits"),
        (("d=" + "9" * 5000,), "is not a whole number of 64 bits"),
        (("ridge=1e400",), "'1e400' is not a number"),
        (("ridge=nan",), "'nan' is not a number"),
        (("ridge<null",), "null is not a number; use ridge=null"),
        (("--columns", "d,m"), "no column 'm'"),
    ],
)
def test_conditions_that_make_no_sense(
    finished: Sweep, arguments: tuple[str, ...], message: str
) -> None:
    result = call("cells", "results/tiny", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_cells_are_shown_in_three_forms(finished: Sweep) -> None:
    text = output("cells", "results/tiny", "d=4", "--columns", "d,n,test_loss", "--limit", "2")
    assert text.splitlines()[0].split() == ["d", "n", "test_loss"]
    assert text.splitlines()[-1] == "8 cells, the first 2 shown"
    table = output("cells", "results/tiny", "d=4", "--columns", "d,n,experiments", "--csv")
    assert table.splitlines()[0] == '"d","n","experiments"'
    assert len(table.splitlines()) == 9
    assert '"one"' in table
    rows = parsed("cells", "results/tiny", "d=4", "--columns", "d,n,test_loss")
    assert {row["d"] for row in rows} == {4}
    # By default: what tells the rows apart, and what is known of them.
    (first, *_) = parsed("cells", "results/tiny")
    assert {"cell_id", "d", "n", "spectrum", "seed", "test_loss", "status"} <= set(first)
    assert not {"timesteps", "train_loss", "family_id"} & set(first)


def test_cells_are_readable_on_eighty_columns(finished: Sweep) -> None:
    """Settings that differ, in reading order, then metrics; what all rows share stands above."""
    shared, table = output("cells", "results/tiny", "d=4", "weight_decay=0").split("\n\n")
    head, *rows = table.splitlines()
    assert shared.startswith("d = 4, model = linear_exact, spectrum = isotropic, ")
    assert "weight_decay" not in shared  # neutral, as all cells have it
    assert head.split() == ["n", "n_over_d", "seed", "test_loss", "c_mean"]
    found = [row.split()[:3] for row in rows[:4]]
    assert found == [["3", "0.75", "0"], ["3", "0.75", "1"], ["8", "2", "0"], ["8", "2", "1"]]
    assert rows[4:] == ["4 cells"]


def test_cells_without_room_are_named(finished: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = output("cells", "results/tiny")
    assert max(map(len, text.splitlines())) <= 40
    table, end = text.split("\n\n")[1].split("10 cells\n")
    assert table.split()[:5] == ["d", "n", "n_over_d", "test_loss", "c_mean"]
    differ = "settings that differ too, with --columns: spectrum, weight_decay, seed"
    assert " ".join(end.split()) == differ


def test_cells_of_no_row_and_of_one(finished: Sweep) -> None:
    assert output("cells", "results/tiny", "d=99") == "0 cells\n"
    one = output("cells", "results/tiny", "d=5", "seed=0")
    assert "seed = 0" in one
    assert "test_loss = " in one
    assert one.splitlines()[-1] == "1 cell"


def test_n_over_d_is_asked_like_a_column(finished: Sweep) -> None:
    assert len(parsed("cells", "results/tiny", "n_over_d>=2")) == 4
    rows = parsed("cells", "results/tiny", "n_over_d=0.75", "--columns", "cell_id,n,n_over_d")
    assert {(row["n"], row["n_over_d"]) for row in rows} == {(3, 0.75)}
    every = [(row["d"], row["n"]) for row in parsed("cells", "results/tiny")]
    assert every == sorted(every)


def test_foreign_table_is_refused(sweep: Sweep) -> None:
    (sweep.folder / "metrics.parquet").write_text("none")
    result = call("cells", ".")
    assert result.exit_code == 2
    assert "not a table of lindiff" in result.stderr


def strict(text: str) -> Any:
    """JSON as other programs read it: `Infinity` and `NaN` are no part of it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_is_json_where_numbers_are_not_finite(tmp_path: Path) -> None:
    asked = ("theory", "d=8", "n=[4, 9, 20]", "--metric", "kl_data_model", "--json")
    kl = {row["n"]: row["kl_data_model"] for row in strict(output(*asked))}
    assert (kl[4], kl[9]) == ("inf", "inf")
    assert 0 < kl[20] < 1
    (_, edge, _) = strict(output(*asked, "ridge=1.0e-16"))  # N = d + 1, where it has no limit
    assert edge["kl_data_model"] is None
    sweep = Sweep(tmp_path)
    config = sweep.config(
        "{d: 8, n: 4, sampler: ideal}", defaults=DEFAULTS.replace("c_mean", "c_mean, kl_model_data")
    )
    results = ("--results", sweep.results)
    assert strict(output("plan", sweep.folder / "tiny.yaml", *results, "--json"))["wanted"] == 2
    sweep.finish(config)
    found = strict(output("cells", sweep.results / "tiny", "--json"))
    assert {row["kl_model_data"] for row in found} == {"inf"}
    strict(output("status", sweep.folder / "tiny.yaml", *results, "--json"))


@pytest.mark.parametrize("name", ["exp-12:30", "s3:x", "with space", "a%20b"])
def test_a_results_folder_may_have_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also relative ones: to Arrow a colon is the end of a scheme."""
    monkeypatch.chdir(tmp_path)
    sweep = Sweep(Path(name))
    sweep.folder.mkdir()
    config = sweep.config("{d: 4, n: [3, 8]}", name="tiny")
    sweep.finish(config)
    assert sweep.plan(config).pending == ()
    assert len(strict(output("cells", f"{name}/results/tiny", "n=3", "--json"))) == 2


# What is not there to be read, written or obeyed ----------------------------------------------


@pytest.mark.parametrize(
    "verb",
    ["validate", "plan", "status", "run", "replan", "collect", "figures", "answers", "page"],
)
def test_folders_pipes_and_noise_are_refused(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "noise").write_bytes(bytes(range(128, 256)) * 20)
    (tmp_path / "deep").write_text("[" * 100_000)
    out = ("--out", "part") if verb in ("run", "replan") else ()
    for name in ("folder", "pipe", "noise", "deep", "none", "", "x" * 300, "\udcff"):
        result = call(verb, name, *out)
        assert result.exit_code in (1, 2), (name, result.output)
        assert result.stderr
        assert "Traceback" not in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe", "noise", "deep"}
    assert "not a regular file" in call(verb, "pipe", *out).stderr
    assert "is a directory" in call(verb, "folder", *out).stderr


def test_a_part_is_not_written_to_a_pipe(finished: Sweep) -> None:
    (spec, *_) = finished.store.specs.iterdir()
    os.mkfifo(finished.folder / "pipe")
    assert "not a regular file" in call("run", spec, "--out", "pipe").stderr


def test_escape_sequences_are_shown_not_sent(sweep: Sweep) -> None:
    (sweep.folder / "c.yaml").write_text('"\\e[31mred": 1\n')
    for arguments in (
        ("validate", "c.yaml"), ("validate", "\x1b[31mred.yaml"), ("\x1b[31m",),
        ("validate", "c.yaml", "--\x1b[31m"), ("cells", "\x1b[31m"), ("theory", "\x1b[31m=1"),
    ):  # fmt: skip
        result = call(*arguments)
        assert result.exit_code == 2
        assert "\x1b" not in result.output
        assert "\\x1b[31m" in result.output


def test_no_figure_is_drawn_where_one_is_not_known(sweep: Sweep) -> None:
    defaults = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}"
    config = sweep.config("{d: 4, n: [3, 8], figures: [kl]}", defaults=defaults)
    sweep.finish(config)
    for other in ("lk", "transition"):
        assert call("figures", sweep.plan(config).file, "kl", other).exit_code == 2
        assert not (sweep.results / "tiny/figures").exists()


def test_a_table_of_lists_and_a_foreign_one(finished: Sweep) -> None:
    lists = pa.table({"cell_id": ["a"], "values": [[0.5, 1.0]]})
    pq.write_table(lists, finished.folder / "lists.parquet")
    assert "0.5, 1" in output("cells", "lists.parquet")
    assert '"0.5 1"' in output("cells", "lists.parquet", "--csv")

    pq.write_table(pa.table({"a": [1]}), finished.folder / "foreign.parquet")
    assert "it has no column cell_id" in call("cells", "foreign.parquet").stderr


def test_any_limit_is_a_limit(finished: Sweep) -> None:
    assert output("cells", "results/tiny", "--limit", 2**70) == output(
        "cells", "results/tiny", "--limit", 10_000
    )


def test_csv_of_nested_rows_is_json(finished: Sweep) -> None:
    rows = [[{"t": 1, "loss": 0.5}, {"t": 2, "loss": math.inf}], None]
    nested = pa.table({"cell_id": ["a", "b"], "levels": rows})
    pq.write_table(nested, finished.folder / "nested.parquet")
    found = list(csv.DictReader(io.StringIO(output("cells", "nested.parquet", "--csv"))))
    assert json.loads(found[0]["levels"])[1] == {"t": 2, "loss": "inf"}
    assert found[1]["levels"] == ""


@pytest.mark.parametrize("command", ["cells results/tiny --csv", "cells results/tiny --json"])
def test_a_reader_that_has_gone_is_no_error(finished: Sweep, command: str) -> None:
    line = f"{sys.executable} -m lindiff.cli {command} | true"
    found = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("", "")
