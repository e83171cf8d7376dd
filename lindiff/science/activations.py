"""Activations σ and their Gaussian expectations (docs/theory.md, "Random features").

All that random features need of an activation: its values, the coefficients of σ(μ + s z) in
Hermite polynomials of a standard normal z, and E σ(X) σ(Y) of two normal numbers in closed form,
by one integral over an angle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.special import erf, ndtr

# Of any shapes that broadcast.
Numbers = Float64[NDArray[np.float64], "..."]

# Gauss and Legendre's rule for the integral over the angle.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


@dataclass(frozen=True)
class Activation:
    """One activation.

    Attributes:
        value: σ of an array, elementwise.
        coefficients: From means μ and deviations s > 0, of shapes that broadcast, an endless
            iterator over k = 0, 1, … of E[σ(μ + s z) He_k(z)]/√k!.
        pair: E[σ(X) σ(Y)] from the means of X and Y, their deviations and their correlation, by
            broadcasting; exact to rounding.
    """

    value: Callable[[Numbers], Numbers]
    coefficients: Callable[[Numbers, Numbers], Iterator[Numbers]]
    pair: Callable[[Numbers, Numbers, Numbers, Numbers, Numbers], Numbers]


def _hermite(x: Numbers) -> Iterator[Numbers]:
    """He_k(x)/√k! of k = 0, 1, …: orthonormal under the standard normal law."""
    before, now = np.zeros_like(x), np.ones_like(x)
    k = 0
    while True:
        yield now
        k += 1
        before, now = now, (x * now - math.sqrt(k - 1) * before) / math.sqrt(k)


def _over_angle(
    a: Numbers, b: Numbers, sine: Numbers, weight: Callable[[Numbers], Numbers]
) -> Numbers:
    """∫_0^θ weight(sin φ) exp(−(a² − 2ab sin φ + b²)/(2cos²φ)) dφ/2π, sin θ = `sine`."""
    theta = np.arcsin(np.clip(sine, -1.0, 1.0))
    total = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b), np.shape(sine)))
    # ½(a + b)²(1 − sin φ) + ½(a − b)²(1 + sin φ) loses no digits where |sin φ| is 1.
    plus, minus = (a + b) ** 2 / 4, (a - b) ** 2 / 4
    for node, share in zip(_NODES, _WEIGHTS, strict=True):
        angle = theta * (node + 1) / 2
        s = np.sin(angle)
        total += share * weight(s) * np.exp(-plus / (1 + s) - minus / (1 - s))
    return total * theta / (4 * math.pi)


def _erf_coefficients(mean: Numbers, deviation: Numbers) -> Iterator[Numbers]:
    """Those of erf: erf(μ/√(1 + 2s²)), then its derivatives in μ times s^k/√k!."""
    root = np.sqrt(1 + 2 * deviation**2)
    x = math.sqrt(2) * mean / root
    yield erf(mean / root)
    factor = 2 / math.sqrt(math.pi) * np.exp(-(x**2) / 2)
    for k, polynomial in enumerate(_hermite(x)):
        factor = factor * (deviation / root) * (1 if k == 0 else -math.sqrt(2))
        yield factor * polynomial / math.sqrt(k + 1)


def _erf_pair(m: Numbers, n: Numbers, s: Numbers, r: Numbers, correlation: Numbers) -> Numbers:
    """erf(X) is 2 Φ(√2 X) − 1: a probability of two normal numbers, Plackett's integral."""
    u, v = np.sqrt(1 + 2 * s**2), np.sqrt(1 + 2 * r**2)
    a, b = m / u, n / v
    sine = 2 * s * r * correlation / (u * v)
    root = math.sqrt(2)
    inner = _over_angle(root * a, root * b, sine, np.ones_like)
    found: Numbers = erf(a) * erf(b) + 4 * inner
    return found


def _relu(x: Numbers) -> Numbers:
    return np.maximum(x, 0.0)


def _density(x: Numbers) -> Numbers:
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _relu_coefficients(mean: Numbers, deviation: Numbers) -> Iterator[Numbers]:
    """Those of ReLU: from the second on derivatives of a delta function."""
    a = mean / deviation
    density = deviation * _density(a)
    yield mean * ndtr(a) + density
    yield deviation * ndtr(a)
    for k, polynomial in enumerate(_hermite(a), 2):
        yield density * polynomial * ((-1) ** k / math.sqrt(k * (k - 1)))


def _relu_pair(m: Numbers, n: Numbers, s: Numbers, r: Numbers, correlation: Numbers) -> Numbers:
    """Price's theorem twice: the second derivative in the correlation is a density at (0, 0)."""
    a, b = m / s, n / r
    means = (a * ndtr(a) + _density(a)) * (b * ndtr(b) + _density(b))
    first = ndtr(a) * ndtr(b) * correlation
    inner = _over_angle(a, b, correlation, lambda sine: correlation - sine)
    found: Numbers = s * r * (means + first + inner)
    return found


def _identity_coefficients(mean: Numbers, deviation: Numbers) -> Iterator[Numbers]:
    yield mean + 0 * deviation
    yield deviation + 0 * mean
    while True:
        yield 0 * mean * deviation


def _identity_pair(m: Numbers, n: Numbers, s: Numbers, r: Numbers, correlation: Numbers) -> Numbers:
    return m * n + s * r * correlation


ACTIVATIONS = {
    "erf": Activation(erf, _erf_coefficients, _erf_pair),
    "relu": Activation(_relu, _relu_coefficients, _relu_pair),
    "identity": Activation(np.asarray, _identity_coefficients, _identity_pair),
}
