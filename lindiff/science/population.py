"""The population's spectrum from the eigenvalues of one sample (docs/theory.md, "Population").

What the sample shows is a likelihood (`inversion`); a prior that neighbouring eigenvalues are near
each other makes the inversion well posed. The estimate is the most probable spectrum; what else
is possible is drawn (`posterior`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.inversion import Problem
from lindiff.science.limit import degrees_of_freedom
from lindiff.science.numbers import variances, whole
from lindiff.science.posterior import Posterior, spectra

Array = NDArray[np.float64]
Eigenvalues = Float64[Array, " d"]

# Roughness of the prior: the standard deviation of ln s from j to e j.
_ROUGHNESS = (0.03, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
# Of an evidence: what is below the best by less is level with it, and the smoother one is taken.
_LEVEL = 0.3


@dataclass(frozen=True, eq=False)
class SpectrumEstimate:
    """The population's spectrum as one sample shows it; from `estimate_spectrum`.

    docs/theory.md, "Population".

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
    posterior: Posterior = field(repr=False)

    def draw(self, count: int, rng: np.random.Generator) -> Float64[Array, "r d"]:
        """Spectra that the population may have as well, shape (count, d), each descending.

        Draws from the posterior of a walk of ln s over ln j that may jump, by a Markov chain of
        some 100 rounds a spectrum (docs/theory.md, "Population").

        Args:
            count: How many.
            rng: Where the random numbers come from.

        Example:
            Where few samples are seen, more is possible than where many are:

            >>> import numpy as np, lindiff
            >>> def spread(n):
            ...     seen = lindiff.make_draw("wishart", np.ones(20), n=n, seed=0).eigenvalues
            ...     return lindiff.estimate_spectrum(seen, n=n).draw(5, rng).std()
            >>> rng = np.random.default_rng(0)
            >>> bool(spread(30) > spread(500))
            True
        """
        return self.posterior.draw(count, rng)


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
        eigenvalues: λ of Σ0, shape (d,), float64, in any order, with the zeros that few samples
            leave.
        n: N ≥ 3, the number of samples.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.

    Returns:
        The estimate, in the unit of `eigenvalues`.

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
    problem = Problem.of(seen / seen[0], freedom)
    theta, found = problem.start, []
    # From rough to smooth: a smooth start may be far from what the sample shows.
    for tau in reversed(_ROUGHNESS):
        fit = problem.fit(theta, tau)
        theta = fit.theta
        found.append((tau, fit))
    most = max(fit.evidence for _, fit in found)
    tau, best = [(tau, fit) for tau, fit in found if fit.evidence >= most - _LEVEL][-1]
    posterior = Posterior(problem, best.theta, seen[0] * n / freedom)
    spectrum = spectra(problem.interpolate @ best.theta) * posterior.unit
    return SpectrumEstimate(spectrum, tau, best.misfit, posterior)
