"""The limit of both losses of random features after a stop (docs/theory.md, "Random features").

A read-out that was trained for a time τ is C f(F), F = E φφᵀ and C = E εφᵀ over the training noise
and f(λ) = (1 − e^{−τ(λ+γ)})/(λ + γ), with w_t τ and γ/w_t where the level has a weight. Both losses
are integrals of f over contours around the eigenvalues of F: the train loss over one, of the least
sum of squares, the test loss over two, of C (λ − F)⁻¹ F′ (λ′ − F)⁻¹ Cᵀ, F′ the moments of fresh y.
Its limit is what a fresh pair that stands between two copies of the same training set, each with
its own penalty, adds at first order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex128, Float64
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import contour
from lindiff.science.random_features import learned
from lindiff.science.random_features_limit import AVERAGE, Level, equivalent, make_level
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
_DIGITS = 9


@dataclass(frozen=True, eq=False)
class _Around:
    """The limit on the upper half of a contour, at Z = −N m λ.

    Attributes:
        level: The training set.
        nodes: λ, shape (K,).
        dy: The step in ln λ at each, shape (K,).
        w: w of each group, shape (K, g).
        t: tr Q, shape (K,).
        D: Along each mode, shape (K, v).
    """

    level: Level
    nodes: PerNode
    dy: PerNode
    w: Complex128[Complex, "K g"]
    t: PerNode
    D: Complex128[Complex, "K v"]

    @property
    def u(self) -> Complex128[Complex, "K v"]:
        """1/(1 + a t D)."""
        found: Complex = 1 / (1 + self.level.a * self.t[:, None] * self.D)
        return found

    @property
    def g(self) -> Complex128[Complex, "K v"]:
        """Along each mode, shape (K, v)."""
        found: Complex = self.level.a * self.t[:, None] * self.u
        return found

    @property
    def explained(self) -> PerNode:
        """What a unit of ω² explains: (c_1²/s²) Σ q g."""
        found: Complex = self.level.slope * (self.g @ (self.level.q * self.level.counts))
        return found


def _around(level: Level, pairs: float, low: float, high: float) -> _Around:
    """The roots on a contour, from node to node: at the first, far out, it is near."""
    nodes, dy = contour((low, high), _DIGITS)
    x, found = level.start(-nodes[0] * pairs), []
    for node in nodes:
        x = level.root(-node * pairs, 0.0, x)
        found.append(x)
    roots = np.exp(np.array(found))
    w, t = roots[:, :-1], roots[:, -1]
    return _Around(level, nodes, dy, w, t, level.slope * (w @ level.k))


def _between(one: _Around, conjugate: bool) -> Pairs:
    """d E[(ε − A φ)·(ε − A′ φ)] of fresh pairs, A and A′ of the penalties of two nodes, (K, K).

    With everything a matrix of 2 × 2, the fresh pair is added to its upper right corner: w_k and t
    get corners there, of as many linear equations.

    Args:
        one: The contour.
        conjugate: Whether A′ is of the lower half.
    """
    half = np.conj if conjugate else np.asarray
    level, u, g = one.level, one.u, one.g
    counts, slope, a = level.counts, level.slope, level.a
    fresh, noise = level.fresh

    def over(weights: PerMode, left: OnModes, right: OnModes) -> Pairs:
        found: Complex = (left * (weights * counts)) @ half(right).T
        return found

    def of_w(first: PerMode, second: PerMode) -> Pairs:
        return slope**2 * over(first * second, g, g)

    w, t, groups = one.w.T, one.t, len(level.n)
    both = w[:, :, None] * half(w)[:, None, :] / level.n[:, None, None]
    # Unknown by unknown, the pairs of nodes last.
    rows = np.zeros((groups + 1, groups + 1, len(t), len(t)), complex)
    right = np.empty((groups + 1, len(t), len(t)), complex)
    for i, k in enumerate(level.k):
        of_t = slope * over(k * a, u, u) + level.h[i]
        for j in range(i + 1):
            among = of_w(k, level.k[j])
            rows[i, j] = -both[i] * among
            rows[j, i] = -both[j] * among
        rows[i, i] += 1
        rows[i, -1], rows[-1, i] = both[i] * of_t, of_t
        right[i] = both[i] * of_w(k, fresh)
    rows[-1, -1] = level.p / (t[:, None] * half(t)) - over(a**2, one.D * u, one.D * u)
    right[-1] = -(slope * over(fresh * a, u, u) + noise)
    *corners, corner = _solved(rows, right)
    omega, total = sum(corners) + level.targets, w.sum(axis=0)
    of_g = slope * over(level.q * a, u, u) * corner - of_w(fresh, level.q)
    for k, own in zip(level.k, corners, strict=True):
        of_g -= own * of_w(k, level.q)
    explained = one.explained
    lost = (total * explained)[:, None] + half(total * explained)
    found: Complex = omega * level.d - lost * omega - total[:, None] * of_g * half(total)
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
    own = equivalent(activation, alpha_bar * float(spectrum.mean()), q)
    level = make_level(own, spectrum, n, p, pairs / n, (alpha_bar, q), 0.0, known_centre)
    square = own.slope * (alpha_bar * float(spectrum.mean()) + q) + own.shared + own.own
    train, test = np.empty(len(bank.trainings)), np.empty(len(bank.trainings))
    # How far down a contour goes hangs on the stop, and not on those of other trainings.
    lengths = np.array([_time(each, bank, index) for each in bank.trainings]) * square / p
    depths = np.maximum(np.ceil(np.log10(np.maximum(lengths, 1)) / _DEEPER), 1) * _DEEPER
    for depth in np.unique(depths):
        same = depths == depth
        part = Bank(bank.schedule, [t for t, one in zip(bank.trainings, same, strict=True) if one])
        around = _around(level, pairs, _LOW * 10.0**-depth * square / p, _HIGH * square)
        train[same], test[same] = _integrals(around, part, index, pairs)
    if own.constant:
        # `level` has the mean over all pairs as fitted; this share of it is.
        share = learned(np.array([own.constant]), bank, index)[0] * own.constant
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
    rows, omega, explained = level.n.sum(), around.w.sum(axis=1), around.explained
    # tr C (F − λ)⁻¹ Cᵀ, and tr C (F − λ)⁻¹ C′ᵀ of fresh pairs.
    own = ((rows - omega) * level.d + omega**2 * explained) / pairs
    cross = level.targets * omega * explained
    weighted, weights = step * (2 * f - nodes[:, None] * f**2), step * f
    train = rows * level.d / pairs + 2 * (weighted.T @ own).real
    test = level.d * level.targets + 4 * (weights.T @ cross).real
    for conjugate in (False, True):
        half = np.conj if conjugate else np.asarray
        among = _between(around, conjugate) - level.d * level.targets
        among += cross[:, None] + half(cross)
        test += 2 * ((weights.T @ among) * half(weights).T).sum(axis=1).real
    return train / level.d, test / level.d


def _time(training: Training, bank: Bank, index: int) -> float:
    """w_t τ, for which this level is trained."""
    return training.stop * float(
        make_weights(training.weighting, bank.schedule, training.rms)[index]
    )
