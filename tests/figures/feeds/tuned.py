"""All regularizations with planted minima, and Ledoit–Wolf at 1.25 times that of the ridge."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic
from tests.figures.feeds import planted


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    made = planted.rows("ridge", 0.0) + planted.rows("weight_decay", 0.0, factor=1.5)
    made += planted.rows("stop", math.inf, factor=0.75)
    # The cell without regularization is one cell, whatever the experiment: that of the ridge.
    made = list({row["cell_id"]: row for row in reversed(made)}.values())
    wolf = synthetic.rows(
        model="ledoit_wolf", draw="samples", d=planted.D, n=planted.NS, seed=[0, 1, 2]
    )
    for row in wolf:
        spread = {0: 0.9, 1: 1.0, 2: 1.1}[row["seed"]]
        row |= {m: 1.25 * spread * planted.least(row["n"]) for m in planted.METRICS}
        row |= dict.fromkeys(("ridge", "weight_decay", "stop"))
    made += wolf
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
