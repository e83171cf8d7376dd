"""The steps of one pack: models that are trained as one.

What a model gets does not depend on its company: each has its own data, random numbers, learning
rate and weight decay, and its gradient is of its own loss. So a model that diverges takes no other
with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lindiff.science.schedule import Schedule
from lindiff.training.dropout import masks
from lindiff.training.noise import batches
from lindiff.training.optimizers import OPTIMIZERS, mean_factor, optimizer_states, rate_factor
from lindiff.training.sizes import BLOCK
from lindiff.training.task import Network, Recipe, Run, initial_parameters, views

# Parameters of one model below which its gradients are gathered into one tensor for the optimizer:
# of small tensors the calls cost more than the copy, of large ones less.
JOIN_BELOW = 70_000


@dataclass(eq=False)
class State:
    """How far a pack is: all that going on depends on.

    Attributes:
        flat: Parameters, shape (models, parameters).
        mean: Their mean over steps, of the same shape; `flat` itself where the last step counts.
        first: Running means of the gradients, of the same shape.
        second: Running means of their squares.
        total: Sum of the batches' losses since the last stop, shape (models,).
        snapshots: The parameters at each stop, shape (stops, models, parameters), on the CPU; nan
            where a stop was not reached.
        losses: Mean of the batches' losses since the stop before, shape (stops, models).
        step: Steps made.
        failed: What happened to the models that are trained no more, by their index.
    """

    flat: Tensor
    mean: Tensor
    first: Tensor
    second: Tensor
    total: Tensor
    snapshots: Tensor
    losses: Tensor
    step: int = 0
    failed: dict[int, str] = field(default_factory=dict)

    def ended(self, recipe: Recipe) -> bool:
        """Whether there is nothing left to train."""
        return self.step == recipe.stops[-1] or len(self.failed) == len(self.flat)


def begin(network: Network, runs: Sequence[Run], recipe: Recipe) -> State:
    """The state before the first step."""
    flat = initial_parameters(network, runs)
    stops = len(recipe.stops)
    return State(
        flat=flat,
        mean=torch.zeros_like(flat) if recipe.ema else flat,
        first=torch.zeros_like(flat),
        second=torch.zeros_like(flat),
        total=flat.new_zeros(len(runs)),
        snapshots=torch.full((stops, *flat.shape), torch.nan, dtype=flat.dtype),
        losses=torch.full((stops, len(runs)), torch.nan, dtype=flat.dtype),
    )


def noise_loss(prediction: Tensor, noise: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of w (ε̂ − ε)² per dimension, shape (models,), from shapes (models, batch, d).

    Args:
        prediction: ε̂.
        noise: ε.
        weight: w of each row, shape (models, batch); None is 1.
    """
    square = (prediction - noise).square()
    if weight is None:
        return square.mean(dim=(1, 2))
    return square.mean(dim=2).mul(weight).mean(dim=1)


def advance(
    network: Network, runs: Sequence[Run], recipe: Recipe, schedule: Schedule, state: State
) -> Iterator[Tensor]:
    """Trains a pack to its end, with a pause at every stop and every `BLOCK` steps.

    Only in a pause are losses looked at, for that waits for a GPU; and only there may the state be
    read. Where a training was taken up does not move the pauses.

    Args:
        network: The form of the models.
        runs: The models.
        recipe: How they are trained.
        schedule: The noise schedule.
        state: Where they are; changed in place.

    Yields:
        The losses of the steps since the last pause, shape (steps, models), on the CPU.
    """
    parameters, *means = (views(x, network.shapes) for x in (state.flat, state.first, state.second))
    leaves = {name: view.detach().requires_grad_() for name, view in parameters.items()}
    count = torch.tensor(float(state.step), device=state.flat.device)
    join = network.size < JOIN_BELOW or state.flat.is_cuda
    joined = torch.empty_like(state.flat) if join else None
    if joined is not None:
        whole = [{"all": x} for x in (state.flat, state.first, state.second)]
        own = optimizer_states(whole[0], recipe.betas, count, whole[1:])
    else:
        own = optimizer_states(parameters, recipe.betas, count, means)
    scale = state.flat.new_tensor([run.scale for run in runs])
    update = OPTIMIZERS[recipe.optimizer]
    keys = [run.key for run in runs]
    data = batches(
        [run.rows for run in runs],
        keys,
        recipe.batch_size,
        schedule,
        state.step,
        [run.noises for run in runs],
        [run.weights for run in runs],
    )

    def make_step(step: int) -> Tensor:
        batch, given = next(data), leaves
        if recipe.dropout:
            named = network.droppable, keys, recipe.dropout, step, recipe.batch_size, state.flat
            given = leaves | masks(*named)
        predicted = network.predict(given, batch.x, batch.sigma, scale)
        loss = noise_loss(predicted, batch.noise, batch.weight)
        gradients = torch.autograd.grad(loss.sum(), tuple(leaves.values()))
        if joined is not None:
            parts = [gradient.flatten(1) for gradient in gradients]
            gradients = (torch.cat(parts, dim=1, out=joined),)
        count.add_(1)
        factor = rate_factor(recipe.decay, step, recipe.steps, recipe.warm_up)
        of_models = zip(*(gradient.unbind() for gradient in gradients), strict=True)
        for run, of_model, gradient in zip(runs, own, of_models, strict=True):
            update(of_model, gradient, factor * run.learning_rate, run.weight_decay)
        if recipe.ema:
            state.mean.lerp_(state.flat, mean_factor(recipe.ema, step))
        return loss.detach()

    while not state.ended(recipe):
        block = state.step - state.step % BLOCK + BLOCK
        pause = min([block, *(stop for stop in recipe.stops if stop > state.step)])
        losses = torch.stack([make_step(step) for step in range(state.step + 1, pause + 1)])
        yield _pause(state, recipe, losses)


def _pause(state: State, recipe: Recipe, losses: Tensor) -> Tensor:
    """Brings the state up to the steps of `losses`; returns these on the CPU."""
    at_stop = state.step + len(losses) in recipe.stops
    state.total += losses.sum(dim=0)
    losses = losses.cpu()
    _find_failures(state, losses, at_stop)
    state.step += len(losses)
    if at_stop:
        stop = recipe.stops.index(state.step)
        steps = state.step - (recipe.stops[stop - 1] if stop else 0)
        state.snapshots[stop].copy_(state.mean)
        state.losses[stop].copy_(state.total / steps)
        state.total.zero_()
    return losses


def _find_failures(state: State, losses: Tensor, at_stop: bool) -> None:
    """Notes models that are not finite in the steps of `losses`; their parameters become nan."""
    losses_finite = losses.isfinite()
    finite = losses_finite.all(dim=0)
    if at_stop:
        # The largest absolute value, which is not finite if one is not.
        finite &= torch.linalg.vector_norm(state.flat, torch.inf, dim=1).isfinite().cpu()
    for m in (~finite).nonzero()[:, 0].tolist():
        if m in state.failed:
            continue
        own = losses_finite[:, m].tolist()
        if all(own):
            message = f"the parameters are not finite at step {state.step + len(own)}"
        else:
            message = f"the loss is not finite at step {state.step + own.index(False) + 1}"
        state.failed[m] = message
        state.flat[m] = state.mean[m] = torch.nan
