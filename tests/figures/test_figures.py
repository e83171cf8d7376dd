"""The registry and, for every figure there is, what it leaves in the results folder."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from lindiff import columns, figures
from lindiff.drawing import style, tables
from lindiff.errors import InputError
from lindiff.report import answers
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


# Of many panels: seconds each.
_LONG = ("data_need", "early_stopping", "fluctuations", "linearity", "phase", "regularization",
         "spectrum", "transition")  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in _LONG)) for n in figures.FIGURES],
)
def test_files_hold_what_was_drawn(
    name: str, results: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    folder = results(name)
    module = figures.load(name)
    drawn: list[pa.Table] = []
    original = module.draw

    def draw(data: pa.Table) -> Figure:
        drawn.append(data)
        figure = original(data)
        # Finding where the panels lie costs most of a drawing, and no file lacks anything for want
        # of it; `test_the_same_tables_give_the_same_bytes` finds it.
        figure.set_layout_engine("none")
        return figure

    monkeypatch.setattr(module, "draw", draw)
    outputs = figures.draw_figure(name, folder, FEEDS_ALL)
    assert outputs == figures.outputs(name, folder)
    pdf, png = (path.read_bytes() for path in (outputs.pdf, outputs.png))
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf.replace(b" ", b"")
    assert png.startswith(b"\x89PNG")
    saved = pq.read_table(outputs.data)
    assert saved.equals(drawn[0])
    assert saved.num_rows > 0
    facts = tables.facts(saved)
    assert facts["experiments"] == ["one"]
    assert facts["caption"] == figures.caption(name)
    text = outputs.text.read_text()
    assert text.startswith(facts["caption"])
    assert text.endswith(".\n")
    assert not set("\\${}") & set(text)
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
    source = tables.read_metrics(tmp_path, ["mine"])
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
    synthetic.write(tmp_path, synthetic.sweep()[0])
    with pytest.raises(InputError, match=r"levels\.parquet is missing"):
        figures.draw_figure("transition", tmp_path, FEEDS_ALL)


INFINITE = {"kl_model_data": math.inf, "kl_data_model": math.inf}


@pytest.mark.parametrize(
    ("name", "made", "words"),
    [
        ("kl", {"n": [2, 4], **INFINITE}, "null in every cell. It takes a finite KL: n above"),
        ("kl", {"status": "failed"}, "None of its 1 cells is ok: all failed or diverged."),
        ("tuned", {"ridge": [0.0, 0.1, 1.0]}, "at least 3 values of ridge, weight_decay or stop"),
        ("regularization", {"ridge": [0.0, 0.1]}, "at least 3 values of ridge or weight_decay"),
        ("early_stopping", {"stop": [1.0, math.inf]}, "at least 3 values of stop between 0 and"),
        ("training_time", {"model": "mlp", "stop_step": [0, 5]}, "at least 3 values of stop_step"),
        ("data_need", {"n": [2, 3]}, "kl_model_data is null in every cell. "),
    ],
)
def test_a_figure_with_nothing_to_draw_is_a_page_that_says_why(
    name: str, made: dict[str, Any], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    nested = {key: synthetic.nested(key, []) for key in columns.NESTED}
    synthetic.write(tmp_path, synthetic.table(synthetic.rows(**made)), **nested)
    with caplog.at_level(logging.WARNING):
        outputs = figures.draw_figure(name, tmp_path, FEEDS_ALL)
    assert f"figure {name}: nothing to draw. " in caplog.text
    assert words in caplog.text
    data = pq.read_table(outputs.data)
    assert data.num_rows == 0
    assert words in " ".join(tables.facts(data)["reasons"])
    assert all(path.stat().st_size > 1000 for path in (outputs.pdf, outputs.png, outputs.data))
    assert "Nothing to draw: " in outputs.text.read_text()
    page = figures.drawing(name, data)
    assert not page.axes
    answers.write(tmp_path, [name], tmp_path / "answers.html")


def test_a_panel_without_data_says_what_it_takes(tmp_path: Path):
    made = synthetic.rows(model=["linear_exact", "linear_theory"], n=[4, 16, 64], d=8)
    for row in made:
        row |= dict.fromkeys(("test_loss", "kl_model_data", "kl_data_model"), 1 / row["n"])
    synthetic.write(tmp_path, synthetic.table(made))
    data = figures.figure_data("fluctuations", tmp_path, FEEDS_ALL)
    near, several = tables.facts(data)["lacking"]
    assert near == "values of n or n_over_d with N/d between 0.6 and 1.8"
    with style.applied():
        figure = figures.drawing("fluctuations", data)
    said = [" ".join(text.get_text().split()) for ax in figure.axes for text in ax.texts]
    assert f"nothing to draw: it takes {near}" in said
    assert f"nothing to draw: it takes {several}" in said


def test_infinite_points_and_zeros_stand_at_the_edges():
    with style.applied():
        figure, axes = style.panels(1, 1)
        y = np.array([1.0, math.inf, 0.0])
        none = np.full(3, math.nan)
        part = {"value": y, "low": none, "high": none}
        style.points(axes[0, 0], np.array([1.0, 2, 3]), part, style.COLOURS[0], "o")
        style.axis(axes[0, 0], "n", "test_loss")
        entries = [style.handle(style.COLOURS[0], "drawn", marker="o")]
        style.legend(figure, [*entries, style.handle(style.GREY, "no line", dash="-")])
        figure.draw_without_rendering()
    marks = {line.get_marker(): line.get_xdata().tolist() for line in axes[0, 0].lines[1:]}
    assert marks == {"^": [2.0], "v": [3.0]}
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["drawn", "at the upper edge: infinite", "at the lower edge: not above 0"]


@pytest.mark.parametrize("ends", [(0.31, 0.45), (0.42, 0.43), (2.5, 9.5), (0.9, 1.6), (90, 110),
                                  (0.14, 7.5), (0.15, 9)])  # fmt: skip
def test_a_logarithmic_axis_with_less_than_two_decades_has_labels(ends: tuple[float, float]):
    with style.applied():
        figure, axes = style.panels(1, 1)
        style.line(axes[0, 0], ends, ends)
        style.axis(axes[0, 0], "n", "test_loss")
        figure.draw_without_rendering()
        axis = axes[0, 0].yaxis
        low, high = axis.get_view_interval()
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        shown = [t for t in ticks if t.label1.get_text() and low <= t.get_loc() <= high]
    assert 2 <= len(shown) <= 7
