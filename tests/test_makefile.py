"""`make` as a user meets it: the set-up, what it says when it cannot go on, and how it heals.

The real Makefile and scripts run in a folder whose package has no dependencies and its own build
backend, so that pip installs it without the network.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lindiff.files import lock_run, lock_shard

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
[project.optional-dependencies]
workflow = []
test = []
"""
BACKEND = """\
import pathlib, time, zipfile
here = pathlib.Path(__file__).parent
def build_editable(folder, config_settings=None, metadata_directory=None):
    if (here / "slow").exists():
        (here / "begun").touch()
        time.sleep(60)
    if (here / "broken").exists():
        raise SystemExit("the backend is broken")
    files = {
        "tiny.py": "",
        "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"
        "Provides-Extra: workflow\\nProvides-Extra: test\\n",
        "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
    }
    record = "tiny-1.dist-info/RECORD"
    files[record] = "".join(f"{name},,\\n" for name in (*files, record))
    with zipfile.ZipFile(pathlib.Path(folder) / "tiny-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "tiny-1-py3-none-any.whl"
"""


class Clone:
    """A folder with the real Makefile and scripts around a package that installs in a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copytree(ROOT / "tools", folder / "tools")
        (folder / "pyproject.toml").write_text(PYPROJECT)
        (folder / "backend.py").write_text(BACKEND)
        (folder / "constraints.txt").write_text("")
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if key not in ("PYTHON", "CONFIG", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")
        }

    def popen(self, *arguments: str, through: Path | None = None) -> subprocess.Popen[str]:
        folder = through or self.folder
        return subprocess.Popen(
            ["make", "--no-print-directory", *arguments],
            cwd=folder,
            env=self.environment | {"PWD": str(folder)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def make(
        self, *arguments: str, python: str = sys.executable, through: Path | None = None
    ) -> tuple[int, str, str]:
        process = self.popen(*arguments, f"PYTHON={python}", through=through)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def python_with(self, sitecustomize: str) -> str:
        """A real Python that runs these lines at its start."""
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(sitecustomize)
        wrapper = self.folder / "odd python"
        wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys.executable}" "$@"\n')
        wrapper.chmod(0o755)
        return str(wrapper)

    def stamp(self) -> Path:
        return self.folder / ".venv" / "installed-test"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "a clone's folder")


def sentence(err: str) -> str:
    """The one line of ours in what make printed on stderr."""
    lines = [line for line in err.splitlines() if line.startswith("lindiff: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def test_too_old_python_is_said_and_heals(clone: Clone) -> None:
    old = clone.python_with("import sys\nsys.version_info = (3, 9, 18, 'final', 0)\n")
    code, _, err = clone.make("setup", python=old)
    assert code != 0
    assert "Python 3.11 or newer is needed, and" in sentence(err)
    assert "is 3.9" in err
    assert "make PYTHON=" in err
    assert not clone.stamp().exists()
    assert clone.make("setup")[0] == 0
    assert clone.stamp().exists()


def test_missing_venv_module_is_said(clone: Clone) -> None:
    hidden = clone.python_with("import sys\nsys.modules['ensurepip'] = None\n")
    code, _, err = clone.make("setup", python=hidden)
    assert code != 0
    assert "has no venv module" in sentence(err)
    assert "apt install python3-venv" in err
    assert not clone.stamp().exists()


def test_absent_python_is_said(clone: Clone) -> None:
    code, _, err = clone.make("setup", python="/nowhere/python3")
    assert code != 0
    assert "'/nowhere/python3' was not found" in sentence(err)


def test_second_call_does_nothing_and_a_new_pin_installs_again(clone: Clone) -> None:
    assert clone.make("setup")[0] == 0
    first = clone.stamp().stat().st_mtime_ns
    code, out, err = clone.make("setup")
    assert (code, out, err) == (0, "", "")
    assert clone.stamp().stat().st_mtime_ns == first
    (clone.folder / "constraints.txt").write_text("absent-package==1\n")
    code, out, _ = clone.make("setup")
    assert code == 0
    assert "installing pinned packages" in out


def test_killed_install_is_made_anew(clone: Clone) -> None:
    (clone.folder / "slow").touch()
    process = clone.popen("setup", f"PYTHON={sys.executable}")
    deadline = time.monotonic() + 60
    while not (clone.folder / "begun").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "pip never reached the backend"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not clone.stamp().exists()
    (clone.folder / "slow").unlink()
    leftover = clone.folder / ".venv" / "lib" / "half-written"
    leftover.touch()
    code, out, err = clone.make("setup")
    assert code == 0, err
    assert "the last install was interrupted; starting anew" in out
    assert not leftover.exists()
    assert clone.stamp().exists()
    assert clone.make("setup")[1] == ""


def test_failed_install_is_said_and_tried_again_in_the_same_venv(clone: Clone) -> None:
    (clone.folder / "broken").touch()
    code, _, err = clone.make("setup")
    assert code != 0
    assert "packages could not be installed" in sentence(err)
    assert "the backend is broken" in err
    made = (clone.folder / ".venv" / "place").stat().st_mtime_ns
    (clone.folder / "broken").unlink()
    code, out, _ = clone.make("setup")
    assert code == 0
    assert "interrupted" not in out
    assert (clone.folder / ".venv" / "place").stat().st_mtime_ns == made


def test_moved_folder_gets_a_new_venv(clone: Clone) -> None:
    assert clone.make("setup")[0] == 0
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    assert clone.make("setup")[0] == 0
    pip = clone.folder / ".venv" / "bin" / "pip"
    assert subprocess.run([pip, "--version"], check=True, capture_output=True).stdout


def test_a_link_to_the_folder_is_the_same_place(clone: Clone) -> None:
    assert clone.make("setup")[0] == 0

    def files() -> dict[Path, tuple[int, int]]:
        found = (clone.folder / ".venv").rglob("*")
        return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found}

    before = files()
    link = clone.folder.with_name("link")
    link.symlink_to(clone.folder)
    # A shell that has gone through the link says so in PWD, and make's shells believe it.
    assert clone.make("setup", through=link) == (0, "", "")
    assert files() == before


@contextmanager
def a_run(store: Path) -> Iterator[None]:
    descriptor = lock_run(store)
    try:
        yield
    finally:
        os.close(descriptor)


def a_shard(store: Path) -> AbstractContextManager[None]:
    """The job of a shard, as a killed run leaves one."""
    (store / "specs").mkdir(parents=True)
    (store / "specs/0.parquet").touch()
    return lock_shard(store / "specs/0.parquet")


@pytest.mark.parametrize(
    ("job", "who"), [(a_run, "(process "), (a_shard, "(a job that makes results/store/parts/0.")]
)
@pytest.mark.parametrize("goal", ["setup", "clean"])
def test_venv_of_a_running_sweep_is_not_removed(
    clone: Clone, goal: str, job: Callable[[Path], AbstractContextManager[None]], who: str
) -> None:
    """This one would be made anew: it has no Python that works."""
    used = clone.folder / ".venv/bin/used by a job"
    used.parent.mkdir(parents=True)
    used.touch()
    with job(clone.folder / "results/store"):
        code, _, err = clone.make(goal)
        assert code != 0
        assert "a sweep runs from .venv" in sentence(err)
        assert who in sentence(err)
        assert used.exists()
    for folder in ("lindiff", "tests", "benchmarks", "workflow"):
        (clone.folder / folder).mkdir()
    assert clone.make("clean")[0] == 0
    assert not used.exists()


def test_absent_config_is_said_before_anything_is_installed(clone: Clone) -> None:
    code, _, err = clone.make("CONFIG=config/my sweep.yaml")
    assert code != 0
    assert sentence(err) == "lindiff: CONFIG=config/my sweep.yaml: no such file"
    assert not (clone.folder / ".venv").exists()


def test_clean_keeps_results(clone: Clone) -> None:
    (clone.folder / ".venv" / "bin").mkdir(parents=True)
    kept = clone.folder / "results" / "store" / "parts" / "a.parquet"
    kept.parent.mkdir(parents=True)
    kept.touch()
    for folder in ("lindiff", "tests", "benchmarks", "workflow"):
        (clone.folder / folder).mkdir()
    assert clone.make("clean")[0] == 0
    assert kept.exists()
    assert not (clone.folder / ".venv").exists()
