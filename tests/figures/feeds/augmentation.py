"""Test loss 1 + d/(N |G|) above an optimum of 1/2, of sign changes and their theory; MLP's copies.

Of the samples of the MLP on N rows a share 1 − ½ ln N/ln N* are copies, from 0 to 1, which is ½ at
N* = C_s/|G| of seed s.
"""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic

D = 16
SIZES = {"none": [None], "signs": [2, 4, 0]}
NETWORK = {"none": [None], "signs": [2, 4, 8, 0]}
COPIED = (40.0, 50.0, 60.0)  # C of each seed


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    budget = {"width": 64, "steps": 800, "learning_rate": 6e-3, "spectrum": "power_law",
              "spectrum_params": '{"exponent":1.0}', "sampler": "ddim"}  # fmt: skip
    made, copied = [], []
    for kind, sizes in SIZES.items():
        own = {"d": D, "augmentation": kind, "group_size": sizes}
        made += synthetic.rows(**own, draw="samples", n=[2, 4, 8, 16, 64], seed=[0, 1])
        made += synthetic.rows(**own, **theory, n=[2, 4, 8, 16, 32, 64])
    for kind, sizes in NETWORK.items():
        own = {"model": "mlp", "d": D, "augmentation": kind, "group_size": sizes}
        copied += synthetic.rows(**own, **budget, draw="samples", seed=[0, 1, 2],
                                 n=[2, 4, 8, 16, 32, 64, 128, 256])  # fmt: skip
    for row in made + copied:
        size = 1 if row["group_size"] is None else row["group_size"] or D
        row["test_loss"] = 1 + D / (row["n"] * size)
        row["optimal_loss"] = 0.5
        if row["model"] == "mlp":
            until = COPIED[row["seed"]] / size
            share = 1 - math.log(row["n"]) / math.log(until) / 2
            row["memorized_fraction"] = min(max(share, 0.0), 1.0)
    made += copied
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
