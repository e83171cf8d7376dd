"""What the planner asks of the trained linear model: its cost, and errors of whole cells.

Importing this must not need torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff.columns import EXACT_DESCENT
from lindiff.models.measured import PAIR
from lindiff.models.proximity import PROXIMITY, SAMPLES
from lindiff.planning import checks, linear, noises
from lindiff.planning.cells import Array, Finding, column, distinct, is_real, text, with_cells
from lindiff.planning.measured import of_samples
from lindiff.planning.trained import TORCH_BYTES, check_training
from lindiff.training.sizes import BLOCK, CHUNK

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FAMILY = 0.02
_STEP = 2e-5
_NUMBER = 6e-9
_PRODUCT = 4e-11
_UPDATE = 2e-9
_EXACT_STEP = 3e-6
_DESCENT = 6e-11
_CUBE = 2e-10


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`, `noises`,
            `optimizer`, `steps`, `batch_size`, `precision` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, cells, timesteps, steps, batch = (
        column(families, name) for name in ("d", "cells", "timesteps", "steps", "batch_size")
    )
    # The draw of the linear models, with none of the cells' own work.
    paired = bool(PAIR & set(metrics))
    drawing = with_cells(noises.averaged(families), 0 * d)
    seconds, _ = linear.estimate(drawing, ("agreement",) if paired else ())
    noisy = _STEP + batch * d * (_NUMBER + 2 * d * _PRODUCT) + d**2 * _UPDATE
    exact = _EXACT_STEP + d**3 * _DESCENT
    step = np.where(text(families, "optimizer") == EXACT_DESCENT, exact, noisy)
    # The mean over steps is another pass.
    step += d**2 * _UPDATE / 2 * (np.nan_to_num(column(families, "ema")) > 0)
    step *= np.where(text(families, "precision") == "float64", 2, 1)
    once, numbers = _frozen_level(families)
    work = _FAMILY + timesteps * (steps * step + once + cells * d**3 * _CUBE)
    seconds += work * (2 if paired else 1)
    item = np.where(text(families, "precision") == "float64", 8, 4)
    # Levels of a chunk: by their matrices, or by the noise of a block of steps.
    drawn = np.where(text(families, "optimizer") == EXACT_DESCENT, 0, BLOCK * batch)
    levels = np.minimum(timesteps, np.maximum(1, CHUNK // (d * np.maximum(d, drawn))))
    matrices = levels * d**2
    # Weights, gradient and running means, work; each stop's twice; the drawn noise and batches.
    training = item * (
        matrices * (7 + 2 * cells) + levels * d * (drawn + np.where(drawn, 3, 0) * batch)
    )
    # In double precision: the weights, and three arrays of as many while losses are taken.
    asked = PROXIMITY & set(metrics)
    seconds += cells * of_samples(asked, d, column(families, "n"))
    measuring = 8 * (cells * matrices * 4 + 5 * (1 + paired) * cells * d**2 + 12 * d**2)
    # Noise, samples of both halves and what is made of them.
    measuring += 8 * 6 * SAMPLES * d * bool(asked)
    size = linear.BASE_BYTES + TORCH_BYTES + (1 + paired) * linear.draw_bytes(families)
    return seconds, size + training + measuring + numbers


def _frozen_level(families: pa.Table) -> tuple[Array, Array]:
    """Seconds that frozen noises add to each level, and bytes, of each family."""
    d, n, m, steps, batch = (
        column(families, name) for name in ("d", "n", "noises", "steps", "batch_size")
    )
    frozen, exact = noises.are_frozen(families), text(families, "optimizer") == EXACT_DESCENT
    m = np.where(frozen, m, 0)
    # Of descent pairs are made for the largest rate, for the descent and for the losses.
    level, alive = noises.cost_of_level(families, sampled=False)
    drawn = (steps * np.nan_to_num(batch) + n * m) * d * noises.NUMBER
    drawn += n * m * (d * _NUMBER + 4 * d**2 * _PRODUCT) + (2 * d) ** 3 * _CUBE
    seconds = np.where(exact, 3 * np.nan_to_num(level), drawn)
    rows = np.maximum(BLOCK * np.nan_to_num(batch) * d, CHUNK / 8)
    size = np.where(exact, 8 * np.nan_to_num(alive), (noises.NUMBER_BYTES + 32) * rows)
    return np.where(frozen, seconds, 0), np.where(frozen, size, 0)


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    unsampled = [
        (row, "draw", message)
        for row, values in distinct(cells, ("data", "draw", "optimizer"))
        if (message := _without_samples(values)) is not None
    ]
    exact = checks.check(_as_exact(cells), metrics)
    return [*check_training(cells), *unsampled, *exact]


def _without_samples(values: dict[str, Any]) -> str | None:
    if is_real(values["data"]) or values["draw"] == "samples":
        return None
    if values["optimizer"] != EXACT_DESCENT:
        return f"optimizer {values['optimizer']} needs the training samples; allowed: samples"
    return None


def _as_exact(cells: pa.Table) -> pa.Table:
    """The cells as those of `linear_exact` that full gradient descent must meet.

    Those of other optimizers have no stop, so nothing is asked of their learning rate. One at which
    descent on the average over noise diverges is refused for frozen noises too, which vary more in
    some direction.
    """
    stop = np.nan_to_num(column(cells, "learning_rate")) * column(cells, "steps")
    exact = text(cells, "optimizer") == EXACT_DESCENT
    stops = pa.array(np.where(exact, stop, np.nan), from_pandas=True)
    averaged = noises.averaged(cells)
    return averaged.set_column(cells.column_names.index("stop"), "stop", stops)
