"""Dropout of networks: masks by index that are computed, never stored (Srivastava et al. 2014).

Whether a unit of a layer is dropped for a row of a step's batch is a function of the run, the step,
the row, the layer and the unit alone, by the Philox generator of `lindiff.training.frozen`: the
same in any company, and after a training was taken up again. What is kept is divided by its
probability, so that nothing is to be done where a network is evaluated. Masks go to a network among
its parameters, in training only.

| here | Salmon et al. 2011 |
| --- | --- |
| unit // 4, row, step, layer | the counter, four words of 32 bits |
| hash of what the masks hang on | the key, two words |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from lindiff.training.frozen import philox

_WORDS = 4
_PREFIX = "dropout of "


def dropped(parameters: Mapping[str, Tensor], layer: str, h: Tensor) -> Tensor:
    """A layer's output with its mask, which has that many numbers; itself where there is none.

    Args:
        parameters: Of a network, and in training its masks, shape (models, batch, units).
        layer: Its name in `Network.droppable`.
        h: Its output, shape (models, batch, units).
    """
    mask = parameters.get(_PREFIX + layer)
    return h if mask is None else h * mask


def dropped_pictures(parameters: Mapping[str, Tensor], layer: str, h: Tensor) -> Tensor:
    """As `dropped`, of an output of shape (batch, models · channels, height, width)."""
    mask = parameters.get(_PREFIX + layer)
    return h if mask is None else h * mask.transpose(0, 1).reshape(h.shape)


def masks(
    units: Mapping[str, int], keys: Sequence[str], rate: float, step: int, batch: int, like: Tensor
) -> dict[str, Tensor]:
    """The masks of all layers in one step, shape (models, batch, units) each, 0 or 1/(1 − rate).

    Args:
        units: Of each layer, in the order of the network.
        keys: What each model's masks hang on.
        rate: Share of the units that is dropped.
        step: Number of the step.
        batch: Rows of the batch.
        like: Gives dtype and device.
    """
    found = [dict(_masks(units, key, rate, step, batch, like.device)) for key in keys]
    scale = 1 / (1 - rate)
    return {
        name: torch.stack([own[name] for own in found]).to(like.dtype).mul_(scale)
        for name in (found[0] if found else ())
    }


def _masks(
    units: Mapping[str, int], key: str, rate: float, step: int, batch: int, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    """Which units of each layer one model keeps, shape (batch, units)."""
    digest = blake2b(json.dumps(["dropout", key]).encode(), digest_size=8).digest()
    words = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    least = round(rate * 2**32)
    row = torch.arange(batch, device=device)[:, None]
    for layer, (name, count) in enumerate(units.items()):
        block = torch.arange(-(-count // _WORDS), device=device)
        at = (torch.tensor(number, device=device) for number in (step, layer))
        bits = torch.stack(philox([block, row, *at], words), dim=-1)
        yield _PREFIX + name, bits.flatten(1)[:, :count] >= least
