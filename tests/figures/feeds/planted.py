"""Curves over one regularization whose minimum was put where a reader can check it.

Each metric is A exp(½ ln²(x/x*)): in ln x and ln y a parabola, which the spline of
`lindiff.science.optima` reproduces to rounding, with its minimum A at x*.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.figures import synthetic

METRICS = ("residual_loss", "kl_model_data", "kl_data_model")
D = 8
NS = [2, 8, 32, 128]
GRID = np.geomspace(1e-3, 1e3, 25).tolist()


def best(n: int) -> float:
    """x* of the ridge and the weight decay; that of the stop is its inverse."""
    return 4 / n


def least(n: int) -> float:
    """A, the minimum of every metric."""
    return 1 / n


def rows(
    name: str,
    neutral: float,
    *,
    seeds: int = 3,
    shift: float = 0.2,
    factor: float = 1.0,
    theory: bool = True,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Rows over N and the regularization `name`, measured ones and those of the theory.

    Args:
        name: The setting that is varied, over `GRID` and its neutral value.
        neutral: That value: there all KL are infinite for N ≤ d, and twice the minimum above.
        seeds: Number of training sets; their x* are e^-shift … e^shift times the planted one.
        shift: See `seeds`.
        factor: Of every minimum.
        theory: Whether to add the theory, with the planted x*.
        settings: Further settings, as in `synthetic.rows`.
    """
    common = {"d": D, "n": NS, name: [*GRID, neutral], **settings}
    made = synthetic.rows(**common, seed=list(range(seeds)))
    if theory:
        made += synthetic.rows(**common, model="linear_theory", seed=None)
    shifts = np.linspace(-shift, shift, seeds) if seeds > 1 else [0.0]
    for row in made:
        own = 0.0 if row["seed"] is None else float(shifts[row["seed"]])
        row |= {metric: _value(row, name, neutral, own) * factor for metric in METRICS}
        row |= {f"{metric}_floor": 1e-4 for metric in METRICS[1:]}
        if math.isinf(row["residual_loss"]):
            row["residual_loss"] = 100.0
    return made


def _value(row: dict[str, Any], name: str, neutral: float, shift: float) -> float:
    n, x = row["n"], row[name]
    if x == neutral:
        return math.inf if n <= D else 2 * least(n)
    target = best(n) if neutral == 0 else 1 / best(n)
    return least(n) * math.exp((math.log(x / target) - shift) ** 2 / 2)
