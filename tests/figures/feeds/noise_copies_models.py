"""Linear test loss 1 + d/(N m), of a network 1 + 2 d/N; train losses of both 1/that; m fewer."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from tests.figures import synthetic

D, NS, COPIES = 8, [4, 8, 64], [1.0, 4.0, math.inf]
BUDGET = {"width": 32, "steps": 600, "learning_rate": 0.01}


def test_loss(row: dict[str, Any]) -> float:
    if row["model"] == "mlp":
        return 1 + 2 * D / row["n"]
    return 1 + D / (row["n"] * row["noises"])


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    common = {"d": D, "noises": COPIES, "draw": "samples", "sampler": "ddim"}
    seeds = {"n": NS, "seed": [0, 1]}
    made = synthetic.rows(**common, **seeds)
    made += synthetic.rows(**common, **seeds, **BUDGET, model="mlp")
    # No other model has frozen noises.
    made += synthetic.rows(**common | {"noises": None}, **seeds, model="empirical")
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made += synthetic.rows(**common | theory, n=[4, 8, 16, 32, 64])
    for row in made:
        loss = test_loss(row) if row["noises"] else 5.0
        row["test_loss"] = loss * (1.0 if row["seed"] is None else math.exp(2 * row["seed"] - 1))
        row["train_loss"] = 1 / loss + (row["seed"] or 0)
        row["optimal_loss"] = 0.5
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
