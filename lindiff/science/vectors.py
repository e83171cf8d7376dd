"""Metrics that are more than a functional of the measure (docs/theory.md, "Vectors").

The mean parts of both KL, the overlap with the leading eigenspace, the Bures distance and the
Monte Carlo check of the losses need the eigenvectors themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.draws import Draw
from lindiff.science.filters import Bank
from lindiff.science.numbers import precisions
from lindiff.science.spectrum import leading
from lindiff.science.tables import Evaluated

Array = NDArray[np.float64]
OnNodes = Float64[Array, "m F"]
PerFilter = Float64[Array, " F"]


def split_null(draw: Draw, values: OnNodes) -> tuple[PerFilter, Float64[Array, "r F"]]:
    """Values on the nodes of a measure, shape (m, F), as that of the null space and the rest.

    Returns:
        The value on the null space, shape (F,), 0 where there is none, and the others, (r, F).
    """
    return (values[0], values[1:]) if draw.null else (np.zeros(values.shape[1]), values)


def mean_shift(draw: Draw, P: OnNodes, root_alpha_bar: float) -> Float64[Array, "d F"]:
    """Error of the generated mean, m_N − μ with m_N = centre − √ᾱ_T P(Σ0) centre, shape (d, F).

    Args:
        draw: The training set.
        P: Factor of the starting point on the nodes of its measure, shape (m, F).
        root_alpha_bar: √ᾱ_T.
    """
    null, modes = split_null(draw, P * root_alpha_bar)
    start = draw.vectors.T @ draw.centre
    offset = draw.offset[:, None] - draw.centre[:, None] * null
    return offset - draw.vectors @ ((modes - null) * start[:, None])


def mean_parts(
    draw: Draw, filters: Evaluated, inverse: OnNodes, root_alpha_bar: float
) -> tuple[PerFilter, PerFilter]:
    """Mean parts of KL(ρ_N‖ρ) and KL(ρ‖ρ_N), per dimension, shape (F,) each.

    Args:
        draw: The training set.
        filters: The filters on the nodes of its measure.
        inverse: 1/v on the nodes, shape (m, F).
        root_alpha_bar: √ᾱ_T.
    """
    offset = draw.offset
    P = filters.pointwise("P")
    U = draw.vectors
    along, start = U.T @ offset, U.T @ draw.centre
    model_data = precisions(draw.spectrum) @ mean_shift(draw, P, root_alpha_bar) ** 2
    P_null, P_modes = split_null(draw, P * root_alpha_bar)
    squares = (along[:, None] - P_modes * start[:, None]) ** 2
    if draw.null:
        rest = (offset - U @ along)[:, None] - P_null * (draw.centre - U @ start)[:, None]
        squares = np.concatenate([(rest**2).sum(axis=0)[None], squares])
    with np.errstate(invalid="ignore"):
        # A direction without error adds nothing, however little variance it has.
        data_model = np.where(squares == 0, 0, squares * inverse).sum(axis=0)
    return model_data / (2 * draw.d), data_model / (2 * draw.d)


def generated_samples(
    draw: Draw,
    filters: Evaluated,
    root: OnNodes,
    root_alpha_bar: float,
    noise: Float64[Array, "S d"],
) -> Iterator[Float64[Array, "S d"]]:
    """Samples less μ that each filter makes of white noise: m_N − μ + U root Uᵀ noise.

    Args:
        draw: The training set.
        filters: F filters on the nodes of its measure.
        root: What noise is multiplied by there, shape (m, F): a root of v, or P.
        root_alpha_bar: √ᾱ_T, or 0 without a sampler.
        noise: White noise, shape (S, d).

    Yields:
        S samples a filter, shape (S, d); NaN or infinite where the filter is.
    """
    along, (null, modes) = noise @ draw.vectors, split_null(draw, root)
    shift = mean_shift(draw, filters.pointwise("P"), root_alpha_bar)
    for i in range(root.shape[1]):
        with np.errstate(over="ignore", invalid="ignore"):
            made = along * (modes[:, i] - null[i]) @ draw.vectors.T
            yield made + null[i] * noise + shift[:, i]


def leading_overlap(draw: Draw) -> float:
    """‖P_kᵀU_k‖²/k for the k-fold largest eigenvalue of Σ; NaN where Σ is isotropic.

    U_k are the k leading eigenvectors of Σ0; where Σ0 has fewer than k that are no null
    directions, these.
    """
    k = leading(draw.spectrum)
    if k == draw.d:
        return np.nan
    return float(np.sum(draw.vectors[:k, -k:] ** 2) / k)


def _complete(draw: Draw) -> Float64[Array, "d d"]:
    """An orthonormal basis of which the last r vectors are those of the draw, shape (d, d)."""
    if not draw.null:
        return draw.vectors
    full, _ = np.linalg.qr(draw.vectors, mode="complete")
    return np.concatenate([full[:, len(draw.eigenvalues) :], draw.vectors], axis=1)


def _per_mode(draw: Draw, values: OnNodes) -> Float64[Array, "d F"]:
    """Values on the nodes of a draw's measure (m, F), repeated for each null mode: (d, F)."""
    return (
        np.concatenate([np.repeat(values[:1], draw.null, axis=0), values[1:]])
        if draw.null
        else values
    )


