"""Euler's method for the probability-flow ODE."""

from __future__ import annotations

from lindiff.science.samplers._euler import step
from lindiff.science.samplers._steps import PerStep, Steps


def coefficients(steps: Steps) -> tuple[PerStep, ...]:
    """Song et al. 2021 (SDE), eq. 13, in steps of the schedule's time."""
    return step(steps)
