"""The wheel by itself: built from the sdist, installed away from the checkout, it runs a sweep."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from lindiff.config.resolve import load
from tests.sweeps import Sweep
from tests.tables import compare
from tests.workflow.workspace import ROOT

pytestmark = pytest.mark.slow

SOURCES = ("lindiff", "workflow", "config", "docs", "tests", "tools", "benchmarks")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "Snakefile")
# The folders of the repository that the wheel has, and where.
PACKED = {"lindiff": "lindiff", "workflow": "lindiff/_workflow", "config": "lindiff/_configs"}


def call(*words: object, cwd: Path) -> str:
    """What a command prints, without the variables by which these tests find the checkout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PATH")}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment | {"PATH": os.defpath},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """An sdist or a wheel, without the network: the setuptools that is here builds it."""
    code = f"import sys; from setuptools import build_meta as b; b.build_{kind}(sys.argv[1])"
    said = call(sys.executable, "-c", code, target, cwd=source)
    assert "would be ignored" not in said
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, of a copy of the repository: building leaves files in it."""
    pytest.importorskip("setuptools")
    copy, dist = (tmp_path_factory.mktemp(name) for name in ("copy", "sdist"))
    for name in SOURCES:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return build("sdist", copy, dist)


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def files(folder: Path) -> set[str]:
    """The files of a folder by their paths in it, those of Python and of builds left out."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)) for p in paths if "__pycache__" not in p.parts}


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    asked = {f"{to}/{name}" for place, to in PACKED.items() for name in files(ROOT / place)}
    assert found == asked
    assert {
        "lindiff/py.typed",
        "lindiff/_workflow/Snakefile",
        "lindiff/_configs/start.yaml",
    } < found


def test_the_sdist_has_each_file_once_and_neither_tests_nor_docs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [entry.name.split("/", 1)[1] for entry in archive if entry.isfile()]
    found = [name for name in names if not name.startswith("lindiff.egg-info/")]
    asked = {f"{place}/{name}" for place in PACKED for name in files(ROOT / place)}
    own = {"pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE"}
    assert sorted(found) == sorted({*asked, *own, "PKG-INFO"})


RECIPES = ("containers/Dockerfile", "containers/lindiff.def")


def copied(recipe: str) -> list[str]:
    """What a recipe of a container copies from the repository."""
    lines = (ROOT / recipe).read_text(encoding="utf-8").splitlines()
    if recipe.endswith(".def"):
        return [words[0] for line in lines if len(words := line.split()) == 2 and
                words[1] == "/opt/lindiff/"]  # fmt: skip
    return [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_container_has_what_the_wheel_is_built_from(
    recipe: str, wheel: Path, tmp_path: Path
) -> None:
    """As far as that goes without an engine: the same wheel, from nothing but what is copied."""
    source, target = tmp_path / "source", tmp_path / "wheel"
    target.mkdir()
    for name in copied(recipe):
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(path, source / name)
    built = build("wheel", source, target)
    with zipfile.ZipFile(built) as own, zipfile.ZipFile(wheel) as other:
        assert {n for n in own.namelist() if "__pycache__" not in n} == set(other.namelist())
    text = (ROOT / recipe).read_text(encoding="utf-8")
    assert 'pip install --no-cache-dir -c constraints.txt ".[workflow,data,train]"' in text
    assert "constraints.txt" in copied(recipe)


def test_the_recipes_of_containers_copy_the_same_from_the_same_base() -> None:
    docker, apptainer = RECIPES
    assert copied(docker) == copied(apptainer)
    bases = {re.search(r"(?m)^From:? (\S+)$", (ROOT / r).read_text("utf-8"), re.I)[1]
             for r in RECIPES}  # fmt: skip
    assert len(bases) == 1


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts of a new environment with the wheel in it, and all that it needs as it is here."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin/python"
    call(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index",
        "--no-deps", "--disable-pip-version-check", wheel, cwd=folder,
    )  # fmt: skip
    (site,) = folder.glob("lib/python*/site-packages")
    # Behind its own packages; links of the other folder, as to an editable lindiff, are not read.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


def test_a_sweep_from_the_wheel_gives_the_tables_of_this_process(
    scripts: Path, tmp_path: Path
) -> None:
    code = (
        "import lindiff, lindiff.report.launch as l; print(lindiff.__file__, l.packed('workflow'))"
    )
    package, workflow = map(Path, call(scripts / "python", "-c", code, cwd=tmp_path).split())
    assert package.is_relative_to(scripts.parent)
    assert workflow == package.parent / "_workflow"
    # The package of a wheel leads to no checkout.
    there = tmp_path / "there"
    there.mkdir()
    (there / "random.py").write_text("raise SystemExit('this is no module of Python')\n")
    assert "mine.yaml: written" in call(scripts / "lindiff", "init", "mine.yaml", cwd=there)
    said = call(scripts / "lindiff", "sweep", "mine.yaml", "--cores", "1", cwd=there)
    assert "report:   results/mine/report.zip" in said
    assert (there / "results/mine/answers.html").is_file()
    with zipfile.ZipFile(there / "results/mine/report.zip") as report:
        text = report.read("report/report.html").decode()
    assert "How much data does a diffusion model need?" in text  # workflow/report/workflow.rst
    assert {path.name for path in there.iterdir()} == {
        "mine.yaml", "random.py", "results", ".snakemake"
    }  # fmt: skip
    here = Sweep(tmp_path / "here")
    here.folder.mkdir()
    here.finish(load(shutil.copy(there / "mine.yaml", here.folder)))
    assert compare(here.results / "mine", there / "results/mine") == []
    again = call(scripts / "lindiff", "sweep", "mine.yaml", "--cores", "1", cwd=there)
    assert "Nothing to be done" in again
    assert "report:   results/mine/report.zip" in again
