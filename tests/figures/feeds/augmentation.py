"""Test loss 1 + d/(N |G|) above an optimum of 1/2, of sign changes and their theory."""

from __future__ import annotations

import pyarrow as pa

from tests.figures import synthetic

D = 16
SIZES = {"none": [None], "signs": [2, 4, 0]}


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made = []
    for kind, sizes in SIZES.items():
        own = {"d": D, "augmentation": kind, "group_size": sizes}
        made += synthetic.rows(**own, draw="samples", n=[2, 4, 8, 16, 64], seed=[0, 1])
        made += synthetic.rows(**own, **theory, n=[2, 4, 8, 16, 32, 64])
    for row in made:
        size = 1 if row["group_size"] is None else row["group_size"] or D
        row["test_loss"] = 1 + D / (row["n"] * size)
        row["optimal_loss"] = 0.5
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
