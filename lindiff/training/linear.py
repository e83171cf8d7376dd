"""Linear denoisers trained by gradient descent on the exact loss (docs/theory.md, "Filters").

At each noise level one matrix W_t of its own descends on half the objective
‖I − √q W‖² + ᾱ tr(W Σ0 Wᵀ) + g ‖W‖², whose gradient is W (ᾱ Σ0 + (q + g) I) − √q I. It must follow
the closed form of early stopping, `lindiff.science.filters.Bank` with a learning rate, at every
step: that formula knows eigenvalues and no steps, this descent knows steps and no eigenvalues.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from lindiff.training.optimizers import mean_factor


def gradient(
    weights: Tensor, covariance: Tensor, alpha_bar: Tensor, q: Tensor, g: Tensor
) -> Tensor:
    """Gradient of half the objective, shape (models, levels, d, d).

    Args:
        weights: W_t, shape (models, levels, d, d).
        covariance: Of the training data, shape (models, d, d).
        alpha_bar: ᾱ_t of the levels, shape (levels,).
        q: 1 − ᾱ_t, shape (levels,).
        g: Penalty of each model and level, shape (models, levels).
    """
    root = q.sqrt()[:, None, None] * torch.eye(weights.shape[-1]).to(weights)
    change = alpha_bar[:, None, None] * (weights @ covariance[:, None])
    return change.addcmul_((q + g)[..., None, None], weights).sub_(root)


def gradient_on_pairs(weights: Tensor, inputs: Tensor, cross: Tensor, g: Tensor) -> Tensor:
    """Gradient of half the objective on pairs of noisy points y and noises ε, shape (levels, d, d).

    It is W (⟨yyᵀ⟩ + g) − ⟨εyᵀ⟩.

    Args:
        weights: W_t, shape (levels, d, d).
        inputs: Mean of y yᵀ over the pairs of each level, shape (levels, d, d).
        cross: Mean of ε yᵀ, shape (levels, d, d).
        g: Penalty of each level, shape (levels,).
    """
    change = torch.bmm(weights, inputs)
    return change.addcmul_(g[:, None, None], weights).sub_(cross)


def descend(
    covariance: Tensor,
    alpha_bar: Tensor,
    q: Tensor,
    g: Tensor,
    learning_rate: Tensor,
    stops: Sequence[int],
    init_scale: float = 0.0,
    ema: float = 0.0,
) -> Iterator[tuple[int, Tensor]]:
    """Full gradient descent of all models and levels at once.

    Args:
        covariance: Of the training data, shape (models, d, d), float64 or float32.
        alpha_bar: ᾱ_t of the levels, shape (levels,).
        q: 1 − ᾱ_t, shape (levels,): given, for the difference loses digits at low noise.
        g: Penalty of each model and level, shape (models, levels).
        learning_rate: η of each model, shape (models,), or of each level too, shape (models,
            levels); it diverges from 2/(ᾱ λ + q + g) on.
        stops: Numbers of steps, ascending, from 0.
        init_scale: W_t(0) is this multiple of I.
        ema: β of the mean over steps that a stop has (`mean_factor`); 0 is the last step.

    Yields:
        Each stop with W_t there, shape (models, levels, d, d): a copy of the caller's own.

    Raises:
        ValueError: The stops do not ascend.
    """
    d = covariance.shape[-1]
    start = init_scale * torch.eye(d).to(covariance)
    weights = start.repeat(len(covariance), len(q), 1, 1)
    rate = learning_rate.view(len(covariance), -1, 1, 1)
    return _steps(weights, lambda W: gradient(W, covariance, alpha_bar, q, g), rate, stops, ema)


def descend_on_pairs(
    inputs: Tensor,
    cross: Tensor,
    g: Tensor,
    learning_rate: Tensor,
    stops: Sequence[int],
    ema: float = 0.0,
) -> Iterator[tuple[int, Tensor]]:
    """Full gradient descent from W = 0 on frozen noises at all levels at once.

    Args:
        inputs: As of `gradient_on_pairs`, with `cross` and `g`.
        learning_rate: η of each level, shape (levels,).
        stops: Numbers of steps, ascending, from 0.
        ema: As of `descend`.

    Yields:
        Each stop with W_t there, shape (levels, d, d): a copy of the caller's own.

    Raises:
        ValueError: The stops do not ascend.
    """
    start, rate = torch.zeros_like(inputs), learning_rate[:, None, None]
    return _steps(start, lambda W: gradient_on_pairs(W, inputs, cross, g), rate, stops, ema)


def _steps(
    weights: Tensor,
    slope: Callable[[Tensor], Tensor],
    rate: Tensor,
    stops: Sequence[int],
    ema: float,
) -> Iterator[tuple[int, Tensor]]:
    """Steps of descent from `weights`, which is changed in place; as `descend`."""
    if any(a >= b for a, b in itertools.pairwise((-1, *stops))):
        raise ValueError(f"stops {tuple(stops)} do not ascend from 0")
    made, mean = 0, weights.clone() if ema else weights
    for stop in stops:
        for step in range(made + 1, stop + 1):
            weights.addcmul_(rate, slope(weights), value=-1)
            if ema:
                mean.lerp_(weights, mean_factor(ema, step))
        made = stop
        yield stop, mean.clone()
