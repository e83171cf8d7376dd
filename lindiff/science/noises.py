"""Linear denoisers trained on frozen noises (docs/theory.md, "Noise copies").

Instead of the average over noise, m noises ε a training sample and noise level: W_t minimises the
mean of ‖ε − W y‖² over the N m pairs, y = √ᾱ_t (x − μ0) + √q_t ε, plus g_t ‖W‖². It knows the
pairs by Σ y yᵀ, Σ ε yᵀ and Σ ε εᵀ alone, which are drawn at a cost that grows with neither N nor m.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.draws import Draw, bartlett, eigenpairs
from lindiff.science.filters import Bank

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Noisy points and their noises at one level, up to a rotation of all pairs.

    A rotation leaves the three sums of products as they are, so N m pairs take no more columns than
    Σ0 and the noise have directions: k ≤ 2 d.

    Attributes:
        inputs: y, shape (d, k).
        targets: ε, shape (d, k).
        count: Number of pairs N m that the columns stand for.
    """

    inputs: Float64[Array, "d k"]
    targets: Float64[Array, "d k"]
    count: int


def make_pairs(
    draw: Draw,
    noises: int,
    signal: tuple[float, float],
    along: Float64[Array, "d r"],
    rest: Float64[Array, "d b"],
) -> Pairs:
    """The pairs of a training set from their noise.

    The mean over the copies of a sample, times √m, has the signal √(mᾱ) (x − μ0); turned to the r
    directions among samples in which these have variance it is √(mᾱN) U λ^½, with noise `along`.
    All other combinations of pairs are noise alone.

    Args:
        draw: The training set, with r eigenvectors.
        noises: m.
        signal: ᾱ_t and q_t.
        along: The noise that meets the signal, shape (d, r).
        rest: Any factor of Σ ε εᵀ over the other N m − r combinations.
    """
    alpha_bar, q = signal
    clean = draw.vectors * np.sqrt(alpha_bar * noises * draw.n * draw.eigenvalues)
    targets = np.concatenate([along, rest], axis=1)
    inputs = np.sqrt(q) * targets
    inputs[:, : clean.shape[1]] += clean
    return Pairs(inputs, targets, noises * draw.n)


def draw_pairs(
    draw: Draw, noises: int, signal: tuple[float, float], rng: np.random.Generator
) -> Pairs:
    """The pairs of a training set with m frozen noises a sample, at one level.

    The noise that meets no signal is a Wishart matrix of N m − r degrees of freedom, drawn by
    Bartlett's decomposition, whatever the data are.

    Args:
        draw: The training set.
        noises: m ≥ 1.
        signal: ᾱ_t and q_t.
        rng: Source of the numbers.
    """
    d, r = draw.vectors.shape
    along = rng.standard_normal((d, r))
    return make_pairs(draw, noises, signal, along, bartlett(d, noises * draw.n - r, rng))


def fold(pairs: Iterable[tuple[Float64[Array, "K d"], Float64[Array, "K d"]]], d: int) -> Pairs:
    """Given pairs as 2 d columns, which have the same three sums of products.

    Args:
        pairs: Noisy points and their noises, some at a time, a row each, shape (K, d).
        d: Dimension.
    """
    sums, count = np.zeros((2 * d, 2 * d)), 0
    for inputs, targets in pairs:
        both = np.concatenate([inputs, targets], axis=1)
        sums += both.T @ both
        count += len(both)
    values, U = np.linalg.eigh(sums)
    root = U * np.sqrt(np.maximum(values, 0))
    return Pairs(root[:d], root[d:], count)


def largest_stable_rate(pairs: Pairs, penalty: float) -> float:
    """The rate from which on gradient descent on half the objective of a level diverges."""
    return float(2 / (np.linalg.norm(pairs.inputs, 2) ** 2 / pairs.count + penalty))


def weights(pairs: Pairs, bank: Bank, index: int) -> Float64[Array, "F d d"]:
    """W_t of a bank's F trainings on the pairs of level t = `index` + 1.

    The minimiser, of least norm where there are fewer pairs than dimensions; with a stop what
    gradient flow on half the objective has reached from W(0).

    Args:
        pairs: The pairs.
        bank: The trainings.
        index: t − 1.
    """
    d = len(pairs.inputs)
    values, U = eigenpairs(pairs.inputs, min(d, pairs.count))
    cross = pairs.targets @ (pairs.inputs.T @ U)
    penalty = bank.penalty(index)
    rate = values[:, None] / pairs.count + penalty
    e, one_minus_e = bank.left(rate, index)
    along = (one_minus_e / rate).T[:, None] / pairs.count
    found: Array = (cross * along) @ U.T
    if bank.init_scale.any():
        # What the pairs do not reach only the penalty takes away.
        outside, _ = bank.left(penalty[None], index)
        inside = np.broadcast_to(e - outside, rate.shape)
        start = (U * inside.T[:, None]) @ U.T
        start += np.broadcast_to(outside, (1, len(penalty))).T[:, :, None] * np.eye(d)
        found += bank.init_scale[:, None, None] * start
    return found


def train_losses(pairs: Pairs, weights: Float64[Array, "F d d"]) -> Float64[Array, " F"]:
    """Mean of ‖ε − W y‖² over the N m pairs, per dimension, shape (F,)."""
    left = pairs.targets - weights @ pairs.inputs
    total: Array = (left**2).sum(axis=(1, 2)) / (len(pairs.inputs) * pairs.count)
    return total
