"""Planning a million cells: columns, ids, coverage by finished parts, packing; time and memory.

Once with nothing finished, once with half of the cells in finished parts.
Run: .venv/bin/python -m benchmarks.planning
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.timing import header
from lindiff.columns import part_schema
from lindiff.config.resolve import load
from lindiff.sweep.plan import make_plan, store_of, write_plan
from lindiff.sweep.store import read_header, read_table, write_part

CONFIG = """
defaults: {{model: linear_exact, seed: {{range: [0, {seeds}]}}}}
shard: {{seconds: 600}}
experiments:
  big:
    d: [64, 128, 256, 512, 1024]
    n_over_d: {{log: [0.1, 100, 20]}}
    spectrum: [isotropic, {{power_law: 1.0}}]
    ridge: {{log: [1.0e-4, 1, 10]}}
    weight_decay: {{log: [1.0e-4, 1, 10]}}
    stop: {{log: [1, 1.0e+6, 5]}}
"""


def measure(folder: Path) -> None:
    """In a process of its own, so that the peak of its memory is of planning alone."""
    start = time.perf_counter()
    found = make_plan(load(folder / "big.yaml"), folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cells = sum(shard.cells for shard in found.pending)
    print(f"  {cells:,} cells to run in {len(found.pending)} shards, {len(found.reuse)} parts")
    print(f"  {seconds:.1f} s (bar 20 s, ratio {seconds / 20:.2f}); "
          f"peak {peak:.2f} GiB (bar 2 GiB, ratio {peak / 2:.2f})")  # fmt: skip


def finish(folder: Path) -> None:
    """Plans the sweep and writes a part with null metrics for each of its specs."""
    write_plan(make_plan(load(folder / "big.yaml"), folder), folder)
    store = store_of(folder)
    for spec in sorted((folder / "store" / "specs").glob("*.parquet")):
        shard, cells = read_header(spec, "spec"), read_table(spec)
        fields = list(part_schema(shard.metrics))
        columns = [
            cells[f.name] if f.name in cells.column_names else pa.nulls(len(cells), f.type)
            for f in fields
        ]
        write_part(store.part(shard.name), shard, pa.table(columns, schema=pa.schema(fields)))


def main() -> None:
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    header("planning: a million cells")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        again = [sys.executable, "-m", "benchmarks.planning", name]
        for half_finished in (False, True):
            if half_finished:
                (folder / "big.yaml").write_text(CONFIG.format(seeds=5))
                finish(folder)
            (folder / "big.yaml").write_text(CONFIG.format(seeds=10))
            print(" half of the cells finished:" if half_finished else " nothing finished:")
            sys.stdout.flush()
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
