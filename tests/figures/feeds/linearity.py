"""Nonlinearity that falls as d/(N + d) and distances from the linear model as d/N and 4 d/N."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

LEVELS = (1, 2, 4, 7, 14, 27, 52, 100)
NS = [8, 32, 128, 512, 1024]
POPULATIONS: tuple[dict[str, Any], ...] = (
    {"data": "gaussian", "d": 16, "draw": "samples", "spectrum": "power_law"}
    | {"spectrum_params": '{"exponent":1.0}'},
    {"data": "digits", "d": 61, "draw": None, "spectrum": "dataset"}
    | {"spectrum_params": '{"name":"digits"}'},
)
ERROR = 0.01


def nonlinearity(model: str, d: int, n: int, t: int) -> float:
    """The planted mean over seeds; the empirical score has 1.5 times that of a network."""
    return (1.5 if model == "empirical" else 1.0) * d / (n + d) * t / (t + 10)


def distance(d: int, n: int, mode: int, rank: int) -> float:
    """d/N of the leading quarter of the modes, 4 d/N of the others."""
    return d / n * (1 if mode <= rank // 4 else 4)


def cells(
    model: str, population: dict[str, Any], seeds: int = 3, **more: Any
) -> list[dict[str, Any]]:
    settings = {"model": model, "n": NS, "timesteps": 100, "sampler": "ddim"} | population
    settings |= {"seed": list(range(seeds)), "batch_size": None, "train_seed": None}
    if model != "empirical":
        settings |= {"steps": 4000, "width": 256, "batch_size": 64, "train_seed": 0}
        settings |= {"learning_rate": 6e-3, "learning_rate_decay": "cosine"}
    return synthetic.rows(**settings | more)


def tables(made: list[dict[str, Any]]) -> tuple[pa.Table, dict[str, pa.Table]]:
    """Metrics, linearity and directions of the cells; seeds 0, 1, 2 … lie at 0.9, 1, 1.1 …"""
    curves, directions = [], []
    for row in made:
        key = {"cell_id": row["cell_id"]}
        d, n, factor = row["d"], row["n"], 0.9 + 0.1 * row["seed"]
        rank = min(n - 1, d)
        for t in LEVELS:
            level = key | {"t": t, "alpha_bar": 1 - t / 101}
            value = nonlinearity(row["model"], d, n, t) * factor
            curves.append(level | {"nonlinearity": value, "nonlinearity_se": ERROR})
            directions += [
                level
                | {"mode": i, "eigenvalue": 1 / i if i <= rank else 0.0, "distance_se": ERROR / n}
                | {"distance": distance(d, n, i, rank) * factor / (1 + t) if i <= rank else 1e6}
                for i in range(1, d + 1)
                if row["model"] != "empirical"
            ]
    nested = {"linearity": curves, "directions": directions}
    return synthetic.table(made), {k: synthetic.nested(k, v) for k, v in nested.items()}


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    made = [
        row
        for population in POPULATIONS
        for model in ("mlp", "empirical")
        for row in cells(model, population)
    ]
    return tables(made)
