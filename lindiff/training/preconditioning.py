"""What a network's output means: ε̂ itself, or a part of it (docs/theory.md, "Trained denoisers").

A body is a network F of an input and σ. With y = x_t/√ᾱ_t = x_0 + σ ε, s the rms of the data and
r = √(σ² + s²), Karras et al. (2022, "EDM", table 1) take D(y; σ) = c_skip y + c_out F(c_in y, σ) as
the denoised y; in terms of the noise, ε̂ = (y − D)/σ, this is

    ε̂ = σ y/r² − (s/r) F(y/r, σ).

| here | Karras et al. 2022 |
| --- | --- |
| `y`, `sigma` or `noise` | x and σ of D(x; σ): x_t is not scaled by √ᾱ_t there |
| `scale` or s | σ_data (table 1) |
| `body`, of y/r and σ | F_θ(c_in x; c_noise) (eq. 7); of σ it takes features of ln σ |
| 1/r | c_in = 1/√(σ² + σ_data²) (table 1) |
| s²/r² | c_skip = σ_data²/(σ² + σ_data²) (table 1) |
| σ s/r | c_out = σ σ_data/√(σ² + σ_data²) (table 1) |
| σ/r² and −s/r | (1 − c_skip)/σ and −c_out/σ: of ε̂ instead of D |

Salimans & Ho (2022, section 4 and appendix D) have the other three, of x_t = √ᾱ_t x_0 + √q_t ε: F
is ε̂, or x̂_0 = (x_t − √q ε̂)/√ᾱ, or v̂ = √ᾱ ε̂ − √q x̂_0, so that ε̂ = √ᾱ v̂ + √q x_t.

The loss stays that of ε, in the weighting that is set. With `none` a network seldom memorizes, and
with `x0` errors are divided by σ: they ruin the ε-loss at low noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lindiff.training.task import Parameters

# F, shape (models, batch, d), of parameters of shapes (models, *shape), an input of shape
# (models, batch, d) and of about unit variance, and σ, shape (models, batch).
Body = Callable[[Parameters, Tensor, Tensor], Tensor]
# ε̂ of parameters, x_t, σ and the rms of each model's data, shape (models,).
Predict = Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]


def edm(body: Body) -> Predict:
    """ε̂ = σ y/r² − (s/r) F(y/r, σ): the optimum of N(0, s² I), less what the body makes of it."""

    def predict(parameters: Parameters, x: Tensor, sigma: Tensor, scale: Tensor) -> Tensor:
        s, noise = scale[:, None, None], sigma[..., None]
        r2 = noise.square() + s.square()
        r = r2.sqrt()
        y = x * (1 + noise.square()).sqrt()
        return torch.addcmul(noise / r2 * y, s / r, body(parameters, y / r, sigma), value=-1)

    return predict


def none(body: Body) -> Predict:
    """ε̂ = F(x_t, σ), whatever the data's rms."""

    def predict(parameters: Parameters, x: Tensor, sigma: Tensor, scale: Tensor) -> Tensor:
        return body(parameters, x, sigma)

    return predict


def x0(body: Body) -> Predict:
    """ε̂ = (y − x̂_0)/σ with x̂_0 = F(x_t, σ), whatever the data's rms."""

    def predict(parameters: Parameters, x: Tensor, sigma: Tensor, scale: Tensor) -> Tensor:
        noise = sigma[..., None]
        y = x * (1 + noise.square()).sqrt()
        return (y - body(parameters, x, sigma)) / noise

    return predict


def v(body: Body) -> Predict:
    """ε̂ = √ᾱ v̂ + √q x_t with v̂ = F(x_t, σ), whatever the data's rms; √ᾱ = (1 + σ²)^-½."""

    def predict(parameters: Parameters, x: Tensor, sigma: Tensor, scale: Tensor) -> Tensor:
        noise = sigma[..., None]
        return (body(parameters, x, sigma) + noise * x) / (1 + noise.square()).sqrt()

    return predict


PRECONDITIONINGS: dict[str, Callable[[Body], Predict]] = {
    "edm": edm,
    "none": none,
    "x0": x0,
    "v": v,
}
