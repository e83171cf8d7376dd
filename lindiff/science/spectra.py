"""Eigenvalues of the population covariance (docs/theory.md, "Spectra").

All are scaled to tr Σ = d and sorted from the largest to the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.science.pools import make_pool


def isotropic(d: int) -> NDArray[np.float64]:
    """Σ = I."""
    return np.ones(d)


def power_law(d: int, exponent: float) -> NDArray[np.float64]:
    """s_j ∝ j^−exponent, j = 1..d."""
    return np.arange(1, d + 1, dtype=float) ** -exponent


def spiked(d: int, spike: float, count: int = 1) -> NDArray[np.float64]:
    """`count` eigenvalues `spike` over a bulk of ones (before the scaling of the trace)."""
    if not 1 <= count <= d:
        raise ValueError(f"spiked: count = {count} is not between 1 and d = {d}")
    return np.concatenate([np.full(count, float(spike)), np.ones(d - count)])


def two_level(d: int, ratio: float, fraction: float = 0.5) -> NDArray[np.float64]:
    """round(`fraction` d) eigenvalues `ratio` times the others."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"two_level: fraction = {fraction} is not between 0 and 1")
    high = round(fraction * d)
    return np.concatenate([np.full(high, float(ratio)), np.ones(d - high)])


def eigenvalues(d: int, values: Sequence[float]) -> NDArray[np.float64]:
    """The listed eigenvalues; there must be d of them."""
    if len(values) != d:
        raise ValueError(f"eigenvalues: {len(values)} values for d = {d}")
    return np.asarray(values, dtype=float)


def dataset(d: int, name: str) -> NDArray[np.float64]:
    """Those of the covariance of a data set's pool, which has d directions of non-zero variance."""
    values = make_pool(name).spectrum
    if len(values) != d:
        raise ValueError(f"{name} has d = {len(values)}, not {d}")
    return values


SPECTRA: dict[str, Callable[..., NDArray[np.float64]]] = {
    "isotropic": isotropic,
    "power_law": power_law,
    "spiked": spiked,
    "two_level": two_level,
    "eigenvalues": eigenvalues,
    "dataset": dataset,
}


def make_spectrum(name: str, d: int, /, **params: Any) -> NDArray[np.float64]:
    """Eigenvalues s_j, shape (d,), descending, with Σ s_j = d.

    Args:
        name: A key of `SPECTRA`.
        d: Dimension, at least 1.
        params: Parameters of that spectrum.

    Raises:
        KeyError: No such spectrum.
        ValueError: An eigenvalue is negative, zero or not finite, or a parameter is out of range.
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
    scaled: NDArray[np.float64] = np.sort(values)[::-1] * (d / values.sum())
    return scaled
