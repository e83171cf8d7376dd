"""What regularization, stop and sampler make of one mode (docs/theory.md, "Filters").

Every denoiser here is W_t = U w_t(λ) Uᵀ with the eigenvectors U of Σ0, so all that it does to a
mode of variance λ is a scalar function. No form below subtracts nearly equal numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.named import names, unknown
from lindiff.science.numbers import real
from lindiff.science.sampler import Sampler, Walk
from lindiff.science.schedule import Schedule
from lindiff.science.weighting import UNIFORM, make_weights

# float64, or complex128 where λ is complex. Of a tuple of any length tests check one array a call,
# which is enough where there are a thousand calls.
Array = NDArray[Any]

# Filters × nodes of one pass over the levels: its few work arrays then stay in the cache.
_BLOCK = 16384
_FOR_EVER = 1e30


@dataclass(frozen=True)
class Training:
    """How one linear denoiser was trained; docs/theory.md, "Filters".

    Attributes:
        ridge: c, penalty g_t = ᾱ_t c: the exact denoiser of N(μ0, Σ0 + c I).
        weight_decay: γ, penalty g_t = γ at every level.
        stop: Training time τ; inf is the optimum.
        learning_rate: η of discrete gradient descent with round(τ/η) steps; 0 is gradient flow.
        init_scale: W_t(0) is this multiple of I.
        weighting: Of the loss over levels, a file of `lindiff.science.weightings`: the penalty γ is
            γ/w_t beside a loss of weight 1, and the time at level t goes w_t times as fast.
        rms: Root of the mean variance of the data, which the weighting may hang on.

    Raises:
        ValueError: One of the first four is negative, or one is no number, or infinite but `stop`;
            there is no such weighting.

    Example:
        What is trained for a time τ from W(0) = 0 has w = √q (1 − exp(−τ (ᾱλ + q)))/(ᾱλ + q):

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule()
        >>> bank = lindiff.Bank(schedule, [lindiff.Training(stop=3.0)])
        >>> w = bank.level(np.array([2.0]), index=99)[3]
        >>> q = schedule.q[99]
        >>> M = (1 - q) * 2.0 + q
        >>> bool(np.isclose(w[0, 0], np.sqrt(q) * (1 - np.exp(-3.0 * M)) / M))
        True
    """

    ridge: float = 0.0
    weight_decay: float = 0.0
    stop: float = np.inf
    learning_rate: float = 0.0
    init_scale: float = 0.0
    weighting: str = UNIFORM
    rms: float = 1.0

    def __post_init__(self) -> None:
        if self.weighting not in names("lindiff.science.weightings"):
            raise unknown(self.weighting, names("lindiff.science.weightings"))
        if not real("rms", self.rms) > 0:
            raise ValueError(f"rms = {self.rms} must be above 0")
        for name in ("ridge", "weight_decay", "stop", "learning_rate", "init_scale"):
            number = real(name, getattr(self, name), infinite=name == "stop")
            if number < 0 and name != "init_scale":
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 0")

    @property
    def discrete(self) -> bool:
        """Whether this is discrete gradient descent."""
        return bool(np.isfinite(self.stop) and self.learning_rate > 0)

    @property
    def steps(self) -> int:
        """Steps of discrete gradient descent."""
        return round(self.stop / self.learning_rate)


@dataclass(frozen=True)
class Response:
    """Filters on nodes λ: arrays of shape (K, F), F trainings; docs/theory.md, "Filters".

    From `Bank.response`; float64, or complex128 where the nodes are complex.

    Attributes:
        residual: ⟨(1 − √q_t w_t)²⟩_t, what is left of the noise.
        gain: ⟨ᾱ_t w_t²⟩_t, the factor of a direction's variance in the loss.
        log_v: ln v, the log of the generated variance.
        P: Π_t a_t, the factor of the starting point in the sample.

    Example:
        DDIM adds no noise, so that the generated variance is P²:

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule()
        >>> bank = lindiff.Bank(schedule, [lindiff.Training(ridge=c) for c in (0.0, 0.1)])
        >>> response = bank.response(np.array([0.1, 1.0]), lindiff.make_sampler("ddim", schedule))
        >>> bool(np.allclose(response.log_v, np.log(response.P**2)))
        True
    """

    residual: Inexact[Array, "K F"]
    gain: Inexact[Array, "K F"]
    log_v: Inexact[Array, "K F"]
    P: Inexact[Array, "K F"]


class Bank:
    """The filters of several trainings on one schedule, evaluated level by level.

    docs/theory.md, "Filters" and "Sampling".

    Args:
        schedule: The noise schedule, from `make_schedule`.
        trainings: F trainings.

    Example:
        A ridge c makes the exact denoiser of N(μ0, Σ0 + cI), so that a mode λ is generated with
        the variance λ + c, up to the error of the sampler:

        >>> import numpy as np, lindiff
        >>> schedule = lindiff.make_schedule()
        >>> bank = lindiff.Bank(schedule, [lindiff.Training(ridge=0.1)])
        >>> response = bank.response(np.array([0.1, 1.0]), lindiff.make_sampler("ddim", schedule))
        >>> np.round(np.exp(response.log_v[:, 0]), 2)
        array([0.2, 1.1])
    """

    def __init__(self, schedule: Schedule, trainings: Sequence[Training]) -> None:
        self.schedule = schedule
        self.trainings = tuple(trainings)
        self.ridge = np.array([t.ridge for t in trainings])
        self.weight_decay = np.array([t.weight_decay for t in trainings])
        self.init_scale = np.array([t.init_scale for t in trainings])
        self._starts_at_zero = not self.init_scale.any()
        stop = np.array([t.stop for t in trainings])
        self._all_optimal = bool(np.isinf(stop).all())
        # As good as infinite, and exp(-τ M) stays a number for complex M too.
        self._stop = np.minimum(stop, _FOR_EVER)
        self._rate = np.array([t.learning_rate for t in trainings])
        self._discrete = np.array([t.discrete for t in trainings], dtype=bool)
        self._any_discrete = bool(self._discrete.any())
        self._steps = np.array([t.steps if t.discrete else 0 for t in trainings])
        self._weights: Float64[Array, "T F"] | None = None
        if any(t.weighting != UNIFORM for t in trainings):
            of_each = [make_weights(t.weighting, schedule, t.rms) for t in trainings]
            self._weights = np.stack(of_each, axis=1)

    def penalty(self, index: int) -> Float64[Array, " F"]:
        """g_t = γ/w_t + ᾱ_t c of level t = `index` + 1, shape (F,)."""
        ridge = self.schedule.alpha_bar[index] * self.ridge
        decay = self.weight_decay
        found: Array = (decay if self._weights is None else decay / self._weights[index]) + ridge
        return found

    def left(self, M: Inexact[Array, "K F"], index: int) -> tuple[Inexact[Array, "#K #F"], ...]:
        """e, the part of W(0) that is left at rates M of a level, shape (K, F), and 1 − e.

        Both have shape (1, 1) where all trainings went to the optimum.
        """
        if self._all_optimal:
            return np.zeros((1, 1)), np.ones((1, 1))
        if self._weights is not None:
            M = M * self._weights[index]
        exponent = -self._stop * M
        # Both keep their relative accuracy: e alone rules ln v of a null mode.
        e, one_minus_e = np.exp(exponent), -np.expm1(exponent)
        if self._any_discrete:
            k = self._discrete
            x, steps = self._rate[k] * M[:, k], self._steps[k]
            small = np.abs(x) < 0.5
            power = steps * np.log1p(-np.where(small, x, 0))
            e[:, k] = np.where(small, np.exp(power), (1 - x) ** steps)
            one_minus_e[:, k] = np.where(small, -np.expm1(power), 1 - e[:, k])
        return e, one_minus_e

    def level(self, nodes: Inexact[Array, " K"], index: int) -> tuple[Inexact[Array, "#K #F"], ...]:
        """M, ᾱλ + g, e, w and 1 − √q w at level t = `index` + 1, each of shape (K, F).

        e has shape (1, 1) where all trainings went to the optimum: it is 0.
        """
        alpha_bar, q = self.schedule.alpha_bar[index], self.schedule.q[index]
        signal = alpha_bar * nodes[:, None] + self.penalty(index)
        M = signal + q
        e, one_minus_e = self.left(M, index)
        w = np.sqrt(q) * one_minus_e / M
        residual = (signal + q * e) / M
        if not self._starts_at_zero:
            w += self.init_scale * e
            residual -= np.sqrt(q) * self.init_scale * e
        return M, signal, e, w, residual

    def losses(
        self, nodes: Inexact[Array, " K"], index: int
    ) -> tuple[Inexact[Array, "K F"], Inexact[Array, "K F"]]:
        """(1 − √q w)² and ᾱ w² at one level: its residual and gain, each of shape (K, F)."""
        _, _, _, w, residual = self.level(nodes, index)
        return residual**2, self.schedule.alpha_bar[index] * w**2

    def largest_stable_rate(self, largest_eigenvalue: float) -> Float64[Array, " F"]:
        """2 / max_t w_t M, shape (F,): discrete gradient descent diverges from that η on."""
        s = self.schedule
        weights = np.ones((s.timesteps, 1)) if self._weights is None else self._weights
        largest = [
            np.max(w * (s.alpha_bar * (largest_eigenvalue + c) + s.q) + g)
            for c, g, w in zip(
                self.ridge,
                self.weight_decay,
                np.broadcast_to(weights.T, (len(self.trainings), s.timesteps)),
                strict=True,
            )
        ]
        return 2 / np.array(largest)

    def response(self, nodes: Inexact[Array, " K"], sampler: Sampler | None) -> Response:
        """Residual, gain, ln v and P by the recursion over all levels.

        Args:
            nodes: λ ≥ 0, or complex with a positive real part, shape (K,).
            sampler: The sampler; None is `ideal`, with v = λ + c and P = 0.

        Returns:
            Arrays of shape (K, F). ln v is −inf where a mode is generated without variance.
        """
        width = max(1, _BLOCK // max(1, len(nodes)))
        # Descent that diverges may overflow; its cells are told apart by their learning rate.
        with np.errstate(over="ignore", invalid="ignore"):
            chunks = [
                Bank(self.schedule, self.trainings[i : i + width])._recursion(nodes, sampler)
                for i in range(0, len(self.trainings), width)
            ]
        parts = [np.concatenate(arrays, axis=1) for arrays in zip(*chunks, strict=True)]
        return Response(*parts)

    def _recursion(
        self, nodes: Inexact[Array, " K"], sampler: Sampler | None
    ) -> tuple[Inexact[Array, "K F"], ...]:
        shape = (len(nodes), len(self.trainings))
        residual, gain = np.zeros(shape, nodes.dtype), np.zeros(shape, nodes.dtype)
        v, P = np.ones(shape, nodes.dtype), np.ones(shape, nodes.dtype)
        walk = None if sampler is None else Walk(sampler, 1.0, operator.mul)
        timesteps = self.schedule.timesteps
        for index in range(timesteps - 1, -1, -1):
            M, signal, e, w, left = self.level(nodes, index)
            residual += left * left
            gain += self.schedule.alpha_bar[index] * (w * w)
            if sampler is None or walk is None:
                continue
            act = partial(self._factor, np.sqrt(self.schedule.q[index]), M, signal, e)
            for i, a in walk.at(index, act):
                v *= a * a
                v += sampler.variance[i]
                P *= a
        if sampler is None:
            v, P = nodes[:, None] + self.ridge, np.zeros(shape, nodes.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            return residual / timesteps, gain / timesteps, np.log(v), P

    def _factor(
        self,
        root: float,
        M: Inexact[Array, "#K #F"],
        signal: Inexact[Array, "#K #F"],
        e: Inexact[Array, "#K #F"],
        A: float,
        B: float,
        C: float,
    ) -> Inexact[Array, "K F"]:
        """A − B w at a level of noise √q = `root`, with M, ᾱλ + g and e as of `level`, (K, F)."""
        a = A * signal + C + B * root * e
        a /= M
        if not self._starts_at_zero:
            a -= B * self.init_scale * e
        return a
