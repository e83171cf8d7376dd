"""Digits and their Gaussian surrogate, with losses and KL that say where they come from."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from tests.figures import synthetic

D, POOL = 61, 1438
NS = [30, 122, 1220]
TIMES_THEORY = {"digits": 2.0, "gaussian": 1.0, None: 1.0}


def rows() -> list[dict[str, Any]]:
    """The data at twice the theory, the surrogate at the theory."""
    common = {"d": D, "n": NS, "ridge": [0.0, 1e-3, 0.1], "spectrum": "dataset"}
    common |= {"spectrum_params": '{"name":"digits"}'}
    made = synthetic.rows(
        **common, data="digits", draw=None, population_mean=None, seed=list(range(4))
    )
    made += synthetic.rows(**common, data="gaussian", seed=list(range(4)))
    made += synthetic.rows(**common, data=None, draw=None, seed=None, model="linear_theory")
    for row in made:
        factor = TIMES_THEORY[row["data"]]
        infinite = row["ridge"] == 0 and row["n"] <= D
        divergence = math.inf if infinite else factor * D / (4 * row["n"])
        row |= {"train_loss": 0.2 * factor, "test_loss": factor * (0.2 + D / row["n"])}
        row |= {"kl_model_data": divergence, "kl_data_model": divergence}
        if row["data"] == "digits":
            row["pool_fraction"] = row["n"] / POOL
    return made


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    made = rows()
    modes = [
        {"cell_id": row["cell_id"], "mode": j, "multiplicity": 1, "eigenvalue": value}
        for row in made
        if row["seed"] is not None
        for j, value in _eigenvalues(row)
    ]
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", modes)


def _eigenvalues(row: dict[str, Any]) -> list[tuple[int, float]]:
    """4/j; pixels that are blank in every other training set of digits leave fewer modes."""
    rank = min(row["n"] - 1, D)
    if row["data"] == "digits" and row["seed"] % 2:
        rank -= 10
    null = [(rank + 1, 0.0)] if rank < D else []
    return [(j, 4 / j) for j in range(1, rank + 1)] + null
