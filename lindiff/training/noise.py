"""What a training run draws: rows, noise levels and noise, the same in any company.

Numbers come in blocks of `BLOCK` steps, each block from a generator of its own that is keyed by the
run, the purpose and the block's number. So a run's numbers hang on nothing but its key, its batch
size, N, d and T: not on the models beside it, nor on where a stopped training goes on.
(`torch.randn` of small shapes gives other numbers when it is cut otherwise.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from lindiff.science.schedule import Schedule
from lindiff.training.frozen import frozen_noise
from lindiff.training.sizes import BLOCK


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's inputs of several models.

    Attributes:
        x: x_t = √ᾱ_t x_0 + √q_t ε, shape (models, batch, d).
        sigma: Noise to signal σ_t = √(q_t/ᾱ_t), shape (models, batch).
        noise: ε, shape (models, batch, d).
        weight: w_t of the loss, shape (models, batch); None is 1 for all.
    """

    x: Tensor
    sigma: Tensor
    noise: Tensor
    weight: Tensor | None = None


def torch_generator(purpose: str, **key: object) -> torch.Generator:
    """CPU generator of one draw, keyed by what the draw is.

    Torch's Mersenne Twister takes 32 bits of its seed: among 100,000 keys one pair is expected to
    share its numbers, which does no harm to noise.

    Args:
        purpose: What the numbers are for.
        key: JSON values that name the draw.
    """
    text = json.dumps([purpose, key], sort_keys=True, separators=(",", ":"))
    digest = blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def _block(
    key: str, number: int, ends: tuple[int, int, float], out: Tensor
) -> tuple[Tensor, Tensor]:
    """Indices of rows and of levels, shape (BLOCK, batch); the noise goes to `out`.

    Args:
        key: What the numbers hang on.
        number: Of the block.
        ends: How many rows there are, levels, and frozen noises of each (inf: new ones).
        out: Shape (BLOCK, batch, d).
    """

    def drawn(purpose: str) -> torch.Generator:
        return torch_generator(purpose, run=key, block=number)

    samples, timesteps, noises = ends
    shape, d = out.shape[:2], out.shape[2]
    index = torch.randint(samples, shape, generator=drawn("index"))
    level = torch.randint(timesteps, shape, generator=drawn("level"))
    # Single precision whatever the training's: one noise for both.
    if math.isinf(noises):
        out.copy_(torch.randn(out.shape, generator=drawn("noise"), dtype=torch.float32))
    else:
        copy = torch.randint(int(noises), shape, generator=drawn("copy"))
        i, t, j = (x.to(out.device) for x in (index, level, copy))
        out.copy_(frozen_noise(key, i, t, j, d))
    return index, level


def batches(
    rows: Sequence[Tensor],
    keys: Sequence[str],
    batch_size: int,
    schedule: Schedule,
    start: int = 0,
    noises: Sequence[float] = (),
    weights: Sequence[Tensor | None] = (),
) -> Iterator[Batch]:
    """Training inputs without end, with rows and levels t uniform and drawn with replacement.

    Args:
        rows: Training rows of each model, shapes (N_m, d), of one dtype and device.
        keys: What each model's numbers hang on.
        batch_size: Rows a step.
        schedule: The noise schedule.
        start: Steps that were made before.
        noises: Frozen noises a row and level of each model, of which one is drawn; inf, as for all
            where left out, a new one every time.
        weights: w_t of the loss of each model, shape (T,), None where all are 1, as for all where
            left out.

    Yields:
        The next step's batch, in the rows' dtype and on their device.
    """
    like, d = rows[0], rows[0].shape[1]
    joined = torch.cat(list(rows))
    counts = [len(r) for r in rows]
    copies = noises or [math.inf] * len(rows)
    offsets = [sum(counts[:m]) for m in range(len(counts))]
    root_alpha = torch.tensor(schedule.alpha_bar**0.5).to(like)
    root_q = torch.tensor(schedule.q**0.5).to(like)
    sigma_of = torch.tensor((schedule.q / schedule.alpha_bar) ** 0.5).to(like)
    weight_of = _weight_table(weights, schedule.timesteps, like)
    shape = BLOCK, batch_size, d
    number, skip = divmod(start, BLOCK)
    while True:
        noise = like.new_empty((len(rows), *shape))
        index, level = zip(
            *(
                _block(key, number, (n, schedule.timesteps, m), out)
                for key, n, m, out in zip(keys, counts, copies, noise, strict=True)
            ),
            strict=True,
        )
        chosen = torch.stack([i + offset for i, offset in zip(index, offsets, strict=True)])
        t = torch.stack(level).to(like.device)
        x = root_q[t][..., None] * noise
        x.addcmul_(root_alpha[t][..., None], joined[chosen.to(like.device)])
        sigma = sigma_of[t]
        weight = None if weight_of is None else weight_of.gather(1, t.flatten(1)).view_as(sigma)
        for step in range(skip, BLOCK):
            own = None if weight is None else weight[:, step]
            yield Batch(x[:, step], sigma[:, step], noise[:, step], own)
        number, skip = number + 1, 0


def _weight_table(weights: Sequence[Tensor | None], timesteps: int, like: Tensor) -> Tensor | None:
    """w_t of all models, shape (models, T); None where all are 1."""
    if all(own is None for own in weights):
        return None
    ones = torch.ones(timesteps)
    return torch.stack([(ones if own is None else own).to(like) for own in weights])
