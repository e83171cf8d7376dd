"""What the planner asks of the empirical score: its cost, and errors of whole cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.models import linear_planning

Array = NDArray[np.float64]

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_LEVEL = 3e-5
_PAIR = 2e-9
_PRODUCT = 8e-11
_NUMBER = 1e-8
# Noisy points at a level: of the losses, and of the samples.
_NOISY = 64
_SAMPLES = 128
# Its losses and its weights of a block, on top of what the draw takes.
_BYTES = 40e6


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Cells of one schedule share their losses; the estimate is of cells that do not.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`,
            `sampling_steps` and `cells` (a count).
        metrics: Metrics asked for.
    """
    d, n, cells, timesteps = (
        np.asarray(families[name].to_numpy(zero_copy_only=False), dtype=float)
        for name in ("d", "n", "cells", "timesteps")
    )
    # The draw of the linear models, with none of the cells' own work.
    once = families.set_column(families.column_names.index("cells"), "cells", pa.array(0 * n))
    seconds, size = linear_planning.estimate(once, ())
    pair = _PAIR + _PRODUCT * d
    work = np.zeros_like(n)
    if set(metrics) - {"memorized_fraction"}:
        work += timesteps * (_LEVEL + _NOISY * (n * pair + d * _NUMBER))
    if "memorized_fraction" in metrics:
        steps = np.asarray(pc.fill_null(families["sampling_steps"], 0), dtype=float)
        steps = np.where(steps > 0, steps, timesteps)
        work += steps * (_LEVEL + _SAMPLES * (n * pair + d * _NUMBER))
    return seconds + cells * work, size + _BYTES + 16 * n * d


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[linear_planning.Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    return linear_planning.check(cells, metrics)


def warn(cells: pa.Table) -> list[linear_planning.Finding]:
    """What is allowed but should be known, in the form of `check`."""
    return linear_planning.warn(cells)
