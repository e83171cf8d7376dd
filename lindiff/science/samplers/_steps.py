"""What a sampler's coefficients are made of: the steps of its grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

PerStep = Float64[NDArray[np.float64], " S"]


@dataclass(frozen=True, eq=False)
class Steps:
    """S steps from a level t to the next lower level s, arrays of shape (S,), float64.

    Attributes:
        beta: β = 1 − α.
        alpha: α = ᾱ_t/ᾱ_s.
        q: q_t = 1 − ᾱ_t of the level that the step leaves.
        q_next: q_s of the level that it reaches, 0 at the data.
        rate: (t − s) times −d ln ᾱ/dt at t: β(t) dt of the continuous process.
        rate_next: (t − s) times −d ln ᾱ/dt at s; 0 at the data, where there is no denoiser.
    """

    beta: PerStep
    alpha: PerStep
    q: PerStep
    q_next: PerStep
    rate: PerStep
    rate_next: PerStep
