"""Three spectra with planted gaps; without ridge their KL are the same, with it floors differ."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from tests.figures import synthetic

D = 8
NS = [4, 16, 64]
FINER = [4, 8, 16, 32, 64]
SPECTRA = {  # parameters, N times the gap, KL at N = ∞ with ridge
    "isotropic": ("{}", 8.0, 0.01),
    "power_law": ('{"exponent":1.0}', 4.0, 0.04),
    "two_level": ('{"fraction":0.5,"ratio":100.0}', 2.0, 0.16),
}


def rows(seeds: int = 5) -> list[dict[str, Any]]:
    """Rows of all spectra; those of one seed are a tenth above or below the planted values."""
    made = []
    for kind, (params, gap, floor) in SPECTRA.items():
        common = {"d": D, "spectrum": kind, "spectrum_params": params, "ridge": [0.0, 0.1]}
        common |= {"sampler": "ideal"}
        own = synthetic.rows(**common, n=NS, seed=list(range(seeds)))
        own += synthetic.rows(
            **common, n=FINER, seed=None, model="linear_theory", data=None, draw=None
        )
        for row in own:
            noise = 1.0 if row["seed"] is None else 1 + 0.1 * (-1) ** row["seed"]
            divergence = floor * (row["ridge"] > 0) + D / (4 * row["n"]) * noise
            if row["ridge"] == 0 and row["n"] <= D:
                divergence = math.inf
            row |= {"train_loss": 0.3, "test_loss": 0.3 + gap / row["n"] * noise}
            row |= {"kl_model_data": divergence, "kl_data_model": 2 * divergence}
        made += own
    return made


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    return synthetic.table(rows()), synthetic.nested("levels", []), synthetic.nested("modes", [])
