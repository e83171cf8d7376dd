"""Spectral measures: all that an exact metric needs to know of the data (docs/theory.md).

A measure has nodes λ_ν with weights w^A_ν = (Uᵀ A U)_νν for A = I, Σ, Σ⁻¹, the covariance of the
test data and the error of the mean. A draw and the population itself are two measures; the null
space of Σ0 is one node at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.draws import Draw
from lindiff.science.numbers import descending, precisions

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """A spectral measure; arrays of shape (m,), float64, the null space, if any, first.

    From `of_draw` or `of_population`; docs/theory.md, "Metrics".

    Attributes:
        d: Dimension.
        nodes: λ_ν ≥ 0, ascending.
        identity: w^I, the number of modes at each node.
        sigma: w^Σ, the population variance along them.
        precision: w^Σ⁻¹, over the directions with variance.
        variance: Variance of the test data along them: w^Σ, or that of held-out rows.
        error: w^δ, squared error of the centre, (Uᵀ(m − centre))², with m the mean of the test
            data: μ, or that of held-out rows.
        log_det: ln det Σ, −inf where a direction has no variance.

    Example:
        Whatever the basis U, the weights add up to the traces of I and Σ:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("power_law", 64, exponent=1.0)
        >>> mu = lindiff.of_draw(lindiff.make_draw("wishart", s, n=32, seed=0))
        >>> float(mu.identity.sum().round(9)), float(mu.sigma.sum().round(9))
        (64.0, 64.0)
    """

    d: int
    nodes: Float64[Array, " m"]
    identity: Float64[Array, " m"]
    sigma: Float64[Array, " m"]
    precision: Float64[Array, " m"]
    variance: Float64[Array, " m"]
    error: Float64[Array, " m"]
    log_det: float

    @property
    def test(self) -> Float64[Array, " m"]:
        """Mean square of the test data about the centre, along the modes of each node."""
        return self.variance + self.error


def of_draw(draw: Draw) -> Measure:
    """The measure of a training set; docs/theory.md, "Metrics".

    Args:
        draw: The training set, from `make_draw`.

    Returns:
        Its measure: m = r nodes, or r + 1 where Σ0 has a null space, which is the first.

    Example:
        The first node holds the whole null space, d − N + 1 directions:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("isotropic", 50)
        >>> mu = lindiff.of_draw(lindiff.make_draw("wishart", s, n=20, seed=0))
        >>> float(mu.nodes[0]), float(mu.identity[0]), len(mu.nodes)
        (0.0, 31.0, 20)
    """
    s, U = draw.spectrum, draw.vectors
    squares, inverse = U * U, precisions(s)
    sigma, precision = np.stack([s, inverse]) @ squares
    nodes, identity = draw.eigenvalues, np.ones(len(draw.eigenvalues))
    if draw.null:
        nodes = np.concatenate([[0.0], nodes])
        identity = np.concatenate([[draw.null], identity])
        outside = 1 - squares.sum(axis=1)
        if len(draw.eigenvalues) == np.count_nonzero(s):
            # Σ0 spans all directions with variance: what is left of them is rounding.
            outside[s > 0] = 0
        sigma = np.concatenate([[outside @ s], sigma])
        precision = np.concatenate([[outside @ inverse], precision])
    variance = sigma if draw.held_out is None else _along(draw, draw.held_out.covariance)
    error = _error(draw)
    return Measure(draw.d, nodes, identity, sigma, precision, variance, error, _log_det(s))


def _log_det(s: Float64[Array, " d"]) -> float:
    return float(np.log(s).sum()) if s.all() else -np.inf


def _along(draw: Draw, covariance: Float64[Array, "d d"]) -> Float64[Array, " m"]:
    """(Uᵀ C U)_νν, before it the rest of the trace where there is a null space."""
    modes: Array = (draw.vectors * (covariance @ draw.vectors)).sum(axis=0)
    if not draw.null:
        return modes
    rest = max(float(np.trace(covariance) - modes.sum()), 0.0)
    return np.concatenate([[rest], modes])


def _error(draw: Draw) -> Float64[Array, " m"]:
    """(Uᵀ(m − centre))², m the mean of the test data; before it that of the null space."""
    vector = draw.test_offset
    along = draw.vectors.T @ vector
    error: Array = along**2
    if not draw.null:
        return error
    rest = vector - draw.vectors @ along
    return np.concatenate([[rest @ rest], error])


def of_population(spectrum: Float64[Array, " d"]) -> Measure:
    """The measure of infinitely many samples: Σ0 = Σ, no error of the mean.

    What a metric has of it is its floor; docs/theory.md, "Metrics".

    Args:
        spectrum: s, shape (d,), float64, positive and descending.

    Returns:
        The measure with the nodes s, ascending, one mode at each.

    Raises:
        ValueError: The spectrum is not finite, not negative and descending.

    Example:
        A training set of very many samples is near it:

        >>> import numpy as np, lindiff
        >>> s = lindiff.make_spectrum("power_law", 8, exponent=1.0)
        >>> many = lindiff.of_draw(lindiff.make_draw("wishart", s, n=10**8, seed=0))
        >>> bool(np.allclose(many.nodes, lindiff.of_population(s).nodes, rtol=1e-3))
        True
    """
    s = descending(spectrum)[::-1]
    one = np.ones(len(s))
    return Measure(len(s), s, one, s, precisions(s), s, 0 * one, _log_det(s))
