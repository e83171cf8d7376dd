"""When the empirical score collapses onto training points (docs/theory.md, "Collapse").

x_t = √ᾱ_t x_i + √q_t ε of a training point x_i has the posterior weights w_j of `empirical`. They
hang on σ² = q_t/ᾱ_t alone, so one level is that of every schedule; it is given as the time
−½ ln ᾱ_t = ½ ln(1 + σ²) of the Ornstein–Uhlenbeck process (Biroli et al., arXiv 2402.18491).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.passing import passing_time
from lindiff.science.samples import Estimate

Array = NDArray[np.float64]

# Noisy points that the mean weight is taken over.
NOISY = 1024
# Its evaluations, about, until the level is found.
EVALUATIONS = 20
# Numbers of one work array: 8 MiB.
_BLOCK = 1 << 20


def collapses(number: Int64[NDArray[np.int64], " N"]) -> bool:
    """Whether the mean weight falls below ½: at high noise it is that of two random points to be
    the same one.

    Args:
        number: Which distinct point each training point is, shape (N,).
    """
    _, counts = np.unique(number, return_counts=True)
    return bool(np.sum((counts / len(number)) ** 2) < 0.5)


def collapse_time(
    points: Float64[Array, "N d"],
    number: Int64[NDArray[np.int64], " N"],
    rng: np.random.Generator,
    count: int = NOISY,
) -> Estimate:
    """The time at which a noisy training point's weight on its own point is ½ in the mean.

    The mean is over training points and noises, copies of a point are that point. For given x_t the
    point that it was made of has the law w, so E w_i = E Σ_k w_k² over the distinct points k; more
    noise makes a posterior less certain, so the mean falls from 1 to that of `collapses` and passes
    ½ once. Points and noises are drawn once and are the same at every level.

    Args:
        points: Training points, shape (N, d), about any centre.
        number: Which distinct point each of them is, shape (N,), as `collapses` allows.
        rng: Source of points and noises.
        count: Number of noisy points.

    Returns:
        ½ ln(1 + σ²), and its standard error over points and noises, given the training set.
    """
    order = np.argsort(number, kind="stable")
    points, starts = points[order], np.unique(number[order], return_index=True)[1]
    clean = points[rng.integers(len(points), size=count)]
    noise = rng.standard_normal(clean.shape)

    def weights(log_variance: float) -> Float64[Array, " K"]:
        variance = np.exp(log_variance)
        return _own_weights(points, starts, clean + np.sqrt(variance) * noise, variance)

    low = high = float(np.log(points.var(axis=0).sum() / points.shape[1]))
    while weights(low).mean() <= 0.5:
        low -= 2
    return passing_time(weights, 0.5, low, high)


def _own_weights(
    points: Float64[Array, "N d"],
    starts: Int64[NDArray[np.int64], " k"],
    x: Float64[Array, "K d"],
    variance: float,
) -> Float64[Array, " K"]:
    """Σ_k w_k² of each x, shape (K,), of points whose copies stand together from `starts` on."""
    found, rows = np.empty(len(x)), max(1, _BLOCK // len(points))
    half = (points**2).sum(axis=1) / 2
    for start in range(0, len(x), rows):
        block = slice(start, start + rows)
        # −|x − x_j|²/2 but for |x|²/2, which no weight sees.
        logs = x[block] @ points.T - half
        logs -= logs.max(axis=1, keepdims=True)
        weights = np.add.reduceat(np.exp(logs / variance), starts, axis=1)
        found[block] = (weights**2).sum(axis=1) / weights.sum(axis=1) ** 2
    return found
