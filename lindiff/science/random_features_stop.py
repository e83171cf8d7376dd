"""The limit of both losses of random features after a stop (docs/theory.md, "Random features").

A read-out that was trained for a time τ is C f(F), F = E φφᵀ and C = E εφᵀ over the training noise
and f(λ) = (1 − e^{−τ(λ+γ)})/(λ + γ), with w_t τ and γ/w_t where the level has a weight. Both losses
are integrals of f over contours around the eigenvalues of F: the train loss over one, of the least
sum of squares, the test loss over two, of C (λ − F)⁻¹ F′ (λ′ − F)⁻¹ Cᵀ, F′ the moments of fresh y.
Its limit is what a fresh pair that stands between two copies of the same training set, each with
its own penalty, adds at first order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float64
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import contour
from lindiff.science.random_features import learned
from lindiff.science.random_features_equivalent import equivalent, make_level
from lindiff.science.random_features_level import Level
from lindiff.science.random_features_limit import AVERAGE
from lindiff.science.weighting import make_weights

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
PerNode = Complex128[Complex, " K"]
Pairs = Complex128[Complex, "K K"]
PerMode = Float64[Array, " v"]
OnModes = Complex128[Complex, "K v"]

# The contour's low end, where λ τ is this small and nothing is learned, and its high end over E σ².
# It is lower by so many decades for so many more of τ.
_LOW, _HIGH, _DEEPER = 1e-8, 50.0, 4.0
_DIGITS = 6


@dataclass(frozen=True, eq=False)
class _Around:
    """The limit on the upper half of a contour, at Z = −N m λ.

    Attributes:
        level: The training set.
        nodes: λ, shape (K,).
        dy: The step in ln λ at each, shape (K,).
        w: w of each group of rows, shape (g, K).
        t: t of each group of columns, shape (c, K).
        u: 1/(1 + A D) along each mode, shape (K, v).
        g: A/(1 + A D).
        f: D/(1 + A D).
        cross: Σ_k w_k E ε y.
    """

    level: Level
    nodes: PerNode
    dy: PerNode
    w: Complex128[Complex, "g K"]
    t: Complex128[Complex, "c K"]
    u: OnModes
    g: OnModes
    f: OnModes
    cross: OnModes

    def pairs(self, conjugate: bool) -> _Pairs:
        """With another node, of the lower half if `conjugate`."""
        return _Pairs(self.level.counts, np.conj if conjugate else np.asarray)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Numbers of pairs of nodes, (K, K)."""

    counts: PerMode
    half: Callable[[Any], Any]

    def over(self, weights: PerMode, left: OnModes, right: OnModes) -> Pairs:
        """Σ_ν of weights, a number of the one node and a number of the other."""
        found: Complex = (left * (weights * self.counts)) @ self.half(right).T
        return found

    def outer(self, values: Complex128[Complex, "x K"]) -> Complex128[Complex, "x K K"]:
        """Products of a number of the one and the same of the other."""
        found: Complex = values[:, :, None] * self.half(values)[:, None, :]
        return found

    def either(self, values: OnModes, weights: PerMode) -> Pairs:
        """Σ_ν of weights and a number of the one, plus that of the other."""
        each = values @ (weights * self.counts)
        found: Complex = each[:, None] + self.half(each)
        return found


def _around(level: Level, pairs: float, low: float, high: float) -> _Around:
    """The roots on a contour, from node to node: at the first, far out, it is near."""
    nodes, dy = contour((low, high), _DIGITS)
    x, found = level.start(-nodes[0] * pairs), []
    for node in nodes:
        x = level.root(-node * pairs, 0.0, x)
        found.append(x)
    w, t = level.split(np.array(found).T)
    A: OnModes = t.T @ level.a.astype(complex)
    D: OnModes = w.T @ level.rows.k.astype(complex)
    cross: OnModes = w.T @ level.rows.cross.astype(complex)
    u = 1 / (1 + A * D)
    return _Around(level, nodes, dy, w, t, u, A * u, D * u, cross)


def _between(one: _Around, conjugate: bool) -> Pairs:
    """d E[(ε − A φ)·(ε − A′ φ)] of fresh pairs, A and A′ of the penalties of two nodes, (K, K).

    With everything a matrix of 2 × 2, the fresh pair is added to its upper right corner: w_k and
    t_c get corners there, of as many linear equations.

    Args:
        one: The contour.
        conjugate: Whether A′ is of the lower half.
    """
    pairs, level, g, u = one.pairs(conjugate), one.level, one.g, one.u
    over, rows, fresh = pairs.over, level.rows, level.fresh
    groups, number = len(level.n), len(level.n) + len(level.p)
    both = pairs.outer(one.w) / level.n[:, None, None]
    # Unknown by unknown, the pairs of nodes last.
    left = np.zeros((number, number, *both.shape[1:]), complex)
    right = np.empty((number, *both.shape[1:]), complex)
    for i, k in enumerate(rows.k):
        for j in range(i + 1):
            among = over(k * rows.k[j], g, g)
            left[i, j] = -both[i] * among
            left[j, i] = -both[j] * among
        left[i, i] += 1
        for j, a in enumerate(level.a, groups):
            of_t = over(k * a, u, u) + rows.h[i, j - groups]
            left[i, j], left[j, i] = both[i] * of_t, of_t
        right[i] = both[i] * over(k * fresh.k, g, g)
    for i, a in enumerate(level.a, groups):
        for j, other in enumerate(level.a[: i - groups + 1], groups):
            left[i, j] = left[j, i] = -over(a * other, one.f, one.f)
        right[i] = -(over(fresh.k * a, u, u) + fresh.h[i - groups])
    of_columns = np.arange(groups, number)
    left[of_columns, of_columns] += level.p[:, None, None] / pairs.outer(one.t)
    corners = _solved(left, right)
    return _corner(one, pairs, corners[:groups], corners[groups:])


