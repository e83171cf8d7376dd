"""pyproject.toml, the conda environment and the hooks of pre-commit say of the code what is so."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lindiff.config import reference
from lindiff.science.datasets import BUNDLED

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("lindiff", "tests", "benchmarks", "config", "docs", "tools", "workflow")
FILES = [
    str(path.relative_to(ROOT))
    for found in (ROOT.glob("*"), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in found
    if path.is_file()
]


def read_yaml(name):
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


def plain(name):
    """A distribution's name without its bound, as names are compared."""
    return re.sub("[-_.]+", "-", re.split("[<>=]", name)[0]).lower()


def declared(*extras):
    found = PROJECT["dependencies"] + [
        requirement for extra in extras for requirement in PROJECT["optional-dependencies"][extra]
    ]
    return {plain(requirement) for requirement in found}


def imported():
    """The distribution of every module of others that the package imports, with one file each."""
    owners = packages_distributions()
    found = {}
    for path in (ROOT / "lindiff").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module]
            for name in {name.split(".")[0] for name in names}:
                if name not in sys.stdlib_module_names and name != "lindiff":
                    found[plain(owners.get(name, [name])[0])] = path
    # The files of data sets are found by the name of their package.
    for source in BUNDLED.values():
        found[plain(owners.get(source.package, [source.package])[0])] = "BUNDLED"
    return found


def test_every_package_that_is_imported_is_a_dependency():
    found = imported()
    assert {"numpy", "torch", "pillow"} < set(found)
    known = declared("data", "train", "workflow")
    assert {name: path for name, path in found.items() if name not in known} == {}


def test_the_conda_environment_has_what_jobs_import():
    needs = read_yaml("workflow/envs/lindiff.yaml")["dependencies"]
    there = {re.split("[<>=]", need)[0] for need in needs}
    wanted = {plain(reference.CONDA.get(name, name)) for name in declared("data", "train")}
    assert set(map(plain, there)) == wanted | {"python", "pip"}
    # Jobs do not import what Snakemake's own process does.
    needed = set(imported()) - (declared("workflow") - declared())
    lacking = {reference.CONDA.get(name, name) for name in needed} - set(map(plain, there))
    assert lacking == set()
    bound = next(need for need in PROJECT["optional-dependencies"]["train"] if "torch" in need)
    assert f"py{bound}" in needs


def hooks():
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    return {hook["id"]: hook["files"] for hook in local["hooks"] if "files" in hook}


@pytest.mark.parametrize(("hook", "pattern"), hooks().items())
def test_every_pattern_of_a_hook_matches_a_file(hook, pattern):
    choices = re.split(r"\|(?![^(]*\))", pattern)  # not the | inside parentheses
    assert [c for c in choices if not any(re.search(c, file) for file in FILES)] == [], hook


def test_generated_files_are_checked_when_they_or_their_sources_change():
    pattern = hooks()["reference"]
    sources = ["pyproject.toml", "lindiff/columns/metrics.py", "lindiff/config/reference.py",
               "lindiff/science/datasets.py"]  # fmt: skip
    for path in (*reference.files(), *sources):
        assert (ROOT / path).is_file()
        assert re.search(pattern, path), path
