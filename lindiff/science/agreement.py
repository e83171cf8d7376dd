"""Agreement of two models trained on disjoint halves (docs/theory.md, "Agreement").

Two generators that are given the same noise ξ make of it x = m_N + F(Σ0) ξ and
x' = m'_N + F(Σ0') ξ. Their agreement is E⟨x − μ, x' − μ⟩ / √(E‖x − μ‖² E‖x' − μ‖²), μ the
population mean: traces and means, no samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.draws import Draw
from lindiff.science.vectors import mean_shift, split_null

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Halves:
    """Two training sets of one population and how their modes lie to each other.

    Attributes:
        one: A training set.
        other: The other one.
        overlaps: (u_ν · u'_ν')² of their non-null modes, shape (r, r').
    """

    one: Draw
    other: Draw
    overlaps: Float64[Array, "r r2"]


def make_halves(one: Draw, other: Draw) -> Halves:
    """Two training sets as halves; one product of order d r r'."""
    return Halves(one, other, (one.vectors.T @ other.vectors) ** 2)


def agreement(
    halves: Halves,
    first: Float64[Array, "m F"],
    second: Float64[Array, "m2 F"],
    root_alpha_bar: float,
) -> Float64[Array, " F"]:
    """Agreement of the models of two halves under F filters each, shape (F,).

    Args:
        halves: The training sets.
        first: The map F(λ) of the noise on the nodes of the first measure, shape (m, F): P for
            DDIM, √(λ + c) for `ideal`.
        second: The same on the nodes of the second measure, shape (m', F).
        root_alpha_bar: √ᾱ_T, which the mean of samples misses, or 0 for `ideal`.

    Returns:
        Between −1 and 1; NaN where a model makes nothing but μ.
    """
    shift = mean_shift(halves.one, first, root_alpha_bar)
    other_shift = mean_shift(halves.other, second, root_alpha_bar)
    cross = (shift * other_shift).sum(axis=0) + _trace(halves, first, second)
    power = (shift**2).sum(axis=0) + _square(halves.one, first)
    other_power = (other_shift**2).sum(axis=0) + _square(halves.other, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(cross / np.sqrt(power * other_power))


def _square(draw: Draw, values: Float64[Array, "m F"]) -> Float64[Array, " F"]:
    """tr F(Σ0)², shape (F,)."""
    null, modes = split_null(draw, values)
    return np.asarray(draw.null * null**2 + (modes**2).sum(axis=0))


def _trace(
    halves: Halves, first: Float64[Array, "m F"], second: Float64[Array, "m2 F"]
) -> Float64[Array, " F"]:
    """tr F(Σ0) F(Σ0'), shape (F,), with F(Σ0) = F(0) I + U (F − F(0)) Uᵀ for each half."""
    null, modes = split_null(halves.one, first)
    other_null, other_modes = split_null(halves.other, second)
    excess, other_excess = modes - null, other_modes - other_null
    both = (excess * (halves.overlaps @ other_excess)).sum(axis=0)
    one_side = null * other_excess.sum(axis=0) + other_null * excess.sum(axis=0)
    return np.asarray(both + one_side + halves.one.d * null * other_null)
