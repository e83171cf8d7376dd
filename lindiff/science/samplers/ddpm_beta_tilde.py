"""DDPM with σ_t² = β̃_t."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lindiff.science.samplers._ddpm import mean

Array = NDArray[np.float64]


def coefficients(beta: Array, alpha: Array, q: Array, q_next: Array) -> tuple[Array, ...]:
    """Ho et al. 2020, algorithm 2 with σ_t² = β̃_t = β_t q_s/q_t."""
    return *mean(beta, alpha, q, q_next), beta * q_next / q
