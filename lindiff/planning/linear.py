"""What the planner asks of the linear models: cost, and errors that only a whole cell shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns.arrays import combinations
from lindiff.columns.groups import (
    GAUSSIAN,
    SPECTRUM,
)
from lindiff.models.linear_cells import (
    FEW_LEVELS,
    LEVELS,
    spectrum,
)
from lindiff.models.linear_family import FLOORS
from lindiff.models.linear_noises import GENERATED
from lindiff.models.proximity import PROXIMITY, SAMPLES
from lindiff.planning.cells import column, distinct, is_real
from lindiff.planning.measured import of_samples
from lindiff.planning.noises import cost_of_level
from lindiff.science.pools import make_pool

Array = NDArray[np.float64]

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FAMILY = 2e-3
_CUBE = 1.6e-10
SAMPLE = 1.5e-8
_CELL = 2e-5
# A filter and level of a table, which families of one spectrum, d and N share (`shared`).
FILTER = 4.5e-6
_LEVEL = 6e-8
_MODE = 5e-7
_PAIR = 2e-10
_BURES = 4e-10
_PRODUCT = 6e-11
_MONTE_CARLO = 5e-7
# Python with NumPy, SciPy and Arrow; every model starts from that.
BASE_BYTES = 178e6
# Copies of a data set that are alive while its pool is made.
_COPIES = 5
# SciPy's sparse and spatial parts: a pool looks for repeated rows, samples for what is nearest.
_SPATIAL_BYTES = 35e6
# Arrays of a filter while its table is made, of so many points at the most.
_TABLE = 9 * 513
# Freed memory below this the allocator keeps: it adds to what comes next.
_UNRETURNED = 64e6
# Of more dimensions no spectrum is made to estimate what takes more than any memory anyway.
LARGEST_SPECTRUM = 1_000_000
# Above this condition number a draw takes singular values (`lindiff.science.draws`).
_CONDITION = 1e6
# Rounds of `lindiff.science.vectors.monte_carlo_gap`.
_ROUNDS = 16


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `data`, `d`, `n`, `draw`, `timesteps` and
            `cells` (a count); where it is known `sharing`, the families with the same tables.
        metrics: Metrics asked for.
    """
    d, n, cells = (column(families, name) for name in ("d", "n", "cells"))
    samples, real = _with_rows(families), _real(families)
    timesteps = column(families, "timesteps")
    small = np.minimum(d, n)
    draw = _CUBE * (small**3 + d * small**2)
    draw += np.where(samples, SAMPLE * n * d * (1 + small / 256), 0)
    seconds = _FAMILY + draw + cells * _CELL * (1 + d / 256)
    sharing = column(families, "sharing") if "sharing" in families.column_names else 1.0
    seconds += cells * FILTER * timesteps / sharing
    drawing, kept = _draw_numbers(d, n, samples, _ill_conditioned(families, d, n))
    # What comes after the draw: the measure, the floors' population, the filters on the nodes.
    after = 2 * d * small + 513 * small + cells * (_TABLE + 10 * small + 3 * d)
    if FLOORS & set(metrics):
        after += 2 * d**2
    if np.any(real):
        after += np.where(real, d**2 + d * small, 0)
    if "agreement" in metrics:
        # The partner's draw, the overlaps of its modes, and their traces.
        seconds += draw + _CUBE * d * small**2 + cells * _PAIR * (small**2 + 2 * d * small)
        after += drawing + 2 * small**2 + cells * (6 * small + 2 * d)
    if asked := PROXIMITY & set(metrics):
        # The partner's draw; of each half noise along the modes, samples, and what is made of them.
        seconds += draw + cells * (of_samples(asked, d, n) + _PRODUCT * 6 * SAMPLES * d * small)
        after += drawing + cells * (2 * d + 2 * small) + 8 * SAMPLES * d + _SPATIAL_BYTES / 8
    if "differences" in metrics:
        # The partner's draw; of each level the matrices of both halves.
        few = np.minimum(FEW_LEVELS, timesteps)
        seconds += draw + cells * few * _PRODUCT * (2 * d**2 * small + d**3)
        after += drawing + 6 * d**2 + few * cells * d
    if "levels" in metrics:
        seconds += _LEVEL * LEVELS * cells * small
    if "modes" in metrics:
        seconds += _MODE * cells * small
    if "bures" in metrics:
        seconds += _BURES * cells * d**3
        after += 6 * d**2 + cells * d
    if "monte_carlo_gap" in metrics:
        seconds += _MONTE_CARLO * timesteps * d * (1 + cells)
        after += 6 * _ROUNDS * timesteps * d
    if "noises" in families.column_names:
        frozen = np.isfinite(column(families, "noises"))
        level, numbers = cost_of_level(families, bool(GENERATED & set(metrics)))
        both = 2 if {"agreement", *PROXIMITY} & set(metrics) else 1
        seconds += np.where(frozen, both * timesteps * level, 0)
        after += np.where(frozen, numbers + (both - 1) * cells * d**2, 0)
    return seconds, BASE_BYTES + pool_bytes(families) + 8 * _peak(drawing, kept, after)


