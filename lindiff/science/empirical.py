"""The empirical score: the denoiser with the least training loss (docs/theory.md).

Section "Empirical score". Of all functions, the posterior mean under the training points has the
least training loss: x̂_0(x_t) = Σ_i w_i x_i with w = softmax_i(−|x_t − √ᾱ_t x_i|²/(2 q_t)) and
ε̂ = (x_t − √ᾱ_t x̂_0)/√q_t (Karras et al. 2022, appendix B.3). Exact, no training. All points are
relative to one centre, which moves them but changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lindiff.science.samplers import Sampler
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]

# x_t, shape (K, d), and the index t − 1 of its level -> x̂_0, shape (K, d).
Denoiser = Callable[[Array, int], Array]
# A source of numbers and a count K -> K points, shape (K, d).
Points = Callable[[np.random.Generator, int], Array]

# Numbers of one work array: 8 MiB.
_BLOCK = 1 << 20
_RATIO = 1 / 3


def posterior_mean(points: Array, x: Array, alpha_bar: float, q: float) -> Array:
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


def empirical(points: Array, schedule: Schedule) -> Denoiser:
    """The empirical score of `points`, shape (N, d), on a schedule."""

    def denoise(x: Array, index: int) -> Array:
        return posterior_mean(points, x, schedule.alpha_bar[index], schedule.q[index])

    return denoise


def monte_carlo_losses(
    denoise: Denoiser,
    schedule: Schedule,
    sources: tuple[Points, Points],
    rng: np.random.Generator,
    rounds: int = 32,
) -> tuple[Array, Array]:
    """Loss per dimension on points of two sources, at every level and in every round, (T, R) each.

    In each round every noise level meets one point of each source, both with the same noise.
    |ε − ε̂|² is taken as ᾱ_t |x_0 − x̂_0|²/q_t, the same without cancellation.

    Args:
        denoise: The denoiser.
        schedule: The noise schedule.
        sources: Where training and test points come from.
        rng: Source of points and noises.
        rounds: Number of rounds R.
    """
    losses = np.empty((2, schedule.timesteps, rounds))
    for index, (alpha_bar, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        points = np.stack([source(rng, rounds) for source in sources])
        noise = rng.standard_normal(points.shape[1:])
        x = np.sqrt(alpha_bar) * points + np.sqrt(q) * noise
        found = denoise(x.reshape(-1, x.shape[-1]), index).reshape(x.shape)
        losses[:, index] = alpha_bar / q * ((points - found) ** 2).mean(axis=-1)
    return losses[0], losses[1]


def over_rounds(losses: Array) -> tuple[float, float]:
    """Mean over levels and rounds of losses of shape (T, R), and its standard error over rounds."""
    rounds = losses.mean(axis=0)
    return float(rounds.mean()), float(rounds.std(ddof=1) / np.sqrt(len(rounds)))


def rows_of(rows: Array) -> Points:
    """Draws from given rows, shape (M, d), with replacement."""
    return lambda rng, count: rows[rng.integers(len(rows), size=count)]


def normal(mean: Array, spectrum: Array) -> Points:
    """Draws from N(mean, diag(spectrum)), shape (d,) each."""
    root = np.sqrt(spectrum)
    return lambda rng, count: mean + rng.standard_normal((count, len(mean))) * root


def generate(
    denoise: Denoiser,
    schedule: Schedule,
    sampler: Sampler,
    centre: Array,
    rng: np.random.Generator,
    count: int,
) -> Array:
    """Generated points x − centre, shape (`count`, d), from x ~ N(0, I) at the last level.

    Args:
        denoise: The denoiser, of points relative to `centre`.
        schedule: The noise schedule.
        sampler: The coefficients of every step.
        centre: What the denoiser's points are relative to, shape (d,).
        rng: Source of the noises.
        count: Number of points.
    """
    x = rng.standard_normal((count, len(centre)))
    steps = zip(sampler.levels.tolist(), sampler.A, sampler.B, sampler.variance, strict=True)
    for index, A, B, variance in steps:
        root = np.sqrt(schedule.alpha_bar[index])
        relative = x - root * centre
        noise = (relative - root * denoise(relative, index)) / np.sqrt(schedule.q[index])
        x = A * x - B * noise
        if variance:
            x += np.sqrt(variance) * rng.standard_normal(x.shape)
    return x - centre


def memorized_fraction(samples: Array, points: Array) -> float:
    """Share of samples that are nearer to one training point than to a third of the next.

    The ratio of the distances to the nearest and the second-nearest training point is below 1/3
    (Yoon et al. 2023). A point that occurs twice in the training set is not memorized by it.

    Args:
        samples: Generated points, shape (S, d).
        points: Training points, shape (N, d).

    Raises:
        ValueError: There are fewer than three training points: of two, the second-nearest is
            always the other one.
    """
    if len(points) < 3:
        raise ValueError(f"{len(points)} training points; the ratio needs at least 3")
    # Differences, not |x|² + |y|² − 2 x·y, which has no digits left at near duplicates.
    squares = np.array([np.partition(((points - x) ** 2).sum(axis=1), 1)[:2] for x in samples])
    return float(np.mean(squares[:, 0] < _RATIO**2 * squares[:, 1]))
