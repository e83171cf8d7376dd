"""Eigenvalues of the population covariance (docs/theory.md, "Spectra").

All are scaled to tr Σ = d and sorted from the largest to the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.pools import make_pool

Array = NDArray[np.float64]


def isotropic(d: int) -> Float64[Array, " d"]:
    """Σ = I."""
    return np.ones(d)


def power_law(d: int, exponent: float) -> Float64[Array, " d"]:
    """s_j ∝ j^−exponent, j = 1..d."""
    return np.arange(1, d + 1, dtype=float) ** -exponent


def spiked(d: int, spike: float, count: int = 1) -> Float64[Array, " d"]:
    """`count` eigenvalues `spike` over a bulk of ones (before the scaling of the trace)."""
    if not 1 <= count <= d:
        raise ValueError(f"spiked: count = {count} is not between 1 and d = {d}")
    return np.concatenate([np.full(count, float(spike)), np.ones(d - count)])


def two_level(d: int, ratio: float, fraction: float = 0.5) -> Float64[Array, " d"]:
    """round(`fraction` d) eigenvalues `ratio` times the others."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"two_level: fraction = {fraction} is not between 0 and 1")
    high = round(fraction * d)
    return np.concatenate([np.full(high, float(ratio)), np.ones(d - high)])


def eigenvalues(d: int, values: Sequence[float]) -> Float64[Array, " d"]:
    """The listed eigenvalues; there must be d of them."""
    if len(values) != d:
        raise ValueError(f"eigenvalues: {len(values)} values for d = {d}")
    return np.asarray(values, dtype=float)


def dataset(d: int, name: str) -> Float64[Array, " d"]:
    """Those of the covariance of a data set's pool, which has d directions of non-zero variance."""
    values = make_pool(name).spectrum
    if len(values) != d:
        raise ValueError(f"{name} has d = {len(values)}, not {d}")
    return values


SPECTRA: dict[str, Callable[..., Array]] = {
    "isotropic": isotropic,
    "power_law": power_law,
    "spiked": spiked,
    "two_level": two_level,
    "eigenvalues": eigenvalues,
    "dataset": dataset,
}


def make_spectrum(name: str, d: int, /, **params: Any) -> Float64[Array, " d"]:
    """Eigenvalues s_j of the population covariance Σ; docs/theory.md, "Spectra".

    Args:
        name: A key of `SPECTRA`: `isotropic`, `power_law`, `spiked`, `two_level`, `eigenvalues` or
            `dataset`.
        d: Dimension, at least 1.
        params: Parameters of that spectrum: those of the function of the same name.

    Returns:
        Shape (d,), float64, descending, with Σ s_j = d: a variance per dimension of 1.

    Raises:
        KeyError: No such spectrum.
        TypeError: A parameter is missing, or the spectrum does not know it.
        ValueError: d < 1, an eigenvalue is negative, zero or not finite, or a parameter is out of
            range.

    Example:
        s_j ∝ 1/j, and the trace is d:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("power_law", 64, exponent=1.0)
        >>> float((s[0] / s[3]).round(9)), float(s.sum().round(9))
        (4.0, 64.0)
    """
    if d < 1:
        raise ValueError(f"d = {d} is less than 1")
    values = SPECTRA[name](d, **params)
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(f"spectrum {name}: eigenvalues must be finite and not negative")
    if np.any(values == 0):
        raise ValueError(
            f"spectrum {name}: {int(np.sum(values == 0))} of {d} eigenvalues are zero; both KL "
            "would be infinite. Leave them out (restrict to the support) or give them a floor."
        )
    scaled: Array = np.sort(values)[::-1] * (d / values.sum())
    return scaled
