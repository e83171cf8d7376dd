"""What the planner asks of the limit of random features: its cost, and where it is rough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from lindiff.columns.arrays import combinations
from lindiff.columns.groups import SCHEDULE
from lindiff.models import FEATURES_THEORY
from lindiff.models.linear_cells import loss_weights, make_filters
from lindiff.planning.cells import Array, Finding, column, text
from lindiff.planning.linear import BASE_BYTES, of_spectra

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_LEVEL = 1.8e-3
_MODE = 1e-6
# The contour of a level after a stop, and each of its modes in products of its nodes.
_CONTOUR = 0.17
_CONTOUR_MODE = 8e-4
# Nodes of a contour, and arrays of pairs of nodes that are alive together.
_NODES, _PAIRS = 200, 130
# Below this penalty times d the train loss of more features than pairs was off by more than 1 % at
# d = 200 (`benchmarks/random_features.py`).
_LITTLE = 0.2


@cache
def _products() -> dict[str, int]:
    """Groups of products of two modes by activation: those with a quadratic part have some."""
    # SciPy comes with them, and every config is checked here.
    from lindiff.science.activations import ACTIVATIONS
    from lindiff.science.random_features_equivalent import PRODUCTS, equivalent

    return {
        name: PRODUCTS if equivalent(own, 1.0, 1.0).quadratic else 0
        for name, own in ACTIVATIONS.items()
    }


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with its spectrum, `activation`, `stop` of one of its cells,
            `d`, `timesteps` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, cells, timesteps = (column(families, name) for name in ("d", "cells", "timesteps"))
    # Cells that differ in the stop alone share a contour; how many do is not known.
    stopped = np.isfinite(column(families, "stop"))
    modes = of_spectra(families, lambda s: len(np.unique(s)), float)
    products = _products()
    modes = modes + [products[name] for name in text(families, "activation")]
    level = np.where(stopped, _CONTOUR + _CONTOUR_MODE * modes, _LEVEL + _MODE * d)
    numbers = 40 * d + 4 * timesteps
    numbers = numbers + np.where(stopped, 2 * (_PAIRS * _NODES**2 + 12 * _NODES * modes), 0)
    return cells * timesteps * level, BASE_BYTES + 8 * numbers


def warn(cells: pa.Table) -> list[Finding]:
    """The first cell whose train loss the limit misses, as ``(row, setting, message)``.

    More features than pairs of sample and noise fit all of them but for what the penalty leaves.
    """
    own = text(cells, "model") == FEATURES_THEORY
    d, n, p, m, decay, stop = (
        column(cells, name) for name in ("d", "n", "features", "noises", "weight_decay", "stop")
    )
    # Null where the sampler reads none: the average.
    m = np.where(np.isnan(m), np.inf, m)
    fitted = own & (p > n * m) & (decay > 0) & np.isinf(stop)
    some = np.flatnonzero(fitted)
    largest = np.ones(len(cells))
    largest[some] = _largest_weights(cells.take(some))
    fitted &= decay / largest * d < _LITTLE
    if not fitted.any():
        return []
    row = int(fitted.argmax())
    little = (
        "weight_decay over the largest weight of a level" if largest[row] > 1 else "weight_decay"
    )
    message = (
        f"more than the {n[row] * m[row]:.0f} pairs of sample and noise, and {little} is below "
        f"{_LITTLE:g}/d (cells like it: {fitted.sum():,}): the train_loss of {FEATURES_THEORY} was "
        "off by up to 2 % in such cells at d = 200 and weight_decay = 1e-4, by up to 5 % at 1e-5 "
        '(docs/benchmarks.md, "Random features")'
    )
    return [(row, "features", message)]


def _largest_weights(cells: pa.Table) -> Array:
    """max_t w_t of each cell's weighting, shape (cells,)."""
    codes, rows = combinations(cells, ("weighting", "scale", *SCHEDULE))
    found = []
    for settings in cells.take(pa.array(rows)).to_pylist():
        weights = loss_weights(settings, make_filters(settings, ()).make_schedule())
        found.append(1.0 if weights is None else float(weights.max()))
    return np.array(found, float)[codes]
