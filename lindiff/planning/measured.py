"""What the metrics of generated samples cost, whatever model has generated them."""

from __future__ import annotations

from collections.abc import Set

from lindiff.models.measured import SAMPLES
from lindiff.planning.cells import Array
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
    # Each looks for the nearest training points by itself.
    nearest = len(asked & {"memorized_fraction", "classes"})
    work += nearest * SAMPLES * n * d * _DIFFERENCE
    if asked & {"proximity_bias", "proximity_bias_se"}:
        # Samples of two models to two training sets.
        work += 4 * SAMPLES * n * d * _DIFFERENCE
    if asked & _DISTANCES:
        work += (BLOCKS + 1) * (_FIT + _CUBE * d**2 * (2 * SAMPLES + _DECOMPOSITIONS * d))
    return work
