"""A multilayer perceptron with time modulation, preconditioned after Karras et al. (2022, EDM).

A plain ε-network never memorizes, and one that predicts x_0 ruins the ε-loss at low noise; with
y = x_t/√ᾱ_t = x_0 + σ ε, s the rms of the data and r = √(σ² + s²), here

    ε̂ = σ y/r² − (s/r) F(y/r, ln σ),

which is their D(y; σ) = c_skip y + c_out F with ε̂ = (y − D)/σ. The loss stays the plain ε-loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import silu

from lindiff.training.engine import Network, Parameters

FREQUENCIES = 16
LOWEST, HIGHEST = 0.25, 8.0
# Of the initial weights: 1 keeps the variance.
GAINS = {"hidden": 1.0, "factor": 0.3, "shift": 0.3, "output": 0.1}


def embedding(sigma: Tensor) -> Tensor:
    """sin and cos of ln σ at log-spaced frequencies, shape (…, 2 · FREQUENCIES)."""
    ends = math.log2(LOWEST), math.log2(HIGHEST)
    frequencies = torch.logspace(*ends, FREQUENCIES, base=2, dtype=torch.float64)
    angle = sigma.log()[..., None] * frequencies.to(sigma)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def _shapes(d: int, width: int, layers: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(layers):
        shapes[f"hidden_{i}"] = (width if i else d, width)
        for part in ("factor", "shift"):
            shapes[f"{part}_{i}"] = (2 * FREQUENCIES, width)
            shapes[f"{part}_{i}_bias"] = (1, width)
    return shapes | {"output": (width, d), "output_bias": (1, d)}


def _initial(shapes: dict[str, tuple[int, ...]], generator: torch.Generator) -> Parameters:
    """Normal with standard deviation gain/√(fan in); biases 0, but factors around 1."""
    parameters = {}
    for name, shape in shapes.items():
        part = name.split("_")[0]
        if name.endswith("bias"):
            parameters[name] = torch.full(shape, 1.0 if part == "factor" else 0.0)
        else:
            deviation = GAINS[part] / math.sqrt(shape[0])
            parameters[name] = deviation * torch.randn(shape, generator=generator)
    return parameters


def _affine(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    return torch.baddbmm(parameters[f"{name}_bias"], x, parameters[name])


def _body(parameters: Parameters, x: Tensor, sigma: Tensor, layers: int) -> Tensor:
    """F: h ← [h +] silu(W h · a(σ) + b(σ)), with a residual from the second layer on."""
    levels, h = embedding(sigma), x
    for i in range(layers):
        z = torch.bmm(h, parameters[f"hidden_{i}"])
        factor, shift = (_affine(parameters, f"{part}_{i}", levels) for part in ("factor", "shift"))
        z = silu(torch.addcmul(shift, z, factor))
        h = h + z if i else z
    return _affine(parameters, "output", h)


def make_mlp(d: int, width: int = 256, layers: int = 3) -> Network:
    """The network for vectors of d dimensions, with `layers` hidden layers of `width`."""
    shapes = _shapes(d, width, layers)

    def predict(parameters: Parameters, x: Tensor, sigma: Tensor, scale: Tensor) -> Tensor:
        s, sigma_of = scale[:, None, None], sigma[..., None]
        r2 = sigma_of.square() + s.square()
        r = r2.sqrt()
        y = x * (1 + sigma_of.square()).sqrt()
        return torch.addcmul(
            sigma_of / r2 * y, s / r, _body(parameters, y / r, sigma, layers), value=-1
        )

    return Network(shapes, lambda generator: _initial(shapes, generator), predict)
