"""Losses over weight decay whose best value and gain were put where a reader can check them.

The test loss is A exp(ln²(γ/γ*)/40): a parabola in logarithms with its minimum A at γ*; without
weight decay it is A/gain.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from tests.figures import synthetic

D = 16
NS = [4, 16, 64, 256]
GRIDS = {
    "linear_exact": [0.0, *np.geomspace(1e-3, 1e2, 21).tolist()],
    "linear_theory": [0.0, *np.geomspace(1e-3, 1e2, 21).tolist()],
    "mlp": [0.0, *np.geomspace(1e-6, 1e-1, 11).tolist()],
}
GAIN = {"linear_exact": 0.5, "linear_theory": 0.5, "mlp": 0.8}
TASK = {
    "d": D, "n": NS, "timesteps": 100, "sampler": "ddim", "spectrum": "power_law",
    "spectrum_params": '{"exponent":1.0}',
}  # fmt: skip
_UNREAD = ("optimizer", "steps", "stop_step", "batch_size", "width", "train_seed")


def best(model: str, n: int) -> float:
    """γ*."""
    return 0.02 / n if model == "mlp" else 16 / n


def least(n: int) -> float:
    """The least test loss."""
    return 0.3 * (1 + D / n)


def loss(model: str, n: int, decay: float, factor: float = 1.0) -> float:
    """The planted curve, `factor` times."""
    if decay == 0:
        return factor * least(n) / GAIN[model]
    curve = math.log(decay / best(model, n)) ** 2 / 40
    return factor * least(n) * math.exp(curve)


def cells(model: str, seeds: int = 3, **more: Any) -> list[dict[str, Any]]:
    """Rows of one model; of seeds 0, 1, 2 … the losses are 0.9, 1, 1.1 … times the planted."""
    settings: dict[str, Any] = {**TASK, "model": model, "weight_decay": GRIDS[model]}
    if model == "mlp":
        settings |= {"steps": 4000, "width": 256, "learning_rate": 6e-3}
    else:
        settings |= dict.fromkeys(_UNREAD)
    if model == "linear_theory":
        settings |= {"seed": None, "data": None, "draw": None}
    else:
        settings |= {"seed": list(range(seeds)), "draw": "samples"}
    made = synthetic.rows(**settings | more)
    for row in made:
        factor = 1.0 if row["seed"] is None else 0.9 + 0.1 * row["seed"]
        row["test_loss"] = loss(model, row["n"], row["weight_decay"], factor)
        row["train_loss"] = row["test_loss"] * row["n"] / (row["n"] + D)
    return made


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    return synthetic.table([row for model in GRIDS for row in cells(model)]), {}
