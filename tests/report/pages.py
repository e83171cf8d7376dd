"""Pages of made-up tables, and headless Chromium to open them in."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lindiff.files import write_table
from lindiff.report.page.write import write
from tests.figures import synthetic

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# The bad things that are in a bad name, and what they would do.
HOSTILE = "</script><img src=x onerror=window.bad=1>\"'&\u2028{{$name}}"


def rows(**settings: Any) -> list[dict[str, Any]]:
    """Rows of `synthetic.rows` with ids as cells have them."""
    made = synthetic.rows(**settings)
    for number, row in enumerate(made):
        row["cell_id"] = f"{number:032x}"
    return made


def sweep() -> list[dict[str, Any]]:
    """A sweep with theory: the loss is 1 + d/N (1 + seed/10) + ridge."""
    axes = {"d": [8, 16], "n": [4, 8, 16, 64], "ridge": [0.0, 0.1]}
    made = rows(**axes, seed=[0, 1, 2, 3], spectrum=["isotropic", "power_law"])
    theory = rows(**axes, model="linear_theory", seed=None, draw=None, data=None)
    for number, row in enumerate([*made, *theory]):
        row["cell_id"] = f"{number:032x}"
        factor = 1 if row["seed"] is None else 1 + row["seed"] / 10
        row["test_loss"] = 1 + row["d"] / row["n"] * factor + row["ridge"]
        row["c_mean"] = row["ridge"] - 0.01 * factor
        if row["spectrum"] == "power_law":
            row["spectrum_params"] = '{"exponent":1.0}'
    return [*made, *theory]


def make(folder: Path, made: list[dict[str, Any]]) -> Path:
    """The page of a table."""
    folder.mkdir(parents=True)
    table = synthetic.table(made) if made else synthetic.SCHEMA.empty_table()
    write_table(pa.table(table), folder / "metrics.parquet", {})
    path = folder / "index.html"
    write(folder, [], ["metrics.parquet"], path)
    return path


def table_of(path: Path) -> dict[str, Any]:
    """The JSON of a page's table."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'id="lindiff-table">(.*?)</script>', text, re.DOTALL)
    loaded: dict[str, Any] = json.loads(found)
    return loaded


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium without a network; a test is skipped where there is none.

    LINDIFF_REQUIRE_CHROMIUM=1 makes that a failure.
    """
    if CHROMIUM is None:
        reason = "Chromium is not installed here"
        if os.environ.get("LINDIFF_REQUIRE_CHROMIUM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            # Chromium refuses its sandbox to root; no address but the file's own is to be had.
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()
