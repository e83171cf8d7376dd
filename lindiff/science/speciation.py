"""Expectations over a noised mixture: its least loss and its speciation (docs/theory.md).

Section "Mixtures". Both hang on the posterior p_k(x_t) of the classes alone; noisy points are drawn
for every class, not by its weight, and only along the axes that tell classes apart.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.mixture import Mixture
from lindiff.science.passing import passing_time
from lindiff.science.samples import Estimate
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]

# Noisy points of each class, over all levels and at one of them; and numbers of them at most.
_POINTS, _LEVEL_POINTS, _NUMBERS = 1 << 17, 1 << 13, 1 << 20
_FEWEST = 16
_LEAST = -40.0  # ln σ² of points that are clean


def bayes_loss(mixture: Mixture, schedule: Schedule, rng: np.random.Generator) -> Estimate:
    """The least loss of all denoisers per dimension, mean over levels, with its standard error.

    E|ε − E[ε|x_t]|² is the variance of ε given x_t: within a class it is known, Σ_j ᾱc_j/(ᾱc_j + q)
    for variances c_j, and what the classes add is drawn: Σ_k p_k|e_k|² − |Σ_k p_k e_k|², with
    e_k = E[ε|x_t, k].

    Args:
        mixture: The classes.
        schedule: The noise schedule.
        rng: Source of the noisy points.
    """
    some, d = mixture.informative(), mixture.means.shape[1]
    count = _count(some, _POINTS // schedule.timesteps)
    values, errors = np.empty(schedule.timesteps), np.empty(schedule.timesteps)
    levels = zip(schedule.alpha_bar.tolist(), schedule.q.tolist(), strict=True)
    for index, (alpha_bar, q) in enumerate(levels):
        signal = alpha_bar * mixture.variances
        known = float(mixture.weights @ (signal / (signal + q)).sum(axis=1))
        noise = rng.standard_normal((count, some.means.shape[1]))
        drawn = np.zeros(count)
        for k, weight in enumerate(some.weights):
            drawn += weight * _spread(some, _noisy(some, k, noise, alpha_bar, q), alpha_bar, q)
        values[index] = known + drawn.mean()
        errors[index] = drawn.std(ddof=1) / np.sqrt(count)
    return float(values.mean() / d), float(np.sqrt((errors**2).mean() / schedule.timesteps) / d)


def same_class(
    mixture: Mixture, noise: Float64[Array, "n m"], alpha_bar: float, q: float
) -> Float64[Array, " n"]:
    """Probability that two points which are denoised from one x_t have one class, shape (n,).

    Σ_k p_k(x_t)², in the mean over the classes that x_t may come from.

    Args:
        mixture: The classes, along their informative axes.
        noise: Standard normal numbers, shape (n, m).
        alpha_bar: ᾱ_t.
        q: q_t.
    """
    found = np.zeros(len(noise))
    for k, weight in enumerate(mixture.weights):
        rows = _noisy(mixture, k, noise, alpha_bar, q)
        found += weight * (mixture.among(rows, alpha_bar, q) ** 2).sum(axis=1)
    return found


def speciation_time(mixture: Mixture, rng: np.random.Generator) -> Estimate:
    """The time at which the class of a point is half decided, with its standard error.

    Two points that are denoised from one x_t have the same class with the probability
    E Σ_k p_k(x_t)² (the clones of Biroli et al., arXiv 2402.18491), which falls from that of clean
    points to that of two independent ones, Σ_k w_k². The time is where it is half way from 1 to
    Σ_k w_k². Like the collapse time it is ½ ln(1 + σ²) with σ² = q/ᾱ, whatever the schedule.

    Args:
        mixture: The classes.
        rng: Source of the noisy points, which are the same at every level.

    Returns:
        The time and its error; NaN where classes overlap so much that clean points have less.
    """
    some = mixture.informative()
    count = _count(some, _LEVEL_POINTS)
    noise = rng.standard_normal((count, some.means.shape[1]))
    middle = (1 + float((some.weights**2).sum())) / 2

    def probability(log_variance: float) -> Float64[Array, " n"]:
        return same_class(some, noise, 1.0, float(np.exp(log_variance)))

    if probability(_LEAST).mean() <= middle:
        return np.nan, np.nan
    high = float(np.log(mixture.variances.max() + (mixture.means**2).max()))
    return passing_time(probability, middle, _LEAST, high)


def _count(some: Mixture, wished: int) -> int:
    return max(_FEWEST, min(wished, _LEVEL_POINTS, _NUMBERS // max(1, some.means.size)))


def _noisy(
    some: Mixture, k: int, noise: Float64[Array, "n m"], alpha_bar: float, q: float
) -> Float64[Array, "n m"]:
    """x_t of class k, shape (n, m)."""
    size = np.sqrt(alpha_bar * some.variances[k] + q)
    return np.asarray(noise * size + np.sqrt(alpha_bar) * some.means[k])


def _spread(
    some: Mixture, x: Float64[Array, "n m"], alpha_bar: float, q: float
) -> Float64[Array, " n"]:
    """Σ_k p_k|e_k|² − |Σ_k p_k e_k|² of each x, shape (n,)."""
    p, root = some.among(x, alpha_bar, q), np.sqrt(alpha_bar)
    precision = 1 / (alpha_bar * some.variances + q)
    if some.shared:
        # What is the same for all classes has no spread, and its squares would cost digits.
        e = root * np.sqrt(q) * some.means * precision
        return np.asarray(p @ (e**2).sum(axis=1) - ((p @ e) ** 2).sum(axis=1))
    shift = some.means * precision
    squares = x**2 @ (precision**2).T - 2 * root * x @ (shift * precision).T
    squares += alpha_bar * (shift**2).sum(axis=1)
    mean = (p @ precision) * x - root * (p @ shift)
    return np.asarray(q * ((p * squares).sum(axis=1) - (mean**2).sum(axis=1)))
