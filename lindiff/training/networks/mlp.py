"""A multilayer perceptron with time modulation (docs/theory.md, "Trained denoisers")."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import silu

from lindiff.training.dropout import dropped
from lindiff.training.forms import Form
from lindiff.training.modulation import affine, embedding
from lindiff.training.preconditioning import PRECONDITIONINGS
from lindiff.training.sizes import FEATURES
from lindiff.training.task import Network, Parameters

# Of the initial weights: 1 keeps the variance.
GAINS = {"hidden": 1.0, "factor": 0.3, "shift": 0.3, "output": 0.1}


def _shapes(d: int, width: int, layers: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(layers):
        shapes[f"hidden_{i}"] = (width if i else d, width)
        for part in ("factor", "shift"):
            shapes[f"{part}_{i}"] = (FEATURES, width)
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


def _body(parameters: Parameters, x: Tensor, sigma: Tensor, layers: int) -> Tensor:
    """F: h ← [h +] silu(W h · a(σ) + b(σ)), with a residual from the second layer on."""
    levels, h = embedding(sigma), x
    for i in range(layers):
        z = torch.bmm(h, parameters[f"hidden_{i}"])
        factor, shift = (affine(parameters, f"{part}_{i}", levels) for part in ("factor", "shift"))
        z = dropped(parameters, f"hidden_{i}", silu(torch.addcmul(shift, z, factor)))
        h = h + z if i else z
    return affine(parameters, "output", h)


def make_mlp(d: int, width: int = 256, layers: int = 3, preconditioning: str = "edm") -> Network:
    """The network for vectors of d dimensions.

    Args:
        d: Dimension.
        width: Units of a hidden layer.
        layers: Hidden layers.
        preconditioning: A key of `PRECONDITIONINGS`.
    """
    shapes = _shapes(d, width, layers)
    body = partial(_body, layers=layers)
    return Network(
        shapes,
        partial(_initial, shapes),
        PRECONDITIONINGS[preconditioning](body),
        droppable={f"hidden_{i}": width for i in range(layers)},
    )


def make(form: Form) -> Network:
    """The network of a form."""
    return make_mlp(form.d, form.width, preconditioning=form.preconditioning)
