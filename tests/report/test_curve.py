"""`lindiff theory`: one curve without a sweep, in the terminal, as a table and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import lindiff
from lindiff.cli import main
from lindiff.errors import InputError
from lindiff.report.curve import DEFAULT_METRICS, make_curve
from lindiff.report.curve_files import draw, write_curve

SMALL = ("d=20", "timesteps=50", "ridge=0.1")
# At N = 21 so small a ridge leaves a divergence unknown.
HOLE = ("d=20", "timesteps=50", "ridge=1.0e-16")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["theory", *arguments])


def output(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_linear_theory_of_python():
    curve = make_curve(
        ["d=30", "n=[20, 60]", "spectrum={power_law: 1}", "weight_decay=0.01", "sampler=ddim"]
    )
    spectrum, schedule = (
        lindiff.make_spectrum("power_law", 30, exponent=1.0),
        lindiff.make_schedule(),
    )
    sampler = lindiff.make_sampler("ddim", schedule)
    for row in curve.table.to_pylist():
        training = lindiff.Training(weight_decay=0.01)
        expected = lindiff.linear_theory(spectrum, row["n"], [training], schedule, sampler)
        for name in DEFAULT_METRICS:
            assert row[name] == pytest.approx(expected[name][0], rel=1e-9)
    assert curve.table.column_names == [
        "spectrum", "spectrum_params", "d", "n", "n_over_d", "sampler", "weight_decay",
        *DEFAULT_METRICS,
    ]  # fmt: skip
    assert (curve.axis, curve.curves) == ("n", ())
    assert (curve.fixed["d"], curve.fixed["weight_decay"]) == (30, 0.01)
    assert "n" not in curve.fixed


@pytest.mark.parametrize(
    ("arguments", "axis", "curves"),
    [
        (("n=5",), None, ()),
        (("n=[5, 9]",), "n", ()),
        (("n_over_d={log: [0.1, 10, 3]}", "ridge=[0, 1]"), "n_over_d", ("ridge",)),
        (("n_over_d=[0.5, 2]", "ridge={log: [0.1, 1, 5]}"), "n_over_d", ("ridge",)),
        (("n=9", "ridge=[0, 1]", "stop=[1, 10, .inf]"), "stop", ("ridge",)),
        (("n=9", "ridge=[0, 1]", "sampler=[ddim, ddpm_beta, ideal]"), "ridge", ("sampler",)),
        (
            ("n=[9, 30]", "spectrum=[isotropic, {power_law: 2}]"),
            "n",
            ("spectrum", "spectrum_params"),
        ),
        (("n=9", "sampler=[ddim, ddpm_beta]"), "sampler", ()),
        (
            ("n=[5, 7]", "spectrum=[{eigenvalues: [1, 2]}, {eigenvalues: [1, 2, 3]}]"),
            "n",
            ("spectrum", "spectrum_params"),
        ),
    ],
)
def test_axis_and_curves_are_the_settings_with_several_values(
    arguments: tuple[str, ...], axis: str | None, curves: tuple[str, ...]
):
    size = () if any("eigenvalues" in argument for argument in arguments) else ("d=20",)
    curve = make_curve(["timesteps=50", *size, *arguments], ["test_loss"])
    assert (curve.axis, curve.curves) == (axis, curves)
    keys = [tuple(row[name] for name in (*curves, *([axis] if axis else [])))
            for row in curve.table.to_pylist()]  # fmt: skip
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_a_part_of_a_metric_can_be_asked_for_alone():
    names = ("kl_model_data_mean", "overlap_1")
    curve = make_curve([*SMALL, "n=40"], [*names, names[0]])
    assert curve.metrics == names
    assert tuple(curve.table.column_names[-2:]) == names


def test_what_does_not_exist_is_null_with_its_reason():
    curve = make_curve([*HOLE, "n=[20, 21]"], ["kl_data_model"])
    first, second = curve.table.to_pylist()
    assert first["message"] is None
    assert first["kl_data_model"] > 0
    assert second["kl_data_model"] is None
    assert "the spectrum reaches 0" in second["message"]


BAD = [
    (("d",), "lindiff theory: 'd': write KEY=VALUE, such as d=200"),
    (("=3",), "lindiff theory: '=3': write KEY=VALUE, such as d=200"),
    (("d=20",), "lindiff theory: the key n or n_over_d is missing"),
    (("d=20", "n=9", "d=30"), "lindiff theory: d: given twice"),
    (("d=20", "n=9", "n_over_d=2"), "lindiff theory: n_over_d = 2: give n or n_over_d, not both"),
    (("d=20", "n=9", "ridge=-1"), "lindiff theory: ridge = -1: must be at least 0"),
    (("d=20", "n=9", "rigde=1"), "lindiff theory: rigde: unknown key (did you mean ridge?)"),
    (("d=20", "n=9", "ridge=[1"), "lindiff theory: ridge:1:3: not YAML"),
    (("d=20", "n=9", "ridge=!!python/name:os.system x"), "the tag !!python/name:os.system"),
    (("d=20", "n="), "lindiff theory: n = null: empty; a whole number is needed"),
    (("d=20", "n=9", "seed=1"), "lindiff theory: seed: has no effect on model linear_theory"),
    (("d=20", "n=9", "model=linear_exact"), "model: the model is linear_theory"),
    (("d=20", "n=9", "metrics=test_loss"), "metrics: use --metric"),
    (("d=20", "n=9", "sampler=ideal", "stop=3"), "stop = 3.0: cannot be combined with sampler"),
    (("d=20", "n=9", "spectrum={eigenvalues: no.npy}"), "there is no file no.npy"),
    (("d=20", "n=[9, 10]", "ridge=[0, 1]", "stop=[1, 2]"),
     "n, ridge, stop have several values each; at most two settings may"),
    (("d=20", "n={refine: test_loss, at: 1, between: [4, 64]}"),
     "lindiff theory: n: refine takes rounds of a sweep; give its values"),
    (("d=20", "n=9", "--metric", "tset_loss"), "(did you mean test_loss?)"),
    (("d=20", "n=9", "--metric", "levels"), "--metric levels: not a known value"),
    (("d=20", "n=9", "--metric", "agreement"), "agreement needs a sampler"),
    (("d=20", "n=9", "--out", "c.svg"), "c.svg: the name must end in .csv, .parquet, .pdf or .png"),
    (("d=20", "n=9", "--out", "no/c.png"), "no/c.png: there is no folder no"),
    (("d=20", "n=9", "--out", "c.png"), "a picture needs a setting with several numbers"),
    (("d=20", "n=9", "sampler=[ddim, ddpm_beta]", "--out", "c.png"), "with several numbers"),
    (("d=20", "n=[5, 9]", "sampler=ideal", "--metric", "kl_data_model", "--out", "c.png"),
     "nothing to draw: every value is infinite or does not exist"),
    (("d=20", "timesteps=50", "n=[5, 9]", "ridge={linear: [0, 1, 13]}", "--out", "c.png"),
     "a picture holds up to 12 curves, not 13"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_what_is_wrong_is_said_on_stderr(arguments: tuple[str, ...], message: str, folder: Path):
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "experiments" not in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(folder.iterdir()) == []


def test_the_terminal_shows_what_is_shared_then_the_points(folder: Path):
    lines = output(*HOLE, "n=[20, 21]", "--metric", "kl_data_model").splitlines()
    assert lines[0] == "linear_theory: d = 20, timesteps = 50, ridge = 1e-16"
    assert lines[1].split() == ["n", "n_over_d", "kl_data_model"]
    assert lines[2].split()[:2] == ["20", "1"]
    assert lines[3].split() == ["21", "1.05", "–"]
    assert lines[4].startswith("n = 21: no limit of kl_data_model: the spectrum reaches 0")
    several = output(
        *SMALL, "n=[5, 9]", "weight_decay=[0, 1]", "--metric", "test_loss"
    ).splitlines()
    assert several[1].split() == ["weight_decay", "n", "n_over_d", "test_loss"]
    assert list(folder.iterdir()) == []


def test_warnings_go_to_stderr():
    result = call("d=20", "n=9", "beta_max=1.0e-3", "--json")
    assert "warning: lindiff theory: schedule = 'linear': alpha_bar" in result.stderr
    assert json.loads(result.stdout)[0]["beta_max"] == 1e-3


def test_tables_hold_the_same_in_every_form(folder: Path):
    arguments = (*HOLE, "n_over_d={log: [0.1, 10, 5]}", "centre=[estimated, known]")
    rows = json.loads(output(*arguments, "--json"))
    assert len(rows) == 10
    assert output(*arguments, "--out", "c.csv") == "c.csv: 10 points\n"
    assert (folder / "c.csv").read_text() == output(*arguments, "--csv")
    # Among them is N = d with a known centre, where a metric is null.
    for read, row in zip(pyarrow.csv.read_csv("c.csv").to_pylist(), rows, strict=True):
        assert read.keys() == row.keys()
        for name, value in row.items():
            empty = "" if name == "message" else None
            expected = empty if value is None else value
            number = isinstance(value, float)
            assert read[name] == (pytest.approx(value, rel=1e-14) if number else expected)
    output(*arguments, "--out", "c.parquet")
    table = pq.read_table("c.parquet")
    assert table.to_pylist() == rows
    assert table.schema.field("kl_model_data").metadata[b"unit"] == b"nats"
    assert table.schema.field("d").metadata[b"label"] == b"$d$"


def test_a_picture_is_the_same_bytes_again(folder: Path):
    """As PDF; that a PNG is, is shown with the figures, which are written by the same function."""
    arguments = (*SMALL, "n_over_d={log: [0.1, 10, 5]}", "weight_decay=[0, 0.1]")
    for name in ("c.png", "c.pdf"):
        assert output(*arguments, "--out", name) == f"{name}: 10 points\n"
    first = (folder / "c.pdf").read_bytes()
    output(*arguments, "--out", "c.pdf")
    assert (folder / "c.pdf").read_bytes() == first
    assert (folder / "c.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "c.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in folder.iterdir()) == ["c.pdf", "c.png"]


def lines_of(curve: Any, panel: int) -> list[Any]:
    """The curves in a panel, without the mark of N = d."""
    ax = draw(curve).axes[panel]
    return [line for line in ax.lines if line.get_label() != "N = d" and len(line.get_xdata()) > 2]


def test_a_picture_has_a_panel_per_metric_and_a_line_per_curve():
    arguments = [*SMALL, "n_over_d={log: [0.1, 10, 9]}", "weight_decay=[0, 0.1]"]
    curve = make_curve(arguments, ["test_loss", "kl_model_data", "overlap_1"])
    for panel, metric in enumerate(curve.metrics[:2]):
        lines = lines_of(curve, panel)
        assert len(lines) == 2
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 2
        values = np.concatenate([line.get_ydata() for line in lines])
        np.testing.assert_array_equal(values, curve.table[metric].to_numpy())
    first = draw(curve).axes[0]
    assert (first.get_xscale(), first.get_yscale()) == ("log", "linear")
    assert first.get_ylabel() == "Test loss"
    # Isotropic data have no leading eigenspace, and the fourth place is empty.
    assert not draw(curve).axes[3].axison


def test_what_has_no_place_on_the_axis_is_left_out_and_a_hole_is_a_hole():
    ridges = make_curve(["d=20", "timesteps=50", "n=30", "ridge=[0, 0.01, 0.1, 1]"], ["test_loss"])
    assert lines_of(ridges, 0)[0].get_xdata().tolist() == [0.01, 0.1, 1]
    stops = make_curve([*SMALL, "n=30", "stop=[1, 10, 100, .inf]"], ["test_loss"])
    assert lines_of(stops, 0)[0].get_xdata().tolist() == [1, 10, 100]
    hole = make_curve([*HOLE, "n=[20, 21, 22]"], ["kl_data_model"])
    assert np.isnan(lines_of(hole, 0)[0].get_ydata()).tolist() == [False, True, False]


def test_a_folder_is_not_a_file(folder: Path):
    (folder / "c.png").mkdir()
    with pytest.raises(InputError, match=r"c\.png: is a folder"):
        write_curve(make_curve([*SMALL, "n=[20, 22]"]), Path("c.png"))


def test_what_is_no_curve_is_not_overwritten(folder):
    """Neither tables of results nor pictures of figures; a curve of before, and nothing, is."""
    arguments = (*SMALL, "n=[20, 40]", "--metric", "test_loss", "--out")
    for name in ("c.csv", "c.parquet", "c.png", "c.pdf"):
        (folder / name).write_bytes(b"")
        for _ in range(2):
            output(*arguments, name)
        before = b"something else"
        (folder / name).write_bytes(before)
        result = CliRunner().invoke(main, ["theory", *arguments, name])
        assert result.exit_code == 2
        assert f"{name}: is there, and is no curve of `lindiff theory`" in result.stderr
        assert (folder / name).read_bytes() == before
    rows = pa.table({"cell_id": ["a"], "d": [4], "n": [3], "n_over_d": [0.75]})
    pq.write_table(rows, folder / "c.parquet")
    (folder / "c.csv").write_text('"cell_id","d","n","n_over_d"\n"a",4,3,0.75\n')
    for name in ("c.csv", "c.parquet"):
        assert CliRunner().invoke(main, ["theory", *arguments, name]).exit_code == 2


def test_a_curve_of_too_many_points_is_refused():
    result = CliRunner().invoke(main, ["theory", "d=8", "n={range: [3, 20000]}"])
    assert result.exit_code == 2
    assert "an axis of 19,997 values is more than max_cells = 10,000" in result.stderr
