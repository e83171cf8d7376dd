"""Test loss 1 + p/N without weight decay and 1 + 1/p with the best, above an optimum of 1/2."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic

N = 8
DECAYS = {0.0: 1.0, 0.1: 0.0, 1.0: 2.0}


def loss(p: int, noises: float, decay: float) -> float:
    return 1 + 1 / p + DECAYS[decay] * p / N + (0 if math.isinf(noises) else 1 / noises)


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    common = {"d": 8, "n": N, "noises": [1.0, 4.0, math.inf], "weight_decay": list(DECAYS)}
    made = synthetic.rows(
        model="random_features", **common, features=[4, 8, 64], draw="samples", seed=[0, 1]
    )
    made += synthetic.rows(
        model="random_features_theory", **common, features=[4, 8, 16, 64], seed=None, data=None,
        draw=None,
    )  # fmt: skip
    for row in made:
        found = loss(row["features"], row["noises"], row["weight_decay"])
        row["test_loss"] = found * (1.0 if row["seed"] is None else math.exp(2 * row["seed"] - 1))
        row["optimal_loss"] = 0.5
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
