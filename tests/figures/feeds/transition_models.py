"""Six models on Gaussian data and on digits, with losses that a reader can check by hand.

Seed s of eight has its losses times 1.02^(s − 3.5); the U-Net has one seed, digits and few N alone.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

STEP = 1.02
OPTIMUM = {16: 0.35, 61: 0.145}
NS = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
SEEDS = list(range(8))
GAUSSIAN = {"d": 16, "spectrum": "power_law", "spectrum_params": '{"exponent":1.0}'}
DIGITS = {"d": 61, "spectrum": "dataset", "spectrum_params": '{"name":"digits"}', "data": "digits"}
DIGITS |= {"draw": None, "population_mean": None}
SAMPLING = {"sampler": "ddim", "timesteps": 100}
BUDGET = {
    "mlp": {"width": 256, "steps": 4000, "learning_rate": 6e-3, "learning_rate_decay": "cosine"},
    "unet": {"width": 16, "steps": 1500, "learning_rate": 3e-3, "learning_rate_decay": "cosine"},
    "linear_trained": {"steps": 1000, "learning_rate": 1e-2},
}
UNTRAINED = dict.fromkeys(
    ("optimizer", "steps", "stop_step", "batch_size", "warm_up", "learning_rate_decay", "width",
     "preconditioning", "precision", "train_seed")
)  # fmt: skip
# Test loss over the optimum at N = d, less 1; train loss over the optimum at N = d.
_EXCESS = {"linear_exact": 1.0, "linear_trained": 0.8, "mlp": 4.0, "unet": 2.0, "empirical": 12.0}
_TRAIN = {"linear_exact": 0.5, "linear_trained": 0.55, "mlp": 0.3, "unet": 0.2, "empirical": 0.02}


def test_loss(model: str, d: int, n: int) -> float:
    """Of the seeds' geometric mean, the theory at that of the linear model."""
    excess = _EXCESS["linear_exact" if model == "linear_theory" else model]
    slower = 0.3 if model == "empirical" else 1.0
    return OPTIMUM[d] * (1 + excess * (d / n) ** slower)


def train_loss(model: str, d: int, n: int) -> float:
    share = _TRAIN["linear_exact" if model == "linear_theory" else model]
    return OPTIMUM[d] * share / (share + (1 - share) * d / n)


def rows() -> list[dict[str, Any]]:
    made = []
    for place in (GAUSSIAN, DIGITS):
        ns = NS[:-1] if place is DIGITS else NS
        common = {**place, **SAMPLING, "n": ns, "seed": SEEDS}
        common["draw"] = place.get("draw", "samples")
        for model in ("linear_exact", "empirical"):
            made += synthetic.rows(**common, **UNTRAINED, model=model)
        made += synthetic.rows(**common, **BUDGET["mlp"], model="mlp")
        few = common | {"n": ns[2:], "seed": [0]}
        made += synthetic.rows(**few, **BUDGET["linear_trained"], model="linear_trained")
    made += synthetic.rows(
        **DIGITS, **SAMPLING, **BUDGET["unet"], n=[4, 16, 64, 256, 1024], seed=0, model="unet"
    )
    theory = {**GAUSSIAN, **SAMPLING, **UNTRAINED, "data": None, "draw": None, "seed": None}
    made += synthetic.rows(**theory, n=[*NS, *(3 * n for n in NS[:-2])], model="linear_theory")
    for row in made:
        place = row["model"], row["d"], row["n"]
        factor = 1.0 if row["seed"] is None else STEP ** (row["seed"] - 3.5)
        row |= {"test_loss": factor * test_loss(*place), "train_loss": factor * train_loss(*place)}
        row["optimal_loss"] = OPTIMUM[row["d"]]
    return made


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    return synthetic.table(rows()), {}
