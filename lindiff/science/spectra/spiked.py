"""Some raised eigenvalues over a bulk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray


def eigenvalues(d: int, spike: float, count: int = 1) -> Float64[NDArray[np.float64], " d"]:
    """`count` eigenvalues `spike` over a bulk of ones, shape (d,)."""
    if not 1 <= count <= d:
        raise ValueError(f"spiked: count = {count} is not between 1 and d = {d}")
    return np.concatenate([np.full(count, float(spike)), np.ones(d - count)])
