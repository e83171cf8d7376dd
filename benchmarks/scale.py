"""A million cells through every stage but the computation: time and peak memory of each process.

3,000 draws at d = 256 with 330 settings each. Parts are made up: the specs' cells with numbers that
are drawn, so that only planning, writing, collecting and drawing are measured.
Run: .venv/bin/python -m benchmarks.scale [DRAWS]
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.timing import header
from lindiff.columns import part_schema
from lindiff.config.resolve import load
from lindiff.figures import draw_figure
from lindiff.fingerprint import fingerprints
from lindiff.sweep.collect import collect
from lindiff.sweep.plan import find_plan, make_plan, store_of, write_plan
from lindiff.sweep.store import read_header, read_table, write_part
from lindiff.sweep.validate import validate

BAR = 1.2e9
FIGURES = ("kl", "regularization", "tuned")
CONFIG = """
max_cells: 2000000
shard: {{seconds: 600}}
defaults: {{model: linear_exact, d: 256, sampler: ddpm_beta, seed: {{range: [0, {seeds}]}}}}
experiments:
  scale:
    n_over_d: {{log: [0.25, 64, 10]}}
    spectrum: {{power_law: 1.0}}
    ridge: {{log: [1.0e-5, 1, 10], also: [0]}}
    stop: {{log: [1, 1.0e+6, 29], also: [.inf]}}
    figures: [{figures}]
"""


def make_parts(folder: Path) -> None:
    """A part with drawn numbers for every spec."""
    store = store_of(folder)
    for spec in sorted(store.specs.glob("*.parquet")):
        shard, cells = read_header(spec, "spec"), read_table(spec)
        rng, count = np.random.default_rng(int(shard.name, 16)), len(cells)
        columns = []
        for field in part_schema(shard.metrics):
            if field.name in cells.column_names:
                columns.append(cells[field.name])
            elif pa.types.is_floating(field.type):
                columns.append(pa.array(rng.random(count)))
            else:
                texts = {"status": "ok", "numpy": np.__version__}.get(field.name)
                column = pa.repeat(pa.scalar(texts, pa.string()), count).dictionary_encode()
                if field.name == "fingerprint":
                    column = pa.array(fingerprints(cells), pa.string()).dictionary_encode()
                columns.append(column)
        table = pa.table(columns, names=[f.name for f in part_schema(shard.metrics)])
        write_part(store.part(shard.name), shard, table)


def stage(name: str, folder: Path) -> None:
    """One stage, in a process of its own; prints its time and peak."""
    start = time.perf_counter()
    if name == "validate":
        validate(load(folder / "scale.yaml"))
    elif name == "plan":
        write_plan(make_plan(load(folder / "scale.yaml"), folder), folder)
    elif name == "parts":
        make_parts(folder)
    elif name == "plan again":
        make_plan(load(folder / "scale.yaml"), folder)
    elif name == "collect":
        collect(find_plan(folder, "scale"), folder / "scale")
    else:
        draw_figure(name, folder / "scale", find_plan(folder, "scale").config.feeding(name))
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    print(f"  {name:>15}: {seconds:6.1f} s, peak {peak / 1e9:.2f} GB"
          f" (bar {BAR / 1e9} GB, ratio {peak / BAR:.2f})", flush=True)  # fmt: skip


def main() -> None:
    if len(sys.argv) > 2:
        stage(sys.argv[1], Path(sys.argv[2]))
        return
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    header(f"{330 * draws:,} cells, {draws:,} draws")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = CONFIG.format(seeds=draws // 10, figures=", ".join(FIGURES))
        (folder / "scale.yaml").write_text(text)
        for what in ("validate", "plan", "parts", "plan again", "collect", *FIGURES):
            command = [sys.executable, "-m", "benchmarks.scale", what, name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
