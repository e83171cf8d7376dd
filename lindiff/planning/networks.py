"""What one model of each network takes; a test holds every number against the network itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lindiff.planning.cells import Array
from lindiff.training.sizes import FEATURES

# Pixels of the smallest pictures, which have no more directions.
_PIXELS = 64


class Demand(NamedTuple):
    """What one model takes; arrays of one number a family.

    Attributes:
        operations: Products a row.
        weights: Numbers that are trained.
        kept: Numbers that a row keeps for the gradient.
        droppable: Units that dropout may drop.
    """

    operations: Array
    weights: Array
    kept: Array
    droppable: Array | float = 0.0


def mlp(d: Array, width: Array) -> Demand:
    """The perceptron: as many products a row as it has weights but biases."""
    products = 2 * d * width + 2 * width**2 + 6 * FEATURES * width
    return Demand(products, products + 6 * width + d, 30 * width + 4 * d, 3 * width)


def unet(d: Array, width: Array) -> Demand:
    """The U-Net: its convolutions at both resolutions, and the modulation of its channels."""
    pixels = np.maximum(d, _PIXELS)
    weights = 225 * width**2 + (32 * FEATURES + 50) * width + 1
    products = 9 * width**2 * (4 + 24 / 4) * pixels
    return Demand(products, weights, 34 * width * pixels, 6 * width * pixels)


DEMANDS: dict[str, Callable[[Array, Array], Demand]] = {
    "mlp": mlp,
    "unet": unet,
}


def takes_dropout(model: str) -> bool:
    """Whether a network has units that dropout may drop."""
    one = np.ones(1)
    return bool(np.any(DEMANDS[model](one, one).droppable))
