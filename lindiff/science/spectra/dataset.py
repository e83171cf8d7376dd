"""The spectrum of real data."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.pools import make_pool


def eigenvalues(d: int, name: str) -> Float64[NDArray[np.float64], " d"]:
    """Those of the covariance of a data set's pool, which has d directions of non-zero variance."""
    values = make_pool(name).spectrum
    if len(values) != d:
        raise ValueError(f"{name} has d = {len(values)}, not {d}")
    return values
