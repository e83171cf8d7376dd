"""Agreement N/(N + b d) with b = 1 without ridge and 1/4 with it."""

from __future__ import annotations

import pyarrow as pa

from tests.figures import synthetic

D = 8


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    made = []
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    for kind, params in (("isotropic", "{}"), ("power_law", '{"exponent":1.0}')):
        common = {"d": D, "spectrum": kind, "spectrum_params": params, "ridge": [0.0, 0.1]}
        common |= {"sampler": ["ideal", "ddim", "ddpm_beta"]}
        made += synthetic.rows(**common, n=[4, 8, 64], seed=[0, 1])
        made += synthetic.rows(**common, n=[4, 8, 16, 32, 64], **theory)
    for row in made:
        agreement = row["n"] / (row["n"] + D * (0.25 if row["ridge"] else 1.0))
        shift = 0.0 if row["seed"] is None else 0.01 * (2 * row["seed"] - 1)
        # DDPM draws noise of its own: it has no agreement.
        row["agreement"] = None if row["sampler"] == "ddpm_beta" else agreement + shift
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
