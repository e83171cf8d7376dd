"""The registry and, for every figure there is, what it leaves in the results folder."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lindiff import columns, figures
from lindiff.drawing import style, tables
from lindiff.errors import InputError
from tests.figures import synthetic

FEEDS_ALL = ("one",)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The results folder that feeds a figure."""

    @cache
    def folder_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp("results") / name
        metrics, nested = synthetic.feed(name)
        synthetic.write(folder, metrics, **nested)
        return folder

    return folder_of


def test_the_figures_of_the_issue_exist():
    assert {"transition", "kl", "learned_covariance", "null_directions"} <= set(figures.FIGURES)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_each_figure_says_what_it_is_and_needs(name: str):
    need = figures.needs(name)
    assert len(figures.caption(name)) > 80
    assert figures.category(name)
    assert set(need.metrics) <= set(columns.REQUESTABLE)
    assert {*need.axes, *(setting for setting, _ in need.settings)} <= set(columns.SETTING)
    assert all(path.is_file() for path in figures.sources(name))


def test_reading_needs_and_captions_imports_no_matplotlib():
    script = (
        "import sys; from lindiff import figures\n"
        "for name in figures.FIGURES: figures.needs(name), figures.caption(name)\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


NEW = '''"""A caption."""
import pyarrow as pa
from lindiff.drawing import style
from lindiff.drawing.needs import Needs
NEEDS = Needs(axes=("seed",), metrics=("train_loss",))
CATEGORY = "New"
def query(metrics):
    return pa.table({"seeds": [1], "value": [metrics.num_rows]})
def draw(data):
    figure, axes = style.panels(1, 1, width=style.ONE_COLUMN)
    axes[0, 0].plot(data["value"])
    return figure
'''


def test_a_new_file_is_a_new_figure(
    tmp_path: Path, results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "brand_new.py").write_text(NEW)
    (tmp_path / "_private.py").write_text("")
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    assert set(figures.discover()) - set(figures.FIGURES) == {"brand_new"}
    assert figures.caption("brand_new") == "A caption."
    *_, data = figures.draw_figure("brand_new", results("brand_new"), FEEDS_ALL)
    assert pq.read_table(data)["value"].to_pylist() == [180]
    sys.modules.pop("lindiff.figures.brand_new")


def test_an_unknown_figure_is_named_with_those_that_exist():
    with pytest.raises(InputError, match=r"no figure named 'transitoin'.*kl, .*transition"):
        figures.needs("transitoin")


def test_missing_lists_axes_metrics_and_settings():
    metrics = figures.needs("null_directions").metrics
    given = {"n_over_d": [1, 2], "draw": ["samples"]}
    assert figures.missing("null_directions", given, metrics) == ()
    assert figures.missing("null_directions", {"n": [5], "draw": ["wishart"]}, metrics[:-1]) == (
        "at least two values of n or n_over_d",
        "the metric monte_carlo_gap",
        "draw: samples",
    )
    assert figures.missing("learned_covariance", {"ridge": [0, 1]}, ("modes",)) == ()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_files_hold_what_was_drawn(
    name: str, results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    folder = results(name)
    module = figures.load(name)
    drawn: list[pa.Table] = []
    original = module.draw
    monkeypatch.setattr(module, "draw", lambda data: (drawn.append(data), original(data))[1])
    outputs = figures.draw_figure(name, folder, FEEDS_ALL)
    assert outputs == figures.outputs(name, folder)
    pdf, png, _ = (path.read_bytes() for path in outputs)
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf.replace(b" ", b"")
    assert png.startswith(b"\x89PNG")
    saved = pq.read_table(outputs[2])
    assert saved.equals(drawn[0])
    assert saved.num_rows > 0
    facts = tables.facts(saved)
    assert facts["experiments"] == ["one"]
    assert facts["caption"] == figures.caption(name)
    assert facts["fingerprints"] == ["0" * 16]
    left = {path.name for path in (folder / "figures").iterdir() if path.name.startswith(".")}
    assert left == set()
    assert figures.figure_data(name, folder, FEEDS_ALL).equals(drawn[0], check_metadata=True)


# Saving is one function for all, so two figures stand for it: one of curves, one of pictures.
@pytest.mark.parametrize(
    "name",
    [
        name if name in ("kl", "memorization") else pytest.param(name, marks=pytest.mark.slow)
        for name in figures.FIGURES
    ],
)
def test_the_same_tables_give_the_same_bytes(name: str, results: Callable[[str], Path]):
    outputs = figures.draw_figure(name, results(name), FEEDS_ALL)
    first = [path.read_bytes() for path in outputs]
    figures.draw_figure(name, results(name), FEEDS_ALL)
    assert [path.read_bytes() for path in outputs] == first


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_of_one_training_set_has_no_bands_but_is_drawn(name: str, tmp_path: Path):
    metrics, nested = synthetic.feed(name)
    first = pc.min(metrics["seed"]).as_py()
    seed = pc.fill_null(metrics["seed"], first)
    one = metrics.filter(pc.equal(seed, first))
    synthetic.write(tmp_path, one, **nested)
    data = figures.figure_data(name, tmp_path, FEEDS_ALL)
    if name != "null_directions":  # whose bands are those of the Monte Carlo noise
        assert data["low"].null_count == data.num_rows
    with style.applied():
        figure = figures.load(name).draw(data)
        # Where the panels lie does not depend on bands, and finding it costs most of a drawing.
        figure.set_layout_engine("none")
        figure.draw_without_rendering()


def test_only_rows_of_the_experiments_that_list_the_figure_feed_it(tmp_path: Path):
    mine = synthetic.rows(n=[16, 32], experiments=["other", "mine"])
    theirs = synthetic.rows(n=64, experiments=["other"])
    synthetic.write(tmp_path, synthetic.table(mine + theirs))
    source = tables.read_metrics(tmp_path, "kl", ["mine"])
    assert sorted(source.table["n"].to_pylist()) == [16, 32]
    assert pa.types.is_string(source.table.schema.field("spectrum").type)


def test_cells_that_failed_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    metrics, levels, modes = synthetic.sweep()
    rows = metrics.to_pylist()
    rows[0]["status"], rows[1]["status"] = "failed", "diverged"
    synthetic.write(tmp_path, synthetic.table(rows), levels=levels, modes=modes)
    with caplog.at_level(logging.WARNING):
        data = figures.figure_data("kl", tmp_path, FEEDS_ALL)
    assert "2 cells are not ok" in caplog.text
    assert tables.facts(data)["left_out"] == 2


def test_what_stops_a_figure_is_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"no experiment of .* lists the figure 'kl'"):
        figures.draw_figure("kl", tmp_path, ())
    with pytest.raises(InputError, match=r"metrics\.parquet is missing"):
        figures.draw_figure("kl", tmp_path, FEEDS_ALL)
    failed = synthetic.table(synthetic.rows(status="failed"))
    synthetic.write(tmp_path, failed)
    with pytest.raises(InputError, match=r"no row with status ok of one \(1 rows of another"):
        figures.draw_figure("kl", tmp_path, FEEDS_ALL)
    synthetic.write(tmp_path, synthetic.sweep()[0])
    with pytest.raises(InputError, match=r"levels\.parquet is missing"):
        figures.draw_figure("transition", tmp_path, FEEDS_ALL)
    infinite = synthetic.rows(n=[2, 4], kl_model_data=float("inf"), kl_data_model=float("inf"))
    synthetic.write(tmp_path, synthetic.table(infinite))
    with pytest.raises(InputError, match="none of its 2 cells can be drawn"):
        figures.draw_figure("kl", tmp_path, FEEDS_ALL)
