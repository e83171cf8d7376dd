"""Maps whose best ridge is known: each metric is exp((ln c − ln(d/N))²) times a factor."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic

FACTOR = {"residual_loss": 0.05, "kl_model_data": 0.1, "kl_data_model": 0.3}
OFF = 1.25  # the measured cells over the theory


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    """Theory on a grid of N and ridge, and training sets at some of its nodes; two spectra."""
    _, levels, modes = synthetic.sweep()
    spectra = {"isotropic": "{}", "power_law": '{"exponent":1.0}'}
    n, ridge = [4, 8, 16, 32, 64], [0.0, *(10 ** (power / 4) for power in range(-8, 5))]
    theory = synthetic.rows(
        model="linear_theory", spectrum=list(spectra), d=16, n=n, ridge=ridge, seed=None
    )
    cells = synthetic.rows(
        spectrum=list(spectra), d=16, n=n[1:4], ridge=[0.0, 0.1, 1.0], seed=[0, 1, 2]
    )
    for row in theory + cells:
        row["spectrum_params"] = spectra[row["spectrum"]]
        row["cell_id"] += row["spectrum_params"]
        row["optimal_loss"] = 0.5
        scatter = OFF * (1 + 0.1 * (row["seed"] - 1)) if row["model"] == "linear_exact" else 1
        for name, factor in FACTOR.items():
            if row["ridge"]:
                size = math.log(row["ridge"] * row["n"] / row["d"]) ** 2
                row[name] = factor * scatter * math.exp(size)
            else:
                row[name] = math.inf
    return synthetic.table(theory + cells), levels, modes
