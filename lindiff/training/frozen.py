"""Frozen noises of trained models: a table by index that is computed, never stored.

Copy j of training row i at noise level t has one noise, a function of the run, i, t, j and the
coordinate alone (docs/theory.md, "Noise copies"): whoever asks for it, whenever, gets it. Philox
4×32-10 turns these numbers into random bits (Salmon, Moraes, Dror & Shaw 2011, "Parallel random
numbers: as easy as 1, 2, 3", section 3.3), Box and Muller (1958) these into normal numbers.

| here | Salmon et al. 2011 |
| --- | --- |
| coordinate // 4, i, t − 1, j | the counter, four words of 32 bits |
| hash of what the noises hang on | the key, two words |
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_WORDS = 4


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Four random words of 32 bits a counter.

    Args:
        counter: Its four words, int64 tensors of values below 2³² whose shapes broadcast.
        key: Two words.

    Returns:
        Int64 tensors of values below 2³², of the shape that the words have together.
    """
    words = list(counter)
    for number in range(_ROUNDS):
        # The lower 64 bits of a product are the same with a sign and without.
        first, second = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        k0, k1 = ((k + number * step) & _MASK for k, step in zip(key, _WEYL, strict=True))
        words = [
            (second >> 32).bitwise_and_(_MASK).bitwise_xor(words[1] ^ k0),
            second & _MASK,
            (first >> 32).bitwise_and_(_MASK).bitwise_xor(words[3] ^ k1),
            first & _MASK,
        ]
    return words


def frozen_noise(key: str, index: Tensor, level: Tensor, copy: Tensor, d: int) -> Tensor:
    """The frozen noises of some rows, standard normal numbers, float32, shape (*shape, d).

    Each is below 6.8: of 32 bits.

    Args:
        key: What the noises hang on.
        index: Rows i, int64, shape (*shape), as `level` and `copy`; each of them below 2³².
        level: Indices t − 1.
        copy: Copies j.
        d: Dimension.
    """
    digest = blake2b(json.dumps(["frozen noise", key]).encode(), digest_size=8).digest()
    words = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    block = torch.arange(-(-d // _WORDS), device=index.device)
    bits = philox([block, *(number[..., None] for number in (index, level, copy))], words)
    # In double precision, so that the place of a number among others does not show in its last bit.
    parts = []
    for radius, angle in (bits[:2], bits[2:]):
        r = _uniform(radius).log_().mul_(-2).sqrt_()
        phi = _uniform(angle).mul_(2 * math.pi)
        parts += [r * phi.cos(), r * phi.sin()]
    return torch.stack(parts, dim=-1).flatten(-2)[..., :d].float()


def _uniform(words: Tensor) -> Tensor:
    """Numbers in (0, 1) of words of 32 bits, float64."""
    return words.double().add_(0.5).mul_(2.0**-32)
