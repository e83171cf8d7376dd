"""What measured models cost and refuse in common, whatever has generated their samples."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SAMPLERS_WITH_NETWORK
from lindiff.models.coverage import COVERAGE
from lindiff.models.linear_cells import IDEAL, evaluations
from lindiff.models.measured import OF_COPIES
from lindiff.models.proximity import PROXIMITY, SAMPLES
from lindiff.planning.cells import Array, Check, column, each_word
from lindiff.science.coverage import BLOCK, EVALUATIONS, NOISES
from lindiff.science.samples import BLOCKS

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FIT = 3e-5
_DIFFERENCE = 1e-9
_NEAREST = 1e-9
_WEIGHT = 7e-9
_DISTANCE = 1.2e-10
_CUBE = 1e-10
# What a fit of the jackknife takes: the decompositions of a d × d factor.
_DECOMPOSITIONS = 6
_DISTANCES = frozenset(("kl_model_data", "kl_data_model", "bures"))


def of_training_set(asked: Set[str], n: Array) -> tuple[Array, Array]:
    """Seconds and bytes of a family for what is told of its training points, whatever the cell.

    Args:
        asked: Metrics asked for.
        n: Training samples of each family, shape (families,).
    """
    if not asked & COVERAGE:
        return 0 * n, 0 * n
    return EVALUATIONS * NOISES * _WEIGHT * n**2, 0 * n + 8 * (6 * BLOCK + NOISES * n)


def of_samples(asked: Set[str], d: Array, n: Array) -> Array:
    """Seconds of a cell beyond the generating itself.

    Args:
        asked: Metrics asked for.
        d: Dimension of each family, shape (families,).
        n: Its training samples, shape (families,).
    """
    work: Array = 0.0 * d
    if asked & OF_COPIES:
        work += SAMPLES * n * d * _DIFFERENCE
    if asked & PROXIMITY:
        # Samples of two models to two training sets.
        work += 4 * SAMPLES * n * (_NEAREST + d * _DISTANCE)
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


def _sampler(values: dict[str, Any]) -> str | None:
    if values["sampler"] == IDEAL:
        allowed = ", ".join(SAMPLERS_WITH_NETWORK)
        return f"{values['model']} generates by its denoiser; allowed: {allowed}"
    return None


NEEDS_A_DENOISER: Check = (("model", "sampler"), "sampler", _sampler)
