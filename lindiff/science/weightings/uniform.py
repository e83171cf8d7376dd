"""The plain ε-loss (Ho et al. 2020), which is the x_0-loss weighted by SNR = ᾱ/q."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.schedule import Schedule


def weights(schedule: Schedule, rms: float) -> Float64[NDArray[np.float64], " T"]:
    """1 at every level (Ho et al. 2020, eq. 14)."""
    return np.ones(schedule.timesteps)
