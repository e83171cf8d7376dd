"""The mean of a step of DDPM (Ho et al. 2020, algorithm 2)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

PerStep = Float64[NDArray[np.float64], " S"]


def mean(
    beta: PerStep, alpha: PerStep, q: PerStep, q_next: PerStep
) -> tuple[PerStep, PerStep, PerStep]:
    """A, B and C of a step, shape (S,) each."""
    return 1 / np.sqrt(alpha), beta / np.sqrt(alpha * q), np.sqrt(alpha) * q_next
