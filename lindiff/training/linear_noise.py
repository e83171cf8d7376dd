"""Linear denoisers trained on drawn rows and noise (docs/theory.md, "Trained denoisers").

At every noise level one matrix W_t of its own meets, at each step, a batch of training rows with
noise of its own, or with one of the m frozen ones of a row. Its loss is half the mean over the
batch of |ε − W_t x_t|²: the expected gradient is W_t (ᾱ Σ0 + q I) − √q I, that of
`lindiff.training.linear.gradient` without penalty (with frozen noises `gradient_on_pairs`), and
coupled L2 with weight decay γ adds γ W_t, the penalty g = γ there. So a learning rate means the
same in both, and SGD follows the exact descent in the mean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lindiff.science.schedule import Schedule
from lindiff.training.frozen import frozen_noise
from lindiff.training.noise import torch_generator
from lindiff.training.optimizers import OPTIMIZERS, mean_factor, optimizer_states, rate_factor
from lindiff.training.sizes import BLOCK
from lindiff.training.task import Recipe, Run


@dataclass(frozen=True, eq=False)
class Levels:
    """The matrices of some noise levels.

    Attributes:
        weights: W_t at each stop, shape (stops, levels, d, d); NaN from the failed step on.
        failed: The first step whose loss or matrices are not finite, or None.
    """

    weights: Tensor
    failed: int | None = None


def batches(run: Run, schedule: Schedule, levels: range, size: int) -> Iterator[tuple[Tensor, ...]]:
    """x_t and its noise ε at some levels, step after step, shapes (levels, size, d).

    The noise is a view of what later steps overwrite.

    The numbers of a level hang on the run's key, its size and shape, and the level: not on which
    levels come together.

    Args:
        run: Rows and key, and of frozen noises how many there are of each row and level.
        schedule: The noise schedule.
        levels: Indices t − 1.
        size: Rows a level and step, drawn with replacement.
    """
    like, (samples, d) = run.rows, run.rows.shape
    root_alpha, root_q = (
        torch.tensor(a[levels.start : levels.stop] ** 0.5).to(like)[:, None, None]
        for a in (schedule.alpha_bar, schedule.q)
    )
    noise = torch.empty((len(levels), BLOCK, size, d), dtype=like.dtype)
    frozen = math.isfinite(run.noises)
    index = torch.empty((len(levels), BLOCK, size), dtype=torch.int64)
    for block in itertools.count():
        for i, level in enumerate(levels):
            rows, normal, copies = (
                torch_generator(purpose, run=run.key, level=level, block=block)
                for purpose in ("level index", "level noise", "level copy")
            )
            torch.randint(samples, index.shape[1:], generator=rows, out=index[i])
            if frozen:
                copy = torch.randint(int(run.noises), index.shape[1:], generator=copies)
                at = torch.full_like(copy, level)
                noise[i] = frozen_noise(run.key, index[i], at, copy, d)
            else:
                torch.randn(noise.shape[1:], generator=normal, out=noise[i])
        for step in range(BLOCK):
            epsilon = noise[:, step].to(like.device)
            # An index of two axes takes several times as long.
            chosen = run.rows.index_select(0, index[:, step].flatten().to(like.device))
            x = (root_q * epsilon).addcmul_(root_alpha, chosen.view_as(epsilon))
            yield x, epsilon


def train_levels(run: Run, recipe: Recipe, schedule: Schedule, levels: range) -> Levels:
    """Train W_t from 0 at some noise levels, up to the last stop.

    Args:
        run: Rows, shape (N, d), in the dtype and on the device of the training, key, learning rate
            and weight decay (of AdamW decoupled, else coupled).
        recipe: How the run is trained, and the stops at which W_t is wanted.
        schedule: The noise schedule.
        levels: Indices t − 1 of the levels, which do not change each other's numbers.
    """
    d, stops = run.rows.shape[1], recipe.stops
    weights = run.rows.new_zeros((len(levels), d, d))
    kept = weights.new_full((len(stops), *weights.shape), math.nan)
    count = torch.zeros((), device=weights.device)
    (state,) = optimizer_states({"weights": weights[None]}, recipe.betas, count)
    mean, weight = (torch.zeros_like(weights) if recipe.ema else weights), None
    if run.weights is not None:
        weight = run.weights[levels.start : levels.stop].to(weights)[:, None, None]
    update, data = OPTIMIZERS[recipe.optimizer], batches(run, schedule, levels, recipe.batch_size)
    for step, (x, noise) in zip(range(1, stops[-1] + 1), data, strict=False):
        error = torch.baddbmm(noise, x, weights.transpose(1, 2), beta=-1)
        if not math.isfinite(float(torch.linalg.vector_norm(error))):
            return Levels(kept, step)
        slope = torch.bmm(error.transpose(1, 2), x).div_(recipe.batch_size)
        if weight is not None:
            slope *= weight
        count.add_(1)
        factor = rate_factor(recipe.decay, step, recipe.steps, recipe.warm_up)
        update(state, [slope], factor * run.learning_rate, run.weight_decay)
        if recipe.ema:
            mean.lerp_(weights, mean_factor(recipe.ema, step))
        if step in stops:
            if not torch.isfinite(weights).all():
                return Levels(kept, step)
            kept[stops.index(step)] = mean
    return Levels(kept)
