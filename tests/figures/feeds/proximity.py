"""Runs of `training_time` whose bias is 1/10 at twice their best stop, and at most 0.2 from it."""

from __future__ import annotations

import math

import pyarrow as pa

from tests.figures import synthetic
from tests.figures.feeds import training_time
from tests.figures.feeds.training_time import best_stop, factor


def bias(n: int, step: float, seed: int) -> float:
    return 0.1 + 0.2 * math.tanh(math.log(step / best_stop(n) / factor(seed) / 2))


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    rows = training_time.rows()
    for row in rows:
        row["proximity_bias"] = bias(row["n"], row["stop_step"] or row["steps"], row["seed"])
    return synthetic.table(rows), {}
