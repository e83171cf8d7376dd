"""Data on a subspace: some equal eigenvalues, and no variance in the other directions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.numbers import whole


def eigenvalues(d: int, rank: int) -> Float64[NDArray[np.float64], " d"]:
    """`rank` ones, then zeros, shape (d,).

    Raises:
        ValueError: There are fewer dimensions.
    """
    rank = whole("rank", rank, 1)
    if rank > d:
        raise ValueError(f"low_rank: rank = {rank} is more than d = {d}")
    return np.repeat([1.0, 0.0], [rank, d - rank])
