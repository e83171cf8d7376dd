"""The workflow tests run in a copy of the code: editing it meanwhile would make parts stale."""

import shutil
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that the workflow needs."""
    copy = tmp_path_factory.mktemp("repository")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("lindiff", "workflow"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    shutil.copy(ROOT / "Snakefile", copy)
    return copy
