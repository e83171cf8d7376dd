"""One process a cell under Snakemake, on 50 cells, against the packed sweep: cells a second.

The naive workflow is what one would write first: a rule with the cell's settings as wildcards
whose job draws, computes and writes one row, with the same function of `lindiff`.
Run: .venv/bin/python -m benchmarks.process_per_cell
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.timing import header

CELLS = 50
SNAKEFILE = """
rule all:
    input: expand("cells/{{seed}}.parquet", seed=range({cells}))
rule cell:
    output: "cells/{{seed}}.parquet"
    shell: "{python} {script} {{wildcards.seed}} {{output}}"
"""
SCRIPT = """
import sys
import pyarrow.parquet as pq
from lindiff.columns import DEFAULT_METRICS, delivered
from lindiff.models.linear import run
from tests.science.helpers import make_cells
cells = make_cells(d=256, n=1000, ridge=0.01, stop=100.0, seed=int(sys.argv[1]))
pq.write_table(run(cells, delivered(DEFAULT_METRICS)), sys.argv[2])
"""


def naive(folder: Path) -> float:
    """Cells a second of one process a cell."""
    (folder / "cell.py").write_text(SCRIPT)
    text = SNAKEFILE.format(cells=CELLS, python=sys.executable, script=folder / "cell.py")
    (folder / "Snakefile").write_text(text)
    start = time.perf_counter()
    snakemake(["-s", "Snakefile", "--directory", str(folder)], folder, {"PYTHONPATH": Path.cwd()})
    return CELLS / (time.perf_counter() - start)


def packed(folder: Path) -> float:
    """Cells a second of the default sweep, the whole workflow with its figures."""
    start = time.perf_counter()
    settings = ["sweep=config/default.yaml", f"results={folder / 'results'}"]
    snakemake(["--config", *settings], Path.cwd(), {})
    seconds = time.perf_counter() - start
    table = folder / "results" / "default" / "metrics.parquet"
    return pq.read_metadata(table).num_rows / seconds


def snakemake(arguments: list[str], cwd: Path, extra: dict[str, object]) -> None:
    command = [str(Path(sys.executable).with_name("snakemake")), "--cores", "all"]
    environment = os.environ | {name: str(value) for name, value in extra.items()}
    quiet = ["--quiet", "all"]
    subprocess.run([*command, *arguments, *quiet], cwd=cwd, env=environment, check=True)


def main() -> None:
    header("one process a cell under Snakemake against the packed sweep")
    with tempfile.TemporaryDirectory() as name:
        slow, fast = naive(Path(name)), packed(Path(name))
    print(f"  one process a cell: {slow:.2f} cells/s ({CELLS} cells, d = 256, N = 1000)")
    print(f"  packed: {fast:.0f} cells/s (config/default.yaml, whole workflow)")
    print(f"  ratio {fast / slow:.0f}; bar 500")


if __name__ == "__main__":
    main()
