"""The same β_t at every level."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.reference import REFERENCE_TIMESTEPS


def beta(timesteps: int, beta_min: float, beta_max: float) -> Float64[NDArray[np.float64], " T"]:
    """β_t = `beta_max` · 1000/T at every level."""
    return np.full(timesteps, REFERENCE_TIMESTEPS / timesteps * beta_max)
