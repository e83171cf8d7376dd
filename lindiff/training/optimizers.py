"""One step of an optimizer on one model, and learning rates over the steps.

An update over the stacked tensors of many models costs as much as their gradient; torch's fused
kernels, called once per model, cost a tenth of it and take a learning rate and a weight decay of
that model's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """What an optimizer reads and writes of one model.

    Attributes:
        parameters: Views of the model's parameters.
        first: Running means of their gradients.
        second: Running means of the squares.
        counts: For each parameter the steps made, the current one included; one float32 scalar,
            which all models share.
        betas: Share of the old mean that each step keeps, β₁ and β₂.
        epsilon: What is added to the root of the second.
    """

    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    counts: list[Tensor]
    betas: tuple[float, float]
    epsilon: float = 1e-8


def optimizer_states(
    parameters: Mapping[str, Tensor],
    betas: tuple[float, float],
    count: Tensor,
    means: Sequence[Mapping[str, Tensor]] = (),
) -> list[OptimizerState]:
    """The states of all models, views of what they are made from.

    Args:
        parameters: Shapes (models, *shape).
        betas: Adam's β₁ and β₂: the share of its running means that each step keeps.
        count: Steps made, a float32 scalar that the caller raises before each step.
        means: The running means of the gradients and of their squares, of the parameters' shapes;
            left out before the first step, they are zeros of the states' own.
    """
    if not means:
        means = [{key: torch.zeros_like(p) for key, p in parameters.items()} for _ in range(2)]
    of_models = (
        zip(*(view.unbind() for view in part.values()), strict=True)
        for part in (parameters, *means)
    )
    return [
        OptimizerState(list(own), list(first), list(second), [count] * len(parameters), betas)
        for own, first, second in zip(*of_models, strict=True)
    ]


def _adam(
    fused: Callable[..., None],
    state: OptimizerState,
    gradient: Sequence[Tensor],
    rate: float,
    weight_decay: float,
) -> None:
    fused(
        state.parameters,
        gradient,
        state.first,
        state.second,
        [],
        state.counts,
        lr=rate,
        beta1=state.betas[0],
        beta2=state.betas[1],
        weight_decay=weight_decay,
        eps=state.epsilon,
        amsgrad=False,
        maximize=False,
    )


def adamw(
    state: OptimizerState, gradient: Sequence[Tensor], rate: float, weight_decay: float
) -> None:
    """AdamW (Loshchilov & Hutter 2019): the weights shrink by rate · decay, beside the gradient."""
    _adam(torch._fused_adamw_, state, gradient, rate, weight_decay)


def adam(
    state: OptimizerState, gradient: Sequence[Tensor], rate: float, weight_decay: float
) -> None:
    """Adam (Kingma et al. 2015) with coupled L2: weight decay · w is a part of the gradient."""
    _adam(torch._fused_adam_, state, gradient, rate, weight_decay)


def sgd(
    state: OptimizerState, gradient: Sequence[Tensor], rate: float, weight_decay: float
) -> None:
    """Gradient descent with coupled L2, without momentum."""
    # Torch's annotation asks for a tensor as learning rate; the function takes a float as well.
    step: Callable[..., None] = torch._fused_sgd_
    step(
        state.parameters,
        gradient,
        [],
        weight_decay=weight_decay,
        momentum=0.0,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


# A model's state, its gradients in the order of its parameters, learning rate and weight decay.
Update = Callable[[OptimizerState, Sequence[Tensor], float, float], None]

OPTIMIZERS: dict[str, Update] = {
    "adamw": adamw,
    "adam": adam,
    "sgd": sgd,
}


def mean_factor(ema: float, step: int) -> float:
    """What the mean of the parameters takes of those of step `step` = 1.., (1 − β)/(1 − β^step).

    So it is Σ_i β^(step−i) θ_i over the steps, normalized: at β = 0 the last step, at β → 1 the
    mean of all (Polyak & Juditsky 1992); without the share of θ_0 that the plain recursion keeps.

    Args:
        ema: β.
        step: The step, from 1.
    """
    return 1.0 if ema == 0 else (1 - ema) / -math.expm1(step * math.log(ema))


def constant(progress: float) -> float:
    """1: the learning rate stays."""
    return 1.0


def cosine(progress: float) -> float:
    """(1 + cos(π progress))/2: from 1 to 0 (Loshchilov & Hutter 2017, eq. 5)."""
    return (1 + math.cos(math.pi * progress)) / 2


LEARNING_RATE_DECAYS: dict[str, Callable[[float], float]] = {"constant": constant, "cosine": cosine}


def rate_factor(learning_rate_decay: str, step: int, steps: int, warm_up: int) -> float:
    """Factor of the learning rate at step `step` = 1..steps.

    Linear up to 1 over the first `warm_up` steps, then the decay, whose progress is 0 at the first
    step after them and reaches 1 one step after the last: no step is made with a rate of 0.

    Args:
        learning_rate_decay: A key of `LEARNING_RATE_DECAYS`.
        step: The step, from 1.
        steps: All steps.
        warm_up: Steps of the warm-up, fewer than `steps`.
    """
    if step <= warm_up:
        return step / warm_up
    return LEARNING_RATE_DECAYS[learning_rate_decay]((step - warm_up - 1) / (steps - warm_up))
