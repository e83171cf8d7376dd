"""What Gaussian rows and columns stand for random features (docs/theory.md, "Random features").

Where N, p and d are large, σ(u) of features of deviation s acts as c_0 + c_1 u/s and a noise of its
own (the Gaussian equivalence of George, Veiga & Macris 2025), of which a part is in common to the m
copies of a sample. A training set is then groups of Gaussian rows: N − 1 sums over the copies of a
sample (N where the mean is known), the mean over all, of which the estimated centre leaves no
signal but all of the features' noise, and N (m − 1) differences between copies.

How much noise there is hangs on how large the sample and the feature are, and those sizes spread.
So sums and differences are groups by size, and so are the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.activations import Activation
from lindiff.science.limit import degrees_of_freedom
from lindiff.science.random_features_level import Level, Rows

Array = NDArray[np.float64]
Sizes = Float64[Array, " r"]

# Groups by size, of samples and of features.
SIZES = 3
# Groups of modes whose products are taken, and groups of products, over this range down from the
# largest: what is smaller is one group.
_MODES, PRODUCTS, _RANGE = 100, 50, 1e-6
_ROUNDS = 100


@dataclass(frozen=True)
class Equivalent:
    """An activation as a constant, a linear function and noise, at one level.

    Attributes:
        constant: c_0².
        slope: c_1²/s², the square of the linear part's slope.
        quadratic: c_2², of the noise's quadratic part.
        shared: Variance of the noise that all copies of a sample have in common.
        own: Variance of the noise that is each copy's own.
        signal: The variance of u that copies have in common.
        noise: Its other variance.
    """

    constant: float
    slope: float
    quadratic: float
    shared: float
    own: float
    signal: float
    noise: float

    def white(self, slope: float) -> Float64[Array, " 2"]:
        """`shared` and `own` beyond a linear part of another slope, without the quadratic part."""
        of_copies = self.quadratic * (self.signal / (self.signal + self.noise)) ** 2
        off = (np.sqrt(self.slope) - np.sqrt(slope)) ** 2
        shared = self.shared - of_copies + off * self.signal
        own = self.own - self.quadratic + of_copies + off * self.noise
        return np.maximum([shared, own], 0.0)


def equivalents(activation: Activation, parts: Float64[Array, "r 2"]) -> list[Equivalent]:
    """The equivalents of σ(u) where u has these variances.

    Args:
        activation: σ.
        parts: The variance of u that copies of a sample have in common, ᾱ_t tr Σ/d, and its other
            variance, q_t > 0, shape (r, 2).
    """
    signal, noise = parts.T
    variance = signal + noise
    s, zero = np.sqrt(variance), np.zeros(len(parts))
    c0, c1, c2 = islice(activation.coefficients(zero, s), 3)
    correlations = np.stack([signal / variance, np.ones(len(parts))])
    of_copies, of_one = activation.pair(zero, zero, s, s, correlations)
    shared = np.maximum(of_copies - c0**2 - c1**2 * signal / variance, 0.0)
    own = np.maximum(of_one - c0**2 - c1**2 - shared, 0.0)
    columns = np.stack([c0**2, c1**2 / variance, c2**2, shared, own, signal, noise], axis=1)
    return [Equivalent(*row) for row in columns.tolist()]


def equivalent(activation: Activation, signal: float, noise: float) -> Equivalent:
    """The equivalent of σ(u) where u has the variance `signal` + `noise`; as `equivalents`."""
    return equivalents(activation, np.array([[signal, noise]]))[0]


def gamma_rule(variance: float, points: int) -> tuple[Sizes, Sizes]:
    """Gauss's rule for the gamma law of mean 1: its nodes > 0 and weights, shape (points,)."""
    shape, i = 1 / variance, np.arange(points)
    beside = np.sqrt(i[1:] * (i[1:] + shape - 1))
    # Golub and Welsch's matrix of the Laguerre polynomials, which no large shape overflows.
    matrix = np.diag(2 * i + shape) + np.diag(beside, 1) + np.diag(beside, -1)
    nodes, vectors = np.linalg.eigh(matrix)
    return nodes / shape, vectors[0] ** 2


