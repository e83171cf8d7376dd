"""Min-SNR: what the ε-loss gives to levels of little noise is cut off."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.schedule import Schedule

# The authors' value.
GAMMA = 5.0


def weights(schedule: Schedule, rms: float) -> Float64[NDArray[np.float64], " T"]:
    """min(SNR, γ)/SNR with γ = 5 (Hang et al. 2023, section 3.4: min(SNR, γ) of the x_0-loss)."""
    return np.minimum(1.0, GAMMA * schedule.q / schedule.alpha_bar)
