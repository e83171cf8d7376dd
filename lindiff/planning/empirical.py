"""What the planner asks of the empirical score: its cost, and errors of whole cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.planning import linear

Array = NDArray[np.float64]

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones. The
# constants are counts of operations at the speed of the linear models, not fits.
_LEVEL = 3e-5
_PAIR = 2e-9
_PRODUCT = 8e-11
_NUMBER = 1e-8
_DIFFERENCE = 1e-9
_CUBE = 1e-10
# Noisy points of the losses over all levels and the least at each, of train and test; of the
# affine fits a dimension and the least, and of the directions; levels of both; samples.
_NOISY, _ROUNDS = 12800, 64
_PER_DIMENSION, _FIT, _DIRECTIONS, _FITTED = 32, 1024, 1024, 8
_SAMPLES = 1024
# Fits of a jackknife, and what one takes: QR and the decompositions of a d × d factor.
_FOLDS, _DECOMPOSITIONS = 17, 40
# The weights of a block and what is needed beside them.
_BYTES = 60e6
_LOSSES = frozenset(("train_loss", "test_loss", "residual_loss", "levels"))
_PAIRS = frozenset(("agreement", "uncentred_cosine"))
_DISTANCES = frozenset(("kl_model_data", "kl_data_model", "bures"))
_OF_SAMPLES = _PAIRS | _DISTANCES | {"memorized_fraction", "modes", "pictures"}


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Cells of one schedule share their losses; the estimate is of cells that do not.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`,
            `sampling_steps` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, n, cells, timesteps = (
        np.asarray(families[name].to_numpy(zero_copy_only=False), dtype=float)
        for name in ("d", "n", "cells", "timesteps")
    )
    # The draw of the linear models, with none of the cells' own work.
    once = families.set_column(families.column_names.index("cells"), "cells", pa.array(0 * n))
    seconds, size = linear.estimate(once, ())
    asked, work = set(metrics), np.zeros_like(n)
    # A noisy point that meets all training points.
    point = n * (_PAIR + _PRODUCT * d) + d * _NUMBER
    if asked & _LOSSES:
        rounds = np.maximum(_ROUNDS, _NOISY / timesteps)
        work += timesteps * (_LEVEL + rounds * point)
    if asked & _OF_SAMPLES:
        steps = np.asarray(pc.fill_null(families["sampling_steps"], 0), dtype=float)
        steps = np.where(steps > 0, steps, timesteps)
        halves = 1 + bool(asked & _PAIRS)
        work += halves * steps * (_LEVEL + _SAMPLES * point)
    if "memorized_fraction" in asked:
        work += _SAMPLES * n * d * _DIFFERENCE
    if asked & _DISTANCES:
        work += _FOLDS * (_LEVEL + _CUBE * d**2 * (2 * _SAMPLES + _DECOMPOSITIONS * d))
    fit = np.maximum(_FIT, _PER_DIMENSION * d)
    if "linearity" in asked:
        work += _FITTED * (_LEVEL + fit * (point + 4 * _CUBE * d**2))
    if "directions" in asked:
        work += _FITTED * _DIRECTIONS * (point + 6 * _CUBE * d**2)
    size += 8 * d * (8 * _SAMPLES + (6 * fit if "linearity" in asked else 0))
    size += (1 + bool(asked & _PAIRS)) * 16 * n * d
    return seconds + cells * work, size + _BYTES