def by_size(
    k: Float64[Array, " x"], counts: Float64[Array, " x"], points: int
) -> tuple[Sizes, Sizes, Float64[Array, "r x"]]:
    """Groups by size of Gaussian vectors with the variances k: the sizes, weights, and variances.

    The size is ρ = Σ z² / Σ k. Its law is taken as the gamma law of its mean and variance; given ρ
    the vector is nearly Gaussian with the variances k/(1 − θk), θ such that their sum is ρ times
    that of k (Gibbs's conditioning).

    Args:
        k: Variances > 0, shape (x,).
        counts: How often each occurs, shape (x,).
        points: r, the number of groups.

    Returns:
        Sizes and weights, shape (r,), and what each variance is multiplied by, shape (r, x), 1 in
        the mean over the groups.
    """
    total = k @ counts
    if points == 1:
        return np.ones(1), np.ones(1), np.ones((1, len(k)))
    sizes, weights = gamma_rule(float(2 * (k**2 @ counts) / total**2), points)
    # The sum grows with θ and is convex in it, so Newton's method from above ends at the root:
    # from 0 for small sizes, and from where the mean, or the largest k alone, has the whole sum.
    mean, largest = (k**2 @ counts) / total, k.max()
    most = (1 - largest / (2 * sizes * total)) / largest
    theta = np.where(sizes < 1, 0.0, np.minimum((1 - 1 / sizes) / mean, most))
    for _ in range(_ROUNDS):
        tilted = k / (1 - theta[:, None] * k)
        above = tilted @ counts - sizes * total
        if np.abs(above).max() < 1e-9 * total:
            return sizes, weights, tilted / (weights @ tilted)
        theta = theta - above / (tilted**2 @ counts)
    raise ArithmeticError("no variances of vectors of a given size were found")


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


@dataclass(frozen=True, eq=False)
class _Products:
    """The quadratic part along products of two modes, of v groups of products.

    Attributes:
        common: Their variances in common to the copies of a sample, shape (v,).
        whole: Their variances, shape (v,).
        of_rows: What these are multiplied by in groups of rows, shape (r, v).
        of_columns: And of columns, shape (c, v).
        counts: How many products a group has, shape (v,).
    """

    common: Float64[Array, " v"]
    whole: Float64[Array, " v"]
    of_rows: Float64[Array, "r v"]
    of_columns: Float64[Array, "c v"]
    counts: Float64[Array, " v"]


def _products(
    own: Equivalent,
    k: tuple[Float64[Array, " u"], Float64[Array, " u"]],
    counts: Float64[Array, " u"],
    of_rows: Float64[Array, "r u"],
    of_columns: Float64[Array, "c u"],
) -> _Products:
    """Variances of c_2 He_2(u/s) along products of two modes, and how many products have them.

    c_2² R∘R, R the features' correlations, is a sum over pairs of modes of 2 c_2² k_μ k_ν/(tr K)²,
    k = ᾱs + q, and of a part c_2² tr K²/(tr K)² along the features' mean, which goes with the
    constant; both less what its diagonal of 1 has not, 2 tr K²/(tr K)² of it.

    Args:
        own: The activation.
        k: ᾱs, and ᾱs + q, shape (u,).
        counts: How often each mode occurs, shape (u,).
        of_rows: What k is multiplied by in groups of rows, shape (r, u).
        of_columns: And of columns, shape (c, u).
    """
    if not own.quadratic:
        r, c, none = len(of_rows), len(of_columns), np.zeros(0)
        return _Products(none, none, np.zeros((r, 0)), np.zeros((c, 0)), none)
    signal, whole = k
    sized = np.concatenate([of_rows, of_columns]) * whole
    modes, number = _grouped(np.vstack([signal, sized, whole]), counts, _MODES)
    i, j = np.triu_indices(len(number))
    pairs = np.where(i == j, number[i] * (number[i] + 1) / 2, number[i] * number[j])
    total, squares = modes[-1] @ number, modes[-1] ** 2 @ number
    scale = 2 * own.quadratic / (total**2 + 2 * squares)
    found, number = _grouped(scale * modes[:, i] * modes[:, j], pairs, PRODUCTS)
    factors = found[1:-1] / found[-1]
    r = len(of_rows)
    return _Products(found[0], found[-1], factors[:r], factors[r:], number)


