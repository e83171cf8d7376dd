"""Differences s/(s + 1)²/N at σ² = 1 and 10⁶ elsewhere; a network has twice, theory half of it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

D, NS = 5, [4, 16, 64]
# Two modes of one variance, and one without any.
SPECTRUM = (4.0, 1.0, 1.0, 0.25, 0.0)
# What is added along the second and the third: their mean is that of one mode.
SHIFT = (0.0, 0.5, -0.5, 0.0, 0.0)
LEVELS = {1: 0.99, 7: 0.5, 20: 0.01}  # ᾱ by t; the middle of the variances is σ² = 1
FACTOR = {"linear_exact": 1.0, "mlp": 2.0, "linear_theory": 0.5}


def difference(model: str, n: int, s: float) -> float:
    """The planted mean over pairs of training sets."""
    return FACTOR[model] * s / (s + 1) ** 2 / n


def _items(row: dict[str, Any]) -> list[dict[str, Any]]:
    # Pairs 0, 1, 2 … lie 10 % apart, 1 in their mean.
    pair = 1.0 if row["seed"] is None else 0.9 + 0.1 * row["seed"]
    return [
        {
            "cell_id": row["cell_id"],
            "t": t,
            "alpha_bar": alpha_bar,
            "mode": i + 1,
            "population_variance": s,
            "difference": (1 + shift) * pair * difference(row["model"], row["n"], s)
            if alpha_bar == 0.5
            else 1e6,
            "difference_se": None,
        }
        for t, alpha_bar in LEVELS.items()
        for i, (s, shift) in enumerate(zip(SPECTRUM, SHIFT, strict=True))
    ]


def sweep(seeds: int = 3) -> tuple[pa.Table, dict[str, pa.Table]]:
    population = {"d": D, "spectrum": "eigenvalues", "spectrum_params": '{"values":[4,1,1,0.25,0]}'}
    common = population | {"n": NS, "timesteps": 20, "sampler": "ddim"}
    sets = {"draw": "samples", "seed": list(range(seeds))}
    budget = {"width": 32, "steps": 600, "learning_rate": 0.01}
    made = synthetic.rows(**common, **sets)
    made += synthetic.rows(**common, **sets, **budget, model="mlp")
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made += synthetic.rows(**common | theory)
    for row in made:
        row["train_loss"] = 1.0
    items = [item for row in made for item in _items(row)]
    return synthetic.table(made), {"differences": synthetic.nested("differences", items)}
