"""What the planner asks of the theory: its cost, and errors that only a whole cell shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lindiff.models.linear_cells import FEW_LEVELS, LEVELS
from lindiff.planning.cells import Array, column, group_sizes
from lindiff.planning.linear import BASE_BYTES, FILTER, of_spectra

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FAMILY = 0.3
# One N: its limit, the overlap's integral and the mean part's pairs of modes.
_SIZE = 0.012
_SIZE_MODE = 8e-5
_SIZE_PAIR = 2e-7
_CELL = 2e-4
_MODE = 2e-6
# A level of frozen noises of a cell, and each of its distinct modes.
_FROZEN = 1e-5
_FROZEN_MODE = 6e-7
# Of a level the two resolvents that differences are made of.
_RESOLVENT = 4e-4
_RESOLVENT_MODE = 6e-7
# Numbers of its arrays, of a block of levels.
_FROZEN_NUMBERS = 1e6
# Nodes of a contour: 300 to 400 for spectra of condition 1e3 to 1e6, 500 where the bulk reaches 0.
_NODES = 500
# Arrays of nodes × distinct eigenvalues that are alive while the limit of one N is made.
_LIMIT = 9
# Fields of a filter on the contour, and what is made of them there.
_FIELDS = 12
# Points of a filter's table, in as many arrays as there are while it is made.
_TABLE = 9 * 513
# SciPy's optimizers, with which the overlap of a small N finds its root.
_ROOT_BYTES = 14e6


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with its spectrum, `d`, `cells` (a count) and, where it is
            known, `filters`, the most cells of one N.
        metrics: Metrics asked for.
    """
    d, cells = (column(families, name) for name in ("d", "cells"))
    filters = np.minimum(cells, column(families, "filters" if _known(families) else "cells"))
    sizes = cells / np.maximum(filters, 1)
    modes = of_spectra(families, lambda s: len(np.unique(s)), float)
    seconds = _FAMILY + filters * FILTER * column(families, "timesteps")
    seconds += sizes * (_SIZE + _SIZE_MODE * modes + _SIZE_PAIR * modes**2)
    seconds += cells * (_CELL + _MODE * modes)
    # Complex numbers on the contour; real ones at two nodes a rank, and in the table.
    complex_numbers = _NODES * (_LIMIT * modes + filters * _FIELDS)
    real_numbers = 2 * d * (513 + 4 * filters) + filters * _TABLE
    if "levels" in metrics:
        seconds = seconds + cells * LEVELS * 1e-5
        complex_numbers = complex_numbers + 2 * LEVELS * _NODES * filters
    # A limit for each block.
    seconds = seconds * group_sizes(families)
    size = 16 * complex_numbers + 8 * real_numbers
    if "differences" in metrics:
        seconds = seconds + cells * FEW_LEVELS * (_RESOLVENT + _RESOLVENT_MODE * d)
    frozen = np.isfinite(column(families, "noises"))
    floors = any(name.endswith("_floor") for name in metrics)
    level = _FROZEN + _FROZEN_MODE * modes
    seconds = np.where(frozen, _FAMILY + cells * column(families, "timesteps") * level, seconds)
    size = np.where(frozen, 8 * (_FROZEN_NUMBERS + 2 * floors * d**2), size)
    return seconds, BASE_BYTES + _ROOT_BYTES + size


def _known(families: pa.Table) -> bool:
    return "filters" in families.column_names