def draw_bytes(families: pa.Table) -> Array:
    """Bytes of a training set of each family while it is drawn, and of its data set's pool."""
    d, n = (column(families, name) for name in ("d", "n"))
    drawing, _ = _draw_numbers(d, n, _with_rows(families), _ill_conditioned(families, d, n))
    return pool_bytes(families) + 8 * drawing


def pool_bytes(families: pa.Table) -> float:
    """Bytes of the data sets that the families name, as data or as a spectrum."""
    names = set(filter(is_real, families["data"].unique().to_pylist()))
    for _, values in distinct(families, SPECTRUM):
        if values["spectrum"] == "dataset":
            names.add(json.loads(values["spectrum_params"])["name"])
    pools = [make_pool(name) for name in names]
    numbers = sum(_COPIES * (pool.size + len(pool.held_out)) * pool.columns for pool in pools)
    return 8 * numbers + (_SPATIAL_BYTES if pools else 0)


def _with_rows(families: pa.Table) -> NDArray[np.bool_]:
    """Whether the training sets are rows: real ones, or samples."""
    drawn = np.asarray(families["draw"].cast("string")) == "samples"
    return np.asarray(_real(families) | drawn)


def _real(families: pa.Table) -> NDArray[np.bool_]:
    """Whether the training sets are rows of a data set."""
    data = pc.fill_null(families["data"].cast("string"), GAUSSIAN)
    return np.asarray(pc.not_equal(data, GAUSSIAN))


def _draw_numbers(
    d: Array, n: Array, samples: NDArray[np.bool_], ill: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Numbers of a draw at its peak, and those that it keeps (`lindiff.science.draws`)."""
    small = np.minimum(d, n)
    # The factor and, of a Wishart draw, what it is scaled from.
    factor = np.where(samples, n * d, 2 * d * small)
    # Gram matrix, LAPACK's copy with twice that as work space, vectors; then back to d rows.
    eigh = np.maximum(5 * small**2, small**2 + np.where(n < d, 2 * d * small, 0))
    # QR of many rows in two copies; LAPACK's copy, left vectors twice, right ones, work space.
    qr = np.where(samples & (n > 2 * d), 2 * n * d, 0)
    svd = np.maximum(qr, 3 * d * small + 7 * small**2)
    return factor + np.where(ill, svd, eigh), np.where(samples, n * d, 0) + d * small


def _ill_conditioned(families: pa.Table, d: Array, n: Array) -> NDArray[np.bool_]:
    """Whether the draws' Gram matrices are likely to have too large a condition for eigh.

    By the edges of the bulk, s_1 (1 + √γ)² over s_d (1 − √γ)², γ = d/N; real data: always.
    """
    spread = of_spectra(families, _spread, lambda _: np.inf)
    root = np.sqrt(d / n)
    with np.errstate(divide="ignore"):
        return np.asarray(spread * ((1 + root) / (1 - root)) ** 2 > _CONDITION)


def _spread(s: Array) -> float:
    """Largest over smallest population eigenvalue."""
    with np.errstate(over="ignore"):
        return float(s[0] / s[s > 0][-1])


def of_spectra(
    families: pa.Table, function: Callable[[Array], float], otherwise: Callable[[int], float]
) -> Array:
    """A function of each family's population eigenvalues at scale 1, shape (families,).

    Args:
        families: With a spectrum, its parameters and `d`; one call for each distinct three.
        function: Of the eigenvalues, shape (d,).
        otherwise: Of d, where there is no spectrum (`check` says why), or a vast one.
    """

    def value(name: str | None, params: str | None, d: int) -> float:
        if name is None or params is None or d > LARGEST_SPECTRUM:
            return otherwise(d)
        try:
            return function(spectrum(name, params, d, scale=1.0))
        except ValueError:
            return otherwise(d)

    codes, first = combinations(families, (*SPECTRUM, "d"))
    rows = families.select([*SPECTRUM, "d"]).take(pa.array(first)).to_pylist()
    return np.array([value(*row.values()) for row in rows], float)[codes]


def _peak(drawing: Array, kept: Array, after: Array) -> Array:
    """The peak of a draw and of what comes after it, in numbers."""
    unreturned = np.minimum(drawing - kept, _UNRETURNED / 8)
    return np.maximum(drawing, kept + unreturned + after)
