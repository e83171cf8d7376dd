"""Training many networks as one batch against two loops over them: milliseconds a step for all.

The batch is a whole training of `lindiff.training.engine`, drawn numbers and optimizer included.
The references, measured in turn with it, are the same engine with one model a pack, and, of the
MLP, the loop that one would write by hand: a torch.nn.Module of the same form a model, its numbers
drawn in place, backward, torch.optim.AdamW with its defaults. The U-Net's pictures are 8×8.
Run: .venv/bin/python -m benchmarks.training [--threads 1 2] [--widths …] [--channels …]
    [--models …] [--packs …]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, silu

from benchmarks.timing import header, report, seconds
from lindiff.science.pictures import Picture
from lindiff.science.schedule import make_schedule
from lindiff.training.engine import train
from lindiff.training.modulation import embedding
from lindiff.training.networks.mlp import make_mlp
from lindiff.training.networks.unet import make_unet
from lindiff.training.sizes import pack_size
from lindiff.training.task import Network, Recipe, Run, views

D, N, BATCH = 64, 256, 64
SQUARE = Picture(8, 8, np.eye(64))
RATE, WEIGHT_DECAY = 1e-3, 1e-4
SCHEDULE = make_schedule()


class Plain(nn.Module):
    """The form of `make_mlp` (preconditioned as in EDM) for one model, as a user would write it."""

    def __init__(self, d: int, width: int, layers: int = 3) -> None:
        super().__init__()
        levels = embedding(torch.ones(1)).shape[-1]
        ins = [d] + [width] * (layers - 1)
        self.hidden = nn.ModuleList(nn.Linear(i, width, bias=False) for i in ins)
        self.factor = nn.ModuleList(nn.Linear(levels, width) for _ in ins)
        self.shift = nn.ModuleList(nn.Linear(levels, width) for _ in ins)
        self.output = nn.Linear(width, d)

    def forward(self, x: Tensor, sigma: Tensor, scale: float = 1.0) -> Tensor:
        sigma = sigma[:, None]
        r2 = sigma**2 + scale**2
        r = r2.sqrt()
        y = x * (1 + sigma**2).sqrt()
        h, levels = y / r, embedding(sigma[:, 0])
        parts = zip(self.hidden, self.factor, self.shift, strict=True)
        for i, (hidden, factor, shift) in enumerate(parts):
            z = silu(hidden(h) * factor(levels) + shift(levels))
            h = h + z if i else z
        return sigma / r2 * y - scale / r * self.output(h)

    def take(self, network: Network, flat: Tensor) -> None:
        """Takes one model's parameters from a buffer of shape (1, parameters)."""
        for name, value in views(flat, network.shapes).items():
            stem = name.removesuffix("_bias")
            kind, _, number = stem.partition("_")
            layer = getattr(self, kind)
            layer = layer[int(number)] if number else layer
            own = layer.weight if name == stem else layer.bias
            own.data.copy_(value[0].T if own.ndim == 2 else value.flatten())


def plain_loop(width: int, rows: list[Tensor], steps: int) -> None:
    """Trains one model after another."""
    alpha_bar, q = (torch.tensor(x).float() for x in (SCHEDULE.alpha_bar, SCHEDULE.q))
    for own in rows:
        model = Plain(own.shape[1], width)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
        for _ in range(steps):
            clean = own[torch.randint(len(own), (BATCH,))]
            t = torch.randint(SCHEDULE.timesteps, (BATCH,))
            noise = torch.randn(clean.shape)
            x = alpha_bar[t, None].sqrt() * clean + q[t, None].sqrt() * noise
            loss = mse_loss(model(x, (q[t] / alpha_bar[t]).sqrt()), noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def check_form() -> None:
    """The module and the network must be one function of the same parameters."""
    network, generator = make_mlp(D, 16), torch.Generator().manual_seed(0)
    flat = torch.randn((1, network.size), generator=generator) / 4
    x, sigma = torch.randn((1, BATCH, D), generator=generator), torch.linspace(0.1, 9, BATCH)
    plain = Plain(D, 16)
    plain.take(network, flat)
    expected = network.predict(views(flat, network.shapes), x, sigma[None], torch.ones(1))
    torch.testing.assert_close(plain(x[0], sigma), expected[0], rtol=1e-4, atol=1e-5)


def compare(
    network: Network, models: int, packs: list[int], steps: int, repeats: int, width: int = 0
) -> None:
    """Prints the times of all ways to train; the plain loop is of the MLP of this width."""
    rows = list(torch.randn((models, N, D), generator=torch.Generator().manual_seed(0)))
    runs = [Run(r, str(m), RATE, WEIGHT_DECAY) for m, r in enumerate(rows)]
    recipe = Recipe(steps, batch_size=BATCH, optimizer="adamw")

    def engine(pack: int) -> Callable[[], object]:
        return lambda: train(network, runs, recipe, SCHEDULE, pack=pack)

    ways = {"plain torch loop": lambda: plain_loop(width, rows, steps)} if width else {}
    ways["engine, loop"] = engine(1)
    references = list(ways)
    ways |= {f"engine, packs of {pack}": engine(pack) for pack in packs}
    times: dict[str, list[float]] = {name: [] for name in ways}
    # In turn, so that a slow spell of the machine meets all; the first round warms up.
    for _, name in itertools.product(range(repeats + 1), ways):
        times[name].append(seconds(ways[name], 1)[0] / steps)
    print(f"  {models} models, {network.size} parameters each")
    taken = {name: np.array(values[1:]) for name, values in times.items()}
    for name, values in taken.items():
        report(name, values)
    for pack, reference in itertools.product(packs, references):
        ratio = np.median(taken[reference]) / np.median(taken[f"engine, packs of {pack}"])
        chosen = " (the engine's choice)" if pack == pack_size(network.size) else ""
        print(f"  packs of {pack}{chosen} over {reference}: {ratio:.2f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (
        ("threads", [1, 2]),
        ("widths", [64, 128, 256]),
        ("channels", [8]),
        ("models", [8, 32]),
        ("packs", [8, 16, 32]),
    ):
        parser.add_argument(f"--{name}", type=int, nargs="*", default=default)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    check_form()
    header(f"training: ms a step of all models, d = {D}, batch {BATCH}, AdamW, float32")
    print(f"  torch {torch.__version__}, {given.steps} steps, medians of {given.repeats}")
    for threads in given.threads:
        torch.set_num_threads(threads)
        print(f"{threads} thread(s)")
        for models in given.models:
            packs = [pack for pack in given.packs if pack <= models]
            for width in given.widths:
                print(f" MLP, width {width}")
                compare(make_mlp(D, width), models, packs, given.steps, given.repeats, width)
            for channels in given.channels:
                print(f" U-Net, {channels} channels")
                network = make_unet(SQUARE, channels)
                compare(network, models, packs, given.steps, given.repeats)


if __name__ == "__main__":
    main()
