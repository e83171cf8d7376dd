"""Figures for papers: one panel or all, at a width, in a format, with where they come from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lindiff import figures
from lindiff.cli import main
from lindiff.drawing import drawn, layout, style, tables
from lindiff.errors import InputError
from lindiff.report import papers
from lindiff.sweep.plan import Plan, find_plan
from tests.figures import synthetic
from tests.once import once
from tests.sweeps import Sweep

DEFAULTS = "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1, 2]}"
WIDTHS = list(layout.WIDTHS)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config and its finished sweep, with the figure `kl`."""

    def make(folder: Path) -> None:
        own = Sweep(folder)
        config = own.config("{d: 4, n: [3, 8, 16], figures: [kl]}", defaults=DEFAULTS)
        own.finish(config)
        plan = own.plan(config)
        figures.draw_figure("kl", plan.file.parent, plan.config.feeding("kl"))

    return once(tmp_path_factory, "papers", make)


def call(sweep: Path, *arguments: Any) -> Result:
    (config,) = sweep.glob("*.yaml")
    words = ["figures", config, "kl", "--results", sweep / "results", *arguments]
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.slow
def test_one_panel_at_the_width_of_a_column(sweep: Path, tmp_path: Path):
    asked = ("--panel", "a", "--width", "column", "--format", "pdf,svg,png", "--out", tmp_path)
    result = call(sweep, *asked)
    assert result.exit_code == 0, result.output
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"kl-a-column.{suffix}" for suffix in ("pdf", "svg", "png")}
    with Image.open(tmp_path / "kl-a-column.png") as picture:
        assert picture.width == pytest.approx(3.4 * 300, abs=1)
        assert "--panel=a" in picture.info["Comment"]
    texts = {text.text for text in ET.parse(tmp_path / "kl-a-column.svg").iter() if text.text}
    assert not any("(a)" in text for text in texts)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    call(sweep, *asked)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


@pytest.mark.slow
def test_files_say_where_they_come_from(sweep: Path, tmp_path: Path):
    call(sweep, "--format", "pdf,svg,png", "--out", tmp_path)
    kept = papers.data_of(_plan(sweep), "kl")
    with Image.open(tmp_path / "kl-text.png") as picture:
        known = picture.info
    prints = tables.facts(kept)["fingerprints"]
    assert prints
    assert known["Comment"].startswith("command: lindiff figures --results=")
    assert papers.code() in known["Comment"]
    assert all(one in known["Comment"] for one in prints)
    assert known["Description"].startswith(figures.caption("kl"))
    svg = (tmp_path / "kl-text.svg").read_text()
    assert "command: lindiff figures" in svg
    assert b"/Keywords (command: lindiff figures" in (tmp_path / "kl-text.pdf").read_bytes()


def _plan(sweep: Path) -> Plan:
    (folder,) = (path.parent for path in (sweep / "results").glob("*/metrics.parquet"))
    return find_plan(sweep / "results", folder.name)


@pytest.mark.slow
def test_svg_has_its_text_as_text(sweep: Path, tmp_path: Path):
    call(sweep, "--format", "svg", "--out", tmp_path)
    svg = (tmp_path / "kl-text.svg").read_text()
    assert "<text" in svg
    assert "serif" in svg
    words = "".join(ET.fromstring(svg).itertext())
    assert "Held fixed" in words
    assert "95 % interval" in words


