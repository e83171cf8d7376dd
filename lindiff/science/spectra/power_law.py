"""s_j ∝ j^−exponent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def eigenvalues(d: int, exponent: float) -> NDArray[np.float64]:
    """j^−exponent, j = 1..d, shape (d,)."""
    return np.arange(1, d + 1, dtype=float) ** -exponent
