"""β_t that grows evenly (Ho et al. 2020)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.reference import REFERENCE_TIMESTEPS


def beta(timesteps: int, beta_min: float, beta_max: float) -> Float64[NDArray[np.float64], " T"]:
    """β_t linear from `beta_min` to `beta_max` (Ho et al. 2020), the range scaled by 1000/T."""
    scale = REFERENCE_TIMESTEPS / timesteps
    return np.linspace(scale * beta_min, scale * beta_max, timesteps)
