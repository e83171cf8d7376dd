"""Intervals from what else a quantity may be."""

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
    """Intervals from what else may be: Student's t on its logarithms.

    They reach a half-width below the lower and above the higher of the estimate and the mean: where
    a spectrum is level, every other one errs to the same side.

    Attributes:
        inflation: How much wider than for Gaussian rows.
    """

    inflation: float

    def of(
        self, value: Float64[Array, "*any"], others: Sequence[Float64[Array, "*any"]],
        more: Float64[Array, "*any"] | float = 0.0,
    ) -> Float64[Array, 3 *any]:  # fmt: skip
        """Value, low and high; `more` is half a width for another reason."""
        from scipy.special import stdtrit

        count = len(others)
        factor = self.inflation * float(stdtrit(count - 1, _NOMINAL)) * math.sqrt(1 + 1 / count)
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.log(np.array(others) / value)
            half = np.hypot(factor * logarithms.std(axis=0, ddof=1), more)
            middle = logarithms.mean(axis=0)
        known = np.isfinite(half + middle) & (value > 0)
        low = value * np.exp(np.where(known, np.minimum(middle, 0) - half, 0))
        high = value * np.exp(np.where(known, np.maximum(middle, 0) + half, 0))
        # Where a logarithm is infinite, no interval would be a claim to be sure.
        every = np.array([value, *others])
        return np.stack([
            value,
            np.where(known, low, np.fmin.reduce(every)),
            np.where(known, high, np.fmax.reduce(every)),
        ])  # fmt: skip

    def interval(self, value: float, others: Sequence[float]) -> Interval:
        """As `of`; where a logarithm is infinite, from the least to the largest of the others."""
        every = np.array([value, *others])
        if np.isfinite(every).all() and (every > 0).all():
            return Interval(*self.of(np.array(value), [np.array(r) for r in others]).tolist())
        return Interval(value, float(np.nanmin(every)), float(np.nanmax(every)))
