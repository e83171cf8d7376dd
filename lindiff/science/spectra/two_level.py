"""A share of the eigenvalues above the others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import real


def eigenvalues(d: int, ratio: float, fraction: float = 0.5) -> Float64[NDArray[np.float64], " d"]:
    """round(`fraction` d) eigenvalues `ratio` times the others, shape (d,).

    Raises:
        ValueError: No mode would be on one of the two levels.
    """
    if not 0 < real("fraction", fraction) < 1:
        raise ValueError(f"two_level: fraction = {fraction} is not between 0 and 1")
    high = round(fraction * d)
    if high in (0, d):
        level = "upper" if high == 0 else "lower"
        raise ValueError(
            f"two_level: fraction = {fraction:g} of d = {d} leaves no mode on the {level} level"
        )
    return np.concatenate([np.full(high, real("ratio", ratio)), np.ones(d - high)])
