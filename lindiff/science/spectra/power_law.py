"""s_j ∝ j^−exponent."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import real


def eigenvalues(d: int, exponent: float) -> Float64[NDArray[np.float64], " d"]:
    """j^−exponent, j = 1..d, shape (d,).

    Raises:
        ValueError: The smallest would be 0 in float64.
    """
    found: NDArray[np.float64] = np.arange(1, d + 1, dtype=float) ** -real("exponent", exponent)
    if not found.all():
        raise ValueError(
            "spectrum power_law: the smallest eigenvalues are below what float64 holds"
        )
    return found
