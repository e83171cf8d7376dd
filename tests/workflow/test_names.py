"""Odd names of folders and data files, through Snakemake to figures, answers and its report."""

from __future__ import annotations

import html
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lindiff.report.page.table import safe_json
from tests.workflow.workspace import Workspace

CONFIG = """\
defaults: {model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1]}
experiments:
  mine:
    data: [{file: %s}, gaussian]
    n: [4, 8, 16]
    ridge: 1.0e-3
    sampler: ideal
    theory: {}
    metrics: [modes]
    figures: [real_data]
"""
FILE = "-p$\\bad$ run{1}{}_%s<b>&\n:x@y.npy"
FOLDER = "-a $b {c} <d>&[e];"
RESULTS = "-res $HOME $b$ [1]_%s & 'x' \"y\" z"


@pytest.mark.slow
def test_odd_names_are_names(tmp_path: Path, repository: Path) -> None:
    workspace = Workspace(tmp_path, repository)
    folder = tmp_path / FOLDER
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / FILE).open("wb") as file:
        np.save(file, rng.standard_normal((200, 4)) @ rng.standard_normal((4, 4)))
    (folder / "mine.yaml").write_text(CONFIG % json.dumps(FILE), encoding="utf-8")
    command = workspace.command()
    command[-1] = f"sweep={FOLDER}/mine.yaml"
    command.append(f"results={RESULTS}")
    outcome = workspace.call(command)
    assert outcome.code == 0, outcome.text
    results = tmp_path / RESULTS / "mine"
    figures = {path.name for path in (results / "figures").iterdir()}
    assert figures == {f"real_data.{ending}" for ending in ("pdf", "png", "txt", "tex", "parquet")}
    (name,) = set(pq.read_table(results / "metrics.parquet")["data"].to_pylist()) - {
        "gaussian", None,
    }  # fmt: skip
    assert name.startswith(f"{FILE}@")
    page = (results / "answers.html").read_text(encoding="utf-8")
    assert f"rows of {html.escape(FILE)}, d = " in page
    page = (results / "index.html").read_text(encoding="utf-8")
    assert f"rows of {html.escape(FILE)}, d = " in page
    assert safe_json(FILE) in page
    report = workspace.call([*command, "--report", "report.zip"])
    assert report.code == 0, report.text
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        text = archive.read("report/report.html").decode()
    assert "Real data beside Gaussian data" in text
    assert "Nothing to be done" in workspace.call([*command, "-n"]).text


@pytest.mark.parametrize("name", ["a{b}", "a<b>"])
def test_names_that_snakemake_would_read_otherwise_are_refused(
    name: str, tmp_path: Path, repository: Path
) -> None:
    workspace = Workspace(tmp_path, repository)
    workspace.write()
    outcome = workspace.call([*workspace.command(), f"results={name}"])
    assert outcome.code != 0
    assert "choose another folder" in outcome.text
    assert "Traceback" not in outcome.text
    assert {path.name for path in tmp_path.iterdir()} <= {"tiny.yaml", ".snakemake"}
