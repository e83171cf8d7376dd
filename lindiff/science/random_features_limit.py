"""The limit of both losses of random features (docs/theory.md, "Random features")."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.random_features_equivalent import make_level
from lindiff.science.random_features_level import Level, Numbers

Array = NDArray[np.float64]

# The average over noise, as a number of copies: what it leaves out is 1/m.
AVERAGE = 1e9
# No penalty, as a part of E ‖φ‖².
_LEAST = 1e-10
# Of a density, how far off the real axis it is taken, relative to λ.
_HEIGHT = 1e-7


def level_losses(
    activation: Activation,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    noises: float,
    alpha_bar: float,
    q: float,
    penalty: float,
    known_centre: bool = False,
) -> tuple[float, float]:
    """Limits of train and test loss at one level, per dimension.

    Args:
        activation: σ.
        spectrum: s ≥ 0, shape (d,).
        n: N ≥ 2, the number of samples.
        p: Number of features.
        noises: m, frozen noises a sample and level; inf is the average over the noise.
        alpha_bar: ᾱ_t.
        q: q_t = 1 − ᾱ_t.
        penalty: γ ≥ 0.
        known_centre: Whether the mean is known.
    """
    d, m = len(spectrum), min(noises, AVERAGE)
    level = make_level(activation, spectrum, n, p, m, (alpha_bar, q), penalty, known_centre)
    train, test = level.losses(max(penalty, _LEAST * level.variance / p) * n * m)
    return train / (d * n * m), test / d


def eigenvalue_density(
    activation: Activation,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    noises: float,
    alpha_bar: float,
    q: float,
    at: Float64[Array, " k"],
    known_centre: bool = False,
) -> Float64[Array, " k"]:
    """Number of eigenvalues of the training features' E φφᵀ per unit of ln λ, at each λ > 0.

    A read-out learns along each in a time 1/λ. Of more features than samples and dimensions,
    p > N + d, averaged over noise, d of them are a bulk of directions of the data, which does not
    move with N, N a bulk below it of the single samples, and p − N − d, an atom that is left out
    here, are at λ = η_r²/p, what noise alone leaves (Bonnaire et al. 2025, section 4).

    Args:
        activation: σ.
        spectrum: s ≥ 0, shape (d,).
        n: N ≥ 2.
        p: Number of features.
        noises: m, or inf.
        alpha_bar: ᾱ_t.
        q: q_t = 1 − ᾱ_t.
        at: λ > 0, shape (k,).
        known_centre: Whether the mean is known.
    """
    m = min(noises, AVERAGE)
    # Of one size: a few sizes would be as many atoms, where many draw one out.
    level = make_level(activation, spectrum, n, p, m, (alpha_bar, q), 0.0, known_centre, sizes=1)
    found, x = np.empty(len(at)), None
    for i in np.argsort(-at):
        z = -float(at[i]) * n * m
        x = _near_axis(level, z, x)
        found[i] = z * level.split(x)[1].sum().imag / np.pi
    return found


def _near_axis(level: Level, z: float, x: Numbers | None) -> Numbers:
    """The root just off the negative axis, from that of a z nearby, or from far off the axis."""
    # From a point off the axis down to it: each root starts the next.
    if x is not None:
        try:
            for height in (1e-2, 1e-4, _HEIGHT):
                x = level.root(z * (1 - 1j * height), 0.0, x)
        except ArithmeticError:
            x = None
    # Above the axis w grows and t falls: of another root one of them does not.
    rises = np.repeat([1, -1], [len(level.n), len(level.p)])
    if x is None or (np.sin(rises * x.imag) < -_HEIGHT).any():
        x = level.start(-z).astype(complex)
        for height in np.geomspace(1e2, _HEIGHT, 24):
            x = level.root(z * (1 - 1j * height), 0.0, x)
    return x
