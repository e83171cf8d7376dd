"""Losses (2 + t) w_t^(1/N) of a network trained with the weights w_t, and 2 + t of the theory.

Of random features the square of that ratio, and of their limit the cube.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lindiff.science.schedule import make_schedule
from lindiff.science.weighting import make_weights
from tests.figures import synthetic

NS = [4, 16, 64]
TIMESTEPS = 20
LEVELS = (1, 6, 20)
WEIGHTINGS = ["uniform", "x0", "edm"]


def ratio(model: str, weighting: str, n: int, t: int) -> float:
    """The planted loss of a level over that of `uniform`."""
    if model == "linear_theory":
        return 1.0
    weights = make_weights(weighting, make_schedule("linear", TIMESTEPS))
    power = {"random_features": 2, "random_features_theory": 3}.get(model, 1)
    return float(weights[t - 1] ** (power / n))


def sweep(seeds: int = 3, features: bool = False) -> tuple[pa.Table, dict[str, pa.Table]]:
    common = {"spectrum": "power_law", "spectrum_params": '{"exponent":1.0}', "n": NS}
    common |= {"timesteps": TIMESTEPS, "sampler": "ddim", "weighting": WEIGHTINGS}
    sets = {"draw": "samples", "seed": list(range(seeds))}
    budget = {"width": 32, "steps": 600, "learning_rate": 0.01}
    made = synthetic.rows(**common, **sets, **budget, model="mlp")
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    made += synthetic.rows(**common | theory)
    if features:
        read_out = {"features": 32, "activation": "erf", "weight_decay": 1e-3}
        made += synthetic.rows(**common, **sets, **read_out, model="random_features", mixture=None)
        limit = theory | {"model": "random_features_theory", "mixture": None}
        made += synthetic.rows(**common | limit, **read_out)
    # It knows no weighting.
    made += synthetic.rows(**common | {"weighting": None}, **sets, model="empirical")
    items: list[dict[str, Any]] = []
    for row in made:
        # Of a training set all weightings have the same: it is not to be seen in a ratio.
        own = 1.0 + (row["seed"] or 0)
        for t in LEVELS:
            times = ratio(row["model"], row["weighting"], row["n"], t) if row["weighting"] else 7.0
            loss = {"train_loss": 1.0, "test_loss": own * (2 + t) * times}
            items.append({"cell_id": row["cell_id"], "t": t, "alpha_bar": 1 - t / 21} | loss)
        row["test_loss"] = own
    return synthetic.table(made), {"levels": synthetic.nested("levels", items)}
