"""DDPM with σ_t² = β̃_t."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.samplers._ddpm import mean

PerStep = Float64[NDArray[np.float64], " S"]


def coefficients(beta: PerStep, alpha: PerStep, q: PerStep, q_next: PerStep) -> tuple[PerStep, ...]:
    """Ho et al. 2020, algorithm 2 with σ_t² = β̃_t = β_t q_s/q_t."""
    return *mean(beta, alpha, q, q_next), beta * q_next / q
