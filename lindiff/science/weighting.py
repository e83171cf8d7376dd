"""Weightings of the training loss over noise levels (docs/theory.md, "Weighting")."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.named import load
from lindiff.science.schedule import Schedule

# The plain mean over levels.
UNIFORM = "uniform"


def make_weights(
    name: str, schedule: Schedule, rms: float = 1.0
) -> Float64[NDArray[np.float64], " T"]:
    """w_t of the loss ⟨w_t ℓ_t⟩_t, shape (T,): above 0, and 1 in the mean over levels.

    Args:
        name: A file of `lindiff.science.weightings`.
        schedule: The noise schedule.
        rms: Root of the mean variance of the data.

    Raises:
        ValueError: There is no such weighting, or a level of this schedule would have no weight.

    Example:
        >>> from lindiff.science.schedule import make_schedule
        >>> w = make_weights("min_snr", make_schedule())
        >>> float(w.mean().round(12)), bool(w[0] < 1 < w[-1])
        (1.0, True)
    """
    weights = load("lindiff.science.weightings", name).weights(schedule, rms)
    found: NDArray[np.float64] = weights / weights.mean()
    if not (found > 0).all():
        raise ValueError(f"weighting {name} leaves a noise level of this schedule without weight")
    return found
