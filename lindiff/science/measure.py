"""Spectral measures: all that an exact metric needs to know of the data (docs/theory.md).

A measure has nodes λ_ν with weights w^A_ν = (Uᵀ A U)_νν for A = I, Σ, Σ⁻¹ and the error of the
mean. A draw and the population itself are two measures; the null space of Σ0 is one node at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lindiff.science.draws import Draw

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """A spectral measure; arrays of shape (m,), the null space, if any, first.

    Attributes:
        d: Dimension.
        nodes: λ_ν ≥ 0, ascending.
        identity: w^I, the number of modes at each node.
        sigma: w^Σ, the population variance along them.
        precision: w^Σ⁻¹.
        error: w^δ, squared error of the centre, (Uᵀ(μ − centre))².
        log_det: ln det Σ.
    """

    d: int
    nodes: Array
    identity: Array
    sigma: Array
    precision: Array
    error: Array
    log_det: float


def of_draw(draw: Draw) -> Measure:
    """The measure of a training set."""
    s, U = draw.spectrum, draw.vectors
    squares = U * U
    sigma, precision = np.stack([s, 1 / s]) @ squares
    error_vector = draw.mean - draw.centre
    along = U.T @ error_vector
    error = along**2
    nodes, identity = draw.eigenvalues, np.ones(len(draw.eigenvalues))
    if draw.null:
        rest = error_vector - U @ along
        nodes = np.concatenate([[0.0], nodes])
        identity = np.concatenate([[draw.null], identity])
        outside = 1 - squares.sum(axis=1)
        sigma = np.concatenate([[outside @ s], sigma])
        precision = np.concatenate([[outside @ (1 / s)], precision])
        error = np.concatenate([[rest @ rest], error])
    return Measure(draw.d, nodes, identity, sigma, precision, error, float(np.log(s).sum()))


def of_population(spectrum: Array) -> Measure:
    """The measure of infinitely many samples: Σ0 = Σ and no error of the mean."""
    s = spectrum[::-1]
    one = np.ones(len(s))
    return Measure(len(s), s, one, s, 1 / s, 0 * one, float(np.log(s).sum()))
