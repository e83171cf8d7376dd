"""Samplers as tables of coefficients (docs/theory.md, "Sampling").

One step from level t to the next lower level s of the sampler's grid (s = 0: the data) is
x' = A x − B ε̂ + σ ξ. Along one mode of a linear denoiser, with M = ᾱλ + q + g, e the part of the
initial weights that is left and ε̂ = w x, it multiplies by
a = [A (ᾱλ + g) + C + B √q e]/M − B w_0 e, where C = A q − B √q is given in closed form: the
difference loses every digit at small λ.

The names here, those of Ho et al. 2020 (DDPM) and of Song et al. 2021 (DDIM), whose α_t is ᾱ_t:

| here | DDPM | DDIM |
| --- | --- | --- |
| `beta` of a step, β = 1 − α | β_t (eq. 2) | 1 − α_t/α_{t−1} |
| `alpha` of a step, α = ᾱ_t/ᾱ_s | α_t = 1 − β_t | α_t/α_{t−1} |
| `q`, `q_next`: q_t and q_s | 1 − ᾱ_t (eq. 4), 1 − ᾱ_{t−1} | 1 − α_t, 1 − α_{t−1} |
| `A` x − `B` ε̂ | μ_θ(x_t, t) (eq. 11; algorithm 2) | eq. 12 with σ_t = 0 |
| `variance` | σ_t² = β_t or β̃_t (eq. 7; section 3.2) | σ_t² = 0 |
| `levels` + 1 | t = T, …, 1 | the sub-sequence τ of section 4.2 |
| `C` | – (Filters) | – (Filters) |

A step of a sampler with two evaluations is x̃ = A x − B ε̂_t(x), then x' = K x + A' x̃ − B' ε̂_s(x̃)
with the coefficients of its `Corrector`: along a mode K + a'_s a_t, with a' as a of the level s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.named import load
from lindiff.science.numbers import flag, whole
from lindiff.science.samplers._steps import Steps
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
PerStep = Float64[Array, " S"]


@dataclass(frozen=True, eq=False)
class Corrector:
    """What ends the steps that evaluate the denoiser twice; arrays of shape (R,), float64.

    Of the R = S − 1 steps that reach a level: x′ = K x + A x̃ − B ε̂_s(x̃), x̃ the sampler's step.

    Attributes:
        K: Factor of x.
        A: Factor of x̃.
        B: Factor of the noise predicted at the level s that the step reaches.
        C: A q_s − B √q_s, without cancellation.
    """

    K: Float64[Array, " R"]
    A: Float64[Array, " R"]
    B: Float64[Array, " R"]
    C: Float64[Array, " R"]


@dataclass(frozen=True, eq=False)
class Sampler:
    """Coefficients of every step, from high noise to low; arrays of shape (S,), float64.

    From `make_sampler`; docs/theory.md, "Sampling".

    Attributes:
        levels: Index t − 1 of the level that the step leaves; last that of a truncation.
        A: Factor of x.
        B: Factor of the predicted noise.
        C: A q_t − B √q_t, without cancellation.
        variance: σ², the variance of the noise that the step adds.
        drift: √ᾱ_s − A √ᾱ_t, which is 0 of DDPM and DDIM. Steps are made on x − √ᾱ μ0, μ0 the mean
            that the data are centred by; on x itself this times μ0 would be lost.
        corrector: What a second evaluation makes of each step but the last; None without one.

    Example:
        C is A q_t − B √q_t:

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule()
        >>> sampler = lindiff.make_sampler("ddpm_beta", schedule)
        >>> q = schedule.q[sampler.levels]
        >>> bool(np.allclose(sampler.C, sampler.A * q - sampler.B * np.sqrt(q)))
        True
    """

    levels: Int64[IntArray, " S"]
    A: PerStep
    B: PerStep
    C: PerStep
    variance: PerStep
    drift: PerStep
    corrector: Corrector | None = None

    @property
    def evaluations(self) -> int:
        """How often the denoiser is evaluated for a sample."""
        seconds = 0 if self.corrector is None else len(self.corrector.K)
        return int(np.count_nonzero(self.B)) + seconds


# A and B and C of a step, and the map A − B W of x less √ᾱ μ0 at one level.
Act = Callable[[Any, Any, Any], Any]


class Walk:
    """The steps of a sampler under linear denoisers, each as soon as its denoisers are known.

    Args:
        sampler: The sampler.
        one: The map that changes nothing.
        times: Two maps, the later first, as one.
    """

    def __init__(self, sampler: Sampler, one: Any, times: Callable[[Any, Any], Any]) -> None:
        self._sampler, self._one, self._times = sampler, one, times
        self._step_of = {index: i for i, index in enumerate(sampler.levels.tolist())}
        self._open: Any = None

    def at(self, index: int, act: Act) -> Iterator[tuple[int, Any]]:
        """At the level t = `index` + 1, in descending order: the steps that are complete by it.

        Args:
            index: t − 1; of a level that the sampler does not visit nothing comes.
            act: A − B W_t, of A, B and C.

        Yields:
            The number of the step and its map of x − √ᾱ μ0.
        """
        i = self._step_of.get(index)
        if i is None:
            return
        sampler, corrector = self._sampler, self._sampler.corrector
        if self._open is not None and corrector is not None:
            second = act(corrector.A[i - 1], corrector.B[i - 1], corrector.C[i - 1])
            yield i - 1, corrector.K[i - 1] * self._one + self._times(second, self._open)
            self._open = None
        first = act(sampler.A[i], sampler.B[i], sampler.C[i])
        if corrector is not None and i < len(corrector.K):
            self._open = first
        else:
            yield i, first


def start_factor(schedule: Schedule, sampler: Sampler | None) -> float:
    """√ᾱ_T, the part of a sample's mean that its starting point misses; 0 for `ideal` (None)."""
    return 0.0 if sampler is None else float(np.sqrt(schedule.alpha_bar[-1]))


