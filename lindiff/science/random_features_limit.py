"""The limit of both losses of random features (docs/theory.md, "Random features").

Where N, p and d are large, σ(u) of features of deviation s acts as c_0 + c_1 u/s and a noise of its
own (the Gaussian equivalence of George, Veiga & Macris 2025), of which a part is in common to the m
copies of a sample. A training set is then groups of Gaussian rows: N − 1 sums over the copies of a
sample (N where the mean is known), the mean over all, of which the estimated centre leaves no
signal but all of the features' noise, and N (m − 1) differences between copies, with the
covariances K_k = W k_k Wᵀ c_1²/(s² d p) + h_k. The traces of the resolvent over rows and over W are
numbers w_k, one a group, and t, and both losses are slopes of one least sum of squares.
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
AVERAGE = 1e9
_ROUNDS = 500
# Of a derivative by one imaginary step, which subtracts nothing.
_STEP = 1e-25
# No penalty, as a part of E σ².
_LEAST = 1e-10
# Of a density, how far off the real axis it is taken, relative to λ.
_HEIGHT = 1e-7
# Groups of modes whose products are taken, and groups of products, over this range down from the
# largest: what is smaller is one group.
_MODES, _PRODUCTS, _RANGE = 100, 50, 1e-6


@dataclass(frozen=True)
class Equivalent:
    """An activation as a constant, a linear function and noise, at one level.

    Attributes:
        constant: c_0².
        slope: c_1²/s², the square of the linear part's slope.
        quadratic: c_2², of the noise's quadratic part.
        shared: Variance of the noise that all copies of a sample have in common.
        own: Variance of the noise that is each copy's own.
    """

    constant: float
    slope: float
    quadratic: float
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
    c0, c1, c2 = (float(c[0]) for c in islice(activation.coefficients(zero, s), 3))
    correlations = np.array([signal / variance, 1.0])
    of_copies, of_one = activation.pair(zero, zero, s, s, correlations).tolist()
    shared = max(of_copies - c0**2 - c1**2 * signal / variance, 0.0)
    own = max(of_one - c0**2 - c1**2 - shared, 0.0)
    return Equivalent(c0**2, c1**2 / variance, c2**2, shared, own)


def _grouped(
    values: Float64[Array, "... c"], counts: Float64[Array, " c"], groups: int
) -> tuple[Float64[Array, "... g"], Float64[Array, " g"]]:
    """At most so many means of `values` > 0 that are near in the logarithm of the last row."""
    if len(counts) <= groups:
        return values, counts
    last = np.log(values[-1] / values[-1].max()) / np.log(_RANGE)
    group = np.clip((last * groups).astype(int), 0, groups - 1)
    members = np.zeros((groups, len(counts)))
    members[group, np.arange(len(counts))] = counts
    members = members[members.any(axis=1)]
    total = members.sum(axis=1)
    return values @ members.T / total, total


def _products(
    own: Equivalent, signal: Float64[Array, " u"], q: float, counts: Float64[Array, " u"]
) -> tuple[Float64[Array, "2 v"], Float64[Array, " v"]]:
    """Variances of c_2 He_2(u/s) along products of two modes, and how many products have them.

    c_2² R∘R, R the features' correlations, is a sum over pairs of modes of 2 c_2² k_μ k_ν/(tr K)²,
    k = ᾱs + q, and of a part c_2² tr K²/(tr K)² along the features' mean, which goes with the
    constant; both less what its diagonal of 1 has not, 2 tr K²/(tr K)² of it.

    Args:
        own: The activation.
        signal: ᾱs, shape (u,).
        q: Variance of the noise.
        counts: How often each mode occurs, shape (u,).

    Returns:
        Of each group of products the variance in common to copies of a sample and the whole.
    """
    if not own.quadratic:
        return np.zeros((2, 0)), np.zeros(0)
    modes, number = _grouped(np.stack([signal, signal + q]), counts, _MODES)
    i, j = np.triu_indices(len(number))
    pairs = np.where(i == j, number[i] * (number[i] + 1) / 2, number[i] * number[j])
    total, squares = modes[1] @ number, modes[1] ** 2 @ number
    scale = 2 * own.quadratic / (total**2 + 2 * squares)
    return _grouped(scale * modes[:, i] * modes[:, j], pairs, _PRODUCTS)


@dataclass(frozen=True, eq=False)
class Level:
    """One level of a training set's limit, of v modes: those of the data and products of two.

    Attributes:
        n: Rows of the groups, shape (g,): sums of copies, their mean, differences.
        k: Their covariances along the modes, shape (g, v).
        h: Their noise, shape (g,).
        fresh: Those of fresh y, shape (v,), and their noise.
        targets: E ε² of fresh y, where what the constant adds to the prediction is counted as ε.
        counts: How often each mode occurs, shape (v,).
        slope: c_1²/s².
        a: Variance of the entries of each mode's column, 1/(d p) of W/√(d p), shape (v,).
        p: Number of features, less what the constant takes.
        q: The square of E ε y along each mode, shape (v,): q of the data's, 0 of products.
        d: Dimension.
    """

    n: Float64[Array, " g"]
    k: Float64[Array, "g v"]
    h: Float64[Array, " g"]
    fresh: tuple[Float64[Array, " v"], float]
    targets: float
    counts: Float64[Array, " v"]
    slope: float
    a: Float64[Array, " v"]
    p: float
    q: Float64[Array, " v"]
    d: int

    def parts(self, x: Numbers, z: Any, step: Any = 0.0) -> tuple[Any, ...]:
        """w, t, D, τ and g at x = ln (w_1, …, t)."""
        w, t = np.exp(x[:-1]), np.exp(x[-1])
        D = self.slope * (w @ self.k + step * self.fresh[0])
        tau = z + w @ self.h + step * self.fresh[1]
        return w, t, D, tau, self.a * t / (1 + self.a * t * D)

    def start(self, z: Any) -> Numbers:
        """ln (w_1, …, t) of z far from the eigenvalues, where Newton's method begins."""
        found: Numbers = np.log(np.append(self.n, self.p / (z + self.n @ self.h)))
        return found

    def root(self, z: Any, step: Any, x: Numbers) -> Numbers:
        """ln (w_1, …, t), by Newton's method in these logarithms from x.

        w_k (1 + tr K_k Q) = n_k with tr K_k Q = c² Σ_j k_kj g_j + h_k t, and
        t (τ + Σ_j a_j D_j/(1 + a_j t D_j)) = p.

        Raises:
            ArithmeticError: The method did not end.
        """
        settled = 0
        for _ in range(_ROUNDS):
            w, t, D, tau, g = self.parts(x, z, step)
            thin = self.a / (1 + self.a * t * D) ** 2 * self.counts
            trace = self.slope * (self.k @ (g * self.counts)) + self.h * t
            total = tau + (D * g * self.counts).sum() / t
            of_t = self.slope * (self.k @ thin) + self.h
            left = np.concatenate([np.log(w * (1 + trace) / self.n), [np.log(t * total / self.p)]])
            among = -(self.slope**2) * (self.k * (g**2 * self.counts)) @ self.k.T
            slope = np.eye(len(x), dtype=x.dtype)
            slope[:-1, :-1] += among * w / (1 + trace)[:, None]
            slope[:-1, -1] += of_t * t / (1 + trace)
            slope[-1, :-1] += of_t * w / total
            slope[-1, -1] -= (D**2 * thin * self.a).sum() * t / total
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
        w, _, _, _, g = self.parts(x, z, step)
        total = w.sum() + step * self.targets
        explained = self.slope * (g @ (self.q * self.counts))
        return total * self.d - total**2 * explained, x

    def losses(self, z: float) -> tuple[float, float]:
        """Train loss times d N m, and test loss times d, with the penalty z = N m γ."""
        value, x = self.least(z, 0.0, self.start(z))
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
    d, m = len(spectrum), min(noises, AVERAGE)
    own = equivalent(activation, alpha_bar * float(spectrum.mean()), q)
    level = make_level(own, spectrum, n, p, m, (alpha_bar, q), penalty, known_centre)
    least = _LEAST * (own.slope * float((alpha_bar * spectrum + q).mean()) + own.shared + own.own)
    train, test = level.losses(max(penalty, least / p) * n * m)
    return train / (d * n * m), test / d