def test_kept_data_are_used_while_they_are_current(sweep: Path, tmp_path: Path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(sweep, copy)
    plan = _plan(copy)
    asked: list[str] = []
    real = figures.figure_data
    monkeypatch.setattr(
        figures, "figure_data", lambda name, *rest: (asked.append(name), real(name, *rest))[1]
    )
    kept = figures.outputs("kl", plan.file.parent)
    newest = max(path.stat().st_mtime_ns for path in figures.sources("kl"))
    late = max(newest, kept.data.stat().st_mtime_ns) + 10**9
    os.utime(kept.data, ns=(late, late))
    first = papers.data_of(plan, "kl")
    assert asked == []
    os.utime(plan.file.parent / "metrics.parquet", ns=(late + 1, late + 1))
    assert papers.data_of(plan, "kl").equals(first, check_metadata=True)
    assert asked == ["kl"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--panel", "z"), r"kl has no panel 'z'; there are: a \(generated from population"),
        (("--format", "gif"), "--format 'gif': no format; there are pdf, svg, pgf, png"),
        (("--format", ""), "--format '': no format; there are pdf, svg, pgf, png"),
        (("--width", "page"), "'page' is not one of 'column', 'text', 'slide'"),
    ],
)
def test_bad_input_is_said_before_anything_is_written(sweep, tmp_path, arguments, words):
    result = call(sweep, *arguments, "--out", tmp_path / "new")
    assert result.exit_code == 2
    assert re.search(words, result.output)
    assert not (tmp_path / "new").exists()


def test_options_of_papers_are_refused_with_a_plan_file(sweep: Path):
    result = CliRunner().invoke(main, ["figures", str(_plan(sweep).file), "kl", "--panel", "a"])
    assert result.exit_code == 2
    assert "--panel is for the figures of a config" in result.output


def test_without_latex_pgf_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="install TeX Live or MiKTeX"):
        papers.formats("pdf,pgf")


def test_outside_a_checkout_the_code_is_its_version(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert re.fullmatch(r"lindiff [\d.]+", papers.code())


def test_the_widths_of_the_command_line_are_those_of_the_layout():
    (option,) = (one for one in main.commands["figures"].params if one.name == "width")
    assert list(option.type.choices) == WIDTHS
    for width in layout.WIDTHS.values():
        assert f"{width.inches:g}" in option.help
        assert f"{width.scale * style.RC['font.size']:g}" in option.help


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX on this machine")
def test_latex_sets_the_pgf_with_its_caption(sweep: Path, tmp_path: Path):
    result = call(sweep, "--panel", "a", "--format", "pgf", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    caption = figures.outputs("kl", _plan(sweep).file.parent).latex.read_text()
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{pgf}\begin{document}\begin{figure}"
        rf"\input{{kl-a-text.pgf}}\caption{{{caption}}}\end{{figure}}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def arranged(name: str, data: Any, width: str, letter: str | None) -> Any:
    """The figure at a width; None where that has no room for all of it."""
    figure = figures.load(name).draw(data)
    if letter is None and len(layout.panels(figure)) > layout.WIDTHS[width].most:
        with pytest.raises(InputError, match="have no room"):
            layout.arrange(figure, name, layout.WIDTHS[width], letter)
        return None
    layout.arrange(figure, name, layout.WIDTHS[width], letter)
    drawn.finish(figure)
    return figure


@pytest.mark.slow
@pytest.mark.parametrize("name", figures.FIGURES)
def test_panels_of_every_figure_have_their_labels_and_their_room(name: str, tmp_path: Path):
    """The whole, the first and the last panel; `tests/figures/test_any_table.py` takes any."""
    metrics, nested = synthetic.feed(name)
    synthetic.write(tmp_path, metrics, **nested)
    data = figures.figure_data(name, tmp_path, ("one",))
    with style.applied():
        letters = list(layout.panels(figures.load(name).draw(data)))
    parts = [("column", letters[0]), ("slide", letters[-1]), ("column", None), ("text", None)]
    for width, letter in parts:
        with style.applied(layout.WIDTHS[width].scale):
            figure = arranged(name, data, width, letter)
            if figure is None:
                continue
            figure.draw_without_rendering()
            assert figure.get_figwidth() == layout.WIDTHS[width].inches
            shown = [ax for ax in figure.axes if ax.axison and ax.get_subplotspec() is not None]
            for ax in shown:
                box = ax.get_window_extent()
                assert min(box.width, box.height) / figure.dpi > 0.5, (letter, width)
            if letter and not shown[0].images:
                assert shown[0].get_xlabel()
                assert shown[0].get_ylabel()
                assert not shown[0].get_title(loc="left").startswith("(")
