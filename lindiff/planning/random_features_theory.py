"""What the planner asks of the limit of random features: its cost."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lindiff.planning.cells import Array, column
from lindiff.planning.linear import BASE_BYTES

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_LEVEL = 8e-4
_MODE = 1e-6


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `d`, `timesteps` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, cells, timesteps = (column(families, name) for name in ("d", "cells", "timesteps"))
    return cells * timesteps * (_LEVEL + _MODE * d), BASE_BYTES + 8 * (40 * d + 4 * timesteps)
