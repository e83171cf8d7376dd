"""Eigenvalues in two places, the upper ones as many as dimensions, and a loss that rises with τ."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

D, SIZES, STOPS = 8, (16, 32), (1.0, 10.0, 100.0, 1000.0)
ALPHA_BAR = {1: 0.99, 2: 0.91, 3: 0.5}


def loss(n: int, stop: float, t: int) -> float:
    return t + 1 / (1 + stop) + stop / (stop + 10 * n)


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    common = {"d": D, "n": list(SIZES), "features": 64, "stop": list(STOPS)}
    made = synthetic.rows(
        model="random_features", **common, activation="erf", draw="samples", seed=[0, 1]
    )
    made += synthetic.rows(
        model="random_features_theory", **common, activation="erf", seed=None, data=None, draw=None
    )
    levels, spectra = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in made:
        for t, alpha_bar in ALPHA_BAR.items():
            level = {"cell_id": row["cell_id"], "t": t, "alpha_bar": alpha_bar}
            shift = 0.0 if row["seed"] is None else 0.1 * (2 * row["seed"] - 1)
            found = loss(row["n"], row["stop"], t) + shift
            levels.append(level | {"train_loss": 0.5, "test_loss": found})
            if row["seed"] is not None:
                # Centres of tenths of a decade: 10^−1.25, and one decade lower for each doubling.
                low = -2.25 if row["n"] == 16 else -3.25
                for power, count in ((-1.25, D), (low, row["n"] + 2 * row["seed"])):
                    spectra.append(level | {"eigenvalue": 10**power, "count": count})
    tables = {"levels": levels, "feature_spectrum": spectra}
    return synthetic.table(made), {key: synthetic.nested(key, of) for key, of in tables.items()}
