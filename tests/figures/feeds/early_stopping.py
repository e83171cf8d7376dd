"""Training time with planted optima, and modes that emerge as v = λ + 1/τ: twice λ at τ = 1/λ."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic
from tests.figures.feeds import planted

EIGENVALUES = (10.0, 1.0, 0.1, 0.01)


def sweep(eigenvalues: tuple[float, ...] = EIGENVALUES) -> tuple[pa.Table, pa.Table, pa.Table]:
    made = planted.rows("stop", math.inf)
    modes = [
        {
            "cell_id": row["cell_id"],
            "mode": i + 1,
            "multiplicity": 1,
            "eigenvalue": value,
            "generated_variance": value + 1 / row["stop"],
        }
        for row in made
        if row["model"] == "linear_exact"
        for i, value in enumerate((*eigenvalues, 0.0))
    ]
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", modes)
