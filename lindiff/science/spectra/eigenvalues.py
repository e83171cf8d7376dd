"""Listed eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import variances


def eigenvalues(d: int, values: Sequence[float]) -> Float64[NDArray[np.float64], " d"]:
    """The listed eigenvalues, shape (d,); there must be d of them."""
    found = variances(values)
    if len(found) != d:
        raise ValueError(f"eigenvalues: {len(found)} values for d = {d}")
    return found