def bures(draw: Draw, filters: Evaluated, root_alpha_bar: float) -> PerFilter:
    """Squared 2-Wasserstein distance of the generated from the population Gaussian over d, (F,).

    |m_N − μ|² + tr Σ + tr Σ_N − 2 tr (Σ^½ Σ_N Σ^½)^½, the last as the sum of the singular values
    of Σ^½ U v^½, which keeps the small ones; NaN where a variance is not finite. One SVD of order
    d³ per filter.
    """
    U = _complete(draw)
    v = np.exp(_per_mode(draw, filters.pointwise("log_v")))
    shift = mean_shift(draw, filters.pointwise("P"), root_alpha_bar)
    root = np.sqrt(draw.spectrum)[:, None] * U
    cross = np.full(v.shape[1], np.nan)
    for i in np.flatnonzero(np.isfinite(v).all(axis=0)):
        cross[i] = np.linalg.svd(root * np.sqrt(v[:, i]), compute_uv=False).sum()
    with np.errstate(over="ignore"):
        square = (shift**2).sum(axis=0)
    distance: Array = square + draw.spectrum.sum() + v.sum(axis=0) - 2 * cross
    return distance / draw.d


def bures_of_population(limit: Draw, filters: Evaluated, root_alpha_bar: float) -> PerFilter:
    """`bures` of what is trained on the population itself, (F,): Σ (√v − √s)² and the mean's error.

    Σ and Σ_N have their eigenvectors in common, so that nothing of the size of Σ is subtracted.

    Args:
        limit: The population as a draw, with d modes.
        filters: The filters on its modes, ascending.
        root_alpha_bar: √ᾱ_T.
    """
    root = np.exp(filters.pointwise("log_v") / 2)
    shift = mean_shift(limit, filters.pointwise("P"), root_alpha_bar)
    with np.errstate(over="ignore"):
        square = (root - np.sqrt(limit.eigenvalues)[:, None]) ** 2 + shift**2
    distance: Array = square.sum(axis=0)
    return distance / limit.d


def monte_carlo_gap(
    draw: Draw, bank: Bank, rng: np.random.Generator, rounds: int = 16
) -> tuple[PerFilter, PerFilter]:
    """Test minus train loss measured on noisy samples, with its standard error, (F,) each.

    In each round every noise level meets one training sample and one fresh sample of the
    population, both with the same noise; the standard error is over the rounds.

    Args:
        draw: A draw with samples.
        bank: F trained denoisers.
        rng: Source of samples, noises and choices.
        rounds: Number of rounds, at least 2.

    Raises:
        ValueError: The draw has no samples, or its population is no Gaussian.
    """
    if draw.centred is None:
        raise ValueError("monte_carlo_gap needs the training samples: set `draw: samples`")
    if draw.held_out is not None:
        raise ValueError("monte_carlo_gap needs fresh samples of the population: `data: gaussian`")
    schedule, d = bank.schedule, draw.d
    U = _complete(draw)
    nodes = np.concatenate([np.zeros(draw.null), draw.eigenvalues])
    shape = (schedule.timesteps, rounds, d)
    noise = rng.standard_normal(shape) @ U
    fresh = rng.standard_normal(shape) * np.sqrt(draw.spectrum) - draw.offset
    known = draw.centred[rng.integers(draw.n, size=shape[:2])]
    data = [x @ U for x in (fresh, known)]
    gap = np.zeros((rounds, len(bank.trainings)))
    for index in range(schedule.timesteps):
        w = bank.level(nodes, index)[3]
        root, root_q = np.sqrt(schedule.alpha_bar[index]), np.sqrt(schedule.q[index])
        test, train = (root * x[index] + root_q * noise[index] for x in data)
        # |ε − w y|² = |ε|² − 2 w ε·y + w² |y|²: the noise is the same for both and drops out.
        gap += (test**2 - train**2) @ w**2 - 2 * (noise[index] * (test - train)) @ w
    gap /= d * schedule.timesteps
    return gap.mean(axis=0), gap.std(axis=0, ddof=1) / np.sqrt(rounds)
