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
class Row:
    """What an optimizer reads and writes of one model.

    Attributes:
        parameters: Views of the model's parameters.
        first: Running means of their gradients.
        second: Running means of the squares.
        counts: For each parameter the steps made, the current one included; one float32 scalar,
            which all models share.
        betas: Decay of both means.
        epsilon: What is added to the root of the second.
    """

    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    counts: list[Tensor]
    betas: tuple[float, float]
    epsilon: float = 1e-8


def make_rows(
    parameters: Mapping[str, Tensor],
    betas: tuple[float, float],
    count: Tensor,
    means: Sequence[Mapping[str, Tensor]] = (),
) -> list[Row]:
    """The rows of all models, views of what they are made from.

    Args:
        parameters: Shapes (models, *shape).
        betas: Decay of Adam's running means.
        count: Steps made, a float32 scalar that the caller raises before each step.
        means: The running means of the gradients and of their squares, of the parameters' shapes;
            left out before the first step, they are zeros of the rows' own.
    """
    if not means:
        means = [{key: torch.zeros_like(p) for key, p in parameters.items()} for _ in range(2)]
    of_models = (
        zip(*(view.unbind() for view in part.values()), strict=True)
        for part in (parameters, *means)
    )
    return [
        Row(list(own), list(first), list(second), [count] * len(parameters), betas)
        for own, first, second in zip(*of_models, strict=True)
    ]


def _adam(
    fused: Callable[..., None], row: Row, gradient: Sequence[Tensor], rate: float, decay: float
) -> None:
    fused(
        row.parameters,
        gradient,
        row.first,
        row.second,
        [],
        row.counts,
        lr=rate,
        beta1=row.betas[0],
        beta2=row.betas[1],
        weight_decay=decay,
        eps=row.epsilon,
        amsgrad=False,
        maximize=False,
    )


def adamw(row: Row, gradient: Sequence[Tensor], rate: float, decay: float) -> None:
    """AdamW (Loshchilov & Hutter 2019): the weights shrink by rate · decay, beside the gradient."""
    _adam(torch._fused_adamw_, row, gradient, rate, decay)


def adam(row: Row, gradient: Sequence[Tensor], rate: float, decay: float) -> None:
    """Adam (Kingma et al. 2015) with coupled L2: decay · w is a part of the gradient."""
    _adam(torch._fused_adam_, row, gradient, rate, decay)


def sgd(row: Row, gradient: Sequence[Tensor], rate: float, decay: float) -> None:
    """Gradient descent with coupled L2, without momentum."""
    # Torch's annotation asks for a tensor as learning rate; the function takes a float as well.
    step: Callable[..., None] = torch._fused_sgd_
    step(
        row.parameters,
        gradient,
        [],
        weight_decay=decay,
        momentum=0.0,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


# A model's state, its gradients in the order of its parameters, learning rate and weight decay.
Update = Callable[[Row, Sequence[Tensor], float, float], None]

OPTIMIZERS: dict[str, Update] = {
    "adamw": adamw,
    "adam": adam,
    "sgd": sgd,
}


def constant(progress: float) -> float:
    """1: the learning rate stays."""
    return 1.0


def cosine(progress: float) -> float:
    """(1 + cos(π progress))/2: from 1 to 0 (Loshchilov & Hutter 2017, eq. 5)."""
    return (1 + math.cos(math.pi * progress)) / 2


DECAYS: dict[str, Callable[[float], float]] = {"constant": constant, "cosine": cosine}


def rate_factor(decay: str, step: int, steps: int, warm_up: int) -> float:
    """Factor of the learning rate at step `step` = 1..steps.

    Linear up to 1 over the first `warm_up` steps, then the decay, whose progress is 0 at the first
    step after them and reaches 1 one step after the last: no step is made with a rate of 0.

    Args:
        decay: A key of `DECAYS`.
        step: The step, from 1.
        steps: All steps.
        warm_up: Steps of the warm-up, fewer than `steps`.
    """
    if step <= warm_up:
        return step / warm_up
    return DECAYS[decay]((step - warm_up - 1) / (steps - warm_up))
