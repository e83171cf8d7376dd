"""Noise schedules (docs/theory.md, "Forward process").

x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε with ᾱ_t = Π_{s≤t} (1−β_s), for t = 1..T.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.named import load
from lindiff.science.numbers import real, whole
from lindiff.science.reference import BETA_MAX, BETA_MIN, REFERENCE_TIMESTEPS

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """A noise schedule, from `make_schedule`; docs/theory.md, "Forward process".

    Attributes:
        beta: β_t, shape (T,), float64, each in (0, 1); index 0 is t = 1.

    Example:
        ᾱ_t is the running product of 1 − β_t, and q_t what it lacks of 1 (Ho et al. 2020, eq. 4):

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule("cosine", timesteps=100)
        >>> bool(np.allclose(schedule.alpha_bar, np.cumprod(1 - schedule.beta)))
        True
        >>> bool(np.allclose(schedule.alpha_bar + schedule.q, 1))
        True
    """

    beta: Float64[Array, " T"]

    @property
    def timesteps(self) -> int:
        """Number of noise levels T."""
        return len(self.beta)

    @cached_property
    def log_alpha_bar(self) -> Float64[Array, " T"]:
        """ln ᾱ_t, shape (T,); summed as log1p so that 1 − ᾱ_t keeps its digits at small t."""
        return np.cumsum(np.log1p(-self.beta))

    @cached_property
    def alpha_bar(self) -> Float64[Array, " T"]:
        """ᾱ_t, shape (T,)."""
        return np.exp(self.log_alpha_bar)

    @cached_property
    def q(self) -> Float64[Array, " T"]:
        """Noise variance q_t = 1 − ᾱ_t, shape (T,)."""
        return -np.expm1(self.log_alpha_bar)

    @cached_property
    def rate(self) -> Float64[Array, " T"]:
        """−d ln ᾱ/dt at every level, shape (T,): β(t) of the continuous process, of a level.

        Central differences, and at T the slope of the parabola through the last three points:
        exact where ln ᾱ is quadratic in t.
        """
        steps = -np.log1p(-self.beta)
        beyond = 2 * steps[-1] - steps[-2:][0]
        rate: Array = (steps + np.append(steps[1:], beyond)) / 2
        return rate


@lru_cache(maxsize=64)
def make_schedule(
    name: str = "linear",
    timesteps: int = REFERENCE_TIMESTEPS,
    beta_min: float = BETA_MIN,
    beta_max: float = BETA_MAX,
) -> Schedule:
    """The noise schedule called `name`; docs/theory.md, "Forward process".

    Args:
        name: A file of `lindiff.science.schedules`: `linear` (Ho et al. 2020, section 4), `cosine`
            (Nichol & Dhariwal 2021, eq. 17), `constant`, or `linear_sde` (Song et al. 2021, SDE).
        timesteps: Number of levels T ≥ 1.
        beta_min: β_1 at T = 1000; of `linear_sde` β at t = 0.
        beta_max: β_T at T = 1000.

    Returns:
        The schedule. Equal arguments give the same object.

    Raises:
        ValueError: No such schedule, some β_t is outside (0, 1), `timesteps` is no whole number
            from 1 on, or β no number.

    Example:
        ᾱ_T, the share of the signal's variance that is left in the starting noise:

        >>> import lindiff
        >>> [float(lindiff.make_schedule(timesteps=T).alpha_bar[-1].round(4)) for T in (1000, 100)]
        [0.0063, 0.0054]
    """
    timesteps = whole("timesteps", timesteps, 1)
    ends = real("beta_min", beta_min), real("beta_max", beta_max)
    beta = load("lindiff.science.schedules", name).beta(timesteps, *ends)
    if not np.all((beta > 0) & (beta < 1)):
        raise ValueError(
            f"schedule {name} with T = {timesteps}: β_t from {beta.min():g} to {beta.max():g} "
            "is not inside (0, 1)"
        )
    return Schedule(beta)


def log_levels(timesteps: int, count: int) -> list[int]:
    """Up to `count` noise levels log-spaced in t from 1 to T, as indices t − 1, ascending."""
    chosen = np.unique(np.rint(np.geomspace(1, timesteps, count)).astype(int)) - 1
    indices: list[int] = chosen.tolist()
    return indices
