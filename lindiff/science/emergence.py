"""How modes emerge in training: the variance generated along a mode over training time.

docs/theory.md, "Emergence". An untrained denoiser leaves the noise of its starting point in every
mode; training takes it away from large λ to small. A mode counts as learned from the training time
τ_2(λ) on from which its generated variance is at most twice the final one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEARNED = 2.0  # times the final variance
_FAR = 60.0  # e^-60 is lost against 1
# Samplers that follow the probability-flow ODE, whose limit of many steps is one.
_OF_THE_ODE = frozenset(("ddim", "euler", "heun"))


def learning_times(
    stops: Float64[Array, " F"], variances: Float64[Array, "*any F"], final: Float64[Array, "*any"]
) -> Float64[Array, "*any"]:
    """τ_2: the training time from which on v is at most twice its final value.

    Interpolated in ln τ and ln v between the last stop with a larger v and the next.

    Args:
        stops: τ, shape (F,), ascending, positive and finite.
        variances: v, shape (..., F), positive.
        final: v at τ = ∞, shape (...), positive.

    Returns:
        Shape (...); nan where v is above twice its final value at the last stop or nowhere.
    """
    excess = np.log(variances) - np.log(final)[..., None] - math.log(LEARNED)
    above = excess > 0
    last = above.shape[-1] - 1 - np.argmax(above[..., ::-1], axis=-1)
    known = above.any(axis=-1) & ~above[..., -1]
    at = np.minimum(last, len(stops) - 2)
    before, after = (np.take_along_axis(excess, (at + i)[..., None], -1)[..., 0] for i in (0, 1))
    share = before / np.where(known, before - after, 1.0)
    log_stops = np.log(stops)
    time = np.exp(log_stops[at] + share * (log_stops[at + 1] - log_stops[at]))
    return np.where(known, time, np.nan)


def scaled_variance(time: float, sampler: str) -> float:
    """v/λ at λτ = `time` for β_1 ≪ λ ≪ 1, the continuous limit of the samplers.

    With q = λ(y − 1) as clock, y from ∞ to 1, gradient flow from W = 0 has (1 − e)/M =
    (1 − exp(−λτ y))/(λy). DDPM: dv/dq = 2v(1 − e)/M − 1, so that
    v/λ = ∫_1^∞ y⁻² exp(2E₁(λτ) − 2E₁(λτ y)) dy; DDIM and others of the probability-flow
    ODE: dv/dq = v(1 − e)/M, so that v/λ = exp(E₁(λτ)), with E₁ the exponential integral.

    Args:
        time: λτ > 0.
        sampler: A file of `lindiff.science.samplers`; both DDPM have one limit,
            DDIM, Euler and Heun another.
    """
    from scipy.integrate import quad
    from scipy.special import exp1

    if sampler in _OF_THE_ODE:
        return math.exp(exp1(time))

    def integrand(u: float) -> float:
        return math.exp(2 * (exp1(time) - exp1(time * math.exp(u))) - u)

    # From y = e^u ~ 1/(λτ) on the mode is learned: the integrand has its kink there.
    kink = max(-math.log(time), 0.0)
    points = np.unique([0.0, max(kink - 3, 0.0), kink + 3, kink + _FAR])
    return math.fsum(quad(integrand, a, b)[0] for a, b in pairwise(points))


def learning_constant(sampler: str) -> float:
    """λ τ_2 for β_1 ≪ λ ≪ 1: 0.518 for DDPM, 0.406 for DDIM.

    The root of `scaled_variance` = 2; τ_2 = constant/λ is the law that modes emerge by.

    Args:
        sampler: As in `scaled_variance`.
    """
    from scipy.optimize import brentq

    return float(brentq(lambda time: scaled_variance(time, sampler) - LEARNED, 1e-2, 10.0))


def unlearned_constant(sampler: str) -> float:
    """τ v of a mode that is not learned yet, λ ≪ 1/τ ≪ 1: the limit of λτ · `scaled_variance`.

    DDPM: e^{−2γ} ∫_0^∞ z⁻² exp(−2E₁(z)) dz = 0.748; DDIM: e^{−γ} = 0.561, with Euler's γ.

    Args:
        sampler: As in `scaled_variance`.
    """
    from scipy.integrate import quad
    from scipy.special import exp1

    if sampler in _OF_THE_ODE:
        return math.exp(-np.euler_gamma)
    inner = quad(lambda z: math.exp(-2 * (exp1(z) + math.log(z))), 0, 1)[0]
    outer = quad(lambda x: math.exp(-2 * exp1(1 / x)), 0, 1)[0]
    return math.exp(-2 * np.euler_gamma) * float(inner + outer)
