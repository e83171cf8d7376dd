"""Runs of an MLP whose classes are learned at step 100/w, and copied from step 400 N w on."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

MIXTURE = '{"between":0.95,"weights":[0.75,0.25]}'
WEIGHTS = (0.75, 0.25)
STEPS, STOPS, NS = 6400, [100, 200, 400, 800, 1600, 3200, 0], [8, 64, 512]


def ratio(weight: float, step: int) -> float:
    """The planted share of a class over its weight."""
    return min(1.0, step * weight / 100)


def memorized(weight: float, n: int, step: int) -> float:
    return min(1.0, step / (400 * n * weight) / 4)


def rows(**settings: Any) -> list[dict[str, Any]]:
    common: dict[str, Any] = {"model": "mlp", "d": 8, "draw": "samples", "mixture": MIXTURE}
    common |= {"spectrum": "spiked", "spectrum_params": '{"count":1,"spike":20.0}'}
    common |= {"steps": STEPS, "width": 64, "learning_rate": 6e-3, "timesteps": 100}
    common |= {"n": NS, "seed": [0, 1, 2, 3], "stop_step": STOPS, "sampler": "ddim"}
    return synthetic.rows(**common | settings)


def nested(made: list[dict[str, Any]]) -> pa.Table:
    """The classes of each cell; those of seed s are 0.97, 0.99, 1.01 and 1.03 times the planted."""
    found = []
    for row in made:
        step, factor = row["stop_step"] or row["steps"], 0.97 + 0.02 * row["seed"]
        for k, weight in enumerate(WEIGHTS, 1):
            found.append(
                {"cell_id": row["cell_id"], "class": k, "weight": weight, "fraction_se": 0.01}
                | {"training_fraction": weight, "fraction": factor * weight * ratio(weight, step)}
                | {"memorized_fraction": memorized(weight, row["n"], step)}
            )
    return synthetic.nested("classes", found)


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    made = rows()
    # Of one Gaussian there are no classes; the figure passes it over.
    return synthetic.table(made + rows(mixture="none")), {"classes": nested(made)}
