"""Test loss 1 + d/(N m) without ridge and 1 with it, above an optimum of 1/2."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic

D = 8


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    common = {"d": D, "ridge": [0.0, 0.1], "noises": [1.0, 4.0, math.inf]}
    made = synthetic.rows(**common, n=[4, 8, 64], seed=[0, 1])
    made += synthetic.rows(**common, n=[4, 8, 16, 32, 64], **theory)
    for row in made:
        loss = 1.0 if row["ridge"] else 1 + D / (row["n"] * row["noises"])
        row["test_loss"] = loss * (1.0 if row["seed"] is None else math.exp(2 * row["seed"] - 1))
        row["optimal_loss"] = 0.5
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
