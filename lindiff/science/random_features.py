"""Denoisers that are linear in random features of x_t (docs/theory.md, "Random features").

ε̂ = A_t φ(y) with the p features φ(y) = σ(W y/√d)/√p of y = x_t − √ᾱ_t μ0 (George, Veiga & Macris
2025, arXiv 2502.00336, equation 4). W is drawn once and is that of all levels; A_t alone is
trained, and minimises the mean of ‖ε − A φ‖² over the training noise, times the weight w_t of the
level, plus γ‖A‖². So it knows the features by their second moments alone, and their
eigendecomposition gives every γ, weight and stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact, Int64
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.draws import eigenpairs
from lindiff.science.filters import Bank

Array = NDArray[np.float64]
Features = Float64[Array, "p d"]

# Pairs of features above this correlation are integrated; the series in its powers has the others.
_NEAR = 0.5
# Bins a decade of the eigenvalues, from powers of ten on.
BINS = 10
# Of the largest number a sum over the orders of a series leaves out.
_DIGITS = 1e-15
_ORDERS = 80
# Pairs × centres that are integrated in one pass.
_BLOCK = 2**18


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of features and noise under one law of y.

    Attributes:
        features: E φ φᵀ, shape (p, p).
        cross: E ε φᵀ, shape (d, p).
    """

    features: Float64[Array, "p p"]
    cross: Float64[Array, "d p"]


@dataclass(frozen=True, eq=False)
class Solved:
    """What the read-outs of one level are made of.

    Attributes:
        values: λ > 0, the eigenvalues of the training features' E φ φᵀ, shape (r,).
        vectors: Their eigenvectors V, shape (p, r).
        cross: E ε φᵀ V over the training noise, shape (d, r).
        square: E ‖ε‖² over the training noise.
    """

    values: Float64[Array, " r"]
    vectors: Float64[Array, "p r"]
    cross: Float64[Array, "d r"]
    square: float

    def read_out(self, bank: Bank, index: int, training: int) -> Float64[Array, "d p"]:
        """A_t of one of a bank's trainings; what the features do not reach stays at 0."""
        f = learned(self.values, bank, index)[:, training]
        found: Array = (self.cross * f) @ self.vectors.T
        return found

    def train_losses(self, bank: Bank, index: int) -> Float64[Array, " F"]:
        """Mean of ‖ε − A φ‖² over the training noise, per dimension, whatever its weight."""
        f = learned(self.values, bank, index)
        explained = (self.cross**2).sum(axis=0) @ (2 * f - self.values[:, None] * f**2)
        total: Array = np.maximum(self.square - explained, 0.0) / len(self.cross)
        return total

    def losses(self, bank: Bank, index: int, fresh: Moments) -> Float64[Array, " F"]:
        """Mean of ‖ε − A φ‖² under another law of y, with E ‖ε‖² = d, per dimension."""
        f, d = learned(self.values, bank, index), len(self.cross)
        features = self.vectors.T @ fresh.features @ self.vectors
        agree = (self.cross * (fresh.cross @ self.vectors)).sum(axis=0)
        among = (self.cross.T @ self.cross) * features
        total: Array = d - 2 * agree @ f + (f * (among @ f)).sum(axis=0)
        return total / d


def learned(values: Inexact[NDArray[Any], " K"], bank: Bank, index: int) -> Inexact[Any, "K F"]:
    """f(λ) = (1 − exp(−w_t τ (λ + g)))/(λ + g), with which A_t is E εφᵀ f(E φφᵀ).

    Args:
        values: λ, of a contour complex, shape (K,).
        bank: F trainings; g is `Bank.penalty`, γ/w_t.
        index: Level t = `index` + 1.
    """
    rate = values[:, None] + bank.penalty(index)
    _, one_minus_e = bank.left(rate, index)
    return one_minus_e / rate


def evaluate(
    activation: Activation, W: Features, y: Float64[Array, "K d"]
) -> Float64[Array, "K p"]:
    """φ(y) = σ(W y/√d)/√p of points y, shape (K, p)."""
    p, d = W.shape
    found: Float64[Array, "K p"] = activation.value(y @ W.T / np.sqrt(d)) / np.sqrt(p)
    return found


