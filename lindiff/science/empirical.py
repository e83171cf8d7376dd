"""The empirical score: the denoiser with the least training loss (docs/theory.md).

Section "Empirical score". Of all functions, the posterior mean under the training points has the
least training loss: x̂_0(x_t) = Σ_i w_i x_i with w = softmax_i(−|x_t − √ᾱ_t x_i|²/(2 q_t)) and
ε̂ = (x_t − √ᾱ_t x̂_0)/√q_t (Karras et al. 2022, appendix B.3). Exact, no training. All points are
relative to one centre, which moves them but changes nothing else.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.denoisers import Denoiser
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]

# Numbers of one work array: 8 MiB.
_BLOCK = 1 << 20


def posterior_mean(
    points: Float64[Array, "N d"], x: Float64[Array, "K d"], alpha_bar: float, q: float
) -> Float64[Array, "K d"]:
    """x̂_0, the mean of the training points given the noisy one, shape (K, d).

    Args:
        points: Training points, shape (N, d).
        x: Noisy points x_t, shape (K, d).
        alpha_bar: ᾱ_t.
        q: q_t > 0.
    """
    found, rows = np.empty_like(x), max(1, _BLOCK // len(points))
    scaled, half = np.sqrt(alpha_bar) * points.T, alpha_bar / 2 * (points**2).sum(axis=1)
    for start in range(0, len(x), rows):
        block = slice(start, start + rows)
        # −|x_t − √ᾱ x_i|²/2 but for |x_t|²/2, which the softmax does not see.
        weights = x[block] @ scaled
        weights -= half
        weights -= weights.max(axis=1, keepdims=True)
        weights /= q
        np.exp(weights, out=weights)
        found[block] = (weights @ points) / weights.sum(axis=1, keepdims=True)
    return found


def empirical(points: Float64[Array, "N d"], schedule: Schedule) -> Denoiser:
    """The empirical score of `points`, shape (N, d), on a schedule."""

    def denoise(x: Float64[Array, "K d"], index: int) -> Float64[Array, "K d"]:
        alpha_bar, q = schedule.alpha_bar[index], schedule.q[index]
        found = posterior_mean(points, x, alpha_bar, q)
        noise: Array = (x - np.sqrt(alpha_bar) * found) / np.sqrt(q)
        return noise

    return denoise
