"""Runs of an MLP with planted times: onset 25 N steps, best stop 100 N^0.6.

The memorized fraction is 0.1 at its onset and grows by 0.1 with each doubling of the steps; the
test loss is a parabola in ln step and ln loss, 0.4 at the first stop and least at the best one.
Seed s of eight has its times multiplied by 1.05^(s − 3.5).
"""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from tests.figures import synthetic
from tests.figures.feeds.transition_models import DIGITS, SAMPLING

STEPS = 5120
STOPS = [10 * 2**k for k in range(10)]
NS = [8, 16, 32, 64, 128, 256, 512, 1024]
SEEDS = list(range(8))
STEP = 1.05
START = 0.4


def factor(seed: int) -> float:
    return STEP ** (seed - 3.5)


def onset(n: int) -> float:
    return 25.0 * n


def best_stop(n: int) -> float:
    return 100 * n**0.6


def least(n: int) -> float:
    return 0.13 + 0.25 / (1 + n / 64)


def test_loss(n: int, step: float, seed: int) -> float:
    best = best_stop(n) * factor(seed)
    share = math.log(step / best) / math.log(STOPS[0] / best)
    return least(n) * (START / least(n)) ** (share**2)


def memorized(n: int, step: float, seed: int) -> float:
    value = 0.1 + 0.1 * math.log2(step / onset(n) / factor(seed))
    return min(max(value, 0.0), 1.0)


def rows(**settings: Any) -> list[dict[str, Any]]:
    common = {**DIGITS, **SAMPLING, "model": "mlp", "steps": STEPS, "width": 256}
    common |= {"learning_rate": 2e-3, "n": NS, "seed": SEEDS, "stop_step": [*STOPS[:-1], 0]}
    made = synthetic.rows(**common | settings)
    for row in made:
        at = row["n"], row["stop_step"] or row["steps"], row["seed"]
        loss = test_loss(*at)
        row |= {"test_loss": loss, "memorized_fraction": memorized(*at)}
        row["train_loss"] = 0.4 / (1 + at[1] / best_stop(at[0]))
    return made


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    return synthetic.table(rows()), {}
