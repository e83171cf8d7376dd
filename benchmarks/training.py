"""Training many networks as one batch against a loop over them: milliseconds a step for all.

Both are whole trainings of `lindiff.training.engine`, drawn numbers and optimizer included; the
loop is the same engine with one model a pack.
Run: .venv/bin/python -m benchmarks.training [THREADS]
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import torch

from benchmarks.timing import header, report, seconds
from lindiff.science.schedule import make_schedule
from lindiff.training.engine import PACK, Recipe, Run, pack_size, train
from lindiff.training.mlp import make_mlp

D, N = 64, 256
WIDTHS, MODELS = (64, 128, 256), (8, 32)
STEPS, REPEATS = 32, 7


def compare(width: int, models: int) -> None:
    network = make_mlp(D, width)
    rows = torch.randn((models, N, D), generator=torch.Generator().manual_seed(0))
    runs = [Run(r, str(m), 1e-3, 1e-4) for m, r in enumerate(rows)]
    recipe = Recipe(steps=STEPS)
    times = {pack: [] for pack in (PACK, 1)}
    for pack in (*times, *(p for _ in range(REPEATS) for p in times)):
        wall = seconds(lambda p=pack: train(network, runs, recipe, make_schedule(), pack=p), 1)[0]
        times[pack].append(wall / STEPS)
    # The first of each warms up.
    batch, loop = (np.array(times[pack][1:]) for pack in (PACK, 1))
    chosen = "loop" if pack_size(network.size) == 1 else "batch"
    print(f" width {width} × {models} models, {network.size} parameters each")
    ratio = report("loop", loop) / report("batch", batch)
    print(f"  ratio {ratio:.2f} (median of ratios {np.median(loop / batch):.2f}); chosen: {chosen}")


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    torch.set_num_threads(threads)
    header(f"training: ms a step, d = {D}, batch 64, Adam, float32, {threads} thread(s)")
    print(f"  torch {torch.__version__}")
    for width, models in itertools.product(WIDTHS, MODELS):
        compare(width, models)


if __name__ == "__main__":
    main()
