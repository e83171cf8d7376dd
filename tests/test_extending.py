"""docs/extending.md does what it says: its text, applied to a copy, gives a sweep with figures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git applies the page's edits"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, its tests and configs with all that the page adds."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("copy")
    for name in ("lindiff", "tests", "config", "workflow", "docs", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    for kind, file, text in BLOCKS:
        if kind == "diff":
            subprocess.run(
                ["git", "apply", "--unidiff-zero", "-"],
                input=text.encode(), cwd=folder, check=True,
            )  # fmt: skip
        elif file:
            assert not (folder / file).exists(), "the page adds a file that is there"
            (folder / file).write_text(text, encoding="utf-8")
    run(folder, "-m", "lindiff.config.reference")
    return folder


def run(folder: Path, *words: str) -> str:
    """Python in the copy, whose package comes before the installed one."""
    made = subprocess.run(
        [sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout + made.stderr


def call(folder: Path, *lines: list[str | Path]) -> None:
    """Command lines of lindiff in the copy, one after another in one process: a start is slow."""
    code = (
        "import json, sys\nfrom lindiff.cli import main\n"
        "for words in json.loads(sys.argv[1]): main(words, standalone_mode=False)"
    )
    run(folder, "-c", code, json.dumps(lines, default=str))


def test_every_block_is_used():
    assert [kind for kind, file, _ in BLOCKS if kind != "diff" and not file] == []
    assert {kind for kind, *_ in BLOCKS} == {"diff", "python", "yaml"}


def test_the_page_leads_from_its_text_to_the_drawn_figures(copy: Path):
    results = copy / "results"
    plan = results / "new" / "plan-0.json"
    call(copy, ["validate", "config/new.yaml"], ["plan", "--write", plan, "--", "config/new.yaml"])
    specs = sorted((results / "store/specs").glob("*.parquet"))
    parts = [["run", spec, "--out", results / "store/parts" / spec.name] for spec in specs]
    call(copy, *parts, ["collect", plan], ["figures", plan])
    rows = pq.read_table(results / "new/metrics.parquet").to_pylist()
    assert {(row["model"], row["status"]) for row in rows} == {
        ("linear_exact", "ok"),
        ("affine", "ok"),
    }
    assert {row["sampler"] for row in rows} == {"ddpm_mean"}
    assert all(row["agreement"] is not None for row in rows)
    scaled = [row["n"] * row["centre_error"] for row in rows if row["model"] == "linear_exact"]
    assert len(scaled) == 12
    assert np.mean(scaled) == pytest.approx(1, rel=0.7)
    drawn = {path.name for path in (results / "new/figures").iterdir()}
    assert {"centre.pdf", "centre.png", "transition_models.pdf"} <= drawn
    shown = pq.read_table(results / "new/figures/transition_models.parquet")
    assert {"linear_exact", "affine"} <= set(shown["model"].to_pylist())


@pytest.mark.slow
def test_the_tests_hold_the_new_entries_too(copy: Path):
    """Those that are parametrized over the registries, and those of forgotten places.

    None of them is slow; what is, beside them, measures shards of what there was before.
    """
    out = run(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow",
        "tests/training/test_networks.py", "tests/planning", "tests/test_columns.py",
        "tests/test_fingerprint.py", "tests/science/test_schedule.py",
        "tests/config/test_reference.py", "tests/models/test_company.py",
        "tests/report/test_latex.py::test_every_registered_name_has_its_source_or_is_said_to_have_none",
        "-k", "not unet",
    )  # fmt: skip
    assert "passed" in out
