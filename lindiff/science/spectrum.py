"""Eigenvalues of the population covariance (docs/theory.md, "Spectra").

All are scaled to tr Σ = d and sorted from the largest to the smallest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.named import load
from lindiff.science.numbers import whole

Array = NDArray[np.float64]

# Eigenvalues that differ by less than this share are one level.
DEGENERATE = 1e-10


def make_spectrum(name: str, d: int, /, **params: Any) -> Float64[Array, " d"]:
    """Eigenvalues s_j of the population covariance Σ; docs/theory.md, "Spectra".

    Args:
        name: A file of `lindiff.science.spectra`: `isotropic`, `power_law`, `spiked`, `two_level`,
            `low_rank`, `eigenvalues` or `dataset`.
        d: Dimension, at least 1.
        params: Parameters of that spectrum: those of the function in that file.

    Returns:
        Shape (d,), float64, descending, with Σ s_j = d: a variance per dimension of 1. Of
        directions without variance, which are last, it is 0.

    Raises:
        TypeError: A parameter is missing, or the spectrum does not know it.
        ValueError: No such spectrum, d < 1, an eigenvalue is negative or not finite, all are zero,
            or a parameter is out of range.

    Example:
        s_j ∝ 1/j, and the trace is d:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("power_law", 64, exponent=1.0)
        >>> float((s[0] / s[3]).round(9)), float(s.sum().round(9))
        (4.0, 64.0)
    """
    d = whole("d", d, 1)
    of_data = f"that of a data set is make_spectrum('dataset', {d}, name=…)"
    values = load("lindiff.science.spectra", name, of_data).eigenvalues(d, **params)
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(f"spectrum {name}: eigenvalues must be finite and not negative")
    if not np.any(values):
        raise ValueError(f"spectrum {name}: all eigenvalues are zero")
    scaled: Array = np.sort(values)[::-1] * (d / values.sum())
    return scaled


def leading(spectrum: Float64[Array, " d"]) -> int:
    """How often the largest eigenvalue occurs; `spectrum` as of `make_spectrum`, shape (d,)."""
    return int(np.sum(spectrum >= spectrum[0] * (1 - DEGENERATE)))
