"""Heun's method for the probability-flow ODE."""

from __future__ import annotations

import numpy as np

from lindiff.science.samplers._euler import step
from lindiff.science.samplers._steps import PerStep, Steps


def coefficients(steps: Steps) -> tuple[PerStep, ...]:
    """x̃, the step of Euler's method."""
    return step(steps)


def corrector(steps: Steps) -> tuple[PerStep, ...]:
    """x′ = (x + x̃)/2 + (β(s) dt/4) (x̃ − ε̂_s(x̃)/√q_s), with x̃ Euler's step.

    Euler's slope at t is (x̃ − x)/dt, so that this is the mean of the slopes at both ends (Pierret &
    Galerne 2025). The last step, at whose end there is no denoiser, is Euler's (Karras et al. 2022,
    algorithm 1).
    """
    quarter, q = steps.rate_next / 4, steps.q_next
    keep = np.full_like(q, 0.5)
    return keep, keep + quarter, quarter / np.sqrt(q), q / 2 - (1 - q) * quarter
