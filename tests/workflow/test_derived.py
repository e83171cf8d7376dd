"""Damaged and outdated tables, figures and pages, through Snakemake: one plain run mends them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.once import once
from tests.workflow.workspace import Workspace

FIGURES = {"n": "[3, 8, 16]", "seed": "[0, 1]", "metrics": "[]", "shard": "{seconds: 60}"}
KL = FIGURES | {"experiments": "    figures: [kl]\n"}
NOTHING = "Nothing to be done"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    def make(folder: Path) -> None:
        workspace = Workspace(folder, repository)
        workspace.write(**KL)
        workspace.finish()

    return once(tmp_path_factory, "drawn", make)


@pytest.fixture
def workspace(drawn: Path, tmp_path: Path, repository: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(drawn, tmp_path / "copy")), repository)


def contents(workspace: Workspace) -> dict[str, bytes]:
    """What is made of the parts, logs and plans aside."""
    folder = workspace.results / "tiny"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "logs" not in path.parts and not path.match("plan-*.json")
    }


def test_damaged_files_are_said_and_made_again(workspace: Workspace) -> None:
    before, files = contents(workspace), workspace.files()
    damaged = [
        "metrics.parquet",
        "figures/kl.parquet",
        "figures/kl.png",
        "answers.html",
        "index.html",
    ]
    for name, where in zip(damaged, (50, -100, 200, 30, 3000), strict=True):
        path = workspace.results / "tiny" / name
        content = bytearray(path.read_bytes())
        content[where] ^= 4
        path.write_bytes(content)
    pdf = workspace.results / "tiny/figures/kl.pdf"
    pdf.write_bytes(pdf.read_bytes()[:1000])
    broken = workspace.files()
    assert broken.keys() == files.keys()
    dry = workspace.finish("-n")
    assert dry.jobs == {"plan": 1, "collect": 1, "figure": 1, "answers": 1, "page": 1}
    for name in (*damaged, "figures/kl.pdf"):
        assert f"tiny: results/tiny/{name} is damaged (it is not what was written)" in dry.text
    assert workspace.files() == broken
    assert workspace.finish().jobs == dry.jobs
    after = contents(workspace)
    aside = {name for name in after if name.startswith("damaged/")}
    assert len(aside) == 6
    # The table holds times, which the figures and answers do not.
    same = before.keys() - {"metrics.parquet", "checksums/collect.json"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after.keys() - aside == before.keys()
    assert NOTHING in workspace.finish("-n").text


def test_figures_that_are_not_asked_for_any_more_go_with_a_word(workspace: Workspace) -> None:
    (workspace.results / "tiny/report.zip").touch()
    workspace.write(**FIGURES)
    before = workspace.files()
    word = "tiny: the config does not ask for these any more; the run removes them: figures/kl.pdf"
    assert word in workspace.finish("-n").text
    assert workspace.files() == before
    assert word in workspace.finish().text
    assert not list((workspace.results / "tiny/figures").iterdir())
    assert {"answers.html", "report.zip"} & contents(workspace).keys() == set()
    assert NOTHING in workspace.finish("-n").text


def test_a_second_config_of_the_name_is_refused(workspace: Workspace) -> None:
    before = workspace.files()
    other = workspace.folder / "other"
    other.mkdir()
    Workspace(other, workspace.root).write(**FIGURES)
    command = [*workspace.command()[:-1], "sweep=other/tiny.yaml"]
    for options in ([], ["-n"]):
        outcome = workspace.call([*command, *options])
        assert outcome.code != 0
        assert "other/tiny.yaml: results/tiny holds the results of another config" in outcome.text
        assert "Traceback" not in outcome.text
    assert before.items() <= workspace.files().items()
    # The same file from another place is not another one.
    (workspace.folder / "tiny.yaml").rename(other / "tiny.yaml")
    moved = workspace.call([*command, "-n"])
    assert moved.code == 0
    assert moved.jobs["shard"] == 0
