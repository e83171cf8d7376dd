"""Some raised eigenvalues over a bulk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import real, whole


def eigenvalues(d: int, spike: float, count: int = 1) -> Float64[NDArray[np.float64], " d"]:
    """`count` eigenvalues `spike` over a bulk of ones, shape (d,)."""
    count = whole("count", count, 1)
    if count > d:
        raise ValueError(f"spiked: count = {count} is more than d = {d}")
    return np.concatenate([np.full(count, real("spike", spike)), np.ones(d - count)])
