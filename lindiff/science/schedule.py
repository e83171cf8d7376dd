"""Noise schedules (docs/theory.md, "Forward process").

x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε with ᾱ_t = Π_{s≤t} (1−β_s), for t = 1..T.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

REFERENCE_TIMESTEPS = 1000
BETA_MIN, BETA_MAX = 1e-4, 1e-2


@dataclass(frozen=True, eq=False)
class Schedule:
    """A noise schedule.

    Attributes:
        beta: β_t, shape (T,), each in (0, 1); index 0 is t = 1.
    """

    beta: NDArray[np.float64]

    @property
    def timesteps(self) -> int:
        """Number of noise levels T."""
        return len(self.beta)

    @cached_property
    def log_alpha_bar(self) -> NDArray[np.float64]:
        """ln ᾱ_t, shape (T,); summed as log1p so that 1 − ᾱ_t keeps its digits at small t."""
        return np.cumsum(np.log1p(-self.beta))

    @cached_property
    def alpha_bar(self) -> NDArray[np.float64]:
        """ᾱ_t, shape (T,)."""
        return np.exp(self.log_alpha_bar)

    @cached_property
    def q(self) -> NDArray[np.float64]:
        """Noise variance q_t = 1 − ᾱ_t, shape (T,)."""
        return -np.expm1(self.log_alpha_bar)


def linear(timesteps: int, beta_min: float, beta_max: float) -> NDArray[np.float64]:
    """β_t linear from `beta_min` to `beta_max` (Ho et al. 2020), the range scaled by 1000/T."""
    scale = REFERENCE_TIMESTEPS / timesteps
    return np.linspace(scale * beta_min, scale * beta_max, timesteps)


def cosine(timesteps: int, beta_min: float, beta_max: float) -> NDArray[np.float64]:
    """ᾱ_t = cos²((t/T+s)/(1+s) π/2) over its value at 0, s = 0.008, β_t ≤ 0.999.

    Nichol & Dhariwal 2021, eq. 17; `beta_min` and `beta_max` have no part in it.
    """
    angle = (np.arange(timesteps + 1) / timesteps + 0.008) / 1.008 * np.pi / 2
    # 1 − cos²(b)/cos²(a) = sin(b−a) sin(b+a) / cos²(a): no cancellation in the first levels.
    a, b = angle[:-1], angle[1:]
    beta: NDArray[np.float64] = np.minimum(np.sin(b - a) * np.sin(b + a) / np.cos(a) ** 2, 0.999)
    return beta


def constant(timesteps: int, beta_min: float, beta_max: float) -> NDArray[np.float64]:
    """β_t = `beta_max` · 1000/T at every level."""
    return np.full(timesteps, REFERENCE_TIMESTEPS / timesteps * beta_max)


SCHEDULES: dict[str, Callable[[int, float, float], NDArray[np.float64]]] = {
    "linear": linear,
    "cosine": cosine,
    "constant": constant,
}


@lru_cache(maxsize=64)
def make_schedule(
    name: str = "linear",
    timesteps: int = REFERENCE_TIMESTEPS,
    beta_min: float = BETA_MIN,
    beta_max: float = BETA_MAX,
) -> Schedule:
    """The schedule called `name`.

    Args:
        name: A key of `SCHEDULES`.
        timesteps: Number of levels T ≥ 1.
        beta_min: β_1 at T = 1000.
        beta_max: β_T at T = 1000.

    Raises:
        KeyError: No such schedule.
        ValueError: Some β_t is outside (0, 1).
    """
    beta = SCHEDULES[name](timesteps, beta_min, beta_max)
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
