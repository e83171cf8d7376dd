"""Draws about a theory that is 1 + 1/d in units of the ridge: seed s is off by (s − 2)/d."""

from __future__ import annotations

import math

import pyarrow as pa

from lindiff.figures.fluctuations import METRICS
from tests.figures import synthetic

SIZES = (8, 16, 32)
LAST = 1024
RIDGES = (0.0, 0.01, 0.1)


def exact(d: int) -> float:
    """The theory over 1 + ridge; 1 at d → ∞."""
    return 1 + 1 / d


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    """Three d at three N/d and more N of d = 16; without ridge both KL are infinite up to N = d."""
    _, levels, modes = synthetic.sweep()
    made = []
    for d in (*SIZES, LAST):
        ratios = (0.5, 1, 2, 4) if d != 16 else (0.5, 0.75, 1, 1.25, 1.5, 2, 4)
        settings = {"d": d, "n": [round(x * d) for x in ratios], "ridge": list(RIDGES)}
        made += synthetic.rows(model="linear_theory", seed=None, **settings)
        made += synthetic.rows(seed=list(range(5)), **settings) if d != LAST else []
    for row in made:
        off = 1 if row["seed"] is None else 1 + (row["seed"] - 2) / row["d"]
        value = (1 + row["ridge"]) * exact(row["d"]) * off
        infinite = row["ridge"] == 0 and row["n"] <= row["d"]
        row["test_loss"] = value
        row["kl_model_data"] = row["kl_data_model"] = math.inf if infinite else value
        # The tail: one draw of five just above N = d.
        if row["ridge"] == 0 and row["n"] == 20 and row["seed"] == 4:
            row["kl_data_model"] = 1000.0
    assert set(METRICS) <= set(made[0])
    return synthetic.table(made), levels, modes