def make_sampler(
    name: str,
    schedule: Schedule,
    final_noise: bool = False,
    sampling_steps: int = 0,
    truncation: int = 0,
) -> Sampler:
    """The sampler called `name` on a schedule; docs/theory.md, "Sampling".

    Args:
        name: A file of `lindiff.science.samplers`: `ddpm_beta` or `ddpm_beta_tilde` (Ho et al.
            2020, algorithm 2, with σ_t² = β_t or β̃_t), `ddim` (Song et al. 2021, eq. 12 with
            σ_t = 0), or `euler` or `heun` (their methods for the probability-flow ODE).
        schedule: The noise schedule.
        final_noise: Whether the last step adds its noise.
        sampling_steps: Number S of evenly spaced levels k + round(i (T − k)/S), i = 1..S, that are
            left for the next one or for level k; 0 for all T − k.
        truncation: Level k at which it stops: its sample is x_k/√ᾱ_k. 0 is the data.

    Returns:
        The coefficients of its S steps and, for k > 0, of one that evaluates nothing and divides
        by √ᾱ_k. (The ideal sampler has none: pass None for it.)

    Raises:
        ValueError: No such sampler, fewer than 0 sampling steps, or more than levels; no level
            above the truncation; a setting of another type.

    Example:
        DDIM adds no noise, and at full length reproduces the variance of a mode:

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule()
        >>> sampler = lindiff.make_sampler("ddim", schedule)
        >>> float(sampler.variance.max())
        0.0
        >>> bank = lindiff.Bank(schedule, [lindiff.Training()])
        >>> np.round(np.exp(bank.response(np.array([0.01, 0.1, 1.0]), sampler).log_v[:, 0]), 2)
        array([0.01, 0.1 , 1.  ])
    """
    final_noise = flag("final_noise", final_noise)
    sampling_steps = whole("sampling_steps", sampling_steps, 0)
    k = whole("truncation", truncation, 0)
    above = schedule.timesteps - k
    if above < 1:
        raise ValueError(f"truncation = {k} leaves none of T = {schedule.timesteps} levels above")
    if sampling_steps > above:
        least = f"T = {above} levels" if not k else f"T − {k} = {above} levels above the truncation"
        raise ValueError(f"sampling_steps = {sampling_steps} is more than {least}")
    steps = sampling_steps or above
    first = 0 if k else 1
    levels = k + np.rint(np.arange(first, steps + 1) * above / steps).astype(np.int64) - 1
    starts = np.concatenate([[0], levels[:-1] + 1])
    log_alpha = np.add.reduceat(np.log1p(-schedule.beta), starts)
    q, length = schedule.q[levels], levels - starts + 1
    of_levels = Steps(
        beta=-np.expm1(log_alpha),
        alpha=np.exp(log_alpha),
        q=q,
        q_next=np.concatenate([[0.0], q[:-1]]),
        rate=length * schedule.rate[levels],
        rate_next=length * np.concatenate([[0.0], schedule.rate[levels[:-1]]]),
    )
    module = load("lindiff.science.samplers", name, "the ideal sampler is None, without a schedule")
    return _sampler(module, levels, of_levels, final_noise, truncated=k > 0)


def _sampler(
    module: ModuleType,
    levels: Int64[IntArray, " S"],
    steps: Steps,
    final_noise: bool,
    truncated: bool,
) -> Sampler:
    """The sampler of a module, from its steps in ascending order."""
    A, B, C, variance = module.coefficients(steps)
    if truncated:
        only = np.arange(len(levels)) == 0
        A, B = np.where(only, 1 / np.sqrt(steps.alpha), A), np.where(only, 0.0, B)
        C, variance = np.where(only, A * steps.q, C), np.where(only, 0.0, variance)
    if not final_noise:
        # Of the step that reaches the data or, before the division, the last level.
        variance = np.where(np.arange(len(levels)) == truncated, 0.0, variance)
    drift = (1 / np.sqrt(steps.alpha) - A) * np.sqrt(1 - steps.q)
    corrector = None
    if hasattr(module, "corrector"):
        reaching = Steps(**{own.name: getattr(steps, own.name)[1:] for own in fields(steps)})
        corrector = Corrector(*(values[::-1] for values in module.corrector(reaching)))
    A, B, C, variance, drift = (values[::-1] for values in (A, B, C, variance, drift))
    return Sampler(levels[::-1], A, B, C, variance, drift, corrector)
