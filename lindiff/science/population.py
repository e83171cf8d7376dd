"""The population's spectrum from the eigenvalues of one sample (docs/theory.md, "Population").

The limit says what the resolvent of Σ0 is on average, given the population, and how it scatters
from draw to draw. Both together are a likelihood of what one draw shows; a prior that neighbouring
eigenvalues are near each other makes the inversion well posed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.limit import degrees_of_freedom
from lindiff.science.numbers import variances, whole
from lindiff.science.ridge import effective_ridge, kept

Array = NDArray[np.float64]
Eigenvalues = Float64[Array, " d"]
OnPoints = Float64[Array, " K"]

# Roughness of the prior: the standard deviation of ln s from j to e j.
_ROUGHNESS = (0.03, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
# An eigenvalue this small beside the largest one is not told from nothing.
_LEAST = 1e-10
_KNOTS, _POINTS = 48, 40
_ROUNDS, _STEPS = 3, 30
# Of an evidence: what is below the best by less is level with it, and the smoother one is taken.
_LEVEL = 0.3
_INDEPENDENT = 1e-7  # of the scatter: directions of less are combinations of others
_STEP = 1e-3
# Relative distance from which the scatter at one ridge is taken: beyond rounding, before the truth.
_APART = 0.02
_LEAST_SCATTER = 1e-10


@dataclass(frozen=True, eq=False)
class SpectrumEstimate:
    """The population's spectrum as one sample shows it; from `estimate_spectrum`.

    Attributes:
        spectrum: s, shape (d,), descending, float64, in the unit of the sample's eigenvalues.
        roughness: Of the prior, chosen by the evidence: the standard deviation of ln s from the
            j-th to the (e j)-th eigenvalue.
        misfit: χ² of the resolvent of the sample, over the number of its independent values.
        posterior: What else the population may be, for `draw`.

    Example:
        The roughness of a level spectrum is the smallest there is to choose from:

        >>> import numpy as np, lindiff
        >>> draw = lindiff.make_draw("wishart", np.ones(50), n=200, seed=0)
        >>> lindiff.estimate_spectrum(draw.eigenvalues, n=200).roughness
        0.03
    """

    spectrum: Float64[Array, " d"]
    roughness: float
    misfit: float
    posterior: _Posterior = field(repr=False)

    def draw(self, count: int, rng: np.random.Generator) -> Float64[Array, "r d"]:
        """Spectra that the population may have as well, shape (count, d), each descending.

        Draws from the posterior: a roughness by its evidence, then ln s by Laplace's approximation
        at that roughness (docs/theory.md, "Population").

        Args:
            count: How many.
            rng: Where the random numbers come from.

        Example:
            Where few samples are seen, more is possible than where many are:

            >>> import numpy as np, lindiff
            >>> def spread(n):
            ...     seen = lindiff.make_draw("wishart", np.ones(20), n=n, seed=0).eigenvalues
            ...     return lindiff.estimate_spectrum(seen, n=n).draw(50, rng).std()
            >>> rng = np.random.default_rng(0)
            >>> bool(spread(30) > spread(500))
            True
        """
        return self.posterior.draw(count, rng)


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Laplace's approximation at every roughness.

    Attributes:
        weights: Probability of each roughness.
        fits: What was fitted at each.
        interpolate: From ln s at the knots to ln s of every mode, shape (d, B).
        unit: What the spectrum is multiplied by.
    """

    weights: Float64[Array, " r"]
    fits: Sequence[_Fit]
    interpolate: Float64[Array, "d B"]
    unit: float

    def draw(self, count: int, rng: np.random.Generator) -> Float64[Array, "r d"]:
        which = rng.choice(len(self.weights), count, p=self.weights)
        normal = rng.standard_normal((count, self.interpolate.shape[1]))
        theta = np.stack([self._of(self.fits[k], z) for k, z in zip(which, normal, strict=True)])
        return _spectra(theta @ self.interpolate.T) * self.unit

    @staticmethod
    def _of(fit: _Fit, normal: Float64[Array, " B"]) -> Float64[Array, " B"]:
        values, vectors = np.linalg.eigh(fit.precision)
        # A direction that rounding leaves no precision has that of the rounding.
        values = np.maximum(values, len(values) * np.finfo(float).eps * values[-1])
        found: Array = fit.theta + vectors @ (normal / np.sqrt(values))
        return found


def _spectra(logarithms: Float64[Array, "*any d"]) -> Float64[Array, "*any d"]:
    """Descending spectra of ln s, without what is nothing beside the largest."""
    s = np.sort(np.exp(logarithms))[..., ::-1]
    found: Array = np.maximum(s, _LEAST * s[..., :1])
    return found


