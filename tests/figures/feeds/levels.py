"""Gaps that fall as 1/t: every ln t carries the same share of the mean."""

from __future__ import annotations

import pyarrow as pa

from tests.figures import synthetic

D = 8
TIMES = (1, 10, 100, 1000)
MEAN = 0.008  # of the gap over t, times n: 1/t at 1000 levels is on average H_1000/1000


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    common = {"d": D, "n": [4, 16, 64], "ridge": [0.0, 0.1]}
    made = synthetic.rows(**common, seed=list(range(4)))
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made += synthetic.rows(**common, **theory)
    levels = []
    for row in made:
        # Two sets of four have no gap, the others twice the planted one.
        factor = 1.0 if row["seed"] is None else 2.0 * (row["seed"] % 2)
        row |= {"train_loss": 0.3, "test_loss": 0.3 + MEAN * factor / row["n"]}
        levels += [
            {
                "cell_id": row["cell_id"],
                "t": t,
                "alpha_bar": 1 / (1 + t / 100),
                "train_loss": 0.1,
                "test_loss": 0.1 + factor / (t * row["n"]),
            }
            for t in TIMES
        ]
    return synthetic.table(made), synthetic.nested("levels", levels), synthetic.nested("modes", [])
