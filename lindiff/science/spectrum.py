"""Eigenvalues of the population covariance (docs/theory.md, "Spectra").

All are scaled to tr Σ = d and sorted from the largest to the smallest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.science.named import load


def make_spectrum(name: str, d: int, /, **params: Any) -> NDArray[np.float64]:
    """Eigenvalues s_j, shape (d,), descending, with Σ s_j = d.

    Args:
        name: A file of `lindiff.science.spectra`.
        d: Dimension, at least 1.
        params: Parameters of that spectrum.

    Raises:
        KeyError: No such spectrum.
        ValueError: An eigenvalue is negative, zero or not finite, or a parameter is out of range.
    """
    if d < 1:
        raise ValueError(f"d = {d} is less than 1")
    values = load("lindiff.science.spectra", name).eigenvalues(d, **params)
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(f"spectrum {name}: eigenvalues must be finite and not negative")
    if np.any(values == 0):
        raise ValueError(
            f"spectrum {name}: {int(np.sum(values == 0))} of {d} eigenvalues are zero; both KL "
            "would be infinite. Leave them out (restrict to the support) or give them a floor."
        )
    scaled: NDArray[np.float64] = np.sort(values)[::-1] * (d / values.sum())
    return scaled