def normal_moments(
    activation: Activation,
    W: Features,
    centres: Float64[Array, "C d"],
    spectrum: Float64[Array, " d"],
    noise: float,
) -> Moments:
    """Exact moments for y = centre + √(spectrum) z + √(noise) ε, as likely from each centre.

    With the Hermite coefficients c_k of σ along each feature, E σσᵀ is the sum over k of
    R^k ∘ mean c_k c_kᵀ (Mehler 1866), R the features' correlations within a centre. Features that
    are nearly parallel, and each with itself, have closed forms instead (`Activation.pair`).

    Args:
        activation: σ.
        W: Shape (p, d).
        centres: Shape (C, d).
        spectrum: Variances of what else y varies by, ≥ 0, shape (d,).
        noise: q > 0, the variance of the noise.
    """
    p, d = W.shape
    means = centres @ W.T / np.sqrt(d)
    covariance = (W * (spectrum + noise)) @ W.T / d
    deviation = np.sqrt(covariance.diagonal())
    R = covariance / (deviation[:, None] * deviation)
    near = np.abs(R) > _NEAR
    total, first = _series(activation, means, deviation, np.where(near, 0.0, R))
    one, two = np.nonzero(np.triu(near))
    step = max(1, _BLOCK // len(centres))
    for start in range(0, len(one), step):
        i, j = one[start : start + step], two[start : start + step]
        value = activation.pair(means[:, i], means[:, j], deviation[i], deviation[j], R[i, j])
        total[i, j] = total[j, i] = value.mean(axis=0)
    cross = np.sqrt(noise / d) * W.T * (first / deviation)
    return Moments(total / p, cross / np.sqrt(p))


def _series(
    activation: Activation,
    means: Float64[Array, "C p"],
    deviation: Float64[Array, " p"],
    R: Float64[Array, "p p"],
) -> tuple[Float64[Array, "p p"], Float64[Array, " p"]]:
    """The sum over k of R^k ∘ mean c_k c_kᵀ, where |R| is well below 1, and the mean of c_1."""
    total, power, first = np.zeros_like(R), np.ones_like(R), np.zeros_like(deviation)
    largest, scale, small = float(np.abs(R).max()), 0.0, 0
    for k, c in enumerate(activation.coefficients(means, deviation)):
        if k == 1:
            first = c.mean(axis=0)
        total += power * (c.T @ c)
        power *= R
        size = float(np.abs(c).max())
        scale = max(scale, size)
        # Of an odd activation every second coefficient is 0.
        small = small + 1 if largest**k * size**2 <= _DIGITS * scale**2 else 0
        if (k >= 1 and small > 1) or k == _ORDERS:
            break
    return total / len(means), first


def solve_pairs(phi: Float64[Array, "K p"], noise: Float64[Array, "K d"]) -> Solved:
    """What is learned of K frozen pairs of features and noise."""
    K, p = phi.shape
    values, V = eigenpairs(phi.T / np.sqrt(K), min(K, p))
    # Where `eigenpairs` left eigh for singular values, they are exact to this of the largest.
    some = values > (max(K, p) * np.finfo(float).eps) ** 2 * values[-1]
    values, V = values[some], V[:, some]
    cross = noise.T @ (phi @ V) / K
    return Solved(values, V, cross, float((noise**2).sum() / K))


def histogram(
    values: Float64[Array, " r"],
) -> tuple[Float64[Array, " b"], Int64[NDArray[np.int64], " b"]]:
    """Centres of the bins of ln λ, `BINS` a decade, that hold eigenvalues λ > 0, and how many."""
    at, counts = np.unique(np.floor(BINS * np.log10(values)), return_counts=True)
    return 10 ** ((at + 0.5) / BINS), counts.astype(np.int64)


def solve_average(moments: Moments) -> Solved:
    """What is learned of the average over noise."""
    d, p = moments.cross.shape
    values, V = np.linalg.eigh(moments.features)
    some = values > p * np.finfo(float).eps * values[-1]
    values, V = values[some], V[:, some]
    return Solved(values, V, moments.cross @ V, float(d))
