"""What the planner asks of Ledoit and Wolf's estimator: its cost."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lindiff.planning import linear
from lindiff.planning.cells import Array, column

# scikit-learn itself.
_BYTES = 80e6


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family: those of `linear`, and passes over the rows.

    Args:
        families: As in `linear.estimate`.
        metrics: Metrics asked for.
    """
    d, n = (column(families, name) for name in ("d", "n"))
    seconds, size = linear.estimate(families, metrics)
    seconds += linear.SAMPLE * n * d * (1 + d / 128)
    # The squares of all rows, and products of blocks of columns.
    return seconds, size + _BYTES + 8 * n * d + 24 * d**2
