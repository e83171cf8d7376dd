"""What one sample shows of its population's spectrum, and the most probable one.

The limit says what the resolvent of Σ0 is on average, given the population, and how it scatters
from draw to draw: a likelihood of what one draw shows. docs/theory.md, "Population".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.ridge import effective_ridge, kept

Array = NDArray[np.float64]
Eigenvalues = Float64[Array, " d"]
OnPoints = Float64[Array, " K"]

# An eigenvalue this small beside the largest one is not told from nothing.
LEAST = 1e-10
_KNOTS, _POINTS = 48, 40
_ROUNDS, _STEPS = 3, 30
_INDEPENDENT = 1e-7  # of the scatter: directions of less are combinations of others
_STEP = 1e-3
# Relative distance from which the scatter at one ridge is taken: beyond rounding, before the truth.
_APART = 0.02
_LEAST_SCATTER = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """The most probable ln s at the knots at one roughness, its evidence and χ² per value."""

    theta: Float64[Array, " B"]
    evidence: float
    misfit: float


@dataclass(frozen=True, eq=False)
class Problem:
    """Observations and the parameters that they are fitted with.

    Attributes:
        ridge: z, where the resolvent is taken, shape (K,).
        seen: tr z(Σ0 + z)⁻¹ of the sample, shape (K,).
        interpolate: From ln s at the knots to ln s of every mode, shape (d, B).
        slope: Differences of neighbouring knots over the root of their distance in ln j, shape
            (B − 1, B).
        start: ln s at the knots to start from, shape (B,).
        freedom: Degrees of freedom n.
    """

    ridge: OnPoints
    seen: OnPoints
    interpolate: Float64[Array, "d B"]
    slope: Float64[Array, "B1 B"]
    start: Float64[Array, " B"]
    freedom: int

    @classmethod
    def of(cls, seen: Eigenvalues, freedom: int) -> Problem:
        """Of the eigenvalues of a sample, descending, the largest about 1."""
        d = len(seen)
        positive = seen[: min(freedom, d)]
        positive = positive[positive > LEAST]
        knots = np.unique(np.rint(np.geomspace(1, d, min(_KNOTS, d))).astype(int))
        at = np.log(knots)
        interpolate = np.stack(
            [np.interp(np.log(np.arange(1, d + 1)), at, one) for one in np.eye(len(knots))], axis=1
        )
        slope = np.diff(np.eye(len(knots)), axis=0) / np.sqrt(np.diff(at))[:, None]
        # Below the smallest eigenvalues the resolvent is ruled by a few of them and no Gaussian.
        low = max(0.3 * positive[-1], 1e-3 * np.median(positive), 1e-6)
        ridge = np.geomspace(low, 5.0, _POINTS)
        start = np.log(np.maximum(seen[knots - 1], positive[-1]))
        start += math.log(seen.sum() / np.exp(interpolate @ start).sum())
        resolvent = (ridge[:, None] / (seen + ridge[:, None])).sum(axis=1)
        return cls(ridge, resolvent, interpolate, slope, start, freedom)

    def fit(self, theta: Float64[Array, " B"], tau: float) -> Fit:
        """The most probable ln s at one roughness, and Laplace's approximation of its evidence."""
        prior = self.slope / tau
        precision = prior.T @ prior
        for _ in range(_ROUNDS):
            # The scatter of the sample about the population that is being sought.
            whiten = whitening(self.scatter(np.exp(self.interpolate @ theta)))
            theta, cost, J = self._descend(theta, whiten, prior, precision)
        informed = J.T @ J + precision
        evidence = -cost / 2 - np.linalg.slogdet(informed)[1] / 2 - len(prior) * math.log(tau)
        misfit = (cost - float(np.sum((prior @ theta) ** 2))) / len(whiten)
        return Fit(theta, float(evidence), misfit)

    def _descend(
        self,
        theta: Float64[Array, " B"],
        whiten: Float64[Array, "r K"],
        prior: Float64[Array, "B1 B"],
        precision: Float64[Array, "B B"],
    ) -> tuple[Float64[Array, " B"], float, Float64[Array, "r B"]]:
        """Levenberg–Marquardt: the minimum, the cost there and the Jacobian of the residuals."""

        def look(
            theta: Float64[Array, " B"],
        ) -> tuple[float, Float64[Array, " r"], Float64[Array, "r B"]]:
            value, J = self.resolvent(np.exp(self.interpolate @ theta))
            residual = whiten @ (self.seen - value)
            cost = float(residual @ residual + np.sum((prior @ theta) ** 2))
            return cost, residual, whiten @ (J @ self.interpolate)

        damping = 1e-3
        cost, residual, J = look(theta)
        for _ in range(_STEPS):
            H, downhill = J.T @ J + precision, J.T @ residual - precision @ theta
            new, after = theta, (math.inf, residual, J)
            while after[0] >= cost and damping < 1e6:
                step = np.linalg.solve(H + damping * np.diag(np.diag(H)), downhill)
                new = theta + np.clip(step, -1.5, 1.5)
                after = look(new)
                damping *= 0.2 if after[0] < cost else 5
            if after[0] >= cost:
                break
            gained = cost - after[0]
            theta, (cost, residual, J) = new, after
            if gained < _STEP:
                break
        return theta, cost, J

    def resolvent(self, s: Eigenvalues) -> tuple[OnPoints, Float64[Array, "K d"]]:
        """E tr z(Σ0 + z)⁻¹ with its correction of order 1/n, and its derivative by ln s without."""
        n = self.freedom
        kappa = effective_ridge(s, self.ridge, n, known_centre=True)
        inverse = 1 / (s + kappa[:, None])
        S = s * inverse
        slope = 1 / (1 - (S * S).sum(axis=1) / n)
        direct = kappa[:, None] * inverse * S
        moved = slope * kappa / n * (S * inverse).sum(axis=1)
        J = -direct + moved[:, None] * direct
        return np.asarray(kept(kappa, s, n).sum(axis=1)), J

    def scatter(self, s: Eigenvalues) -> Float64[Array, "K K"]:
        """Covariance of tr z(Σ0 + z)⁻¹ between the ridges: twice that of complex matrices.

        2 [κ′₁κ′₂/(κ₁ − κ₂)² − 1/(z₁ − z₂)²] z₁ z₂ for tr (Σ0 + z)⁻¹; on the diagonal its limit, by
        a small step to both sides.
        """

        def at(z: OnPoints) -> tuple[OnPoints, OnPoints]:
            kappa = effective_ridge(s, z, self.freedom, known_centre=True)
            S = s / (s + kappa[:, None])
            return kappa, 1 / (1 - (S * S).sum(axis=1) / self.freedom)

        def scatter(one: tuple[Any, ...], two: tuple[Any, ...]) -> Any:
            (z1, kappa1, slope1), (z2, kappa2, slope2) = one, two
            between = slope1 * slope2 / (kappa1 - kappa2) ** 2
            return 2 * z1 * z2 * (between - 1 / (z1 - z2) ** 2)

        z = self.ridge
        low, high = z * (1 - _APART), z * (1 + _APART)
        every = (z, *at(z))
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Float64[Array, "K K"] = scatter(tuple(x[:, None] for x in every), every)
        own = scatter((low, *at(low)), (high, *at(high)))
        np.fill_diagonal(found, np.maximum(own, _LEAST_SCATTER))
        return found


def whitening(covariance: Float64[Array, "K K"]) -> Float64[Array, "r K"]:
    """What makes independent values of variance 1 of correlated ones, shape (r, K)."""
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / scale[:, None] / scale)
    some = values > _INDEPENDENT * values[-1]
    found: Array = (vectors[:, some] / np.sqrt(values[some])).T / scale
    return found