def _relative(
    values: Float64[Array, "r ..."], weights: Float64[Array, " r"]
) -> Float64[Array, "r ..."]:
    """Values ≥ 0 over their mean; of zeros alone zeros."""
    mean = np.tensordot(weights, values, 1)
    found: Array = values / np.where(mean > 0, mean, 1.0)
    return found


def _noises(own: list[Equivalent], slope: float) -> tuple[Float64[Array, "r 2"], Sizes]:
    """Of groups by size `Equivalent.white`, and c_2² over the square of the variance of u."""
    white = np.array([each.white(slope) for each in own])
    return white, np.array([each.quadratic / (each.signal + each.noise) ** 2 for each in own])


@dataclass(frozen=True, eq=False)
class _Columns:
    """What all rows of a level have in common.

    Attributes:
        slope: c_1²/s².
        q: q_t.
        counts: How often each mode of the data occurs, shape (u,).
        white: `Equivalent.white` of a mean row, shape (2,).
        h: Of a unit of it, the variance in each group of columns, shape (c,).
        along: The products.
    """

    slope: float
    q: float
    counts: Float64[Array, " u"]
    white: Float64[Array, " 2"]
    h: Float64[Array, " c"]
    along: _Products

    def rows(
        self,
        k: Float64[Array, " u"],
        copies: float,
        tilt: Float64[Array, "r u"] | None = None,
        white: Float64[Array, "r 2"] | None = None,
        products: Float64[Array, "r v"] | None = None,
    ) -> Rows:
        """Groups of rows by size, or without their factors rows of the mean size.

        Args:
            k: Their variances along the modes of the data, shape (u,).
            copies: How often what copies have in common is in them: m, 1 or 0.
            tilt: What k is multiplied by, shape (r, u).
            white: And the two parts of the white noise, shape (r, 2).
            products: And the variances of products, shape (r, v).
        """
        along = (copies - 1) * self.along.common + self.along.whole
        tilt = np.ones((1, len(k))) if tilt is None else tilt
        white = np.ones((1, 2)) if white is None else white
        products = np.ones((1, len(along))) if products is None else products
        cross = np.sqrt(self.q * self.slope) * tilt
        # Of ε given y only what it has of y hangs on the size of y.
        return Rows(
            k=np.hstack([self.slope * tilt * k, products * along]),
            h=np.outer(white @ (self.white * [copies, 1.0]), self.h),
            cross=np.hstack([cross, np.zeros_like(products)]),
            targets=(1 + self.q / k * (tilt - 1)) @ self.counts,
        )


def _joined(groups: list[Rows]) -> Rows:
    """All groups one after the other."""
    parts = zip(*((own.k, own.h, own.cross, own.targets) for own in groups), strict=True)
    return Rows(*(np.concatenate(part) for part in parts))


def _samples(
    kinds: Float64[Array, "2 u"], counts: Float64[Array, " u"], m: float, sizes: int
) -> tuple[Sizes, Float64[Array, "r u"], Float64[Array, "r 2 u"]]:
    """Samples by size, the mean square of all their copies over its mean.

    Args:
        kinds: Variances of sums over a sample's copies and of differences, shape (2, u).
        counts: How often each mode occurs, shape (u,).
        m: Frozen noises a sample, a number.
        sizes: r, the number of groups.

    Returns:
        Weights of the groups, what variances of sums are multiplied by, and the variances of a
        copy that all copies have in common, and its other ones.
    """
    each = np.concatenate([counts, (m - 1) * counts])
    _, weights, tilt = by_size(kinds.ravel() / m, each, sizes)
    tilts = tilt.reshape(-1, 2, len(counts)).swapaxes(0, 1)
    sums, differences = tilts * kinds[:, None]
    return weights, tilts[0], np.stack([(sums - differences) / m, differences], axis=1)