def _corner(
    one: _Around,
    pairs: _Pairs,
    w: Complex128[Complex, "g K K"],
    t: Complex128[Complex, "c K K"],
) -> Pairs:
    """The upper right corner of the least sum of squares, of those of w and t."""
    level, explained = one.level, one.cross * one.g
    rows, fresh, along = level.rows, level.fresh, one.cross * one.u

    def lost(cross: PerMode, k: PerMode) -> Pairs:
        return pairs.either(explained, cross) - pairs.over(k, explained, explained)

    found: Complex = fresh.targets - lost(fresh.cross, fresh.k)
    for own, target, cross, k in zip(w, rows.targets, rows.cross, rows.k, strict=True):
        found += own * (target - lost(cross, k))
    for own, a in zip(t, level.a, strict=True):
        found -= own * pairs.over(a, along, along)
    return found


def _solved(
    rows: Complex128[Complex, "x x K K"], right: Complex128[Complex, "x K K"]
) -> Complex128[Complex, "x K K"]:
    """Linear equations of each pair of nodes, by elimination from the last unknown on."""
    for i in range(len(right) - 1, 0, -1):
        for j in range(i):
            factor = rows[j, i] / rows[i, i]
            rows[j, :i] -= factor * rows[i, :i]
            right[j] -= factor * right[i]
    for i in range(len(right)):
        for j in range(i):
            right[i] -= rows[i, j] * right[j]
        right[i] /= rows[i, i]
    return right


def level_losses_at_stops(
    activation: Activation,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    noises: float,
    bank: Bank,
    index: int,
    known_centre: bool = False,
) -> tuple[Float64[Array, " F"], Float64[Array, " F"]]:
    """Limits of train and test loss at one level, per dimension, of all trainings of a bank.

    The resolvents are those of no penalty, and what differs between trainings is f alone.

    Args:
        activation: σ.
        spectrum: s ≥ 0, shape (d,).
        n: N ≥ 2, the number of samples.
        p: Number of features.
        noises: m, frozen noises a sample and level; inf is the average over the noise.
        bank: F trainings, each with a finite stop.
        index: Level t = `index` + 1.
        known_centre: Whether the mean is known.

    Raises:
        ArithmeticError: A root was not found.
    """
    alpha_bar, q = float(bank.schedule.alpha_bar[index]), float(bank.schedule.q[index])
    pairs = n * min(noises, AVERAGE)
    level = make_level(activation, spectrum, n, p, pairs / n, (alpha_bar, q), 0.0, known_centre)
    square = level.variance
    train, test = np.empty(len(bank.trainings)), np.empty(len(bank.trainings))
    # How far down a contour goes hangs on the stop, and not on those of other trainings.
    lengths = np.array([_time(each, bank, index) for each in bank.trainings]) * square / p
    depths = np.maximum(np.ceil(np.log10(np.maximum(lengths, 1)) / _DEEPER), 1) * _DEEPER
    for depth in np.unique(depths):
        same = depths == depth
        part = Bank(bank.schedule, [t for t, one in zip(bank.trainings, same, strict=True) if one])
        around = _around(level, pairs, _LOW * 10.0**-depth * square / p, _HIGH * square)
        train[same], test[same] = _integrals(around, part, index, pairs)
    constant = equivalent(activation, alpha_bar * float(spectrum.mean()), q).constant
    if constant:
        # `level` has the mean over all pairs as fitted; this share of it is.
        share = learned(np.array([constant]), bank, index)[0] * constant
        train, test = train + (1 - share) ** 2 / pairs, test - (1 - share**2) / pairs
    return train, test


def _integrals(
    around: _Around, bank: Bank, index: int, pairs: float
) -> tuple[Float64[Array, " F"], Float64[Array, " F"]]:
    """Train and test loss of each training, per dimension, by integrals over the contour."""
    level, nodes = around.level, around.nodes
    f = learned(nodes, bank, index)
    # dλ/(2πi), so that the integral over both halves is twice the real part.
    step = (nodes * around.dy / (2j * np.pi))[:, None]
    square, fresh = level.n @ level.rows.targets, level.fresh
    explained = around.cross * around.g * level.counts
    # tr C (F − λ)⁻¹ Cᵀ, and tr C (F − λ)⁻¹ C′ᵀ of fresh pairs.
    own = (square - level.rows.targets @ around.w + (around.cross * explained).sum(axis=1)) / pairs
    cross = explained @ fresh.cross
    weighted, weights = step * (2 * f - nodes[:, None] * f**2), step * f
    train = square / pairs + 2 * (weighted.T @ own).real
    test = fresh.targets + 4 * (weights.T @ cross).real
    for conjugate in (False, True):
        half = np.conj if conjugate else np.asarray
        among = _between(around, conjugate) - fresh.targets
        among += cross[:, None] + half(cross)
        test += 2 * ((weights.T @ among) * half(weights).T).sum(axis=1).real
    return train / level.d, test / level.d


def _time(training: Training, bank: Bank, index: int) -> float:
    """w_t τ, for which this level is trained."""
    return training.stop * float(
        make_weights(training.weighting, bank.schedule, training.rms)[index]
    )
