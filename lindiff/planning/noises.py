"""Cost of frozen noises: in the exact linear model a matrix a level and cell, no filters.

In trained models it is that of computing the noises where they are needed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.planning.cells import Array, column

# Seconds on one core of a 2020s server of a level: calls, its decomposition, and of each cell
# products and passes.
_LEVEL_CALLS = 2e-4
_LEVEL_CUBE = 2.3e-10
_LEVEL_PRODUCT = 2.6e-11
_LEVEL_NUMBER = 1.2e-8
# Seconds of a frozen noise's number, and bytes while it is made.
NUMBER, NUMBER_BYTES = 2e-8, 36
# Matrices of a cell that are alive while its losses are taken, and of its samples.
_OF_LOSSES, _OF_SAMPLES = 4, 4


def are_frozen(families: pa.Table) -> NDArray[np.bool_]:
    """Whether the noises of each family are frozen."""
    return np.isfinite(column(families, "noises"))


def averaged(families: pa.Table) -> pa.Table:
    """The families with the average over noise, which costs nothing by itself."""
    at = families.column_names.index("noises")
    return families.set_column(at, "noises", pa.nulls(len(families), pa.float64()))


def cost_of_level(families: pa.Table, sampled: bool) -> tuple[Array, Array]:
    """Seconds of a level of frozen noises, and numbers alive, of each family; else NaN.

    Args:
        families: As of `estimate`.
        sampled: Whether the sampler goes its way.
    """
    d, n, noises, cells = (column(families, name) for name in ("d", "n", "noises", "cells"))
    columns, rank = np.minimum(2 * d, n * noises), np.minimum(d, n * noises)
    seconds = _LEVEL_CALLS + _LEVEL_CUBE * (rank**3 + d * rank * columns)
    products = d**2 * (rank + columns + d * (3 if sampled else 1))
    seconds += cells * (_LEVEL_PRODUCT * products + _LEVEL_NUMBER * d**2)
    numbers = 2 * d * columns + 5 * rank**2 + 3 * d * rank + 2 * d**2
    numbers += cells * (_OF_LOSSES * d**2 + d * columns)
    return seconds, numbers + (cells * _OF_SAMPLES * d**2 if sampled else 0)
