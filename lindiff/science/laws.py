"""Closed laws that figures draw as lines and tests hold measurements against (theory: "Laws").

All are per dimension and, where it applies, in nats. The denoiser is the unregularized one
(ridge 0) unless its law has a filter of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Num
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = Float64[Array, " d"]
Numbers = float | int | Num[NDArray[Any], "*any"]


def kl_tail(n: Numbers, d: int) -> Float64[Array, "*any"]:
    """Large-N law of both KL divergences per dimension: (d+3)/(4N).

    A Gaussian fit has p = d(d+1)/2 + d parameters and costs p/(2N) nats in either direction
    (Wilks); per dimension that is (d+3)/(4N).

    Args:
        n: Number of training samples N, mean and covariance both estimated.
        d: Dimension.
    """
    return np.asarray((d + 3) / (4 * np.asarray(n, np.float64)))


def kl_tail_leading(n: Numbers, d: int) -> Float64[Array, "*any"]:
    """The talk's leading form of `kl_tail`: d/(4N) per dimension, low by the factor d/(d+3).

    Args:
        n: Number of training samples N.
        d: Dimension.
    """
    return np.asarray(d / (4 * np.asarray(n, np.float64)))


def kl_model_data_mean(n: Numbers, d: int) -> Float64[Array, "*any"]:
    """Mean over draws of KL(N(μ0, Σ0)‖N(μ, Σ))/d, for any Σ; infinite for N ≤ d.

    The trace and mean parts cancel on average ((N−1)/N + 1/N = 1); left is
    −E ln det(Σ⁻¹Σ0)/(2d) = −(1/2d) Σ_j ψ((N−1−j)/2) + ½ ln(N/2), j = 0..d−1, by Bartlett's
    decomposition.

    Args:
        n: Number of training samples N, mean estimated; shape (...).
        d: Dimension.
    """
    samples = np.atleast_1d(np.asarray(n, dtype=np.int64))
    return np.array([_minus_half_log_det(int(m), d) for m in samples.ravel()]).reshape(np.shape(n))


def kl_data_model_mean(n: Numbers, d: int) -> Float64[Array, "*any"]:
    """Mean over draws of KL(N(μ, Σ)‖N(μ0, Σ0))/d, for any Σ; infinite for N ≤ d + 2.

    ½[(N+1)/(N−d−2) − 1] from the mean N Σ⁻¹/(N−d−2) of Σ0⁻¹ and the error of μ0, less the mean
    log-determinant of `kl_model_data_mean`. Just above N = d + 2 single draws scatter so widely
    that their median lies far below this mean.

    Args:
        n: Number of training samples N, mean estimated; shape (...).
        d: Dimension.
    """
    samples = np.asarray(n, dtype=np.float64)
    excess = samples - d - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        trace = np.where(excess > 0, (samples + 1) / excess, np.inf)
        value = (trace - 1) / 2 - kl_model_data_mean(n, d)
    return np.where(excess > 0, value, np.inf)


def optimal_loss(alpha_bar: Numbers, eigenvalues: Vector) -> Float64[Array, "*any"]:
    """Denoising loss of the population optimum per noise level: (1/d) Σ_j ᾱ s_j/(ᾱ s_j + 1 − ᾱ).

    From the loss (docs/theory.md, "Denoiser and loss") with W_t = √(1−ᾱ_t) (ᾱ_t Σ + (1−ᾱ_t) I)⁻¹.

    Args:
        alpha_bar: ᾱ_t, shape (...).
        eigenvalues: Population eigenvalues s_j, shape (d,).
    """
    signal = np.asarray(alpha_bar, dtype=np.float64)[..., None]
    variance = signal * eigenvalues
    return np.asarray(np.mean(variance / (variance + 1 - signal), axis=-1))


def gap_tail(alpha_bar: Numbers, eigenvalues: Vector) -> Float64[Array, "*any d"]:
    """N times the large-N gap of test and train loss at a noise level, along each population mode.

    With m_j = ᾱ s_j/(ᾱ s_j + 1 − ᾱ), the mode's optimal loss, and v_j = m_j (1 − m_j), which is
    largest where the mode's variance is the noise's: m_j Σv + v_j Σm + 2 m_j v_j + 2 v_j. The first
    two are how Tr W²(Σ − Σ0) answers to E(Σ0 − Σ)_ij² = s_i s_j/N; then come the variance of a
    Gaussian's square and, twice, the error of the mean. The mean over modes is the gap per
    dimension: about 2 df1 (df1 − df2)/(dN), df1 = Σm and df2 = Σm².

    Args:
        alpha_bar: ᾱ_t, shape (...).
        eigenvalues: Population eigenvalues s_j, shape (d,).

    Returns:
        Shape (..., d).
    """
    signal = np.asarray(alpha_bar, dtype=np.float64)[..., None]
    m = signal * eigenvalues / (signal * eigenvalues + 1 - signal)
    v = m * (1 - m)
    pairs = m * v.sum(axis=-1, keepdims=True) + v * m.sum(axis=-1, keepdims=True)
    return np.asarray(pairs + 2 * m * v + 2 * v)


def isotropic_agreement(n_over_d: Numbers) -> Float64[Array, "*any"]:
    """Agreement of two unregularized linear models of isotropic data, without a sampler: q(γ).

    Two halves turn the same noise by the roots of independent Σ0, so in the limit of large systems
    their samples have the correlation (∫√λ dρ_γ(λ))², ρ_γ the law of Marchenko and Pastur at
    γ = d/N, the atom at 0 included (docs/theory.md, "Agreement"; arXiv 2605.21402).

    Args:
        n_over_d: N/d, positive, of each half; shape (...).

    Example:
        >>> from lindiff.science.laws import isotropic_agreement
        >>> round(float(isotropic_agreement(1.0)), 4)  # (8/3π)²
        0.7205
    """
    ratio = 1 / np.asarray(n_over_d, np.float64)[..., None]
    # λ = 1 + γ + 2√γ cos θ, in which the integrand is smooth, at γ = 1 too.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    theta = np.pi * (nodes + 1) / 2
    root = np.sqrt(1 + ratio + 2 * np.sqrt(ratio) * np.cos(theta))
    mean = np.sum(weights * np.sin(theta) ** 2 / root, axis=-1)
    return np.asarray(mean**2)


def renormalized_noise(n_over_d: Numbers, noise: Numbers) -> Float64[Array, "*any"]:
    """Noise level κ(σ²) at which a population would be denoised as its training set is at σ².

    In the limit of large systems the mean of Σ0 (Σ0 + σ²)⁻¹ over training sets is Σ (Σ + κ)⁻¹ with
    κ = σ² + κ tr[Σ (Σ + κ)⁻¹]/N (arXiv 2602.02908; docs/theory.md, "Limit"); here at Σ = I, where
    κ² + (1 − σ² − d/N) κ − σ² = 0.

    Args:
        n_over_d: N/d, positive; shape (...).
        noise: σ² = (1 − ᾱ)/ᾱ, positive; shape (...).

    Example:
        >>> from lindiff.science.laws import renormalized_noise
        >>> round(float(renormalized_noise(1.0, 0.01)), 4)
        0.1051
    """
    noise = np.asarray(noise, np.float64)
    half = (1 - noise - 1 / np.asarray(n_over_d, np.float64)) / 2
    root = np.hypot(half, np.sqrt(noise))
    # Of the two forms of the positive root the one without a difference.
    return np.asarray(np.where(half > 0, noise / (root + np.abs(half)), root - half))


def renormalized_noise_of(eigenvalues: Vector, n: int, noise: float) -> float:
    """`renormalized_noise` of any spectrum: the root κ of κ = σ² + (κ/n) Σ_j s_j/(s_j + κ).

    Args:
        eigenvalues: Population eigenvalues s_j ≥ 0, shape (d,).
        n: Degrees of freedom of the training set: N where the mean is known.
        noise: σ² = (1 − ᾱ)/ᾱ, positive.

    Example:
        >>> import numpy as np
        >>> from lindiff.science.laws import renormalized_noise_of
        >>> round(renormalized_noise_of(np.ones(100), 100, 0.01), 4)  # as of N = d
        0.1051
    """
    # Above the root there is no other: κ less the right side grows, from −σ² at 0.
    kappa = noise + float(np.sum(eigenvalues)) / n
    for _ in range(200):
        share = eigenvalues / (eigenvalues + kappa)
        over = kappa - noise - kappa * share.sum() / n
        step = over / (1 - (share**2).sum() / n)
        kappa -= step
        if abs(step) <= 1e-14 * kappa:
            break
    return kappa


def renormalized_noise_of_power_law(noise: float, exponent: float, n: int, d: int) -> float:
    """`renormalized_noise_of` of s_j ∝ 1/j^k with tr Σ = d.

    Args:
        noise: σ² = (1 − ᾱ)/ᾱ, positive.
        exponent: k.
        n: Degrees of freedom of the training set.
        d: Dimension.
    """
    powers = np.arange(1.0, d + 1) ** -exponent
    return renormalized_noise_of(powers * (d / powers.sum()), n, noise)


def difference_of_halves(eigenvalues: Vector, n: int, noise: float) -> Float64[Array, " d"]:
    """Mean of (u_νᵀ(ε̂ − ε̂′))² of unregularized linear denoisers of two halves, along each mode.

    In the limit of large systems, at noise σ², (2κ²/σ²) s_ν/(s_ν + κ)² · Σ_j s_j (s_j + σ²)/
    (s_j + κ)²/(n − df_2) with the renormalized noise κ and df_2 = Σ (s_j/(s_j + κ))²: twice the
    variance over training sets, a factor of the mode times one of where the points are (arXiv
    2602.02908; docs/theory.md, "Differences"). Modes of s_ν = κ are apart the most.

    Args:
        eigenvalues: Population eigenvalues s_j ≥ 0, shape (d,).
        n: Degrees of freedom of each training set; the mean is known.
        noise: σ² = (1 − ᾱ)/ᾱ, positive.

    Example:
        >>> import numpy as np
        >>> from lindiff.science.laws import difference_of_halves
        >>> difference_of_halves(np.array([1e-9, 0.1, 1e9]), 10**6, 0.1).argmax()
        1
    """
    kappa = renormalized_noise_of(eigenvalues, n, noise)
    of_mode = eigenvalues / (eigenvalues + kappa) ** 2
    df2 = np.sum((eigenvalues / (eigenvalues + kappa)) ** 2)
    of_points = np.sum(of_mode * (eigenvalues + noise)) / (n - df2)
    return np.asarray(2 * kappa**2 / noise * of_mode * of_points)


def spike_overlap(n_over_d: Numbers, spike: Numbers) -> Float64[Array, "*any"]:
    """Squared overlap of the leading eigenvector of Σ0 with a spike, in units of the bulk.

    (1 − γ/(s−1)²)/(1 + γ/(s−1)) above the threshold N/d = 1/(s−1)², γ = d/N, and 0 below it (Baik,
    Ben Arous and Péché, Ann. Probab. 33, 1643, 2005; Paul, Statist. Sinica 17, 1617, 2007).

    Args:
        n_over_d: N/d, positive; shape (...).
        spike: s > 1, the spike's variance over that of the other modes.

    Example:
        >>> from lindiff.science.laws import spike_overlap
        >>> float(spike_overlap(1.0, 3.0)), float(spike_overlap(0.2, 3.0))
        (0.5, 0.0)
    """
    above = np.asarray(spike, np.float64) - 1
    ratio = 1 / np.asarray(n_over_d, np.float64)
    return np.asarray(np.maximum(1 - ratio / above**2, 0) / (1 + ratio / above))


def collapse_time(n: Numbers, eigenvalues: Vector) -> Float64[Array, "*any"]:
    """Time −½ ln ᾱ at which the empirical score of N points collapses onto them, at large d and N.

    There Σ_j ½ ln(1 + ᾱ s_j/q) = ln N with q = 1 − ᾱ: what a noisy point tells of the one that it
    was made of is what tells N points apart. For s_j = σ² it is ½ ln(1 + σ²/(N^(2/d) − 1)) (Biroli,
    Bonnaire, de Bortoli and Mézard, Nature Communications 15, 2024, arXiv 2402.18491).

    Args:
        n: Number of training points N ≥ 1, shape (...); of one it is infinite.
        eigenvalues: Population eigenvalues s_j > 0, shape (d,).

    Example:
        >>> import numpy as np
        >>> from lindiff.science.laws import collapse_time
        >>> float(collapse_time(16, np.ones(4)))  # ½ ln(1 + 1/(16^(2/4) − 1))
        0.14384103622589042
    """
    sizes = np.asarray(n, np.float64)
    found = np.array([_collapse_time(float(size), eigenvalues) for size in sizes.ravel()])
    return found.reshape(sizes.shape)


def _collapse_time(n: float, eigenvalues: Vector) -> float:
    if n <= 1:
        return float("inf")
    from scipy.optimize import brentq

    def excess(log_variance: float) -> float:
        return float(np.log1p(eigenvalues * np.exp(-log_variance)).sum() / 2 - np.log(n))

    # All s_j carry at least what the largest does, and at most the sum of their ratios.
    low = np.log(eigenvalues.max()) - np.log(np.expm1(2 * np.log(n)))
    high = np.log(eigenvalues.sum()) - np.log(2 * np.log(n))
    log_variance = low if excess(low) <= 0 else brentq(excess, low, high, xtol=1e-13)
    return float(np.log1p(np.exp(log_variance))) / 2


def _minus_half_log_det(n: int, d: int) -> float:
    """−E ln det(Σ⁻¹Σ0)/(2d) for N samples with an estimated mean."""
    if n <= d:
        return float("inf")
    # Here, because figures import these laws, and reading their captions needs no SciPy.
    from scipy.special import digamma

    freedom = np.arange(n - 1, n - 1 - d, -1)
    return float(np.log(n / 2) - np.mean(digamma(freedom / 2))) / 2
