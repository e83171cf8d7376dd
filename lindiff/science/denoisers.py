"""What is measured of any denoiser: losses, samples, linearity (docs/theory.md).

Sections "Empirical score" and "Trained denoisers". A denoiser is a function of noisy points and a
noise level, whatever made it: a sum over training points, a network, a matrix. All points are
relative to one centre, which moves them but changes nothing else. Random numbers are drawn in an
order that the denoiser has no part in: the same generator measures all of them on the same points
and noises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.filters import Bank
from lindiff.science.sampler import Sampler, start_factor
from lindiff.science.samples import squares_along
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
Rows = Float64[Array, "K d"]
Vector = Float64[Array, " d"]

# x_t less √ᾱ_t · centre, shape (K, d), and the index t − 1 of its level -> ε̂, shape (K, d).
Denoiser = Callable[[Rows, int], Rows]
# A source of numbers and a count K -> K points less the centre, shape (K, d).
Points = Callable[[np.random.Generator, int], Rows]
# A source of numbers, the index t − 1 of a level and a count K -> K points less the centre and the
# noise of each, shape (K, d) both.
Pairs = Callable[[np.random.Generator, int, int], tuple[Rows, Rows]]

# Noisy points of a loss, over all levels, and the least at each.
_NOISY, _ROUNDS = 6400, 32
# Points of an affine fit, for each dimension, and the least in all.
_PER_DIMENSION, _FIT = 32, 1024
# Of larger numbers the fourth powers, which standard errors take, are not finite.
_LARGEST = 1e70


def rounds_of(timesteps: int) -> int:
    """Rounds R of a loss on T levels: max(32, 6400 // T)."""
    return max(_ROUNDS, _NOISY // timesteps)


def fit_count(d: int) -> int:
    """Points of `nonlinearity` in d dimensions: max(1024, 32 d), so that a half has 16 d."""
    return max(_FIT, _PER_DIMENSION * d)


def rows_of(rows: Float64[Array, "M d"]) -> Points:
    """Draws from given rows, shape (M, d), with replacement."""
    return lambda rng, count: rows[rng.integers(len(rows), size=count)]


def each_once(rows: Float64[Array, "M d"]) -> Points:
    """Draws from given rows, shape (M, d), without replacement: at most M of them."""
    return lambda rng, count: rows[rng.permutation(len(rows))[:count]]


def normal(mean: Vector, spectrum: Vector) -> Points:
    """Draws from N(mean, diag(spectrum)), shape (d,) each."""
    root = np.sqrt(spectrum)
    return lambda rng, count: mean + rng.standard_normal((count, len(mean))) * root


def linear(U: Float64[Array, "d r"], eigenvalues: Float64[Array, " r"], bank: Bank) -> Denoiser:
    """The exact linear denoiser W_t = U w_t(λ) Uᵀ + w_t(0) (I − U Uᵀ), ε̂ = W_t x.

    Args:
        U: Orthonormal columns, shape (d, r): eigenvectors of Σ0. What they leave out is its null
            space.
        eigenvalues: λ of each column, shape (r,).
        bank: Filters, of which the first is taken.
    """
    null = U.shape[1] < len(U)

    def denoise(x: Rows, index: int) -> Rows:
        # Without a null space w(0), the largest of all, would only cost digits.
        nodes = np.append(eigenvalues, 0.0) if null else eigenvalues
        w = bank.level(nodes, index)[3][:, 0]
        if not null:
            return ((x @ U) * w) @ U.T
        along = x @ U
        rest: Array = (along * w[:-1]) @ U.T + w[-1] * (x - along @ U.T)
        return rest

    return denoise


def noisy(
    schedule: Schedule, index: int, points: Points, rng: np.random.Generator, count: int
) -> tuple[Rows, Rows]:
    """x_t = √ᾱ_t x_0 + √q_t ε and ε of `count` points at one level, shape (K, d) each."""
    clean = points(rng, count)
    noise = rng.standard_normal(clean.shape)
    return np.sqrt(schedule.alpha_bar[index]) * clean + np.sqrt(schedule.q[index]) * noise, noise


def noisy_pairs(
    schedule: Schedule, sources: tuple[Points, Points], rng: np.random.Generator, rounds: int
) -> Iterator[tuple[int, Float64[Array, "2 R d"], Float64[Array, "R d"]]]:
    """At every level the noisy points that losses are measured on: index, x_t and ε.

    Args:
        schedule: The noise schedule.
        sources: Where training and test points come from.
        rng: Source of points and noises; after this iterator it is in the same state whatever
            was done with the points.
        rounds: Number of rounds R.

    Yields:
        t − 1, x_t of shape (2, R, d), train before test, and the noise, shape (R, d), which both
        have in common.
    """
    for index, (alpha_bar, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        points = np.stack([source(rng, rounds) for source in sources])
        noise = rng.standard_normal(points.shape[1:])
        yield index, np.sqrt(alpha_bar) * points + np.sqrt(q) * noise, noise


def monte_carlo_losses(
    denoise: Denoiser,
    schedule: Schedule,
    sources: tuple[Points, Points],
    rng: np.random.Generator,
    rounds: int | None = None,
) -> tuple[Float64[Array, "T R"], Float64[Array, "T R"]]:
    """Loss per dimension |ε − ε̂|²/d on points of two sources, at every level, (T, R) each.

    In each round every noise level meets one point of each source, both with the same noise.

    Args:
        denoise: The denoiser.
        schedule: The noise schedule.
        sources: Where training and test points come from.
        rng: Source of points and noises.
        rounds: Number of rounds R; None is `rounds_of`.
    """
    rounds = rounds_of(schedule.timesteps) if rounds is None else rounds
    losses = np.empty((2, schedule.timesteps, rounds))
    for index, x, noise in noisy_pairs(schedule, sources, rng, rounds):
        found = denoise(x.reshape(-1, x.shape[-1]), index).reshape(x.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            losses[:, index] = ((noise - found) ** 2).mean(axis=-1)
    return losses[0], losses[1]


def frozen_losses(
    denoise: Denoiser,
    schedule: Schedule,
    pairs: Pairs,
    rng: np.random.Generator,
    rounds: int | None = None,
) -> Float64[Array, "T R"]:
    """Loss per dimension |ε − ε̂|²/d on points that have noises of their own, shape (T, R).

    Args:
        denoise: The denoiser.
        schedule: The noise schedule.
        pairs: Where the points and their noises come from.
        rng: Source of which of them.
        rounds: Number of rounds R; None is `rounds_of`.
    """
    rounds = rounds_of(schedule.timesteps) if rounds is None else rounds
    losses = np.empty((schedule.timesteps, rounds))
    for index, (alpha_bar, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        points, noise = pairs(rng, index, rounds)
        found = denoise(np.sqrt(alpha_bar) * points + np.sqrt(q) * noise, index)
        with np.errstate(over="ignore", invalid="ignore"):
            losses[index] = ((noise - found) ** 2).mean(axis=-1)
    return losses


def distances(
    denoise: Denoiser,
    reference: Denoiser,
    schedule: Schedule,
    sources: tuple[Points, Points],
    rng: np.random.Generator,
    rounds: int | None = None,
) -> Float64[Array, "T R"]:
    """|ε̂ − ε̂_ref|²/d at the test points of `monte_carlo_losses` with these arguments, (T, R).

    Of the posterior mean as reference its mean is the loss that the denoiser has more: what
    E[ε|x_t] leaves of ε is orthogonal to every function of x_t.
    """
    rounds = rounds_of(schedule.timesteps) if rounds is None else rounds
    found = np.empty((schedule.timesteps, rounds))
    for index, x, _ in noisy_pairs(schedule, sources, rng, rounds):
        with np.errstate(over="ignore", invalid="ignore"):
            difference = denoise(x[1], index) - reference(x[1], index)
            found[index] = (difference**2).mean(axis=-1)
    return found


def over_rounds(losses: Float64[Array, "T R"]) -> tuple[float, float]:
    """Mean over levels and rounds of losses of shape (T, R), and its standard error over rounds."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounds = losses.mean(axis=0)
        return float(rounds.mean()), float(rounds.std(ddof=1) / np.sqrt(len(rounds)))


def generate(
    denoise: Denoiser,
    schedule: Schedule,
    sampler: Sampler,
    mean: Vector,
    offset: Vector,
    rng: np.random.Generator,
    count: int,
) -> Rows:
    """Generated points x − centre, shape (`count`, d), from x ~ N(0, I) at the last level.

    The steps are made on x_t − √ᾱ_t · mean, whose digits a large mean leaves alone, and are those
    of x_t − √ᾱ_t · centre.

    Args:
        denoise: The denoiser, of points relative to the centre.
        schedule: The noise schedule.
        sampler: The coefficients of every step.
        mean: Of the population, shape (d,).
        offset: The centre less the mean, shape (d,).
        rng: Source of the noises.
        count: Number of points.
    """
    x = rng.standard_normal((count, len(mean))) - start_factor(schedule, sampler) * mean
    for i, variance in enumerate(sampler.variance):
        x = _step(denoise, schedule, sampler, i, offset, x)
        if variance:
            x += np.sqrt(variance) * rng.standard_normal(x.shape)
    return x - offset


def _step(
    denoise: Denoiser, schedule: Schedule, sampler: Sampler, i: int, offset: Vector, x: Rows
) -> Rows:
    """Step i of a sampler but its noise, of x less √ᾱ times the mean, as `generate`."""
    if not sampler.B[i]:
        scaled: Rows = sampler.A[i] * x
        return scaled
    at = np.sqrt(schedule.alpha_bar[sampler.levels[i : i + 2]])
    noise = denoise(x - at[0] * offset, int(sampler.levels[i]))
    stepped: Rows = sampler.A[i] * x - sampler.B[i] * noise
    if sampler.drift[i]:
        stepped += sampler.drift[i] * offset
    corrector = sampler.corrector
    if corrector is None or i == len(corrector.K):
        return stepped
    noise = denoise(stepped - at[1] * offset, int(sampler.levels[i + 1]))
    stepped = corrector.A[i] * (stepped - at[1] * offset) - corrector.B[i] * noise
    stepped += corrector.K[i] * (x - at[0] * offset) + at[1] * offset
    return stepped


def nonlinearity(
    denoise: Denoiser,
    schedule: Schedule,
    index: int,
    points: tuple[Points, Points],
    rng: np.random.Generator,
    count: int,
) -> tuple[float, float]:
    """Share of the variance of x̂_0 that no affine map of x_t explains, with its standard error.

    The map is fitted on one half of the noisy points and its residual taken on the other half,
    and the other way round; both over the variance of x̂_0, summed over dimensions. A fit to n
    points in d dimensions adds (1 + 1/n)(n − 2)/(n − d − 2) − 1, about d/n, to a residual that
    does not depend on x_t (normal x_t): that factor is divided out. Of a residual that is larger
    where |x_t| is, a bias of the order d/n of it is left, a few percent at `fit_count`. The
    standard error is that of the ratio of two means over the points at the fitted maps: too
    small for points that are few beside d.

    Args:
        denoise: The denoiser.
        schedule: The noise schedule.
        index: t − 1.
        points: Where the points of each half come from: clean points that both had would make the
            residual one of the fit itself.
        rng: Source of points and noises.
        count: Number of points, `fit_count` for a fit that is good enough.

    Returns:
        Between 0 and about 1; NaN where x̂_0 does not vary, or its squares are not finite.

    Raises:
        ValueError: Half of the points are no more than d + 2.
    """
    half = count // 2
    count = 2 * half
    x = np.concatenate([noisy(schedule, index, source, rng, half)[0] for source in points])
    d = x.shape[1]
    if half <= d + 2:
        raise ValueError(f"{count} points; an affine fit to each half needs more than {2 * d + 5}")
    clean = x - np.sqrt(schedule.q[index]) * denoise(x, index)
    clean /= np.sqrt(schedule.alpha_bar[index])
    if not np.abs(clean).max() < _LARGEST:
        return np.nan, np.nan
    square = np.concatenate([
        _unexplained(x[half:], clean[half:], x[:half], clean[:half]),
        _unexplained(x[:half], clean[:half], x[half:], clean[half:]),
    ])  # fmt: skip
    total = ((clean - clean.mean(axis=0)) ** 2).sum(axis=1) * (count / (count - 1))
    if not total.any():
        return np.nan, np.nan
    value = square.mean() / total.mean()
    error = (square - value * total).std(ddof=1) / np.sqrt(count) / total.mean()
    return float(value), float(error)


def _unexplained(
    x: Float64[Array, "n d"],
    y: Float64[Array, "n d"],
    other_x: Float64[Array, "m d"],
    other_y: Float64[Array, "m d"],
) -> Float64[Array, " m"]:
    """|residual|² at each of the other points of the affine fit to y(x), without the fit's share.

    Args:
        x: Points of the fit, shape (n, d).
        y: Its values, shape (n, d).
        other_x: Other points, shape (m, d).
        other_y: Their values, shape (m, d).
    """
    n, d = x.shape
    centre, level = x.mean(axis=0), y.mean(axis=0)
    slope, *_ = np.linalg.lstsq(x - centre, y - level, rcond=None)
    residual = other_y - level - (other_x - centre) @ slope
    inflation = (1 + 1 / n) * (n - 2) / (n - d - 2)
    square: Array = (residual**2).sum(axis=1) / inflation
    return square


def direction_distances(
    denoise: Denoiser,
    reference: Denoiser,
    U: Float64[Array, "d r"],
    schedule: Schedule,
    index: int,
    points: Points,
    rng: np.random.Generator,
    count: int,
) -> tuple[Float64[Array, " m"], Float64[Array, " m"]]:
    """Mean over noisy points of (uᵀ(ε̂ − ε̂_ref))² along every column u of U, and standard error.

    Args:
        denoise: The denoiser.
        reference: The denoiser that it is compared with.
        U: Orthonormal columns, shape (d, r).
        schedule: The noise schedule.
        index: t − 1.
        points: Where the points come from.
        rng: Source of points and noises.
        count: Number of points, at least 2.

    Returns:
        Both of shape (m,): the r columns and, for r < d, last the mean over the d − r directions
        that are orthogonal to them. NaN where the squares are not finite.
    """
    nothing = (np.full(min(U.shape[1] + 1, len(U)), np.nan),) * 2
    x, _ = noisy(schedule, index, points, rng, count)
    difference = denoise(x, index) - reference(x, index)
    if not np.abs(difference).max() < _LARGEST:
        return nothing
    squares = squares_along(difference, U)
    return squares.mean(axis=0), squares.std(axis=0, ddof=1) / np.sqrt(count)
