"""What is made from the store: damaged files are moved aside, those of older plans removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lindiff import checksums, figures
from lindiff.report.summary import summary
from lindiff.sweep import derived
from tests.sweeps import Sweep

TABLES = ("metrics.parquet", "modes.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything of a plan with two figures, and what a person put beside it."""
    for job, paths in derived.made(tmp_path, TABLES, ("kl", "transition")).items():
        with checksums.kept(tmp_path, job, paths):
            for path in paths:
                path.parent.mkdir(exist_ok=True)
                path.write_text(path.name)
    (tmp_path / "report.zip").touch()
    for name in ("figures/mine.pdf", "notes.txt", "figures/kl_talk.png"):
        (tmp_path / name).touch()
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


KL = {f"figures/{path.name}" for path in figures.outputs("kl", Path())}
REPORT = {"report.zip"}


def test_files_of_the_plan_stay(folder: Path) -> None:
    before = files(folder)
    derived.tidy(folder, TABLES, ("kl", "transition"))
    assert files(folder) == before - REPORT


def test_a_figure_that_is_not_asked_for_goes_and_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {
        str(p.relative_to(folder)) for p in derived.outdated(folder, TABLES, ["transition"])
    } == KL
    before = files(folder)
    derived.tidy(folder, TABLES, ["transition"])
    assert before - files(folder) == KL | REPORT | {"checksums/figure-kl.json"}
    assert files(folder) < before
    said = capsys.readouterr().err
    assert all(name in said for name in KL | REPORT)


def test_without_figures_there_are_no_answers_and_without_the_metric_no_table(folder: Path) -> None:
    derived.tidy(folder, TABLES[:1], [])
    assert files(folder) == {
        "metrics.parquet", "figures/mine.pdf", "notes.txt", "figures/kl_talk.png",
        "checksums/collect.json", "checksums/answers.json", "checksums/page.json", "index.html",
    }  # fmt: skip


def test_a_figure_of_another_lindiff_goes_if_it_has_checksums(folder: Path) -> None:
    path = folder / "figures/gone.png"
    with checksums.kept(folder, "figure-gone", [path]):
        path.touch()
    derived.tidy(folder, TABLES, ("kl", "transition"))
    assert not path.exists()
    assert (folder / "figures/mine.pdf").exists()


def test_what_is_not_what_was_written_is_moved_aside(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the work of a person."""
    path = folder / "figures/kl.png"
    for content in ("edited", "edited again"):
        path.write_text(content)
        derived.tidy(folder, TABLES, ("kl", "transition"))
        assert not path.exists()
        assert "moved to" in capsys.readouterr().err
    assert (folder / "damaged/kl.png").read_text() == "edited"
    assert (folder / "damaged/kl-1.png").read_text() == "edited again"


@pytest.mark.parametrize("where", [0, 50, 4000, -1])
def test_a_damaged_table_makes_the_plan_anew(tmp_path: Path, where: int) -> None:
    sweep = Sweep(tmp_path)
    config = sweep.config()
    sweep.finish(config)
    whole, rows = sweep.plan(config), sweep.rows()
    assert whole.written
    path = sweep.results / "tiny/metrics.parquet"
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    before = sweep.files()
    plan = sweep.plan(config)
    assert sweep.files() == before
    assert (plan.written, plan.digest, plan.pending) == (False, whole.digest, ())
    assert plan.damaged_derived == {str(path): "it is not what was written"}
    assert any(f"{path} is damaged" in line for line in summary(plan))
    sweep.finish(config)
    assert sweep.plan(config).written
    assert sweep.rows() == rows
    assert (sweep.results / "tiny/damaged/metrics.parquet").read_bytes() == content
