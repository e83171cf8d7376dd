"""DDIM: no noise of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def coefficients(beta: Array, alpha: Array, q: Array, q_next: Array) -> tuple[Array, ...]:
    """Song et al. 2021 (DDIM), eq. 12 with σ_t = 0: it is not DDPM without noise."""
    root = np.sqrt(alpha)
    return 1 / root, np.sqrt(q) / root - np.sqrt(q_next), np.sqrt(q * q_next), np.zeros_like(q)
