"""The mean of a step of DDPM (Ho et al. 2020, algorithm 2)."""

from __future__ import annotations

import numpy as np

from lindiff.science.samplers._steps import PerStep, Steps


def mean(steps: Steps) -> tuple[PerStep, PerStep, PerStep]:
    """A, B and C of a step, shape (S,) each."""
    alpha = steps.alpha
    B = steps.beta / np.sqrt(alpha * steps.q)
    return 1 / np.sqrt(alpha), B, np.sqrt(alpha) * steps.q_next
