"""The proximity bias of generated samples, whatever made them (docs/theory.md, "Samples").

Apart from `measured`, so that exact linear models do not hang on what is measured of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lindiff.columns.groups import GAUSSIAN
from lindiff.models.augmented import is_augmented
from lindiff.models.linear_family import Family, scaled_pool
from lindiff.science import samples
from lindiff.science.draws import generator
from lindiff.science.repeats import repeated

Array = NDArray[np.float64]

# Generated samples of a cell; its metrics are all of these.
SAMPLES = 1024
# Of larger numbers the fourth powers, which errors of variances take, are not finite.
LARGEST = 1e70
PROXIMITY = frozenset(("proximity_bias", "proximity_bias_se"))


def training_points(family: Family) -> Array:
    """The training set less its centre, shape (N, d).

    Raises:
        ValueError: The draw has no samples.
    """
    if family.draw.centred is None:
        model = family.row["model"]
        raise ValueError(f"{model} needs the training samples: set `draw: samples`")
    return family.draw.centred


def row_numbers(family: Family) -> NDArray[np.int64]:
    """Which distinct row each training point is, shape (N,); of Gaussian data all are distinct."""
    row, n = family.row, family.draw.n
    if is_augmented(row):
        return _of_orbit(family)
    if row["data"] == GAUSSIAN:
        return np.arange(n)
    pool = scaled_pool(row["data"], row["scale"])
    return pool.number[pool.chosen(n, row["seed"])]


@lru_cache(maxsize=1)
def _of_orbit(family: Family) -> NDArray[np.int64]:
    # A picture that a move leaves as it is has fewer distinct points than moves.
    return repeated(training_points(family))


def proximity(family: Family, made: Array, other: Array | None) -> samples.Estimate:
    """Proximity bias in units of √tr Σ, with its standard error; NaN without samples of both.

    Args:
        family: The family.
        made: Samples less the population mean, shape (S, d).
        other: The partner's, as many.
    """
    one, two = family.draw, family.halves.other
    if other is None or two.centred is None:
        return np.nan, np.nan
    points, other_points = training_points(family) + one.offset, two.centred + two.offset
    found = samples.proximity_bias(made, other, points, other_points)
    unit = float(np.sqrt(one.spectrum.sum()))
    return found[0] / unit, found[1] / unit


def white_noise(family: Family) -> Array:
    """What samples of a Gaussian are made of, shape (SAMPLES, d); the same for every model."""
    return generator("samples", **family.key).standard_normal((SAMPLES, family.draw.d))


def of_gaussians(family: Family, made: Sequence[Array]) -> samples.Estimate:
    """`proximity` of samples that are drawn from what linear models generate.

    Args:
        family: The family.
        made: Samples less the population mean of the model and, if there is one, of its partner.

    Returns:
        NaN without a partner, and where samples are not finite.
    """
    sound = len(made) == 2 and all(np.abs(x).max() < LARGEST for x in made)
    return proximity(family, made[0], made[1] if sound else None)
