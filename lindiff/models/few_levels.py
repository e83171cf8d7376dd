"""What a denoiser is at a few noise levels: how affine, how far from others, mode by mode.

Of denoisers that are functions, at noisy points that all models of a family share
(docs/theory.md, "Measured denoisers" and "Differences").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.columns.groups import GAUSSIAN
from lindiff.models.linear_cells import FEW_LEVELS, difference_rows, level_row
from lindiff.models.linear_family import Family, is_mixture, mixture_of, scaled_pool
from lindiff.science import denoisers
from lindiff.science.denoisers import Denoiser, Points
from lindiff.science.draws import generator
from lindiff.science.filters import Bank, Training
from lindiff.science.pools import Pool
from lindiff.science.schedule import Schedule, log_levels

Array = NDArray[np.float64]

# Noisy points of `directions` and `differences` at each level.
DIRECTION_POINTS = 1024


def pool_of(family: Family) -> Pool | None:
    """The data set of a family; None of Gaussian data."""
    row = family.row
    return None if row["data"] == GAUSSIAN else scaled_pool(row["data"], row["scale"])


def fresh_points(family: Family) -> Points:
    """Where test points less the centre come from: the population, or the held-out rows."""
    draw, pool = family.draw, pool_of(family)
    if pool is not None:
        return denoisers.rows_of(pool.held_out - draw.offset)
    if is_mixture(family.row):
        mixture = mixture_of(family.row)
        return lambda rng, count: mixture.sample(count, rng, rng)[0] - draw.offset
    return denoisers.normal(-draw.offset, draw.spectrum)


def fit_points(family: Family) -> tuple[tuple[Points, Points], int]:
    """Where the points of both halves of an affine fit come from, and how many there are in all.

    Of a data set rows that neither half shares, each once: the held-out ones and, where they are
    too few, those of the pool that the model was not trained on, unless these are more like the
    training rows than the held-out ones (overlapping patches of one photograph).
    """
    draw, pool, count = family.draw, pool_of(family), denoisers.fit_count(family.draw.d)
    if pool is None:
        fresh = fresh_points(family)
        return (fresh, fresh), count
    rows, rest = pool.unseen(family.row["n"], family.row["seed"])
    if len(rows) < count and not pool.own_split:
        rows = np.concatenate([rows, rest])
    rows = rows - draw.offset
    halves = denoisers.each_once(rows[::2]), denoisers.each_once(rows[1::2])
    return halves, min(count, 2 * (len(rows) // 2))


def linearity(family: Family, schedule: Schedule, denoise: Denoiser) -> list[dict[str, Any]]:
    """A row a level; none where there are too few points."""
    points, count = fit_points(family)
    if count // 2 <= family.draw.d + 2:
        return []
    rows = []
    for index in log_levels(schedule.timesteps, FEW_LEVELS):
        rng = generator("linearity", t=index + 1, **family.key)
        value, error = denoisers.nonlinearity(denoise, schedule, index, points, rng, count)
        rows.append(level_row(schedule, index) | {"nonlinearity": value, "nonlinearity_se": error})
    return rows


def directions(family: Family, schedule: Schedule, denoise: Denoiser) -> list[dict[str, Any]]:
    """A row a level and mode, from the largest; last the null space, a mean over its directions."""
    draw, points = family.draw, fresh_points(family)
    U, eigenvalues = draw.vectors[:, ::-1], draw.eigenvalues[::-1]
    reference = denoisers.linear(U, eigenvalues, Bank(schedule, [Training()]))
    nodes = np.append(eigenvalues, 0.0) if draw.null else eigenvalues
    rows = []
    for index in log_levels(schedule.timesteps, FEW_LEVELS):
        rng = generator("directions", t=index + 1, **family.key)
        distances = denoisers.direction_distances(
            denoise, reference, U, schedule, index, points, rng, DIRECTION_POINTS
        )
        for mode, numbers in enumerate(zip(nodes, *distances, strict=True), 1):
            names = ("eigenvalue", "distance", "distance_se")
            found = dict(zip(names, map(float, numbers), strict=True))
            rows.append(level_row(schedule, index) | {"mode": mode} | found)
    return rows


def differences(
    family: Family, schedule: Schedule, denoise: Denoiser, partner: Denoiser
) -> list[dict[str, Any]]:
    """A row a level and eigenvector of Σ, from the largest, at noisy points that models share."""
    draw, points, found = family.draw, fresh_points(family), {}
    shift = draw.offset - family.halves.other.offset

    def moved(x: Array, index: int) -> Array:
        # The partner's points are relative to a centre of its own.
        return partner(x + np.sqrt(schedule.alpha_bar[index]) * shift, index)

    for index in log_levels(schedule.timesteps, FEW_LEVELS):
        rng = generator("differences", t=index + 1, **family.key)
        found[index] = denoisers.direction_distances(
            denoise, moved, np.eye(draw.d), schedule, index, points, rng, DIRECTION_POINTS
        )
    return difference_rows(schedule, draw.spectrum, found)
