"""Euler's step along the probability-flow ODE, in the time of the schedule."""

from __future__ import annotations

import numpy as np

from lindiff.science.samplers._steps import PerStep, Steps


def step(steps: Steps) -> tuple[PerStep, PerStep, PerStep, PerStep]:
    """A, B, C and σ² = 0 of x′ = x + (β(t) dt/2) (x − ε̂/√q_t), shape (S,) each.

    Song et al. 2021 (SDE), eq. 13 of the VP process.
    """
    half, q = steps.rate / 2, steps.q
    return 1 + half, half / np.sqrt(q), q - (1 - q) * half, np.zeros_like(q)
