"""How a network knows its noise level: features of ln σ and maps of them (FiLM, Perez et al. 2018).

A layer z becomes SiLU(z · a(σ) + b(σ)), where a and b are affine in the features, one number each a
channel. They start around 1 and 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lindiff.training.sizes import FREQUENCIES
from lindiff.training.task import Parameters

LOWEST, HIGHEST = 0.25, 8.0


def embedding(sigma: Tensor) -> Tensor:
    """sin and cos of ln σ at log-spaced frequencies, shape (…, FEATURES)."""
    ends = math.log2(LOWEST), math.log2(HIGHEST)
    frequencies = torch.logspace(*ends, FREQUENCIES, base=2, dtype=torch.float64)
    angle = sigma.log()[..., None] * frequencies.to(sigma)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def affine(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """x W + bias of each model, from x of shape (models, batch, in) and the bias `name`_bias."""
    return torch.baddbmm(parameters[f"{name}_bias"], x, parameters[name])
