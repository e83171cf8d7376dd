"""What the metrics of generated samples cost, whatever model has generated them."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.models.linear_cells import IDEAL, evaluations
from lindiff.models.measured import SAMPLES
from lindiff.planning.cells import Array, column, each_word
from lindiff.science.samples import BLOCKS

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FIT = 3e-5
_DIFFERENCE = 1e-9
_CUBE = 1e-10
# What a fit of the jackknife takes: the decompositions of a d × d factor.
_DECOMPOSITIONS = 6
_DISTANCES = frozenset(("kl_model_data", "kl_data_model", "bures"))


def of_samples(asked: Set[str], d: Array, n: Array) -> Array:
    """Seconds of a cell beyond the generating itself.

    Args:
        asked: Metrics asked for.
        d: Dimension of each family, shape (families,).
        n: Its training samples, shape (families,).
    """
    work: Array = 0.0 * d
    if "memorized_fraction" in asked:
        work += SAMPLES * n * d * _DIFFERENCE
    if asked & {"proximity_bias", "proximity_bias_se"}:
        # Samples of two models to two training sets.
        work += 4 * SAMPLES * n * d * _DIFFERENCE
    if asked & _DISTANCES:
        work += (BLOCKS + 1) * (_FIT + _CUBE * d**2 * (2 * SAMPLES + _DECOMPOSITIONS * d))
    return work


def evaluations_of(families: pa.Table) -> Array:
    """How often each family's sampler evaluates the denoiser for a sample, shape (families,).

    Args:
        families: One row a family with `sampler`, `sampling_steps`, `truncation` and `timesteps`.
    """
    given, end = (
        np.asarray(pc.fill_null(families[name], 0), dtype=float)
        for name in ("sampling_steps", "truncation")
    )
    steps = np.where(given > 0, given, column(families, "timesteps") - end)
    of_step = each_word(evaluations, pc.fill_null(families["sampler"].cast("string"), IDEAL))
    # In a step to the data it is once.
    total: Array = of_step * steps - np.where(end > 0, 0, of_step - 1)
    return total
