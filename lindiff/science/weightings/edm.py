"""EDM's training noise and loss weight, as one weight of levels that are drawn evenly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.schedule import Schedule

# P_mean and P_std of ln σ, of data whose rms is 0.5.
MEAN, DEVIATION, RMS = -1.2, 1.2, 0.5


def weights(schedule: Schedule, rms: float) -> Float64[NDArray[np.float64], " T"]:
    """(σ² + s²)/s² · N(ln σ; P_mean, P_std²) · Δ ln σ, with σ in units of the rms s of the data.

    Karras et al. 2022, table 1: λ(σ) = (σ² + s²)/(σ s)² times σ² of the ε-loss, and a log-normal σ,
    of whose density a level has its share of the axis ln σ.
    """
    sigma = np.sqrt(schedule.q / schedule.alpha_bar) / rms
    share = np.gradient(np.log(sigma)) if schedule.timesteps > 1 else np.ones(1)
    z = (np.log(sigma * RMS) - MEAN) / DEVIATION
    found: NDArray[np.float64] = (sigma**2 + 1) * np.exp(-(z**2) / 2) * share
    return found
