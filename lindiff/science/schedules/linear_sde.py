"""β(t) that grows evenly in continuous time (Song et al. 2021, SDE)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.reference import REFERENCE_TIMESTEPS


def beta(timesteps: int, beta_min: float, beta_max: float) -> Float64[NDArray[np.float64], " T"]:
    """β_t = 1 − exp(−∫ β(u) du) over a level, β(u) linear from `beta_min` to `beta_max`.

    Song et al. 2021 (SDE), appendix C; both ends are of a level at T = 1000, so that theirs, in the
    time from 0 to 1, are 1000 times as large.
    """
    middle = (np.arange(timesteps) + 0.5) / timesteps
    scale = REFERENCE_TIMESTEPS / timesteps
    steps: NDArray[np.float64] = -np.expm1(-scale * (beta_min + (beta_max - beta_min) * middle))
    return steps
