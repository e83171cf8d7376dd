"""Stops that were put where a reader can check them, of linear models, their theory and an MLP.

A metric is A exp(½ ln²(x/x*)), as in `planted`; the bias grows by 0.01 a decade of x from the first
stop on, above a constant, so that it has grown by 0.01 at ten times the first stop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from tests.figures import synthetic

D = 8
NS = [4, 16, 64]
GRID = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
STEPS = GRID[-1]
# x* over N.
BEST = {"test_loss": 2.0, "kl_model_data": 4.0, "kl_data_model": 1.0}
SEEDS = [0, 1, 2]
FACTORS = np.array([0.8, 1.0, 1.2])  # of the bias's growth


def rows() -> list[dict[str, Any]]:
    common = {"d": D, "n": NS}
    made = synthetic.rows(**common, stop=[float(x) for x in GRID], seed=SEEDS, draw="samples")
    none = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made += synthetic.rows(**common, stop=[float(x) for x in GRID], **none)
    run = {"model": "mlp", "steps": STEPS, "learning_rate": 1e-3, "width": 8, "draw": "samples"}
    made += synthetic.rows(
        **common,
        **run,
        stop_step=[*GRID[:-1], 0],
        seed=SEEDS,
        stop=None,
        ridge=None,
        init_scale=None,
    )
    for row in made:
        x = row["stop"] if row["model"] != "mlp" else row["stop_step"] or STEPS
        for metric, factor in BEST.items():
            row[metric] = math.exp(math.log(x / (factor * row["n"])) ** 2 / 2)
        if row["seed"] is not None:
            row["proximity_bias"] = 0.3 + 0.01 * FACTORS[row["seed"]] * math.log10(x)
    return made


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    return synthetic.table(rows()), {}
