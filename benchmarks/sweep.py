"""CPU time of a fresh default sweep, the whole workflow, over its draws and eigendecompositions.

The reference draws every training set of the sweep as `lindiff` does and decomposes its Gram
matrix by `eigh`, once each, in one process on one thread, and does nothing else.
Run: .venv/bin/python -m benchmarks.sweep [CONFIG]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from benchmarks.timing import header
from lindiff.config.resolve import load
from lindiff.science.draws import bartlett, generator
from lindiff.science.spectrum import make_spectrum
from lindiff.sweep.grid import wanted

FAMILY = ("family_id", "d", "n", "seed", "draw", "spectrum", "spectrum_params")


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def workflow(config: str, results: str) -> tuple[float, float]:
    """CPU and wall seconds of snakemake with all its jobs, into an empty results folder."""
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    before, start = cpu_of_children(), time.perf_counter()
    command = [snakemake, "--cores", "all", "--quiet", "all", "--config"]
    subprocess.run([*command, f"sweep={config}", f"results={results}"], check=True)
    return cpu_of_children() - before, time.perf_counter() - start


def bare(families: list[dict[str, object]]) -> float:
    """CPU seconds of the draws, Gram matrices and eigendecompositions alone."""
    start = time.process_time()
    for row in families:
        s = make_spectrum(row["spectrum"], row["d"], **json.loads(row["spectrum_params"]))
        d, n = row["d"], row["n"]
        rng = generator("benchmark", seed=row["seed"])
        if row["draw"] == "samples":
            X = rng.standard_normal((n, d)) * np.sqrt(s)
            factor = (X - X.mean(axis=0)).T
        else:
            rng.standard_normal(d)
            factor = bartlett(d, n - 1, rng) * np.sqrt(s)[:, None]
        small = factor.T @ factor if factor.shape[1] < d else factor @ factor.T
        np.linalg.eigh(small)
    return time.process_time() - start


def main() -> None:
    config = sys.argv[1] if len(sys.argv) > 1 else "config/default.yaml"
    header(f"sweep: CPU of the whole workflow over draws and eigh alone, {config}")
    cells = wanted(load(Path(config))).cells
    texts = {f.name: "string" for f in cells.schema if str(f.type).startswith("dictionary")}
    plain = {name: cells[name].cast(texts.get(name, cells[name].type)) for name in FAMILY}
    drawn = [cells["seed"].is_valid(), cells["draw"].is_valid()]
    table = pa.table(plain).filter(pc.and_(*drawn))
    rows = table.group_by("family_id", use_threads=False).aggregate(
        [(name, "first") for name in FAMILY[1:]]
    )
    families = rows.rename_columns([n.removesuffix("_first") for n in rows.column_names])
    with threadpool_limits(1):
        reference = bare(families.to_pylist())
    with tempfile.TemporaryDirectory() as results:
        cpu, wall = workflow(config, results)
    print(f"  {len(cells):,} cells from {len(families):,} training sets")
    print(f"  workflow: {cpu:.1f} s CPU, {wall:.1f} s wall; draws and eigh: {reference:.1f} s CPU")
    print(f"  ratio {cpu / reference:.2f}; bar 3")


if __name__ == "__main__":
    main()
