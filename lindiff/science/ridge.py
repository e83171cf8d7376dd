"""The best ridge for both KL of the ideal sampler, in closed conditions (docs/theory.md, "Optima").

The ideal sampler generates N(μ0, Σ0 + cI). Where a divergence is least in c, traces of
(Σ0 + c)⁻¹ balance; their limits are known (docs/theory.md, "Limit"), with the real Wishart
correction of order 1/n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.limit import degrees_of_freedom
from lindiff.science.numbers import variances, whole

Array = NDArray[np.float64]
Spectrum = Float64[Array, " d"]
Ridges = Float64[Array, " K"]

METRICS = ("kl_model_data", "kl_data_model")

_POINTS = 129
_TINY = 1e-30


def effective_ridge(
    spectrum: Spectrum, ridge: Ridges, n: int, known_centre: bool = False
) -> Ridges:
    """κ(c) of κ = c + (κ/n) Σ s′/(s′+κ), s′ = s n/N: what a ridge c on Σ0 is on Σ′.

    By Newton's method from c + tr Σ/N, where the equation is convex and the root below, so that
    every step goes down.

    Args:
        spectrum: s, shape (d,), positive.
        ridge: c, shape (K,), positive.
        n: N ≥ 2, the number of samples.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.

    Raises:
        ValueError: A ridge is not positive.
    """
    ridge = np.asarray(ridge, np.float64)
    if not np.all(ridge > 0):
        raise ValueError("the ridge must be more than 0")
    freedom = degrees_of_freedom(n, known_centre)
    scaled = spectrum * (freedom / n)
    kappa: Array = ridge + scaled.sum() / freedom
    active = np.ones(len(ridge), dtype=bool)
    while active.any():
        k = kappa[active]
        S = scaled / (scaled + k[:, None])
        excess = k - ridge[active] - k * S.sum(axis=1) / freedom
        step = excess / (1 - (S * S).sum(axis=1) / freedom)
        kappa[active] = k - step
        # Rounding ends the descent: a step that goes up, or hardly down.
        active[active] = step > 1e-14 * k
    return kappa


def kept(
    kappa: Inexact[NDArray[Any], " K"], s: Spectrum, freedom: int
) -> Inexact[NDArray[Any], "K d"]:
    """c (Σ0 + c)⁻¹ along each population mode at κ = κ(c), shape (K, d), for κ of shape (K,)."""
    k = kappa[:, None]
    inverse = 1 / (s + k)
    S = s * inverse
    slope = 1 / (1 - (S * S).sum(axis=1, keepdims=True) / freedom)
    cubes = S * S * inverse
    shift = slope**2 * cubes.sum(axis=1, keepdims=True) / freedom
    found: NDArray[Any] = k * inverse + k / freedom * (slope * cubes - k * shift * S * inverse)
    return found


def _slopes(metric: str, spectrum: Spectrum, ridge: Ridges, n: int, known_centre: bool) -> Ridges:
    """2d times the derivative of `metric` by ln c, shape (K,)."""
    freedom = degrees_of_freedom(n, known_centre)
    s = spectrum * (freedom / n)
    kappa = effective_ridge(spectrum, ridge, n, known_centre)
    resolvent = kept(kappa, s, freedom).sum(axis=1)
    if metric == "kl_model_data":
        return np.asarray(ridge * np.sum(1 / spectrum) - resolvent)
    # c d/dc of tr Σ(Σ0 + c)⁻¹ by a complex step (Squire & Trapp, SIAM Rev. 40, 110, 1998), exact to
    # rounding: without the 1/n correction it is N(κ′ − κ/c), which cancels at small c.
    S = s / (s + kappa[:, None])
    growth = ridge / (1 - (S * S).sum(axis=1) / freedom)
    moved = kept(kappa + 1j * _TINY * growth, s, freedom) @ spectrum
    derivative = (moved / (ridge * (1 + 1j * _TINY))).imag / _TINY
    # The error of the mean, δ ~ N(0, Σ/N), adds tr Σ(Σ0 + c)⁻¹/N.
    mean = 0.0 if known_centre else 1 / n
    return np.asarray((1 + mean) * derivative + resolvent)


def best_ridge(spectrum: Spectrum, n: int, metric: str, known_centre: bool = False) -> float:
    """The ridge c that is best for a KL of the ideal sampler, mean over draws.

    docs/theory.md, "Best ridge".

    KL(ρ_N‖ρ): c tr Σ⁻¹ = d − df1(κ). KL(ρ‖ρ_N): N(κ/c − κ′)(1 + 1/N) = d − df1(κ), without the
    factor where the mean is known. κ is `effective_ridge`, κ′ = dκ/dc, df1 = Σ s′/(s′+κ); what is
    solved has the 1/n correction of both sides. A scan over ln c finds the change of sign at the
    lowest minimum (two-level spectra can have two), Brent's method the root.

    Args:
        spectrum: s, shape (d,), float64, positive.
        n: N ≥ 3, the number of samples.
        metric: `kl_model_data` or `kl_data_model`.
        known_centre: Whether the mean is known.

    Returns:
        c, a variance, as the eigenvalues are.

    Raises:
        ValueError: There is no closed condition for the metric, N < 3, or an eigenvalue is
            negative or not finite.

    Example:
        At large N it approaches (d+2)/N · tr Σ⁻¹/tr Σ⁻² for KL(ρ_N‖ρ), and twice that for
        KL(ρ‖ρ_N):

        >>> import numpy as np, lindiff
        >>> law = (50 + 2) / 10**5
        >>> best = [lindiff.best_ridge(np.ones(50), 10**5, metric=f"kl_{m}")
        ...         for m in ("model_data", "data_model")]
        >>> np.round(np.array(best) / law, 2)
        array([1., 2.])
    """
    from scipy.integrate import cumulative_trapezoid
    from scipy.optimize import brentq

    _check(metric, n)
    spectrum = variances(spectrum)

    def slope(log_c: Ridges) -> Ridges:
        return _slopes(metric, spectrum, np.exp(log_c), n, known_centre)

    d = len(spectrum)
    low = 1e-4 * spectrum.min() * min(1, d / n)
    grid = np.linspace(np.log(low), np.log(20 * spectrum.max()), _POINTS)
    slopes = slope(grid)
    best = int(np.argmin(cumulative_trapezoid(slopes, grid, initial=0)))
    low_end, high_end = (best, best + 1) if slopes[best] < 0 else (best - 1, best)
    ends = grid[low_end], grid[high_end]
    return float(np.exp(brentq(lambda y: float(slope(np.array([y]))[0]), *ends, xtol=1e-13)))


def best_ridge_tail(spectrum: Spectrum, n: int, metric: str, known_centre: bool = False) -> float:
    """Large-N law of `best_ridge`: (d+2)/N tr Σ⁻¹/tr Σ⁻² for KL(ρ_N‖ρ), twice that for KL(ρ‖ρ_N).

    d + 1 where the mean is known. From the exact means of Σ0⁻¹ and Σ0⁻² of a Wishart matrix; the
    leading form of large d has d/N.

    Args, shapes and errors as in `best_ridge`.
    """
    _check(metric, n)
    ratio = float(np.sum(1 / spectrum) / np.sum(spectrum**-2.0))
    law = (len(spectrum) + 1 + (not known_centre)) / n * ratio
    return law if metric == "kl_model_data" else 2 * law


def _check(metric: str, n: int) -> None:
    if metric not in METRICS:
        raise ValueError(
            f"the best ridge has a closed condition for {' and '.join(METRICS)}, not for "
            f"{metric!r}: take the minimum of a curve"
        )
    whole("n", n, 3)
