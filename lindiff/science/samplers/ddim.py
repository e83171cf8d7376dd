"""DDIM: no noise of its own."""

from __future__ import annotations

import numpy as np

from lindiff.science.samplers._steps import PerStep, Steps


def coefficients(steps: Steps) -> tuple[PerStep, ...]:
    """Song et al. 2021 (DDIM), eq. 12 with σ_t = 0: it is not DDPM without noise."""
    q, q_next, root = steps.q, steps.q_next, np.sqrt(steps.alpha)
    return 1 / root, np.sqrt(q) / root - np.sqrt(q_next), np.sqrt(q * q_next), np.zeros_like(q)
