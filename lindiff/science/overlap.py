"""How much of the leading eigenspace of Σ a training set finds (docs/theory.md, "Overlap").

Of a draw, ‖P_kᵀU_k‖²/k is the mean weight of the k leading eigenvectors of Σ0 in the space of the
k-fold largest eigenvalue of Σ. In the limit it is the mass that the spectral measure of that space
has above the point above which k eigenvalues are expected: whether these have a band of their own,
share one with others, or are fewer than k.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex128, Float64
from numpy.typing import NDArray

from lindiff.science.bulk import Bulk, make_bulk
from lindiff.science.limit import correction, degrees_of_freedom
from lindiff.science.spectrum import DEGENERATE, leading

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# With a larger correction of order 1/n there is no limit; with less it is within half of that.
LARGEST_CORRECTION = 0.02
_NODES = 200


def leading_overlap(spectrum: Float64[Array, " d"], n: int, known_centre: bool = False) -> float:
    """Limit of ‖P_kᵀU_k‖²/k for the k-fold largest eigenvalue of Σ; docs/theory.md, "Overlap".

    Where the leading band holds k eigenvalues it is at leading order what Paul (Statistica Sinica
    17, 1617, 2007, theorem 4) and Benaych-Georges & Nadakuditi (2011) have for one mode, for any k
    and any other modes.

    Args:
        spectrum: s, shape (d,), float64, not negative, descending.
        n: N ≥ 2, the number of samples.
        known_centre: Whether the mean is known.

    Returns:
        From 0 to 1; NaN where Σ is isotropic, and where the correction of order 1/n is more than
        `LARGEST_CORRECTION`: k is small and these eigenvalues are hardly apart from the others.
    """
    k = leading(spectrum)
    if k == len(spectrum):
        return float("nan")
    freedom = degrees_of_freedom(n, known_centre)
    if k == np.count_nonzero(spectrum):
        # All that varies is in the space.
        return min(1.0, freedom / k)
    bulk = make_bulk(spectrum, n, freedom)
    first, corrected = _all(bulk, k) if bulk.rank <= k else _above(bulk, k)
    return corrected if abs(corrected - first) <= LARGEST_CORRECTION else float("nan")


def _of_space(bulk: Bulk, x: Complex128[Complex, " K"], k: int) -> Complex128[Complex, "K 2"]:
    """Mean of S over the k leading modes, without the correction of order 1/n and with it."""
    t, kappa = bulk.levels, -x[:, None]
    own = np.where(t >= t[-1] * (1 - DEGENERATE), bulk.counts, 0)
    S = t / (t + kappa)
    both = S, S - correction(kappa, t, bulk.counts, bulk.freedom)
    return np.stack([modes @ (own / k) for modes in both], axis=1)


def _cut(bulk: Bulk, k: int) -> complex:
    """The point x of the curve above which k eigenvalues are expected; inside a gap, any."""
    below = bulk.rank - k
    counts = bulk.count(bulk.along(bulk.ends[:, 0]))
    for band in np.flatnonzero(np.abs(counts - below) < 0.5)[:1]:
        return complex(bulk.ends[band - 1, 1] + bulk.ends[band, 0]) / 2
    at = bulk.search(bulk.expected, np.array([float(below)]))
    return complex(at.p[0], at.q[0])


def _above(bulk: Bulk, k: int) -> Float64[Array, " 2"]:
    """The mass above the cut, (1/π) Im ∫ S dln λ from there to ∞, as `_of_space`.

    S is analytic above the curve, so the way may be straight up from the cut, where neither bands
    nor their edges are near.
    """
    cut = _cut(bulk, k)
    nodes, steps = np.polynomial.legendre.leggauss(_NODES)
    # Close together near the cut, as far apart as they are high.
    u, unit = (1 + nodes) / 2, max(abs(cut), bulk.levels[-1])
    x = cut + 1j * unit * u**2 / (1 - u)
    dx = 1j * unit * u * (2 - u) / (1 - u) ** 2 * steps / 2
    ratio = bulk.levels / (x[:, None] - bulk.levels)
    slope = 1 - (ratio * ratio) @ bulk.counts / bulk.freedom
    dlog = dx * slope / (x * (1 + ratio @ bulk.counts / bulk.freedom))
    mass: Array = (dlog @ _of_space(bulk, x, k)).imag / np.pi
    return mass


def _all(bulk: Bulk, k: int) -> Float64[Array, " 2"]:
    """The mass of all eigenvalues but those at 0: S at λ = 0, as `_of_space`."""
    from scipy.optimize import brentq

    t, counts, freedom = bulk.levels, bulk.counts, bulk.freedom
    # κ there: Σ t/(t + κ) = n < d.
    ends = np.log(t[0] / len(t)) - 40, np.log(counts @ t / freedom)
    log = brentq(lambda y: counts @ (t / (t + np.exp(y))) - freedom, *ends, xtol=1e-14)
    mass: Array = _of_space(bulk, np.array([-np.exp(log) + 0j]), k)[0].real
    return mass
