"""How sure the excess kurtosis of some samples is (docs/theory.md, "Samples").

In most sets of samples of a heavy-tailed law the few far ones are missing: then the kurtosis and
every error that is made of the samples are too small together. The upper end of an interval takes
half of its variance from laws that are known, at the same kurtosis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Num
from numpy.typing import NDArray

from lindiff.science.samples import BLOCKS

Array = NDArray[np.float64]
Numbers = float | int | Num[NDArray[Any], "*any"]


def sampling_variance(excess: Numbers) -> Float64[Array, "*any"]:
    """S times the variance of the sample kurtosis m_4/m_2² of many samples S, of two kinds of laws.

    With the moments μ_k of a symmetric law of variance 1 it is μ_8 − 4 μ_4 μ_6 + 4 μ_4³ − μ_4²
    (delta method). Below 0 of two equal normal classes with the share b of the variance between
    them, κ = −2 b²: 8 (1−b)² (3 + 6b − 9b² + 8b³ − 4b⁴). From 0 on of normal numbers whose
    variance has a gamma law: (2/3) (κ+3) (3κ+2) (7κ+6). Both are 24 at 0, a Gaussian's.

    Args:
        excess: Excess kurtosis κ ≥ −2, of any shape.

    >>> [round(float(sampling_variance(kappa)), 9) for kappa in (-2, 0, 3)]
    [0.0, 24.0, 1188.0]
    """
    kappa = np.asarray(excess, np.float64)
    b = np.sqrt(np.clip(-kappa / 2, 0, 1))
    classes = 8 * (1 - b) ** 2 * (3 + b * (6 + b * (-9 + b * (8 - 4 * b))))
    tails = (2 / 3) * (kappa + 3) * (3 * kappa + 2) * (7 * kappa + 6)
    return np.asarray(np.where(kappa < 0, classes, tails))


def interval(
    excess: Numbers, error: Numbers, samples: int = 1024, level: float = 0.95
) -> tuple[Float64[Array, "*any"], Float64[Array, "*any"]]:
    """Ends of an interval of `excess_kurtosis`, from it and `excess_kurtosis_se` of a cell.

    Of ln(κ + 2), which goes with the variance of the squares. The lower end is error/(κ + 2) away
    times Student's t of a jackknife of 16 blocks. For the upper one the square of that error is
    averaged with V/(S (κ + 2)²), V the `sampling_variance` at κ, times t of half as many degrees of
    freedom, for the scatter of the blocks is heavy-tailed itself.

    Of 1,024 samples a nominal 0.95 covers 0.94 to 0.99 where the sample kurtosis of the law has no
    more variance than V, 0.91 and 0.93 at 1.4 and 2.3 V, and too little of heavier tails: 0.75 at
    4.8 V, where 2 % of normal numbers have 9 times the variance of the others, 0.71 of Student's t
    of 6 degrees of freedom, whose kurtosis has no variance (`benchmarks/coverage_measured.py`).

    Args:
        excess: κ, of any shape.
        error: Its standard error, of the same shape.
        samples: S behind each, 1,024 in every cell.
        level: Nominal coverage.

    Returns:
        Lower and upper ends. Where κ is less than its error above −2, the value of two points and
        the least that there is, the lower end is −2 and the upper as if κ were that far above it;
        of an error of 0 there, and of NaN, both are NaN.

    >>> [round(float(end), 2) for end in interval(3.0, 0.6)]
    [1.87, 5.55]
    """
    from scipy.special import stdtrit

    kappa = np.asarray(excess, np.float64)
    above = np.maximum(kappa + 2, error)
    with np.errstate(invalid="ignore"):
        own = (error / above) ** 2
        upper = (own + sampling_variance(kappa) / (samples * above**2)) / 2
    t, wide = (stdtrit(freedom, (1 + level) / 2) for freedom in (BLOCKS - 1, (BLOCKS - 1) // 2))
    low = np.where(own < 1, above * np.exp(-t * np.sqrt(own)), 0 * own)
    high = above * np.exp(wide * np.sqrt(upper))
    return np.asarray(low - 2), np.asarray(high - 2)
