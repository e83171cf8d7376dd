"""s_j ∝ j^−exponent."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import real


def eigenvalues(d: int, exponent: float) -> Float64[NDArray[np.float64], " d"]:
    """j^−exponent, j = 1..d, shape (d,)."""
    return np.arange(1, d + 1, dtype=float) ** -real("exponent", exponent)
