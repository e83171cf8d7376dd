"""Brute-force references: the textbook forms that the product must not need."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff import columns
from lindiff.models import MODELS
from lindiff.science.filters import Training
from lindiff.science.sampler import Sampler
from lindiff.science.schedule import Schedule
from lindiff.science.weighting import make_weights
from lindiff.sweep import grid


def denoiser(schedule: Schedule, index: int, covariance: np.ndarray, t: Training) -> np.ndarray:
    """W_t by its definition: the regularized optimum and gradient flow or descent as matrices.

    The ridge is noise of the data, so that the loss with it has the weight of the level; weight
    decay stands beside.
    """
    alpha_bar, q = schedule.alpha_bar[index], schedule.q[index]
    d = len(covariance)
    weight = make_weights(t.weighting, schedule, t.rms)[index]
    rate = weight * (alpha_bar * (covariance + t.ridge * np.eye(d)) + q * np.eye(d))
    rate = rate + t.weight_decay * np.eye(d)
    optimum = weight * np.sqrt(q) * np.linalg.inv(rate)
    if not np.isfinite(t.stop):
        return optimum
    start = t.init_scale * np.eye(d)
    if not t.discrete:
        values, vectors = np.linalg.eigh(rate)
        return optimum + (start - optimum) @ (vectors * np.exp(-t.stop * values)) @ vectors.T
    weights = start
    for _ in range(t.steps):
        gradient = weights @ rate - weight * np.sqrt(q) * np.eye(d)
        weights = weights - t.learning_rate * gradient
    return weights


def affine_step(
    sampler: Sampler, schedule: Schedule, i: int, W: Callable[[int], np.ndarray], centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Step i of a sampler as x′ = a x + b, by its definition, with ε̂ = W_t (x − √ᾱ_t μ0)."""
    d, root = len(centre), np.sqrt(np.append(schedule.alpha_bar, 1.0))
    levels = np.append(sampler.levels, -1)
    here, there = levels[i : i + 2]

    def moved(x: np.ndarray) -> np.ndarray:
        z = x - root[here] * centre
        y = sampler.A[i] * z - sampler.B[i] * (z @ W(here).T)
        c = sampler.corrector
        if c is not None and there >= 0:
            y = c.K[i] * z + c.A[i] * y - c.B[i] * (y @ W(there).T)
        return y + root[there] * centre

    b = moved(np.zeros(d))
    return (moved(np.eye(d)) - b).T, b


def kl(m1: np.ndarray, c1: np.ndarray, m2: np.ndarray, c2: np.ndarray) -> float:
    """KL(N(m1, c1) ‖ N(m2, c2)) in nats, from the definition."""
    inverse = np.linalg.inv(c2)
    shift = m1 - m2
    logdet = np.linalg.slogdet(c2)[1] - np.linalg.slogdet(c1)[1]
    return 0.5 * float(np.trace(inverse @ c1) - len(m1) + logdet + shift @ inverse @ shift)


def make_cells(**settings: Any) -> pa.Table:
    """Cells over the product of the listed values; the rest is neutral, or null if not read."""
    base = {c.name: None if c.neutral is columns.REQUIRED else c.neutral for c in columns.SETTINGS}
    base |= {"model": "linear_exact", "d": 8, "n": 20, "seed": 0, "family_id": "family"}
    lists = {k: v if isinstance(v, list) else [v] for k, v in settings.items()}
    rows = [
        base | dict(zip(lists, values, strict=True)) | {"cell_id": str(i)}
        for i, values in enumerate(itertools.product(*lists.values()))
    ]
    for row in rows:
        unread = set(columns.SETTING).difference(MODELS[row["model"]].settings)
        row.update(dict.fromkeys(unread.difference(settings)))
    return pa.Table.from_pylist(rows, schema=columns.cell_schema())


def sweep_cells(**settings: Any) -> pa.Table:
    """`make_cells` with the ids that a sweep gives them."""
    table = make_cells(**settings)
    for name, ids in (("family_id", grid.family_ids(table)), ("cell_id", grid.cell_ids(table))):
        table = table.set_column(table.column_names.index(name), name, ids)
    return table
