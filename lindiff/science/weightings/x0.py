"""The plain loss of the estimated clean data."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.schedule import Schedule


def weights(schedule: Schedule, rms: float) -> Float64[NDArray[np.float64], " T"]:
    """1/SNR = q/ᾱ: ‖x_0 − x̂_0‖² is that times ‖ε − ε̂‖² (Salimans & Ho 2022, section 4)."""
    return schedule.q / schedule.alpha_bar
