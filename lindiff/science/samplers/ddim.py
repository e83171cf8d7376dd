"""DDIM: no noise of its own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

PerStep = Float64[NDArray[np.float64], " S"]


def coefficients(beta: PerStep, alpha: PerStep, q: PerStep, q_next: PerStep) -> tuple[PerStep, ...]:
    """Song et al. 2021 (DDIM), eq. 12 with σ_t = 0: it is not DDPM without noise."""
    root = np.sqrt(alpha)
    return 1 / root, np.sqrt(q) / root - np.sqrt(q_next), np.sqrt(q * q_next), np.zeros_like(q)
