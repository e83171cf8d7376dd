"""How long the page of a config takes to open and to answer a choice, in headless Chromium.

The table is made up: cells of two experiments, all metrics drawn at random, so that nothing of
them packs well. A reaction lasts from the choice to the second frame after it, which shows it.
Run: .venv/bin/python -m benchmarks.page [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.timing import header, report
from lindiff.columns import METRICS
from lindiff.report.page.write import write
from tests.figures import synthetic
from tests.report.pages import chromium

AXES = {
    "spectrum": ["isotropic", "two_level"],
    "d": [64, 256],
    "n": np.unique(np.geomspace(4, 4000, 26).astype(int)).tolist()[:25],
    "ridge": [0.0, *np.geomspace(1e-4, 10, 9).tolist()],
}
REPEATS = 7
CHOICES: list[tuple[str, list[tuple[str, Any]]]] = [
    ("another metric", [("metric", "kl_model_data"), ("metric", "test_loss")]),
    ("another axis", [("x", "ridge"), ("x", "n_over_d")]),
    ("another colour", [("colour", "spectrum"), ("colour", "ridge")]),
    ("panels", [("facet", "d"), ("facet", "")]),
    ("every cell", [("statistic", "cells"), ("statistic", "median")]),
]
# From a choice to the frame that shows it, in milliseconds.
REACTION = """([part, value]) => new Promise((done) => {
  const control = document.querySelector(`[data-part="${part}"]`);
  const start = performance.now();
  control.value = value;
  control.dispatchEvent(new Event("change"));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""
OPEN = """() => new Promise((done) => { const look = () => {
  if (document.querySelector('#explorer').dataset.state === "ready") {
    requestAnimationFrame(() => done(performance.now()));
  } else setTimeout(look, 5);
}; look(); })"""


def make_table(rows: int) -> pa.Table:
    """That many cells, or a few less: all seeds whole."""
    points = int(np.prod([len(values) for values in AXES.values()]))
    seeds = max(1, rows // points)
    made = pa.Table.from_pylist(synthetic.rows(**AXES, seed=list(range(seeds))), synthetic.SCHEMA)
    rng = np.random.default_rng(0)
    for column in METRICS:
        if column.name in made.column_names and not column.name.endswith("_se"):
            values = pa.array(rng.lognormal(size=len(made)))
            made = made.set_column(made.column_names.index(column.name), column.name, values)
    ids = pa.array([rng.bytes(16).hex() for _ in range(len(made))])
    return made.set_column(made.column_names.index("cell_id"), "cell_id", ids)


def measure(page: Any) -> None:
    """Print the times of an open page."""
    page.evaluate("() => { explorer.restart(''); }")
    page.evaluate(
        "() => { explorer.view.filters = {}; explorer.view.colour = 'ridge'; explorer.draw(); }"
    )
    for name, steps in CHOICES:
        times = [
            [page.evaluate(REACTION, list(step)) / 1e3 for step in steps] for _ in range(REPEATS)
        ]
        for (_, value), own in zip(steps, np.transpose(times), strict=True):
            report(f"{name} ({value or 'none'})", own)


def main(arguments: list[str]) -> None:
    """The command line."""
    rows = int(arguments[0]) if arguments else 100_000
    header(f"Page of {rows:,} cells; other work on the machine slows it")
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        folder = Path(temporary) / "bench"
        folder.mkdir()
        table = make_table(rows)
        pq.write_table(table, folder / "metrics.parquet")
        start = time.perf_counter()
        write(folder, [], ["metrics.parquet"], folder / "index.html")
        size = (folder / "index.html").stat().st_size / 1e6
        print(
            f"  {len(table):,} cells: written in {time.perf_counter() - start:.1f} s, {size:.1f} MB"
        )
        times = []
        for _ in range(REPEATS):
            page = browser.new_page()
            page.goto((folder / "index.html").as_uri())
            times.append(page.evaluate(OPEN) / 1e3)
            if len(times) < REPEATS:
                page.close()
        report("open", np.array(times))
        measure(page)


if __name__ == "__main__":
    main(sys.argv[1:])
