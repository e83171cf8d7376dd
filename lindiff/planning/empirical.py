"""What the planner asks of the empirical score: its cost, and errors of whole cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lindiff.models.few_levels import DIRECTION_POINTS
from lindiff.models.linear_cells import FEW_LEVELS
from lindiff.models.measured import OF_SAMPLES, OF_TWO, PAIR
from lindiff.models.proximity import SAMPLES
from lindiff.planning import linear
from lindiff.planning.cells import Array, column, each, with_cells
from lindiff.planning.measured import evaluations_of, of_samples, of_training_set
from lindiff.science.collapse import EVALUATIONS, NOISY
from lindiff.science.denoisers import fit_count, rounds_of
from lindiff.science.empirical import _BLOCK as WEIGHTS

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones. The
# constants are counts of operations at the speed of the linear models, not fits.
_LEVEL = 3e-5
_PAIR = 4e-9
_PRODUCT = 8e-11
_NUMBER = 1e-8
_CUBE = 1e-10
_LOSSES = frozenset(("train_loss", "test_loss", "residual_loss", "levels"))


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Cells of one schedule share their losses; the estimate is of cells that do not.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`,
            `sampler`, `sampling_steps` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, n, cells, timesteps = (column(families, name) for name in ("d", "n", "cells", "timesteps"))
    # The draw of the linear models, with none of the cells' own work.
    seconds, _ = linear.estimate(with_cells(families, 0 * n), ())
    asked, work = set(metrics), np.zeros_like(n)
    # A noisy point that meets all training points.
    point = n * (_PAIR + _PRODUCT * d) + d * _NUMBER
    if asked & _LOSSES:
        work += timesteps * (_LEVEL + 2 * each(rounds_of, timesteps) * point)
    if asked & {"excess_loss", "excess_loss_se"}:
        work += timesteps * (_LEVEL + each(rounds_of, timesteps) * point)
    if asked & OF_SAMPLES:
        halves = 1 + bool(asked & PAIR)
        work += halves * evaluations_of(families) * (_LEVEL + SAMPLES * point)
    work += of_samples(asked, d, n)
    once, held = of_training_set(asked, n)
    if asked & {"collapse_time", "collapse_time_se"}:
        # Once for all cells of a family.
        seconds += EVALUATIONS * (_LEVEL + NOISY * point)
    fit = each(fit_count, d)
    if "linearity" in asked:
        work += FEW_LEVELS * (_LEVEL + fit * (point + 4 * _CUBE * d**2))
    if "differences" in asked:
        work += 2 * FEW_LEVELS * DIRECTION_POINTS * point
    if "directions" in asked:
        work += FEW_LEVELS * DIRECTION_POINTS * (point + 6 * _CUBE * d**2)
    points = np.maximum(SAMPLES, 2 * each(rounds_of, timesteps))
    if "linearity" in asked:
        points = np.maximum(points, fit)
    # Samples and what is made of them; noisy points of a fit, their values and its halves.
    numbers = 8 * SAMPLES * d + (6 * fit * d if "linearity" in asked else 0)
    # The weights of a block of points on all training points, which are there once more, scaled.
    numbers += 2 * np.minimum(WEIGHTS, points * n) + 2 * (1 + bool(asked & OF_TWO)) * n * d
    size = linear.BASE_BYTES + linear.draw_bytes(families) + 8 * numbers + held
    return seconds + once + cells * work, size
