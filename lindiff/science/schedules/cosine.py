"""ᾱ_t as a squared cosine (Nichol & Dhariwal 2021)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray


def beta(timesteps: int, beta_min: float, beta_max: float) -> Float64[NDArray[np.float64], " T"]:
    """ᾱ_t = cos²((t/T+s)/(1+s) π/2) over its value at 0, s = 0.008, β_t ≤ 0.999.

    Nichol & Dhariwal 2021, eq. 17; `beta_min` and `beta_max` have no part in it.
    """
    angle = (np.arange(timesteps + 1) / timesteps + 0.008) / 1.008 * np.pi / 2
    # 1 − cos²(b)/cos²(a) = sin(b−a) sin(b+a) / cos²(a): no cancellation in the first levels.
    a, b = angle[:-1], angle[1:]
    steps: NDArray[np.float64] = np.minimum(np.sin(b - a) * np.sin(b + a) / np.cos(a) ** 2, 0.999)
    return steps
