"""The trained linear model with `noises`: what it is trained on at each level, and its train loss.

Full gradient descent has the pairs of `linear_exact`, drawn as sums, so that it must meet it; an
optimizer that draws has the noises by index that networks have (docs/theory.md, "Noise copies").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lindiff import session
from lindiff.columns import EXACT_DESCENT
from lindiff.models.linear_cells import are_frozen, loss_weights, noises_of
from lindiff.models.linear_family import training_key
from lindiff.models.linear_noises import level_pairs
from lindiff.science import matrices
from lindiff.science.draws import Draw
from lindiff.science.noises import Pairs, fold, largest_stable_rate, train_losses
from lindiff.science.schedule import Schedule
from lindiff.training.devices import device_of
from lindiff.training.frozen import frozen_noise
from lindiff.training.linear import descend_on_pairs
from lindiff.training.linear_noise import Levels
from lindiff.training.sizes import CHUNK

Array = NDArray[np.float64]


def as_tensors(row: dict[str, Any]) -> Callable[[Array], torch.Tensor]:
    """What makes tensors of the precision of a cell, on the device of the session."""
    kind = getattr(torch, row["precision"])
    return partial(torch.as_tensor, dtype=kind, device=device_of(session.current().device))


def make_pairs(
    row: dict[str, Any], draw: Draw, key: dict[str, object], schedule: Schedule, index: int
) -> Pairs:
    """All pairs of noisy points and frozen noises that W_t is trained on, as few columns.

    Args:
        row: Settings of the family.
        draw: The training set.
        key: What names it.
        schedule: The noise schedule.
        index: t − 1.
    """
    if row["optimizer"] == EXACT_DESCENT:
        return level_pairs(draw, key, int(row["noises"]), schedule, index)
    return fold(_by_index(row, draw, training_key(row, key), schedule, index), draw.d)


def weighted(row: dict[str, Any], schedule: Schedule) -> tuple[Array, Array]:
    """γ/w_t and η w_t of each level, shape (T,): descent on the loss of weight w_t is on half that.

    A step of it is one of rate η w_t on the loss of weight 1 with the penalty γ/w_t.
    """
    weights = loss_weights(row, schedule)
    weights = np.ones(schedule.timesteps) if weights is None else weights
    return (row["weight_decay"] or 0.0) / weights, row["learning_rate"] * weights


def _by_index(
    row: dict[str, Any], draw: Draw, run: str, schedule: Schedule, index: int
) -> Iterator[tuple[Array, Array]]:
    """Noisy points and noises of all copies of all rows, some at a time, shape (K, d) each."""
    assert draw.centred is not None
    copies = int(noises_of(row))
    root_alpha, root_q = np.sqrt(schedule.alpha_bar[index]), np.sqrt(schedule.q[index])
    size = max(1, CHUNK // (8 * draw.d))
    for start in range(0, draw.n * copies, size):
        number = torch.arange(start, min(start + size, draw.n * copies))
        rows, copy = number // copies, number % copies
        noise = frozen_noise(run, rows, torch.full_like(rows, index), copy, draw.d)
        targets = noise.double().numpy()
        yield root_alpha * draw.centred[rows.numpy()] + root_q * targets, targets


def of_training(
    row: dict[str, Any],
    draw: Draw,
    key: dict[str, object],
    schedule: Schedule,
    levels: range,
    weights: Array,
) -> Array:
    """Train loss per dimension of K models at some levels, shape (K, levels).

    Over the pairs where noises are frozen, else over the training set and all noise.

    Args:
        row: Settings of the family.
        draw: The training set.
        key: What names it.
        schedule: The noise schedule.
        levels: Indices t − 1.
        weights: W_t, shape (K, levels, d, d).
    """
    if not are_frozen(row):
        return matrices.losses(weights, schedule, levels, matrices.training_covariance(draw))
    with np.errstate(over="ignore", invalid="ignore"):
        losses = [
            train_losses(make_pairs(row, draw, key, schedule, index), weights[:, i])
            for i, index in enumerate(levels)
        ]
    return np.stack(losses, axis=1)


def descend(
    row: dict[str, Any],
    draw: Draw,
    key: dict[str, object],
    schedule: Schedule,
    stops: Sequence[int],
    levels: range,
) -> Levels:
    """Full gradient descent on the frozen noises of some levels; arguments as of `of_training`."""
    make, d = as_tensors(row), draw.d
    inputs, cross = np.empty((2, len(levels), d, d))
    for i, index in enumerate(levels):
        pairs = make_pairs(row, draw, key, schedule, index)
        inputs[i] = pairs.inputs @ pairs.inputs.T / pairs.count
        cross[i] = pairs.targets @ pairs.inputs.T / pairs.count
    penalty, rate = (make(a[levels.start : levels.stop]) for a in weighted(row, schedule))
    found = descend_on_pairs(make(inputs), make(cross), penalty, rate, stops, row["ema"])
    return Levels(torch.stack([weights for _, weights in found]))


def stable_rate(
    row: dict[str, Any], draw: Draw, key: dict[str, object], schedule: Schedule
) -> float:
    """The learning rate from which on full gradient descent on frozen noises diverges."""
    penalty, rate = weighted(row, schedule)
    return min(
        float(
            largest_stable_rate(make_pairs(row, draw, key, schedule, index), penalty[index])
            * row["learning_rate"]
            / rate[index]
        )
        for index in range(schedule.timesteps)
    )
