"""Intervals from replicates of an estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.advice.result import Interval

Array = NDArray[np.float64]

_NOMINAL = 0.975


@dataclass(frozen=True)
class Spread:
    """Intervals from replicates: Student's t on their logarithms, about the estimate.

    Attributes:
        inflation: How much wider than for Gaussian rows.
    """

    inflation: float

    def half(self, replicates: Float64[Array, " r *any"]) -> Float64[Array, "*any"]:
        """Half the width of the interval of a logarithm."""
        from scipy.special import stdtrit

        count = len(replicates)
        factor = float(stdtrit(count - 1, _NOMINAL)) * math.sqrt(1 + 1 / count)
        return np.asarray(self.inflation * factor * np.log(replicates).std(axis=0, ddof=1))

    def of(
        self, value: Float64[Array, "*any"], replicates: Sequence[Float64[Array, "*any"]],
        more: Float64[Array, "*any"] | float = 0.0,
    ) -> Float64[Array, 3 *any]:  # fmt: skip
        """Value, low and high; `more` is half a width for another reason."""
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.hypot(self.half(np.array(replicates)), more)
        half = np.where(np.isfinite(value) & (value > 0), half, 0)
        return np.stack([value, value * np.exp(-half), value * np.exp(half)])

    def interval(self, value: float, replicates: Sequence[float]) -> Interval:
        """As `of`; where a logarithm is infinite, from the least to the largest replicate."""
        every = np.array([value, *replicates])
        if np.isfinite(every).all() and (every > 0).all():
            return Interval(*self.of(np.array(value), [np.array(r) for r in replicates]).tolist())
        return Interval(value, float(np.nanmin(every)), float(np.nanmax(every)))
