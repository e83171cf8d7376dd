"""Two configs of one name: the second is refused; one that has moved is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from lindiff.cli import main
from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.sweep.owner import check_owner, record_owner
from lindiff.sweep.plan import make_plan, write_plan

ONE = "experiments: {a: {model: linear_exact, d: 4, n: 8, seed: 0}}\n"
OTHER = ONE.replace("d: 4", "d: 5")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configs a/t.yaml and b/t.yaml, of which the first has been run."""
    folder = tmp_path / "project"
    for name, text in (("a", ONE), ("b", OTHER)):
        (folder / name).mkdir(parents=True)
        (folder / name / "t.yaml").write_text(text)
    monkeypatch.chdir(folder)
    run(Path("a/t.yaml"))
    return folder


def run(file: Path, results: Path = Path("results")) -> None:
    config = load(file)
    check_owner(config, file, results)
    plan = make_plan(config, results)
    if not plan.written:
        write_plan(plan, results)
    record_owner(file, results / config.name)


def test_the_other_one_is_refused_with_both_files(project: Path) -> None:
    with pytest.raises(InputError, match=r"^b/t\.yaml: results/t holds .* a/t\.yaml; rename"):
        run(Path("b/t.yaml"))
    run(Path("b/t.yaml"), Path("other"))
    run(Path("a/t.yaml"))
    run(project / "a/t.yaml")


@pytest.mark.parametrize("verb", ["status", "plan"])
def test_the_command_line_tells_it(project: Path, verb: str) -> None:
    done = CliRunner().invoke(main, [verb, "b/t.yaml"])
    assert done.exit_code == 2
    assert "results/t holds the results of another config of that name, a/t.yaml" in done.output
    assert CliRunner().invoke(main, [verb, "a/t.yaml"]).exit_code == 0


def test_an_edited_config_is_the_same(project: Path) -> None:
    Path("a/t.yaml").write_text(ONE.replace("n: 8", "n: 9"))
    run(Path("a/t.yaml"))


def test_a_config_that_has_moved_is_the_same(project: Path) -> None:
    Path("a/t.yaml").rename("t.yaml")
    run(Path("t.yaml"))
    assert Path("results/t/config-file").read_text() == "../../t.yaml\n"
    # The place is taken anew by another one: the folder is that of the one that has moved.
    Path("a/t.yaml").write_text(OTHER)
    with pytest.raises(InputError):
        run(Path("a/t.yaml"))


def test_a_copy_that_asks_for_the_same_is_the_same(project: Path) -> None:
    shutil.copy("a/t.yaml", "t.yaml")
    run(Path("t.yaml"))
    run(Path("a/t.yaml"))
    Path("t.yaml").write_text(OTHER)
    with pytest.raises(InputError):
        run(Path("t.yaml"))


@pytest.mark.parametrize("copy", [False, True])
def test_a_project_keeps_its_own_wherever_it_goes(
    project: Path, copy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = project.with_name("elsewhere")
    if copy:
        shutil.copytree(project, other)
    else:
        project.rename(other)
    monkeypatch.chdir(other)
    Path("a/t.yaml").write_text(ONE.replace("n: 8", "n: 9"))
    run(Path("a/t.yaml"))
    with pytest.raises(InputError):
        run(Path("b/t.yaml"))


def test_a_link_is_the_file_that_it_leads_to(project: Path) -> None:
    Path("link").symlink_to("a")
    Path("a/t.yaml").write_text(ONE.replace("n: 8", "n: 9"))
    run(Path("link/t.yaml"))
    run(Path("a/t.yaml"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\0", b"../..", b"/nowhere/t.yaml\n"])
def test_a_note_that_names_no_file_keeps_nobody_out(project: Path, content: bytes) -> None:
    Path("results/t/config-file").write_bytes(content)
    run(Path("b/t.yaml"))


def test_results_of_an_older_lindiff_belong_to_whoever_comes(project: Path) -> None:
    Path("results/t/config-file").unlink()
    run(Path("b/t.yaml"))
    with pytest.raises(InputError):
        run(Path("a/t.yaml"))
