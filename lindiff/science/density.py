"""Bands, density and ranks of the eigenvalues of Σ0 in the limit (docs/theory.md, "Density").

Every function takes the population eigenvalues s, shape (d,), not negative (zeros only add to the
atom at 0), the number of samples N, and whether the mean is known: there are then N degrees of
freedom, else N − 1. All raise ValueError where an eigenvalue is negative or not finite, all are
zero, or no degree of freedom is left.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.bulk import Bulk, Points, make_bulk
from lindiff.science.limit import degrees_of_freedom
from lindiff.science.numbers import variances, whole

Array = NDArray[np.float64]
Spectrum = Float64[Array, " d"]


def _bulk(spectrum: Spectrum, n: int, known_centre: bool) -> Bulk:
    size = whole("n", n, 1)
    return make_bulk(variances(spectrum), size, degrees_of_freedom(size, known_centre))


def _eigenvalue(at: Points) -> Float64[Array, " m"]:
    return at.eigenvalue


def bands(spectrum: Spectrum, n: int, known_centre: bool = False) -> Float64[Array, "B 2"]:
    """The intervals of λ > 0 that hold the eigenvalues of Σ0.

    Returns:
        Shape (B, 2), ascending.
    """
    return _bulk(spectrum, n, known_centre).edges()


def density(
    spectrum: Spectrum, n: int, lambdas: Float64[Array, "*any"], known_centre: bool = False
) -> Float64[Array, "*any"]:
    """The density of the eigenvalues of Σ0 without the atom at 0, for d, N → ∞ at fixed N/d.

    docs/theory.md, "Density" (Silverstein & Choi 1995).

    Args:
        spectrum: s, shape (d,), float64, not negative.
        n: N ≥ 2, the number of samples.
        lambdas: λ, any shape, float64.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.

    Returns:
        The density per unit of λ, in the shape of `lambdas`; its integral is 1 less the
        atom, 1 − n/d for n < d degrees of freedom. At n = d it is infinite at λ = 0, like λ^−½.

    Raises:
        ValueError: An eigenvalue is negative or not finite, all are zero, or no degree of freedom
            is left.

    Example:
        White data have the density of Marchenko & Pastur (1967), √((b − λ)(λ − a))/(2πγλ) between
        a and b = (1 ± √γ)² with γ = d/n:

        >>> import numpy as np, lindiff
        >>> a, b = (1 - 0.5) ** 2, (1 + 0.5) ** 2
        >>> x = np.array([0.5, 1.0, 2.0])
        >>> law = np.sqrt((b - x) * (x - a)) / (2 * np.pi * 0.25 * x)
        >>> bool(np.allclose(lindiff.density(np.ones(100), 400, x, known_centre=True), law))
        True
    """
    bulk = _bulk(spectrum, n, known_centre)
    edges = bulk.edges()
    inside = np.searchsorted(edges.ravel(), lambdas) % 2 == 1
    found = np.where((lambdas == 0) & (edges[0, 0] == 0), np.inf, 0.0)
    if inside.any():
        found[inside] = bulk.crowding(bulk.search(_eigenvalue, lambdas[inside])) / len(spectrum)
    return found


def cumulative(
    spectrum: Spectrum, n: int, lambdas: Float64[Array, "*any"], known_centre: bool = False
) -> Float64[Array, "*any"]:
    """The share of the eigenvalues of Σ0 that are at most λ, those at 0 included.

    In closed form: over each band it grows by a whole number of modes over d, to the last digit.

    Args:
        spectrum: s, shape (d,).
        n: N.
        lambdas: λ, any shape.
        known_centre: Whether the mean is known.

    Returns:
        From 0 to 1, in the shape of `lambdas`.
    """
    bulk = _bulk(spectrum, n, known_centre)
    edges = bulk.edges().ravel()
    below = np.searchsorted(edges, lambdas)
    # Outside the bands, as many as at the next end.
    ends = bulk.ends.ravel()[np.minimum(below, len(edges) - 1)]
    found = bulk.count(bulk.along(ends.ravel())).reshape(lambdas.shape)
    inside = below % 2 == 1
    if inside.any():
        found[inside] = bulk.count(bulk.search(_eigenvalue, lambdas[inside]))
    return np.where(lambdas < 0, 0.0, 1 + (found - bulk.rank) / len(spectrum))


def quantiles(spectrum: Spectrum, n: int, known_centre: bool = False) -> Spectrum:
    """The typical position of each eigenvalue of Σ0: as many as j − ½ are expected below the j-th.

    The expected number has the correction of order 1/n, which is ¼ at a lower edge and −¼ at an
    upper one: without it the outermost eigenvalues of draws lie outside those found here.

    Returns:
        λ, shape (d,), descending; the null space of Σ0 is 0.
    """
    return _ranked(_bulk(spectrum, n, known_centre), len(spectrum))[0]


def paired(spectrum: Spectrum, n: int, known_centre: bool = False) -> Float64[Array, "2 d"]:
    """Two positions for each eigenvalue of Σ0; the mean of F over them is E F(λ) to order 1/n.

    They are λ + 7h²/(9λ) ± √2 h at the quantile λ, with π h the mean distance of eigenvalues there:
    mean and variance of an isolated mode. Where many modes share a band h is small against λ.

    Returns:
        λ, shape (2, d), each row descending, positive; the null space of Σ0 is 0.
    """
    values, spread = _ranked(_bulk(spectrum, n, known_centre), len(spectrum))
    with np.errstate(invalid="ignore"):
        centre = values + np.where(values > 0, 7 / 9 * spread**2 / values, 0)
    return np.stack([centre - np.sqrt(2) * spread, centre + np.sqrt(2) * spread])


def _ranked(bulk: Bulk, d: int) -> tuple[Spectrum, Spectrum]:
    """λ and 1/(π · eigenvalues per unit of λ) at each rank, shape (d,) each, descending."""
    at = bulk.search(bulk.expected, np.arange(bulk.rank, dtype=np.float64) + 0.5)
    values, spread = np.zeros(d), np.zeros(d)
    values[: bulk.rank] = at.eigenvalue[::-1]
    spread[: bulk.rank] = 1 / (np.pi * bulk.crowding(at)[::-1])
    return values, spread
