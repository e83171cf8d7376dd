"""Curves over N that are exact power laws: residual loss T/N with the trace ratio T, KL d/N.

Seed s of three is off by the factor 1.1^(s − 1), in every curve alike.
"""

from __future__ import annotations

import pyarrow as pa

from lindiff.science.laws import optimal_loss
from lindiff.science.scaling import df1, df2
from lindiff.science.spectrum import make_spectrum
from tests.figures import synthetic

ALPHA_BAR = {1: 0.999, 32: 0.99, 178: 0.8, 562: 0.2, 1000: 0.01}
SPECTRA = {"isotropic": {}, "power_law": {"exponent": 1.0}}
STEP = 1.1


def trace_ratio(kind: str, d: int, t: int) -> float:
    """df1 (df1 − df2)/d at the noise to signal ratio of the level t."""
    kappa = (1 - ALPHA_BAR[t]) / ALPHA_BAR[t]
    s = make_spectrum(kind, d, **SPECTRA[kind])
    return df1(s, kappa) * (df1(s, kappa) - df2(s, kappa)) / d


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    """Two spectra, three d; three training sets and the theory on a grid of its own."""
    params = {"isotropic": "{}", "power_law": '{"exponent":1.0}'}
    made, levels = [], []
    for d in (8, 16, 32):
        settings = {"d": d, "spectrum": list(SPECTRA)}
        sizes = [d * 2**power for power in range(-1, 11)]
        made += synthetic.rows(**settings, n=sizes, seed=[0, 1, 2])
        finer = [*sizes, *(3 * n for n in sizes)]
        made += synthetic.rows(**settings, n=finer, seed=None, model="linear_theory")
    for row in made:
        row["spectrum_params"] = params[row["spectrum"]]
        row["cell_id"] += row["spectrum_params"]
        factor = 1.0 if row["seed"] is None else STEP ** (row["seed"] - 1)
        row |= dict.fromkeys(("kl_model_data", "kl_data_model"), factor * row["d"] / row["n"])
        s = make_spectrum(row["spectrum"], row["d"], **SPECTRA[row["spectrum"]])
        for t, alpha_bar in ALPHA_BAR.items():
            residual = factor * trace_ratio(row["spectrum"], row["d"], t) / row["n"]
            loss = float(optimal_loss(alpha_bar, s)) + residual
            levels.append({"cell_id": row["cell_id"], "t": t, "alpha_bar": alpha_bar,
                           "train_loss": 0.0, "test_loss": loss})  # fmt: skip
    return synthetic.table(made), synthetic.nested("levels", levels), synthetic.sweep()[2]
