"""The same cell alone, among 32 (U-Nets: 8), and in reversed order: the difference of every metric.

python -m benchmarks.company [--steps 1500]
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import pyarrow as pa
import torch

from lindiff import columns
from lindiff.models import MODELS, trained
from lindiff.science.pools import make_pool
from tests.science.helpers import sweep_cells

CASES: dict[str, dict[str, Any]] = {
    "mlp, Gaussian d = 16": {
        "model": "mlp", "d": 16, "spectrum": "power_law", "spectrum_params": '{"exponent":1.0}',
        "draw": "samples", "width": 64,
    },
    "mlp, digits": {"model": "mlp", "data": "digits", "width": 128},
    "unet, digits": {"model": "unet", "data": "digits", "width": 8, "seed": [0, 1]},
}  # fmt: skip
COMMON = {
    "timesteps": 100, "sampler": "ddim", "sampling_steps": 20, "learning_rate": 6e-3, "warm_up": 20,
    "learning_rate_decay": "cosine", "seed": list(range(8)), "n": [4, 32, 128, 512],
}  # fmt: skip
# Those that a single network has and that are one number.
LEFT_OUT = {
    "levels", "modes", "directions", "linearity", "coverage",
    "pictures", "agreement", "agreement_se",
    "uncentred_cosine", "uncentred_cosine_se", "proximity_bias", "proximity_bias_se",
}  # fmt: skip
METRICS = tuple(sorted(MODELS["mlp"].metrics - LEFT_OUT))


def cells(case: dict[str, Any], steps: int) -> pa.Table:
    """The cells of a case, with the ids of a sweep."""
    given = COMMON | case | {"steps": steps}
    if given.get("data") == "digits":
        params = json.dumps({"name": "digits"})
        given |= {"d": make_pool("digits").d, "spectrum": "dataset", "spectrum_params": params}
        given |= {"draw": None, "population_mean": None}
    return sweep_cells(**given)


def rows(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Metrics by cell."""
    found = trained.run(table, columns.delivered(METRICS)).to_pylist()
    return {row["cell_id"]: row for row in found}


def report(name: str, one: dict[str, dict], other: dict[str, dict]) -> None:
    """The largest relative difference of each metric, and in standard errors."""
    for metric in METRICS:
        pairs = [(one[i][metric], other[i][metric], one[i].get(f"{metric}_se")) for i in other]
        known = [(a, b, e) for a, b, e in pairs if None not in (a, b) and math.isfinite(a)]
        if not known or metric.endswith("_se"):
            continue
        relative = max(abs(a - b) / max(abs(a), 1e-12) for a, b, _ in known)
        errors = max((abs(a - b) / e for a, b, e in known if e), default=0.0)
        print(f"  {name}: {metric} {relative:.1e} relative, {errors:.1e} standard errors")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name, case in CASES.items():
        print(name)
        table = cells(case, given.steps)
        together = rows(table)
        report("reversed", together, rows(table.take(pa.array(range(len(table) - 1, -1, -1)))))
        alone = {}
        for i in {0, 5, len(table) - 1}:
            alone |= rows(table.slice(i, 1))
        report("alone", together, alone)


if __name__ == "__main__":
    main()
