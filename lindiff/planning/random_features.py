"""What the planner asks of random features: their cost, and errors of whole cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy.special import betainc

from lindiff.models.few_levels import DIRECTION_POINTS
from lindiff.models.linear_cells import FEW_LEVELS
from lindiff.models.measured import OF_SAMPLES, OF_TWO, PAIR
from lindiff.models.proximity import SAMPLES
from lindiff.models.random_features import LOSSES, OF_LEVELS
from lindiff.planning import checks, linear, noises
from lindiff.planning.cells import Array, Finding, column, each, find, is_real, text, with_cells
from lindiff.planning.measured import (
    NEEDS_A_DENOISER,
    evaluations_of,
    of_samples,
    of_training_set,
)
from lindiff.science.denoisers import fit_count
from lindiff.science.pools import make_pool
from lindiff.science.random_features import _BLOCK as PAIRS
from lindiff.science.random_features import _NEAR as NEAR

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_LEVEL = 1e-3
_CUBE = 3e-10
_PRODUCT = 3e-11
_VALUE = 1.2e-8
# A pair of features of an order of the series.
_PASS = 8e-9
# A number that is integrated over an angle, of a pair of features and a centre.
_ANGLE = 4e-7
# Orders of the series in the correlations of features.
_ORDERS = 12
# Arrays of pairs of features, and of centres × features, that are alive together.
_SQUARES, _COEFFICIENTS, _ANGLES = 9, 9, 9


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `data`, `d`, `n`, `draw`, `timesteps`, `sampler`,
            `sampling_steps`, `noises`, `features` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, n, p, cells, timesteps, m = (
        column(families, name) for name in ("d", "n", "features", "cells", "timesteps", "noises")
    )
    asked, frozen = set(metrics), noises.are_frozen(families)
    seconds, _ = linear.estimate(with_cells(noises.averaged(families), 0 * n), ())
    rows = n * np.where(frozen, m, 1)
    r = np.where(frozen, np.minimum(rows, p), p)
    held = each_held_out(families)
    pairs = rows * (p * (_VALUE + _PRODUCT * d) + r * _PRODUCT * p)
    solve = _LEVEL + _CUBE * (r**3 + d * p * r) + np.where(frozen, pairs, _moments(n, p, d))
    losses = _moments(held, p, d) + _PRODUCT * (p**2 * r + p * r**2 + d * r**2 + cells * r**2)
    halves = 1 + bool(asked & OF_TWO)
    # Levels at which the denoisers are evaluated, at the most, and how often.
    evaluations = evaluations_of(families) if asked & OF_SAMPLES else 0 * n
    steps = np.minimum(evaluations, timesteps)
    kept = steps + (FEW_LEVELS if asked & OF_LEVELS else 0)
    kept = np.minimum(kept, timesteps)
    seconds += np.where(bool(asked & LOSSES), timesteps, kept) * solve
    seconds += (halves - 1) * kept * solve
    if asked & LOSSES:
        seconds += timesteps * losses
    point = p * (_VALUE + 2 * _PRODUCT * d)
    sampled = 1 + bool(asked & PAIR)
    work = sampled * evaluations * (_LEVEL + SAMPLES * point + _PRODUCT * d * p * r)
    work += of_samples(asked, d, n)
    once, held_once = of_training_set(asked, n)
    fit = each(fit_count, d)
    if "linearity" in asked:
        work += FEW_LEVELS * (_LEVEL + fit * (point + 4e-10 * d**2))
    if "differences" in asked:
        work += 2 * FEW_LEVELS * DIRECTION_POINTS * point
    if "directions" in asked:
        work += FEW_LEVELS * DIRECTION_POINTS * (point + 6e-10 * d**2)
    points = np.maximum(SAMPLES, fit if "linearity" in asked else 0)
    numbers = halves * kept * r * (p + d) + 3 * n * d + (_SQUARES * p**2 + p * d)
    coefficients = _COEFFICIENTS * np.maximum(np.where(frozen, 0, n), held) * p
    of_pairs = np.where(frozen, 4 * rows * (p + d) + 4 * r**2, 0)
    numbers += np.maximum(coefficients + _ANGLES * PAIRS, of_pairs) + points * (3 * p + 8 * d)
    return (
        seconds + once + cells * work,
        linear.BASE_BYTES + linear.draw_bytes(families) + 8 * numbers + held_once,
    )


def _moments(centres: Array, p: Array, d: Array) -> Array:
    """Seconds of exact moments over that many centres."""
    # The share of normal vectors of d numbers that are nearly parallel, and each with itself.
    near = p**2 * betainc(np.maximum(d - 1, 1e-9) / 2, 0.5, 1 - NEAR**2) + p
    found: Array = p**2 * (_PRODUCT * d + _ORDERS * (centres * _PRODUCT + _PASS))
    found += centres * (p * _ORDERS * _VALUE + near / 2 * _ANGLE)
    return found


def each_held_out(families: pa.Table) -> Array:
    """Centres of the test points: the held-out rows, or of a population 1."""
    found = {
        name: float(len(make_pool(name).held_out)) if is_real(name) else 1.0
        for name in set(text(families, "data"))
    }
    return np.array([found[name] for name in text(families, "data")])


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    return [*find(cells, (NEEDS_A_DENOISER,)), *checks.check(cells, metrics)]
