"""A small convolutional U-Net with time modulation (docs/theory.md, "Trained denoisers").

Two levels after Ronneberger et al. (2015): pictures, and their 2×2 means with twice the channels.
The vectors of d coordinates become pictures by a fixed orthonormal map and the output comes back by
its transpose, so the network sees the data and the noise that an MLP sees, and what it puts outside
the span of the pictures is lost. All models are one grouped convolution, a group each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, silu

from lindiff.science.pictures import Picture
from lindiff.training.dropout import dropped_pictures
from lindiff.training.forms import Form
from lindiff.training.modulation import affine, embedding
from lindiff.training.preconditioning import PRECONDITIONINGS
from lindiff.training.sizes import FEATURES
from lindiff.training.task import Network, Parameters

SIDE = 3
FINE, COARSE = 2, 4
# Numbers that a layer keeps for the gradient, per number that it gives.
KEPT = 4
# Of the initial weights: 1 keeps the variance.
MODULATION_GAIN, OUTPUT_GAIN = 0.3, 0.1

# Factor and shift of each layer, shapes (batch, models · channels, 1, 1).
Modulation = Mapping[str, tuple[Tensor, Tensor]]


def _channels(width: int, colours: int = 1) -> dict[str, tuple[int, int]]:
    """Channels in and out of each modulated layer, in the order of the network."""
    return {
        "enter": (colours, width),
        **{f"fine_{i}": (width, width) for i in range(FINE)},
        "down": (width, 2 * width),
        **{f"coarse_{i}": (2 * width, 2 * width) for i in range(COARSE)},
        "up": (3 * width, width),
        **{f"end_{i}": (width, width) for i in range(FINE)},
    }


def _shapes(width: int, colours: int) -> dict[str, tuple[int, ...]]:
    channels = _channels(width, colours)
    total = sum(out for _, out in channels.values())
    return {
        **{name: (out, into, SIDE, SIDE) for name, (into, out) in channels.items()},
        "modulation": (FEATURES, 2 * total),
        "modulation_bias": (1, 2 * total),
        "output": (colours, width, SIDE, SIDE),
        "output_bias": (colours,),
    }


def _activations(width: int, pixels: int) -> int:
    """Numbers that one picture of one model keeps for the gradient, about."""
    coarse = ("down", "coarse")
    return KEPT * sum(
        out * (pixels // 4 if name.startswith(coarse) else pixels)
        for name, (_, out) in _channels(width).items()
    )


def _droppable(width: int, pixels: int) -> dict[str, int]:
    """Numbers that each residual layer gives of a picture."""
    return {
        name: out * (pixels // 4 if name.startswith("coarse") else pixels)
        for name, (_, out) in _channels(width).items()
        if name.startswith(("fine", "coarse", "end"))
    }


def _initial(shapes: Mapping[str, tuple[int, ...]], generator: torch.Generator) -> Parameters:
    """Normal with standard deviation gain/√(fan in); biases 0, but factors around 1."""
    parameters = {}
    for name, shape in shapes.items():
        if name == "modulation":
            gain, fan_in = MODULATION_GAIN, FEATURES
        else:
            gain, fan_in = (OUTPUT_GAIN if name == "output" else 1.0), math.prod(shape[1:])
        if name.endswith("bias"):
            parameters[name] = torch.zeros(shape)
        else:
            parameters[name] = gain / math.sqrt(fan_in) * torch.randn(shape, generator=generator)
    factors, _ = parameters["modulation_bias"].chunk(2, dim=1)
    factors.fill_(1)
    return parameters


def _flat(channels: Tensor) -> Tensor:
    """Shape (batch, models · channels, 1, 1) from shape (models, batch, channels)."""
    return channels.transpose(0, 1).flatten(1)[..., None, None]


def _modulation(parameters: Parameters, sigma: Tensor, width: int) -> Modulation:
    channels = _channels(width)
    sizes = [out for _, out in channels.values()]
    factors, shifts = affine(parameters, "modulation", embedding(sigma)).chunk(2, dim=-1)
    pairs = zip(*(torch.split(part, sizes, dim=-1) for part in (factors, shifts)), strict=True)
    return {
        name: (_flat(factor), _flat(shift))
        for name, (factor, shift) in zip(channels, pairs, strict=True)
    }


def _convolve(weights: Tensor, h: Tensor) -> Tensor:
    """Each model's convolution, with zeros around the pictures.

    Args:
        weights: Shape (models, out, in, SIDE, SIDE).
        h: Shape (batch, models · in, height, width).
    """
    return conv2d(h, weights.flatten(0, 1), padding=SIDE // 2, groups=len(weights))


def _join(one: Tensor, other: Tensor, models: int) -> Tensor:
    """The channels of both, model by model."""
    parts = [h.reshape(len(h), models, -1, *h.shape[2:]) for h in (one, other)]
    return torch.cat(parts, dim=2).flatten(1, 2)


def _pictures(parameters: Parameters, pictures: Tensor, sigma: Tensor, width: int) -> Tensor:
    """F on pictures, shape (batch, models · colours, height, width): from these and σ.

    Args:
        parameters: Of all models.
        pictures: Shape (batch, models · colours, height, width).
        sigma: Shape (models, batch).
        width: Channels of the finer level.
    """
    modulation = _modulation(parameters, sigma, width)

    def layer(name: str, h: Tensor) -> Tensor:
        factor, shift = modulation[name]
        return silu(torch.addcmul(shift, _convolve(parameters[name], h), factor))

    def residuals(part: str, count: int, h: Tensor) -> Tensor:
        for i in range(count):
            name = f"{part}_{i}"
            h = h + dropped_pictures(parameters, name, layer(name, h))
        return h

    fine = residuals("fine", FINE, layer("enter", pictures))
    coarse = residuals("coarse", COARSE, layer("down", avg_pool2d(fine, 2)))
    h = layer("up", _join(fine, interpolate(coarse, scale_factor=2.0), len(sigma)))
    h = residuals("end", FINE, h)
    return _convolve(parameters["output"], h) + parameters["output_bias"].reshape(-1, 1, 1)


def make_unet(picture: Picture, width: int = 8, preconditioning: str = "edm") -> Network:
    """The network for vectors that are pictures.

    Args:
        picture: How they are, with sides that are even.
        width: Channels of the finer level; the coarser has twice as many.
        preconditioning: A key of `PRECONDITIONINGS`.

    Raises:
        ValueError: A side is odd.
    """
    height, breadth, colours = picture.height, picture.width, picture.colours
    if height % 2 or breadth % 2:
        raise ValueError(f"pictures of {height} × {breadth}: a U-Net halves both sides once")
    shapes = _shapes(width, colours)

    @cache
    def embed(dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.tensor(picture.embed, dtype=dtype, device=device)

    def body(parameters: Parameters, x: Tensor, sigma: Tensor) -> Tensor:
        # A copy of the map for each model: one product for all would be rounded by their number.
        to_pixels = embed(x.dtype, x.device).expand(len(x), -1, -1)
        pixels = torch.bmm(x, to_pixels).transpose(0, 1)
        pictures = pixels.reshape(*pixels.shape[:2], height, breadth, colours)
        found = _pictures(parameters, pictures.movedim(-1, 2).flatten(1, 2), sigma, width)
        rows = found.reshape(len(found), len(x), colours, -1).movedim(2, -1).flatten(2)
        return torch.bmm(rows.transpose(0, 1), to_pixels.mT)

    return Network(
        shapes,
        partial(_initial, shapes),
        PRECONDITIONINGS[preconditioning](body),
        _activations(width, height * breadth),
        _droppable(width, height * breadth),
    )


def make(form: Form) -> Network:
    """The network of a form.

    Raises:
        ValueError: The data are no pictures, or a side is odd.
    """
    if form.picture is None:
        raise ValueError("a U-Net needs data that are pictures")
    return make_unet(form.picture, form.width, form.preconditioning)
