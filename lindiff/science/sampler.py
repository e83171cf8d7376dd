"""Samplers as tables of coefficients (docs/theory.md, "Sampling").

One step from level t to the next lower level s of the sampler's grid (s = 0: the data) is
x' = A x − B ε̂ + σ ξ. Along one mode of a linear denoiser, with M = ᾱλ + q + g, e the part of the
initial weights that is left and ε̂ = w x, it multiplies by
a = [A (ᾱλ + g) + C + B √q e]/M − B w_0 e, where C = A q − B √q is given in closed form: the
difference loses every digit at small λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lindiff.science.named import load
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sampler:
    """Coefficients of every step, from high noise to low; all arrays have shape (S,).

    Attributes:
        levels: Index t − 1 of the level that the step leaves.
        A: Factor of x.
        B: Factor of the predicted noise.
        C: A q_t − B √q_t, without cancellation.
        variance: σ², the variance of the noise that the step adds.
    """

    levels: NDArray[np.int64]
    A: Array
    B: Array
    C: Array
    variance: Array


def start_factor(schedule: Schedule, sampler: Sampler | None) -> float:
    """√ᾱ_T, the part of a sample's mean that its starting point misses; 0 for `ideal` (None)."""
    return 0.0 if sampler is None else float(np.sqrt(schedule.alpha_bar[-1]))


def make_sampler(
    name: str, schedule: Schedule, final_noise: bool = False, sampling_steps: int = 0
) -> Sampler:
    """The sampler called `name` on a schedule.

    Args:
        name: A file of `lindiff.science.samplers`.
        schedule: The noise schedule.
        final_noise: Whether the last step adds its noise.
        sampling_steps: Number S of evenly spaced levels round(i T/S), i = 1..S; 0 for all T.

    Raises:
        KeyError: No such sampler.
        ValueError: More sampling steps than levels.
    """
    if not 0 <= sampling_steps <= schedule.timesteps:
        raise ValueError(
            f"sampling_steps = {sampling_steps} is not between 0 and T = {schedule.timesteps}"
        )
    steps = sampling_steps or schedule.timesteps
    levels = np.rint(np.arange(1, steps + 1) * schedule.timesteps / steps).astype(np.int64) - 1
    starts = np.concatenate([[0], levels[:-1] + 1])
    log_alpha = np.add.reduceat(np.log1p(-schedule.beta), starts)
    q = schedule.q[levels]
    q_next = np.concatenate([[0.0], q[:-1]])
    coefficients = load("lindiff.science.samplers", name).coefficients
    A, B, C, variance = coefficients(-np.expm1(log_alpha), np.exp(log_alpha), q, q_next)
    if not final_noise:
        variance = np.where(q_next == 0, 0.0, variance)
    return Sampler(levels[::-1], A[::-1], B[::-1], C[::-1], variance[::-1])
