"""The needed number of samples, and what it is measured against (docs/theory.md, "Scaling").

Effective dimensions are at most d, which they are where every mode counts fully.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectrum = Float64[Array, " d"]
# Of whatever shape: the function itself says what is wrong with it.
Unchecked = Float64[Array, " ..."]


def crossing(x: Unchecked, y: Unchecked, level: float) -> float | None:
    """The x from which on a falling curve stays below a level, between grid points by a power law.

    The last crossing is taken, so that neither the peak of a loss at N = d nor noise above it
    counts as reached too early.

    Args:
        x: Shape (K,), ascending, positive.
        y: Shape (K,), positive, not nan; may be infinite. Next to an infinite y the crossing is the
            first finite point: an upper bound.
        level: Positive and finite.

    Returns:
        The crossing; None where the curve ends above the level, or is nowhere above it.

    Raises:
        ValueError: x, y or the level is not as above.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"x and y must be curves of one length, not {x.shape} and {y.shape}")
    if not (np.all(np.diff(x) > 0) and x[0] > 0 and np.isfinite(x[-1])):
        raise ValueError("x must be ascending, positive and finite")
    if not (np.all(y > 0) and 0 < level < np.inf):
        raise ValueError("y and the level must be positive")
    above = np.flatnonzero(y > level)
    if not len(above) or above[-1] == len(y) - 1:
        return None
    i = int(above[-1])
    return between(x[i : i + 2], y[i : i + 2], level)


def first_crossing(x: Unchecked, y: Unchecked, level: float) -> float | None:
    """The first x at which a curve reaches a level from the side that it starts on.

    Between points the curve is linear in ln x.

    Args:
        x: Shape (K,), ascending, positive.
        y: Shape (K,), finite.
        level: What is reached.

    Returns:
        The crossing; None where the level is not reached, or where the curve starts.

    >>> first_crossing([1.0, 10.0, 100.0], [0.0, 0.0, 1.0], 0.5).__round__(6)
    31.622777
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    side = np.sign(y[0] - level)
    beyond = np.flatnonzero((y - level) * side <= 0)
    if not len(beyond) or beyond[0] == 0:
        return None
    i = int(beyond[0])
    share = (level - y[i - 1]) / (y[i] - y[i - 1])
    return float(x[i - 1] * (x[i] / x[i - 1]) ** share)


def between(x: Unchecked, y: Unchecked, level: float) -> float:
    """Where a curve reaches a level between two points: by a power law, or linear over ln x.

    A fall over decades is a power law between points; what reaches 0 is not. Next to an infinite y
    it is the other point.

    Args:
        x: Shape (2,), positive.
        y: Shape (2,), on either side of the level.
        level: Finite.

    >>> round(between(np.array([10.0, 1000.0]), np.array([1.0, 0.01]), 0.1), 9)
    100.0
    >>> round(between(np.array([10.0, 1000.0]), np.array([1.0, 0.0]), 0.5), 9)
    100.0
    """
    low, high = (float(value) for value in y)
    if not (math.isfinite(low) and math.isfinite(high)):
        return float(x[1] if math.isinf(low) else x[0])
    if level > 0 and low > 0 and high > 0:
        share = math.log(level / low) / math.log(high / low)
    else:
        share = (level - low) / (high - low)
    return float(x[0] * (x[1] / x[0]) ** share)


def df1(spectrum: Spectrum, kappa: float) -> float:
    """Effective dimension Σ_j s_j/(s_j + κ): the modes that stand out of κ.

    At the noise level t the denoiser sees κ = c + q_t/ᾱ_t.

    Args:
        spectrum: s, shape (d,), positive.
        kappa: κ ≥ 0, in the units of s.
    """
    return float(np.sum(spectrum / (spectrum + kappa)))


def df2(spectrum: Spectrum, kappa: float) -> float:
    """Effective dimension Σ_j (s_j/(s_j + κ))²; rules the variance of regularized estimators.

    Args:
        spectrum: s, shape (d,), positive.
        kappa: κ ≥ 0, in the units of s.
    """
    return float(np.sum((spectrum / (spectrum + kappa)) ** 2))


def loss_coefficient(spectrum: Spectrum, kappa: float) -> float:
    """N times what the test loss at one noise level is above its optimum at large N.

    [(df1+1)(df1−df2) + df2−df3]/d, per dimension, without regularization and with the mean
    estimated: pairs of modes, the variance of a Gaussian's square and the error of the mean; half
    of `laws.gap_tail`, the mean over modes (docs/theory.md, "Needed N").

    Args:
        spectrum: s, shape (d,), positive.
        kappa: κ = q_t/ᾱ_t ≥ 0, in the units of s.
    """
    m = spectrum / (spectrum + kappa)
    one, two, three = (float(np.sum(m**power)) for power in (1, 2, 3))
    return ((one + 1) * (one - two) + two - three) / len(spectrum)


def participation(spectrum: Spectrum) -> float:
    """Participation ratio (tr Σ)²/tr Σ², at most d: the modes that share the variance.

    Args:
        spectrum: s, shape (d,), positive.
    """
    return float(np.sum(spectrum) ** 2 / np.sum(spectrum**2))