def estimate_spectrum(
    eigenvalues: Float64[Array, " d"],
    n: int,
    known_centre: bool = False,
) -> SpectrumEstimate:
    """The population's spectrum from the eigenvalues of a sample.

    docs/theory.md, "Population". The sample's resolvent at some 40 ridges is fitted by that of the
    limit with its correction of order 1/n; their covariance is that of linear statistics (Bai &
    Silverstein, Ann. Probab. 32, 553, 2004), the prior a random walk of ln s over ln j whose
    roughness has the largest evidence.

    Args:
        eigenvalues: λ of Σ0, shape (d,), in any order, with the zeros that few samples leave.
        n: N ≥ 3, the number of samples.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.

    Raises:
        ValueError: An eigenvalue is negative or not finite, all are zero, or N < 3.

    Example:
        Half as many samples as dimensions show the smallest of the population's variances, which
        the sample itself has as zeros:

        >>> import numpy as np, lindiff
        >>> s = lindiff.make_spectrum("power_law", 60, exponent=1.0)
        >>> draw = lindiff.make_draw("wishart", s, n=30, seed=3)
        >>> seen = np.append(draw.eigenvalues, np.zeros(31))
        >>> found = lindiff.estimate_spectrum(seen, n=30)
        >>> bool(0.5 < found.spectrum[-1] / s[-1] < 2)
        True
    """
    seen = np.sort(variances(eigenvalues))[::-1]
    freedom = degrees_of_freedom(whole("n", n, 3), known_centre)
    if not seen[0] > 0:
        raise ValueError("all eigenvalues are zero: there is no spectrum")
    # Sample eigenvalues are those of freedom/N times the population's.
    problem = _Problem.of(seen / seen[0], freedom)
    theta, found = problem.start, []
    # From rough to smooth: a smooth start may be far from what the sample shows.
    for tau in reversed(_ROUGHNESS):
        fit = problem.fit(theta, tau)
        theta = fit.theta
        found.append((tau, fit))
    most = max(fit.evidence for _, fit in found)
    tau, best = [(tau, fit) for tau, fit in found if fit.evidence >= most - _LEVEL][-1]
    weights = np.exp([fit.evidence - most for _, fit in found])
    posterior = _Posterior(
        weights / weights.sum(), [fit for _, fit in found], problem.interpolate,
        seen[0] * n / freedom,
    )  # fmt: skip
    spectrum = _spectra(problem.interpolate @ best.theta) * posterior.unit
    return SpectrumEstimate(spectrum, tau, best.misfit, posterior)


@dataclass(frozen=True, eq=False)
class _Fit:
    theta: Float64[Array, " B"]
    precision: Float64[Array, "B B"]
    evidence: float
    misfit: float


@dataclass(frozen=True, eq=False)
class _Problem:
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
    def of(cls, seen: Eigenvalues, freedom: int) -> _Problem:
        d = len(seen)
        positive = seen[: min(freedom, d)]
        positive = positive[positive > _LEAST]
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

    def fit(self, theta: Float64[Array, " B"], tau: float) -> _Fit:
        """The most probable ln s at one roughness, and Laplace's approximation of its evidence."""
        prior = self.slope / tau
        precision = prior.T @ prior
        for _ in range(_ROUNDS):
            # The scatter of the sample about the population that is being sought.
            whiten = _whitening(self._scatter(np.exp(self.interpolate @ theta)))
            theta, cost, J = self._descend(theta, whiten, prior, precision)
        informed = J.T @ J + precision
        evidence = -cost / 2 - np.linalg.slogdet(informed)[1] / 2 - len(prior) * math.log(tau)
        misfit = (cost - float(np.sum((prior @ theta) ** 2))) / len(whiten)
        return _Fit(theta, informed, float(evidence), misfit)

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
            value, J = self._resolvent(np.exp(self.interpolate @ theta))
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

    def _resolvent(self, s: Eigenvalues) -> tuple[OnPoints, Float64[Array, "K d"]]:
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

    def _scatter(self, s: Eigenvalues) -> Float64[Array, "K K"]:
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


def _whitening(covariance: Float64[Array, "K K"]) -> Float64[Array, "r K"]:
    """What makes independent values of variance 1 of correlated ones, shape (r, K)."""
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / scale[:, None] / scale)
    some = values > _INDEPENDENT * values[-1]
    found: Array = (vectors[:, some] / np.sqrt(values[some])).T / scale
    return found