def make_level(
    own: Equivalent,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    m: float,
    signal: tuple[float, float],
    penalty: float,
    known_centre: bool,
) -> Level:
    """One level; arguments as of `level_losses`, with ᾱ_t and q_t.

    A constant c_0 is one more feature, the share c_0²/(c_0² + γ) of which is fitted: it takes as
    many features and rows, and adds the error of a mean over all pairs.
    """
    alpha_bar, q = signal
    s, repeats = np.unique(spectrum, return_counts=True)
    freedom, d, counts = degrees_of_freedom(n, known_centre), len(spectrum), repeats.astype(float)
    of_products, number = _products(own, alpha_bar * s, q, counts)
    common, single = of_products[0], of_products[1] - of_products[0]
    # All of the quadratic part is along products, or the mean, which goes with the constant.
    of_copies = own.quadratic * (alpha_bar * (s @ counts) / ((alpha_bar * s + q) @ counts)) ** 2
    shared = max(own.shared - of_copies, 0.0)
    alone = max(own.own - own.quadratic + of_copies, 0.0)
    # Sums of copies, their mean, from which the centre takes the signal alone, and differences.
    rows = np.array([freedom, n - freedom, n * (m - 1)], float)
    signals, copies = np.array([m, 0.0, 0.0]), np.array([m, m, 0.0])
    k = _joined(
        np.outer(signals, alpha_bar * s) + q, (np.outer(copies, common) + single) / own.slope
    )
    h = (copies * shared + alone) / p
    fitted = own.constant / (own.constant + penalty) if own.constant else 0.0
    # The mean over all pairs is a row of the first group, or where the centre is estimated its own.
    mean = 0 if known_centre else 1
    rows[mean] -= 1 - (1 - fitted) ** 2
    error = fitted**2 / (n * m)
    fresh = alpha_bar * s * (1 if known_centre else 1 + 1 / n) + q
    fresh = _joined(fresh, of_products[1] / own.slope)
    some = rows > 0
    return Level(
        n=rows[some],
        k=k[some],
        h=h[some],
        fresh=(fresh + error * k[mean], (shared + alone) / p + error * float(h[mean])),
        targets=1 + error,
        counts=_joined(counts, number),
        slope=own.slope,
        a=_joined(np.full(len(s), 1 / (d * p)), np.full(len(number), 1 / p)),
        p=max(p - fitted, p / 2),
        q=_joined(np.full(len(s), q), np.zeros(len(number))),
        d=d,
    )


def _joined(
    one: Float64[Array, "... u"], other: Float64[Array, "... v"]
) -> Float64[Array, "... w"]:
    """Arrays of the data's modes and of products, as one along the last axis."""
    found: Array = np.concatenate([one, other], axis=-1)
    return found


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
    own = equivalent(activation, alpha_bar * float(spectrum.mean()), q)
    level = make_level(own, spectrum, n, p, m, (alpha_bar, q), 0.0, known_centre)
    found, x = np.empty(len(at)), None
    for i in np.argsort(-at):
        z = -float(at[i]) * n * m
        x = _near_axis(level, z, x)
        found[i] = z * np.exp(x[-1]).imag / np.pi
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
    if x is None or (np.sin(np.append(x.imag[:-1], -x.imag[-1])) < -_HEIGHT).any():
        x = level.start(-z).astype(complex)
        for height in np.geomspace(1e2, _HEIGHT, 24):
            x = level.root(z * (1 - 1j * height), 0.0, x)
    return x
