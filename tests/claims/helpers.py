"""Statements and made-up tables for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff.claims.source import table_schema
from lindiff.claims.statement import Statement
from lindiff.columns import SETTING
from lindiff.columns.column import REQUIRED

METRICS_MADE = (
    "test_loss", "train_loss", "memorized_fraction", "speciation_time", "speciation_time_se",
)  # fmt: skip


def statement(**keys: Any) -> Statement:
    """A statement of the mean test loss, with other keys."""
    whole = {"says": "It is so.", "quantity": "test_loss", "expected": {"above": 0}} | keys
    return Statement.model_validate(whole)


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """A table of cells of the exact linear model, isotropic, d = 10 unless a row says otherwise."""
    made = []
    for i, row in enumerate(rows):
        neutral = {k: None if c.neutral is REQUIRED else c.neutral for k, c in SETTING.items()}
        own = {"model": "linear_exact", "d": 10, "n": 20, "spectrum": "isotropic", "seed": 0} | row
        own |= {"status": row.get("status", "ok"), "fingerprint": "f", "cell_id": str(i)}
        own["n_over_d"] = own["n"] / own["d"]
        made.append(neutral | own | {"experiments": ["one"]})
    schema = table_schema(METRICS_MADE)
    return pa.Table.from_pylist(made, schema=schema)


def noisy(
    mean: Callable[..., float], points: Iterable[dict[str, Any]], sets: int, rng: Any, width: float
) -> pa.Table:
    """Cells at some points whose test loss scatters as its mean does, in factors, by set."""
    points = list(points)
    common = rng.normal(0, width, sets)
    rows = [
        point | {"seed": seed, "test_loss": mean(**point) * np.exp(common[seed] + own)}
        for point in points
        for seed, own in enumerate(rng.normal(0, width, sets))
    ]
    return table(rows)
