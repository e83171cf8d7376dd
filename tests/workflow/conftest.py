"""The workflow tests run in a copy of the code: editing it meanwhile would make parts stale."""

import shutil
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that the workflow needs, with what Python has compiled of it."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("lindiff", "workflow"):
        shutil.copytree(ROOT / name, copy / name)
    shutil.copy(ROOT / "Snakefile", copy)
    return copy
