"""The time at which a mean probability under noise passes a level.

Of rows without a schedule, at the noise σ² = q/ᾱ; times are −½ ln ᾱ = ½ ln(1 + σ²).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.samples import Estimate

Array = NDArray[np.float64]

# In ln σ²: how well the level is found, and a step of the slope there.
_TOLERANCE, _STEP = 1e-9, 1e-2


def passing_time(
    probabilities: Callable[[float], Float64[Array, " K"]], level: float, low: float, high: float
) -> Estimate:
    """The time at which the mean of K probabilities, which falls with the noise, is `level`.

    Args:
        probabilities: Of independent noisy points, the same at every noise, from ln σ².
        level: What the mean passes.
        low: ln σ² at which it is above.
        high: ln σ² from which it is sought upwards.

    Returns:
        ½ ln(1 + σ²), and its standard error over the points.
    """
    from scipy.optimize import brentq

    def excess(log_variance: float) -> float:
        return float(probabilities(log_variance).mean()) - level

    while excess(high) >= 0:
        high += 2
    found = float(brentq(excess, low, high, xtol=_TOLERANCE))
    slope = (excess(found + _STEP) - excess(found - _STEP)) / (2 * _STEP)
    at = probabilities(found)
    error, variance = np.std(at, ddof=1) / np.sqrt(len(at)) / -slope, np.exp(found)
    return float(np.log1p(variance) / 2), float(error * variance / (1 + variance) / 2)
