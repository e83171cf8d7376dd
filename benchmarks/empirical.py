"""Is the empirical score's training loss below every other model's at every noise level?

On the same noises, by paired differences: how far above it comes at the worst level, in its errors.
Run: .venv/bin/python -m benchmarks.empirical [--rounds 1024]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lindiff.models import measured, trained
from lindiff.models.linear_cells import groups
from lindiff.models.linear_family import Family, make_family
from lindiff.science import denoisers
from lindiff.science.draws import generator
from lindiff.science.empirical import empirical
from lindiff.science.filters import Bank
from lindiff.science.pools import make_pool
from lindiff.science.schedule import Schedule
from lindiff.training.devices import prepare
from lindiff.training.engine import train
from tests.science.helpers import sweep_cells

TRAINING = {
    "model": "mlp", "timesteps": 100, "sampler": "ddim", "learning_rate": 6e-3, "warm_up": 100,
    "learning_rate_decay": "cosine",
}  # fmt: skip
CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "Gaussian, d = 16": (
        (4, 16, 64, 256, 1024),
        {"d": 16, "spectrum": "power_law", "spectrum_params": '{"exponent":1.0}',
         "draw": "samples", "width": 64, "steps": 800},
    ),
    "digits": (
        (4, 32, 256, 719),
        {"data": "digits", "d": make_pool("digits").d, "spectrum": "dataset",
         "spectrum_params": '{"name":"digits"}', "draw": None, "population_mean": None,
         "width": 96, "steps": 1000},
    ),
}  # fmt: skip


def mlp(cells: pa.Table, schedule: Schedule) -> denoisers.Denoiser:
    """The network of one cell, trained as a sweep does."""
    row = cells.to_pylist()[0]
    names = ("model", "data", "d", "width", "preconditioning")
    network = trained._network(*(row[name] for name in names))
    runs = trained._task(cells, False).runs
    found = train(network, runs, trained._recipe(row, [row["steps"]]), schedule)
    return trained.as_denoiser(network, found.parameters[-1, 0], runs[0], schedule)


def linear(family: Family, cells: pa.Table) -> denoisers.Denoiser:
    """The exact linear denoiser without regularization."""
    ((_, filters),) = groups(cells)
    bank = Bank(filters.make_schedule(), filters.trainings)
    return denoisers.linear(family.draw.vectors, family.draw.eigenvalues, bank)


def losses(
    family: Family, schedule: Schedule, denoise: denoisers.Denoiser, rounds: int
) -> NDArray[np.float64]:
    """Training losses, shape (T, rounds), on the noises of a sweep's losses and more of them."""
    sources = denoisers.rows_of(measured.training_points(family)), measured.fresh_points(family)
    rng = generator("loss", **family.key)
    return denoisers.monte_carlo_losses(denoise, schedule, sources, rng, rounds)[0]


def compare(base: dict[str, Any], n: int, seed: int, rounds: int) -> None:
    """One line for each other model of one training set."""
    cells = sweep_cells(**TRAINING | base | {"n": n, "seed": seed})
    family, ((_, filters),) = make_family(cells), groups(cells)
    schedule = filters.make_schedule()
    least = losses(family, schedule, empirical(measured.training_points(family), schedule), rounds)
    for name, denoise in (("linear", linear(family, cells)), ("mlp", mlp(cells, schedule))):
        other = losses(family, schedule, denoise, rounds)
        difference = least - other
        above = difference.mean(axis=1)
        z = above / (difference.std(axis=1, ddof=1) / np.sqrt(rounds))
        worst = int(z.argmax())
        share = above[worst] / other[worst].mean()
        print(f"  N = {n}, seed {seed}, {name}: above at {(above > 0).sum()} of "
              f"{len(z)} levels, at the worst by {z[worst]:.2f} standard errors "
              f"({share:.1e} of the loss, t = {worst + 1})", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1024)
    given = parser.parse_args()
    prepare("cpu")
    with threadpool_limits(1):
        for name, (sizes, base) in CASES.items():
            print(name)
            for n in sizes:
                for seed in (500, 501):
                    compare(base, n, seed, given.rounds)


if __name__ == "__main__":
    main()
