"""DDPM with σ_t² = β̃_t."""

from __future__ import annotations

from lindiff.science.samplers._ddpm import mean
from lindiff.science.samplers._steps import PerStep, Steps


def coefficients(steps: Steps) -> tuple[PerStep, ...]:
    """Ho et al. 2020, algorithm 2 with σ_t² = β̃_t = β_t q_s/q_t."""
    return *mean(steps), steps.beta * steps.q_next / steps.q
