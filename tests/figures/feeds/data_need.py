"""Curves over N that are exact laws: residual loss a/N with the law's coefficient a, KL (d+3)/(4N).

Seed s of three is off by the factor 1.1^(s − 1), in every curve alike.
"""

from __future__ import annotations

import pyarrow as pa

from lindiff.science.laws import kl_tail, optimal_loss
from lindiff.science.scaling import loss_coefficient
from lindiff.science.spectrum import make_spectrum
from tests.figures import synthetic

ALPHA_BAR = {1: 0.999, 32: 0.99, 178: 0.8, 562: 0.2, 1000: 0.01}
SPECTRA = {"isotropic": {}, "power_law": {"exponent": 1.0}}
STEP = 1.1


DIMENSIONS = (8, 16, 32, 64)


def coefficient(kind: str, d: int, t: int) -> float:
    """N times the residual loss at the level t."""
    kappa = (1 - ALPHA_BAR[t]) / ALPHA_BAR[t]
    return loss_coefficient(make_spectrum(kind, d, **SPECTRA[kind]), kappa)


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    """Two spectra, four d; three training sets and the theory on a grid of its own."""
    params = {"isotropic": "{}", "power_law": '{"exponent":1.0}'}
    made, levels = [], []
    for d in DIMENSIONS:
        settings = {"d": d, "spectrum": list(SPECTRA)}
        sizes = [d * 2**power for power in range(-1, 11)]
        made += synthetic.rows(**settings, n=sizes, seed=[0, 1, 2])
        finer = [*sizes, *(3 * n for n in sizes)]
        made += synthetic.rows(**settings, n=finer, seed=None, model="linear_theory")
    for row in made:
        row["spectrum_params"] = params[row["spectrum"]]
        row["cell_id"] += row["spectrum_params"]
        factor = 1.0 if row["seed"] is None else STEP ** (row["seed"] - 1)
        kl = factor * float(kl_tail(row["n"], row["d"]))
        row |= dict.fromkeys(("kl_model_data", "kl_data_model"), kl)
        s = make_spectrum(row["spectrum"], row["d"], **SPECTRA[row["spectrum"]])
        for t, alpha_bar in ALPHA_BAR.items():
            residual = factor * coefficient(row["spectrum"], row["d"], t) / row["n"]
            loss = float(optimal_loss(alpha_bar, s)) + residual
            levels.append({"cell_id": row["cell_id"], "t": t, "alpha_bar": alpha_bar,
                           "train_loss": 0.0, "test_loss": loss})  # fmt: skip
    return synthetic.table(made), synthetic.nested("levels", levels), synthetic.sweep()[2]
