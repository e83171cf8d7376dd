"""Networks whose KL is d/(2 N) and whose kurtosis is learned at N = 10 d; the empirical score's."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

MIXTURES = ('{"between":0.8,"weights":[0.5,0.5]}', '{"between":0.9,"weights":[0.75,0.25]}')
TRUE = (-2 * 0.8**2, 0.9**2 * (1 / (0.75 * 0.25) - 6))
NS, D = [4, 16, 64, 256, 1024], 8


def divergence(n: int, seed: int) -> float:
    return D / (2 * n) * (0.97 + 0.02 * seed)


def kurtosis(mixture: str, n: int, seed: int) -> float:
    learned = min(1.0, n / (10 * D))
    return TRUE[MIXTURES.index(mixture)] * learned + 0.02 * (seed - 1.5)


def rows(**settings: Any) -> list[dict[str, Any]]:
    common: dict[str, Any] = {"model": "mlp", "d": D, "draw": "samples", "steps": 500, "width": 64}
    common |= {"learning_rate": 6e-3, "timesteps": 100, "n": NS, "seed": [0, 1, 2, 3]}
    made = synthetic.rows(**common | {"sampler": "ddim", "mixture": list(MIXTURES)} | settings)
    for row in made:
        row["kl_model_data"] = divergence(row["n"], row["seed"])
        row["excess_kurtosis"] = kurtosis(row["mixture"], row["n"], row["seed"])
    return made


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    score = {"model": "empirical", "steps": None, "width": None, "learning_rate": None}
    return synthetic.table(rows() + rows(**score)), {}
