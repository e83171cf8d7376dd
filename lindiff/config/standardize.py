"""Columns divided by their standard deviations, over rows that may not be in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# A column that varies by less, relative to its values, varies by their rounding only.
_ROUNDING = 4 * np.finfo(np.float64).eps
# Standard deviations from which on a mean is far off: before, the division keeps nine digits.
_FAR = 1e7


@dataclass(frozen=True, eq=False)
class Scaling:
    """What standardizes rows; every attribute has shape (columns,).

    Attributes:
        exponent: Of the power of two by which each column is divided at first, so that squares
            neither overflow nor vanish; exact.
        mean: Of the column after that.
        deviation: Likewise, the standard deviation (1/M).
        constant: Whether the column varies by the rounding of its values at most.
    """

    exponent: NDArray[np.intc]
    mean: Array
    deviation: Array
    constant: NDArray[np.bool_]

    def __call__(self, values: Array) -> Array:
        """Some rows standardized, shape (rows, columns).

        Columns that are constant stay as they are. One whose mean is far off loses it first, or
        the division would round at the digits of the mean.
        """
        scaled = np.ldexp(values, -self.exponent)
        far = np.abs(self.mean) > _FAR * self.deviation
        near = np.where(far, scaled - self.mean, scaled)
        result: Array = np.where(
            self.constant, values, near / np.where(self.constant, 1, self.deviation)
        )
        return result


def scaling(blocks: Callable[[], Iterable[Array]]) -> Scaling:
    """What standardizes all rows, from two passes over them.

    Args:
        blocks: Gives all rows, block by block, each of shape (rows, columns); called twice.
    """
    largest, exponent, mean = _means(blocks())
    deviation = _deviations(blocks(), exponent, mean)
    constant = deviation <= _ROUNDING * np.ldexp(largest, -exponent)
    return Scaling(exponent, mean, deviation, constant)


def standardized(values: Array) -> Array:
    """Columns divided by their standard deviations over all rows (1/M), shape (rows, columns)."""
    return scaling(lambda: [values])(values)


def _means(blocks: Iterable[Array]) -> tuple[Array, NDArray[np.intc], Array]:
    """The largest value of each column, its exponent, and the mean of the column scaled by it."""
    largest, total, count = np.zeros(()), np.zeros(()), 0
    _, exponent = np.frexp(largest)
    for values in blocks:
        largest = np.maximum(largest, np.abs(values).max(axis=0))
        before, (_, exponent) = exponent, np.frexp(largest)
        # Of what was all zeros the exponent may fall, and the total stays zero.
        total = np.ldexp(total, before - exponent) + np.ldexp(values, -exponent).sum(axis=0)
        count += len(values)
    return largest, exponent, total / count


def _deviations(blocks: Iterable[Array], exponent: NDArray[np.intc], mean: Array) -> Array:
    """Standard deviations of the scaled columns, their squares merged as Chan et al. do (1979)."""
    count, middle, squares = 0, np.zeros(mean.shape), np.zeros(mean.shape)
    for values in blocks:
        # About the mean but for its rounding; what is left of it is taken off in the block.
        centred = np.ldexp(values, -exponent) - mean
        its_mean = centred.mean(axis=0)
        its_squares = np.sum((centred - its_mean) ** 2, axis=0)
        step, count = its_mean - middle, count + len(values)
        share = len(values) / count
        squares = squares + its_squares + step**2 * share * (count - len(values))
        middle = middle + step * share
    return np.sqrt(squares / count)
