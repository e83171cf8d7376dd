"""What the planner asks of the theory: its cost, and errors that only a whole cell shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lindiff.models.linear_cells import LEVELS
from lindiff.planning.cells import Array, column

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_FAMILY = 0.3
_CELL = 2e-4
_MODE = 4e-6
_BASE_BYTES = 150e6


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `d` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, cells = (column(families, name) for name in ("d", "cells"))
    seconds = _FAMILY + cells * (_CELL + _MODE * d)
    size = _BASE_BYTES + 16 * 400 * (d * 8 + 12 * np.minimum(cells, 2000)) + 400 * cells
    if "levels" in metrics:
        seconds = seconds + cells * LEVELS * 2e-5
        size = size + 3000 * cells
    return seconds, size
