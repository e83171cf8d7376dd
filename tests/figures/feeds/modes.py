"""Modes that emerge in training at a step that is a power of λ, planted for every run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tests.figures import synthetic

EIGENVALUES = tuple((4.7 / np.arange(1, 17)).tolist())
STEPS = 40_000
STOPS = [round(x) for x in np.geomspace(10, 10_000, 28)]
RATE = 0.1
EXPONENTS = {  # of seeds 0, 1, 2, 0, 1 … by model and optimizer
    ("mlp", "sgd"): (-0.9, -1.0, -1.1),
    ("mlp", "adam"): (-0.5, -0.5, -0.5),
    ("linear_trained", "sgd"): (-1.0, -1.0, -1.0),
    ("linear_exact", None): (-1.0, -1.0, -1.0),
}
START = 1e3  # variance of the untrained model
PREFACTOR = 400.0  # the step of a mode with λ = 1
TASK: dict[str, Any] = {
    "d": 16, "n": 1024, "draw": "samples", "sampler": "ddim", "timesteps": 100,
    "spectrum": "power_law", "spectrum_params": '{"exponent":1.0}',
}  # fmt: skip
_UNREAD = ("optimizer", "steps", "stop_step", "batch_size", "width", "preconditioning")


def emergence(model: str, optimizer: str | None, seed: int, value: float) -> float:
    """The planted step."""
    return PREFACTOR * value ** EXPONENTS[model, optimizer][seed % 3]


def cells(model: str, optimizer: str | None, **more: Any) -> list[dict[str, Any]]:
    """Rows of one series over its stops, three training sets."""
    settings: dict[str, Any] = {**TASK, "model": model, "seed": [0, 1, 2]}
    if model == "linear_exact":
        settings |= {"stop": [*(RATE * stop for stop in STOPS), math.inf]}
        return synthetic.rows(**settings | dict.fromkeys((*_UNREAD, "train_seed")) | more)
    settings |= {"optimizer": optimizer, "steps": STEPS, "stop_step": [0, *STOPS], "stop": None}
    settings |= {"learning_rate": RATE if optimizer == "sgd" else 1e-3, "preconditioning": "none"}
    made = synthetic.rows(**settings | more)
    width = None if model == "linear_trained" else 64
    return [row | {"width": width, "preconditioning": width and "none"} for row in made]


def step_of(row: Mapping[str, Any]) -> float:
    """The step of a cell, τ/η of the closed form."""
    if row["model"] == "linear_exact":
        return float(row["stop"] / RATE)
    return float(row["stop_step"] or row["steps"])


def rows_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Modes of a cell: v − λ falls from `START` as 1/step⁴ and is nearly λ at the planted step."""
    key = row["model"], row["optimizer"], row["seed"]
    return [
        {
            "cell_id": row["cell_id"],
            "mode": i + 1,
            "multiplicity": 1,
            "eigenvalue": value,
            "generated_variance": value
            + 1 / (1 / START + (step_of(row) / emergence(*key, value)) ** 4 / value),
        }
        for i, value in enumerate(EIGENVALUES)
    ]


def as_tables(made: list[dict[str, Any]]) -> tuple[pa.Table, dict[str, pa.Table]]:
    """Metrics and modes of the cells."""
    modes = [mode for row in made for mode in rows_of(row)]
    return synthetic.table(made), {"modes": synthetic.nested("modes", modes)}


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    return as_tables([row for key in EXPONENTS for row in cells(*key)])
