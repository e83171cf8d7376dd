"""The mean of a step of DDPM (Ho et al. 2020, algorithm 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mean(beta: Array, alpha: Array, q: Array, q_next: Array) -> tuple[Array, Array, Array]:
    """A, B and C of a step, shape (S,) each."""
    return 1 / np.sqrt(alpha), beta / np.sqrt(alpha * q), np.sqrt(alpha) * q_next
