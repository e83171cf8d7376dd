"""What else a population may be than the most probable one (docs/theory.md, "Population").

Gibbs sampling of a walk of ln s over ln j with Cauchy steps about a power law: their local scales
given the walk, and the walk given them by a Metropolis step with the curvature where it stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.inversion import LEAST, Problem, whitening

Array = NDArray[np.float64]
Knots = Float64[Array, " B"]

# Of the walk: what its roughness may be, each as likely as it is wide, and how far from 0 the
# exponent of its power law is (standard deviation).
_ROUGHNESS = np.geomspace(0.01, 3.2, 64)
_EXPONENT = 1.0
_FIRST, _BETWEEN = 200, 100  # rounds to forget the start, and from one spectrum to the next
# How much of the distance to the most probable point a proposal keeps: one of these.
_KEPT = (0.0, 0.7, 0.95)
_WIDEST = 60.0  # |ln s| in units of the largest eigenvalue seen: numbers stay finite


@dataclass(frozen=True, eq=False)
class Posterior:
    """Spectra by how probable they are, given one sample.

    Attributes:
        problem: What was seen.
        theta: The most probable ln s at the knots, shape (B,): where to start from.
        unit: What the spectrum is multiplied by.
    """

    problem: Problem
    theta: Knots
    unit: float

    def draw(self, count: int, rng: np.random.Generator) -> Float64[Array, "r d"]:
        """As `SpectrumEstimate.draw`: `count` spectra of one chain."""
        walk = _Walk(self.problem, self.theta)
        found = np.empty((count, len(self.theta)))
        for i in range(count):
            for _ in range(_FIRST * (i == 0) + _BETWEEN):
                walk.step(rng)
            found[i] = walk.theta
        return spectra(found @ self.problem.interpolate.T) * self.unit


def spectra(logarithms: Float64[Array, "*any d"]) -> Float64[Array, "*any d"]:
    """Descending spectra of ln s, without what is nothing beside the largest."""
    s = np.sort(np.exp(logarithms))[..., ::-1]
    found: Array = np.maximum(s, LEAST * s[..., :1])
    return found


class _Walk:
    """A Markov chain whose law is the posterior: θ, ln s at the knots, and the exponent k.

    Its coordinates at given scales, x = (θ_1, k, z), have standard normal z: θ at the other knots
    is θ_1 and the sum of scale·z, in roots of ln j, less k ln j.

    Args:
        problem: What was seen.
        theta: Where to start, shape (B,); the covariance of what is seen is the one there.
    """

    def __init__(self, problem: Problem, theta: Knots) -> None:
        self.theta, self._exponent = np.clip(theta, -_WIDEST, _WIDEST), 0.0
        self._problem = problem
        self._whiten = whitening(problem.scatter(np.exp(problem.interpolate @ self.theta)))
        # ln j from each knot to the next one.
        self._apart = problem.slope.max(axis=1) ** -2
        seen = self._seen_from(self.theta)
        assert seen is not None
        self._residual, self._J = seen

    def step(self, rng: np.random.Generator) -> None:
        """One round: scales given the walk, then the walk given them."""
        steps = self._problem.slope @ self.theta + self._exponent * np.sqrt(self._apart)
        scales = _scales(steps, rng)
        T = self._turn(scales)
        x = np.concatenate([[self.theta[0], self._exponent], steps / scales])
        keep = rng.choice(_KEPT)
        here = _Near.of(x, self._residual, self._J @ T, keep)
        new = here.draw(rng)
        seen, chance = self._seen_from(T @ new), rng.random()
        if seen is None:
            return
        there = _Near.of(new, seen[0], seen[1] @ T, keep)
        ratio = there.density + there.proposes(x) - here.density - here.proposes(new)
        if math.log(chance) < ratio:
            self.theta, self._exponent = T @ new, float(new[1])
            self._residual, self._J = seen

    def _turn(self, scales: Float64[Array, " B1"]) -> Float64[Array, "B B2"]:
        """From x to θ."""
        apart = self._apart
        every = np.hstack([-apart[:, None], np.diag(np.sqrt(apart) * scales)])
        T = np.zeros((len(apart) + 1, len(apart) + 2))
        T[:, 0], T[1:, 1:] = 1, np.cumsum(every, axis=0)
        return T

    def _seen_from(self, theta: Knots) -> tuple[Float64[Array, " r"], Float64[Array, "r B"]] | None:
        """Residuals of what is seen and their derivative; None where there is no number."""
        if np.abs(theta).max() > _WIDEST:
            return None
        value, J = self._problem.resolvent(np.exp(self._problem.interpolate @ theta))
        if not np.isfinite(value).all():
            return None
        residual: Array = self._whiten @ (self._problem.seen - value)
        return residual, self._whiten @ (J @ self._problem.interpolate)


def _scales(steps: Float64[Array, " B1"], rng: np.random.Generator) -> Float64[Array, " B1"]:
    """Scales of normal steps whose mixture is Cauchy: a roughness, then one scale a step."""
    ratio = (steps / _ROUGHNESS[:, None]) ** 2
    # As likely as it is wide: the grid is even in the logarithm.
    logarithm = -np.log1p(ratio).sum(axis=1) - (len(steps) - 1) * np.log(_ROUGHNESS)
    weights = np.exp(logarithm - logarithm.max())
    which = rng.choice(len(_ROUGHNESS), p=weights / weights.sum())
    found: Array = _ROUGHNESS[which] / np.sqrt(rng.gamma(1, 2 / (1 + ratio[which])))
    return found


@dataclass(frozen=True, eq=False)
class _Near:
    """A normal proposal from one point: towards the most probable one as its curvature says.

    Attributes:
        mean: Shape (x,).
        root: L with L Lᵀ the inverse of its covariance.
        density: Logarithm of the posterior at the point itself, up to a constant.
    """

    mean: Float64[Array, " x"]
    root: Float64[Array, "x x"]
    density: float

    @classmethod
    def of(
        cls, x: Float64[Array, " x"], residual: Float64[Array, " r"], J: Float64[Array, "r x"],
        keep: float,
    ) -> _Near:  # fmt: skip
        prior = np.ones(len(x))
        # Every size of s is as likely.
        prior[:2] = 0, _EXPONENT**-2
        H = J.T @ J + np.diag(prior)
        mean = x + (1 - keep) * np.linalg.solve(H, J.T @ residual - prior * x)
        root = np.asarray(np.linalg.cholesky(H / (1 - keep**2)), np.float64)
        return cls(mean, root, -float(residual @ residual + prior @ x**2) / 2)

    def draw(self, rng: np.random.Generator) -> Float64[Array, " x"]:
        """A point."""
        z = rng.standard_normal(len(self.mean))
        return np.asarray(self.mean + np.linalg.solve(self.root.T, z))

    def proposes(self, x: Float64[Array, " x"]) -> float:
        """Logarithm of its density there, up to a constant."""
        away = self.root.T @ (x - self.mean)
        return float(np.log(np.diag(self.root)).sum() - away @ away / 2)
