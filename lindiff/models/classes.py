"""What is measured of a mixture: models against the best of all denoisers, and class by class."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.columns.groups import GAUSSIAN
from lindiff.models.linear_family import Family, is_mixture, mixture_of, spectrum_key
from lindiff.models.proximity import training_points
from lindiff.science import denoisers, samples
from lindiff.science.denoisers import Denoiser, Points
from lindiff.science.draws import generator
from lindiff.science.numbers import precisions
from lindiff.science.schedule import Schedule
from lindiff.science.speciation import speciation_time

Array = NDArray[np.float64]


@lru_cache(maxsize=1)
def speciation(family: Family) -> samples.Estimate:
    """The speciation time of the population; NaN where it has one class, or has none."""
    row = family.row
    if not is_mixture(row):
        return np.nan, np.nan
    rng = generator("speciation", d=row["d"], **spectrum_key(row))
    return speciation_time(mixture_of(row), rng)


def excess(
    family: Family, schedule: Schedule, denoise: Denoiser, fresh: Points
) -> samples.Estimate:
    """`excess_loss` on the noisy test points that losses are measured on; NaN of a data set.

    Args:
        family: The family, with its training samples.
        schedule: The noise schedule.
        denoise: The denoiser on it.
        fresh: Where test points less the centre come from.
    """
    if family.row["data"] != GAUSSIAN:
        return np.nan, np.nan
    best = mixture_of(family.row).denoiser(schedule, family.draw.offset)
    sources = denoisers.rows_of(training_points(family)), fresh
    rng = generator("loss", **family.key)
    return denoisers.over_rounds(denoisers.distances(denoise, best, schedule, sources, rng))


def kurtosis(family: Family, made: Array) -> samples.Estimate:
    """`excess_kurtosis` of samples, shape (S, d), along the direction that is planted.

    Of whitened data that is the line from the mean to that of the first class; of one class, and of
    classes of one mean, the leading eigenvector.
    """
    s, direction = family.draw.spectrum, np.zeros(family.draw.d)
    direction[0] = 1.0
    if family.row["data"] == GAUSSIAN:
        classes = mixture_of(family.row)
        line = precisions(s) * classes.back(classes.means[:1])[0]
        direction = line if line.any() else direction
    return samples.excess_kurtosis(made @ direction)


def rows(family: Family, made: Array, copied: NDArray[np.bool_] | None) -> list[dict[str, Any]]:
    """A row a class; none where there is one class.

    Args:
        family: The family.
        made: Samples less the centre, shape (S, d).
        copied: Which samples are copies of a training point, shape (S,); None where that is not
            known.
    """
    if not is_mixture(family.row):
        return []
    classes, points = mixture_of(family.row), training_points(family)
    # Of a clean point exactly; no level of the schedule has a part in it.
    of_samples, of_points = (classes.posterior(x + family.draw.offset) for x in (made, points))
    memorized = np.full(len(made), np.nan) if copied is None else 1.0 * copied
    total = of_samples.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = memorized @ of_samples / total
    error = of_samples.std(axis=0, ddof=1) / np.sqrt(len(made))
    columns = classes.weights, of_points.mean(axis=0), of_samples.mean(axis=0), error, share
    names = ("weight", "training_fraction", "fraction", "fraction_se", "memorized_fraction")
    return [
        {"class": k} | {name: _or_none(x) for name, x in zip(names, numbers, strict=True)}
        for k, numbers in enumerate(zip(*columns, strict=True), 1)
    ]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
