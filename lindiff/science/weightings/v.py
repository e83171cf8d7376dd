"""The plain loss of the velocity v = √ᾱ ε − √q x_0."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.schedule import Schedule


def weights(schedule: Schedule, rms: float) -> Float64[NDArray[np.float64], " T"]:
    """1 + 1/SNR = 1/ᾱ: ‖v − v̂‖² is that times ‖ε − ε̂‖² (Salimans & Ho 2022, "SNR+1")."""
    return 1 / schedule.alpha_bar
