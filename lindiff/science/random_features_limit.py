"""The limit of both losses of random features (docs/theory.md, "Random features").

Where N, p and d are large, σ(u) of features of deviation s acts as c_0 + c_1 u/s and a noise of its
own (the Gaussian equivalence of George, Veiga & Macris 2025), of which a part is in common to the m
copies of a sample. A training set is then two groups of Gaussian rows: n_1 = N − 1 sums over the
copies of a sample (N where the mean is known) and n_2 = N m − n_1 differences between copies, with
the covariances K_k = W k_k Wᵀ c_1²/(s² d p) + h_k. The traces of the resolvent over rows and over W
are three numbers w_1, w_2 and t, and both losses are slopes of one least sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.limit import degrees_of_freedom

Array = NDArray[np.float64]
Numbers = Inexact[NDArray[Any], "..."]

# The average over noise, as a number of copies: what it leaves out is 1/m.
_AVERAGE = 1e9
_ROUNDS = 500
# Of a derivative by one imaginary step, which subtracts nothing.
_STEP = 1e-25
# No penalty, as a part of E σ².
_LEAST = 1e-10
# Of a density, how far off the real axis it is taken, relative to λ.
_HEIGHT = 1e-7


@dataclass(frozen=True)
class Equivalent:
    """An activation as a constant, a linear function and noise, at one level.

    Attributes:
        constant: c_0².
        slope: c_1²/s², the square of the linear part's slope.
        shared: Variance of the noise that all copies of a sample have in common.
        own: Variance of the noise that is each copy's own.
    """

    constant: float
    slope: float
    shared: float
    own: float


def equivalent(activation: Activation, signal: float, noise: float) -> Equivalent:
    """The equivalent of σ(u) where u has the variance `signal` + `noise`.

    Args:
        activation: σ.
        signal: The part that copies of a sample have in common, ᾱ_t tr Σ/d.
        noise: The other part, q_t > 0.
    """
    variance = signal + noise
    zero, s = np.zeros(1), np.array([np.sqrt(variance)])
    c0, c1 = (float(c[0]) for c in islice(activation.coefficients(zero, s), 2))
    correlations = np.array([signal / variance, 1.0])
    of_copies, of_one = activation.pair(zero, zero, s, s, correlations).tolist()
    shared = max(of_copies - c0**2 - c1**2 * signal / variance, 0.0)
    own = max(of_one - c0**2 - c1**2 - shared, 0.0)
    return Equivalent(c0**2, c1**2 / variance, shared, own)


@dataclass(frozen=True, eq=False)
class _Level:
    """One level of a training set's limit.

    Attributes:
        n: Rows of both groups, shape (2,).
        k: Their covariances along the u distinct modes, shape (2, u).
        h: Their noise, shape (2,).
        fresh: Those of fresh y, shape (u,), and their noise.
        targets: E ε² of fresh y, where what the constant adds to the prediction is counted as ε.
        counts: How often each mode occurs, shape (u,).
        slope: c_1²/s².
        a: 1/(d p), the variance of the entries of W/√(d p).
        p: Number of features, less what the constant takes.
        q: Variance of the noise.
    """

    n: Float64[Array, " 2"]
    k: Float64[Array, "2 u"]
    h: Float64[Array, " 2"]
    fresh: tuple[Float64[Array, " u"], float]
    targets: float
    counts: Float64[Array, " u"]
    slope: float
    a: float
    p: float
    q: float

    def _parts(self, x: Numbers, z: Any, step: Any) -> tuple[Any, ...]:
        """w, t, D, τ and g at x = ln (w_1, w_2, t)."""
        w, t = np.exp(x[:2]), np.exp(x[2])
        D = self.slope * (w @ self.k + step * self.fresh[0])
        tau = z + w @ self.h + step * self.fresh[1]
        return w, t, D, tau, self.a * t / (1 + self.a * t * D)

    def root(self, z: Any, step: Any, x: Numbers) -> Numbers:
        """ln (w_1, w_2, t), by Newton's method in these logarithms from x.

        w_k (1 + tr K_k Q) = n_k with tr K_k Q = c² Σ_j k_kj g_j + h_k t, and
        t (τ + Σ_j a D_j/(1 + a t D_j)) = p.

        Raises:
            ArithmeticError: The method did not end.
        """
        settled = 0
        for _ in range(_ROUNDS):
            w, t, D, tau, g = self._parts(x, z, step)
            thin = self.a / (1 + self.a * t * D) ** 2 * self.counts
            trace = self.slope * (self.k @ (g * self.counts)) + self.h * t
            total = tau + (D * g * self.counts).sum() / t
            of_t = self.slope * (self.k @ thin) + self.h
            left = np.concatenate([np.log(w * (1 + trace) / self.n), [np.log(t * total / self.p)]])
            among = -(self.slope**2) * (self.k * (g**2 * self.counts)) @ self.k.T
            slope = np.eye(3, dtype=x.dtype)
            slope[:2, :2] += among * w / (1 + trace)[:, None]
            slope[:2, 2] += of_t * t / (1 + trace)
            slope[2, :2] += of_t * w / total
            slope[2, 2] -= (D**2 * thin * self.a).sum() * t / total
            change = np.linalg.solve(slope, left)
            size = np.abs(change).max()
            x = x - change / max(size, 1.0)
            settled += bool(size < 1e-7)
            if settled == 2:
                return x
        raise ArithmeticError("the limit of random features was not found")

    def least(self, z: Any, step: Any, x: Numbers) -> Any:
        """The least sum of squares with `step` fresh pairs added, and the root."""
        x = self.root(z, step, x)
        w, _, _, _, g = self._parts(x, z, step)
        total = w.sum() + step * self.targets
        d = self.counts.sum()
        return total * d - total**2 * self.slope * self.q * (g @ self.counts), x

    def losses(self, z: float) -> tuple[float, float]:
        """Train loss times d N m, and test loss times d, with the penalty z = N m γ."""
        start = np.log(np.append(self.n, self.p / (z + self.n @ self.h)))
        value, x = self.least(z, 0.0, start)
        pairs = self.n.sum()
        h = _STEP * pairs
        square, _ = self.least(z + 1j * h, 0.0, x.astype(complex))
        test, _ = self.least(z, 1j * h, x.astype(complex))
        return value - z * square.imag / h, test.imag / h


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
    d, m = len(spectrum), min(noises, _AVERAGE)
    own = equivalent(activation, alpha_bar * float(spectrum.mean()), q)
    level = _make_level(own, spectrum, n, p, m, (alpha_bar, q), penalty, known_centre)
    least = _LEAST * (own.slope * float((alpha_bar * spectrum + q).mean()) + own.shared + own.own)
    train, test = level.losses(max(penalty, least / p) * n * m)
    return train / (d * n * m), test / d


def _make_level(
    own: Equivalent,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    m: float,
    signal: tuple[float, float],
    penalty: float,
    known_centre: bool,
) -> _Level:
    """One level; arguments as of `level_losses`, with ᾱ_t and q_t.

    A constant c_0 is one more feature, the share c_0²/(c_0² + γ) of which is fitted: it takes as
    many features and rows, and adds the error of a mean over all pairs.
    """
    alpha_bar, q = signal
    s, counts = np.unique(spectrum, return_counts=True)
    freedom, d = degrees_of_freedom(n, known_centre), len(spectrum)
    rows = np.array([freedom, n * m - freedom])
    k = np.stack([m * alpha_bar * s + q, np.full(len(s), q)])
    h = np.array([m * own.shared + own.own, own.own]) / p
    fitted = own.constant / (own.constant + penalty) if own.constant else 0.0
    # The mean over all pairs is a row of the first group, with no signal where that was taken off.
    mean = 0 if known_centre else 1
    rows[mean] -= 1 - (1 - fitted) ** 2
    error = fitted**2 / (n * m)
    fresh = alpha_bar * s * (1 if known_centre else 1 + 1 / n) + q
    return _Level(
        # A group without rows has a weight that changes no digit.
        n=np.maximum(rows, 1e-30),
        k=k,
        h=h,
        fresh=(fresh + error * k[mean], (own.shared + own.own) / p + error * float(h[0])),
        targets=1 + error,
        counts=counts.astype(float),
        slope=own.slope,
        a=1 / (d * p),
        p=max(p - fitted, p / 2),
        q=q,
    )


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
    m = min(noises, _AVERAGE)
    own = equivalent(activation, alpha_bar * float(spectrum.mean()), q)
    level = _make_level(own, spectrum, n, p, m, (alpha_bar, q), 0.0, known_centre)
    found = np.empty(len(at))
    for i, value in enumerate(at):
        x = np.log(np.append(level.n, level.p / (value * n * m + level.n @ level.h))).astype(
            complex
        )
        # From a point far off the axis down to it: each root starts the next.
        for height in np.geomspace(1e2, _HEIGHT, 24):
            x = level.root(-value * n * m * (1 - 1j * height), 0.0, x)
        found[i] = -value * n * m * np.exp(x[2]).imag / np.pi
    return found