def _numbers(
    n: int, m: float, of_rows: Sizes, known_centre: bool, taken: float
) -> Float64[Array, " g"]:
    """Rows of each group of sums, of differences, and of the mean over all pairs.

    Args:
        n: N.
        m: Frozen noises a sample, a number.
        of_rows: Which share of the samples is in each group, shape (r,).
        known_centre: Whether the mean is known; if so it is one of the sums.
        taken: Which share of a mean row a fitted constant takes.
    """
    mean = 0 if known_centre else 1
    sums = degrees_of_freedom(n, known_centre) - (taken if known_centre else 0.0)
    return np.append(sums * of_rows, [n * (m - 1), mean * (1 - taken)])


def make_level(
    activation: Activation,
    spectrum: Float64[Array, " d"],
    n: int,
    p: int,
    m: float,
    signal: tuple[float, float],
    penalty: float,
    known_centre: bool,
    sizes: int = SIZES,
) -> Level:
    """One level of a training set's limit.

    A constant c_0 is one more feature, the share c_0²/(c_0² + γ) of which is fitted: it takes as
    many features and rows, and adds the error of a mean over all pairs.

    Args:
        activation: σ.
        spectrum: s ≥ 0, shape (d,).
        n: N ≥ 2, the number of samples.
        p: Number of features.
        m: Frozen noises a sample, a number.
        signal: ᾱ_t and q_t = 1 − ᾱ_t.
        penalty: γ ≥ 0.
        known_centre: Whether the mean is known.
        sizes: Groups by size; of 1 all samples and all features are of one size.
    """
    alpha_bar, q = signal
    s, repeats = np.unique(spectrum, return_counts=True)
    clean, counts = alpha_bar * s, repeats.astype(float)
    # Sums of copies and their differences; their size is that of all copies of a sample.
    kinds = np.stack([m * clean + q, np.full(len(s), q)])
    of_rows, of_sums, parts = _samples(kinds, counts, m, sizes)
    kappa, of_columns, tilt = by_size(clean + q, counts, sizes)
    mean = np.array([[alpha_bar * float(spectrum.mean()), q]])
    base, *sized = equivalents(
        activation, np.concatenate([mean, parts @ counts / len(spectrum), kappa[:, None] * mean])
    )
    white, quadratic = _noises(sized[:sizes], base.slope)
    of_kappa, of_squares = _noises(sized[sizes:], base.slope)
    along = _products(base, (clean, clean + q), counts, parts.sum(axis=1) / (clean + q), tilt)
    every = _Columns(
        base.slope, q, counts, base.white(base.slope),
        _relative(of_kappa.sum(axis=1), of_columns) / p, along,
    )  # fmt: skip
    products = _relative(quadratic[:, None] * along.of_rows, of_rows)
    sums = every.rows(kinds[0], m, of_sums, _relative(white, of_rows), products)
    # Differences of one size lose less than a tenth of what is left out anyway.
    differences = every.rows(kinds[1], 0.0)
    # An estimated centre takes the signal of the mean over all pairs and leaves its noise.
    mean_row = every.rows(kinds[0 if known_centre else 1], m)
    fitted = base.constant / (base.constant + penalty) if base.constant else 0.0
    rows = _numbers(n, m, of_rows, known_centre, 1 - (1 - fitted) ** 2)
    own, some = _joined([sums, differences, mean_row]), rows > 0
    fresh = every.rows(clean * (1 if known_centre else 1 + 1 / n) + q, 1.0)
    of_products = _relative(of_squares[:, None] * along.of_columns, of_columns)
    return Level(
        n=rows[some],
        rows=own.map(lambda part: part[some]),
        fresh=_joined([fresh, mean_row]).map(lambda part: part[0] + fitted**2 / (n * m) * part[1]),
        a=np.hstack([tilt / len(spectrum), of_products]) / p,
        p=max(p - fitted, p / 2) * of_columns,
        counts=np.concatenate([counts, along.counts]),
        d=len(spectrum),
    )
