"""Training sets of the Gaussian population, and of rows (docs/theory.md, "Draws").

Everything is in the eigenbasis of the population covariance Σ = diag(s). A draw keeps of a
training set what the exact model needs: the empirical mean and the eigenvectors and eigenvalues
of the empirical covariance Σ0, normalized by 1/N.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import SupportsIndex

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.named import unknown
from lindiff.science.numbers import descending, flag, real, whole

Array = NDArray[np.float64]

# Above this condition number eigh of the Gram matrix leaves less than nine digits of the smallest
# eigenvalue; the singular values of the factor then keep twice as many.
_CONDITION = 1e6


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean, shape (d,), and covariance, shape (d, d), of rows that nothing was trained on."""

    mean: Float64[Array, " d"]
    covariance: Float64[Array, "d d"]


@dataclass(frozen=True, eq=False)
class Draw:
    """What the exact model needs of a training set, in the eigenbasis of Σ; float64.

    From `make_draw`; docs/theory.md, "Draws".

    Attributes:
        spectrum: Population eigenvalues s, shape (d,), descending.
        mean: Population mean μ, shape (d,).
        n: Number of samples N; of an orbit of its points.
        offset: The mean about which the data are centred, μ0 or μ, less μ, shape (d,): kept apart
            from μ, beside which it has no digits where μ is large.
        eigenvalues: Non-null eigenvalues λ of Σ0, shape (r,), ascending; the other d − r are 0.
        vectors: Their eigenvectors U, shape (d, r).
        centred: The training set less its centre, shape (N, d); None for a Wishart draw.
        held_out: Moments of the rows that test losses are taken over; None where the population
            itself is N(μ, Σ).

    Example:
        The eigenvalues of a white Σ0 fill the band (1 ± √(d/N))² of Marchenko & Pastur (1967):

        >>> import numpy as np, lindiff
        >>> draw = lindiff.make_draw("wishart", np.ones(200), n=800, seed=0)
        >>> np.round(draw.eigenvalues[[0, -1]] / [(1 - 0.5) ** 2, (1 + 0.5) ** 2], 1).tolist()
        [1.0, 1.0]
    """

    spectrum: Float64[Array, " d"]
    mean: Float64[Array, " d"]
    n: int
    offset: Float64[Array, " d"]
    eigenvalues: Float64[Array, " r"]
    vectors: Float64[Array, "d r"]
    centred: Float64[Array, "n d"] | None = None
    held_out: Moments | None = None

    def __repr__(self) -> str:
        """One line: the arrays are as large as the covariance."""
        return f"Draw(d={self.d}, n={self.n}, rank={len(self.eigenvalues)})"

    @property
    def d(self) -> int:
        """Dimension."""
        return len(self.spectrum)

    @property
    def centre(self) -> Float64[Array, " d"]:
        """The mean about which the data are centred, μ0 or μ, shape (d,)."""
        return self.mean + self.offset

    @property
    def test_offset(self) -> Float64[Array, " d"]:
        """Mean of the test data (μ, or that of held-out rows) less the centre, shape (d,)."""
        own = 0.0 if self.held_out is None else self.held_out.mean - self.mean
        return own - self.offset

    @property
    def null(self) -> int:
        """Number of null directions of Σ0."""
        return self.d - len(self.eigenvalues)


def generator(purpose: str, **key: object) -> np.random.Generator:
    """Counter-based generator (Philox) of one draw, keyed by what the draw is.

    Args:
        purpose: What the numbers are for.
        key: JSON values that name the draw; equal keys give equal numbers on every machine.
    """
    text = json.dumps([purpose, key], sort_keys=True, separators=(",", ":"), default=_plain)
    digest = blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be part of a generator's key")


def eigenpairs(
    factor: Float64[Array, "d m"], rank: int
) -> tuple[Float64[Array, " r"], Float64[Array, "d r"]]:
    """Eigenvalues and eigenvectors of `factor` @ `factor`.T of known rank.

    Args:
        factor: Shape (d, m).
        rank: Rank r of the product, at most min(d, m).

    Returns:
        The r largest eigenvalues, ascending, shape (r,), and their vectors, shape (d, r).
    """
    d, m = factor.shape
    if m < d:
        values, inner = np.linalg.eigh(factor.T @ factor)
    else:
        values, inner = np.linalg.eigh(factor @ factor.T)
    values, inner = values[-rank:], inner[:, -rank:]
    if not values[0] * _CONDITION > values[-1]:
        if m > 2 * d:
            factor = np.asarray(np.linalg.qr(factor.T, mode="r")).T
        left, singular, _ = np.linalg.svd(factor, full_matrices=False)
        return singular[rank - 1 :: -1] ** 2, left[:, rank - 1 :: -1]
    if m < d:
        inner = (factor @ inner) / np.sqrt(values)
    return values, inner


def _on_support(
    spectrum: Float64[Array, " d"], factor: Float64[Array, "d m"], freedom: int
) -> tuple[Float64[Array, " r"], Float64[Array, "d r"]]:
    """`eigenpairs` of a factor of general position in the directions with variance, the first ones.

    Args:
        spectrum: s, shape (d,), descending.
        factor: Shape (d, m), 0 in the directions without variance.
        freedom: Degrees of freedom.
    """
    d, support = len(spectrum), int(np.count_nonzero(spectrum))
    values, inner = eigenpairs(factor[:support], min(support, freedom))
    if support == d:
        return values, inner
    return values, np.concatenate([inner, np.zeros((d - support, len(values)))])


def bartlett(d: int, freedom: int, rng: np.random.Generator) -> Float64[Array, "{d} rank"]:
    """T with T Tᵀ ~ Wishart_d(I, freedom), shape (d, min(d, freedom)), lower trapezoidal."""
    rank = min(d, freedom)
    T = np.tril(rng.standard_normal((d, rank)), -1)
    np.fill_diagonal(T, np.sqrt(rng.chisquare(float(freedom) - np.arange(rank))))
    return T


def draw_wishart(
    spectrum: Float64[Array, " d"],
    mean: Float64[Array, " d"],
    n: int,
    known_centre: bool,
    rng: np.random.Generator,
) -> Draw:
    """Σ0 and μ0 of N Gaussian samples without the samples, by Bartlett's decomposition.

    Σ0 ~ Wishart(Σ, n')/N with n' = N − 1 (N where the centre is known), independent of
    μ0 ~ N(μ, Σ/N). For n' < d the factor is trapezoidal (docs/theory.md, "Draws").

    Args:
        spectrum: s, shape (d,).
        mean: μ, shape (d,).
        n: N ≥ 2.
        known_centre: Whether μ is known, so that μ0 is not used.
        rng: Source of the numbers.
    """
    d = len(spectrum)
    freedom = n if known_centre else n - 1
    offset = rng.standard_normal(d) * np.sqrt(spectrum / n)
    T = bartlett(d, freedom, rng)
    factor = T * np.sqrt(spectrum / n)[:, None]
    values, vectors = _on_support(spectrum, factor, freedom)
    if known_centre:
        offset = np.zeros(d)
    return Draw(spectrum, mean, n, offset, values, vectors)


def draw_samples(
    spectrum: Float64[Array, " d"],
    mean: Float64[Array, " d"],
    n: int,
    known_centre: bool,
    rng: np.random.Generator,
) -> Draw:
    """N Gaussian samples; with the same generator a smaller set is a prefix of a larger one.

    Args, shapes and result as `draw_wishart`, with the samples.
    """
    # One array throughout: fresh pages cost as much as the arithmetic.
    rows = rng.standard_normal((n, len(spectrum)))
    rows *= np.sqrt(spectrum)
    return draw_about(spectrum, mean, rows, known_centre)


def draw_about(
    spectrum: Float64[Array, " d"],
    mean: Float64[Array, " d"],
    rows: Float64[Array, "n d"],
    known_centre: bool,
) -> Draw:
    """A training set of independent rows in general position, given about the population's mean.

    Args:
        spectrum: s, shape (d,).
        mean: μ, shape (d,).
        rows: The rows less μ, shape (N, d); they become those less their centre, in place.
        known_centre: Whether μ is known, so that μ0 is not used.
    """
    n, d = rows.shape
    offset = np.zeros(d) if known_centre else rows.mean(axis=0)
    rows -= offset
    values, vectors = _on_support(spectrum, rows.T, n if known_centre else n - 1)
    return Draw(spectrum, mean, n, offset, values / n, vectors, rows)


def draw_rows(
    spectrum: Float64[Array, " d"],
    rows: Float64[Array, "n d"],
    known_centre: bool,
    held_out: Moments | None,
) -> Draw:
    """A training set of given rows, of a population of mean 0.

    The rank of Σ0 is that of the numbers: rows of real data may lie in fewer directions than N.

    Args:
        spectrum: s, shape (d,).
        rows: The training set in the eigenbasis of Σ, shape (N, d).
        known_centre: Whether the mean of the population is known, so that μ0 is not used.
        held_out: Moments of the rows that test losses are taken over; None where that is N(0, Σ).
    """
    n, d = rows.shape
    mean = np.zeros(d)
    offset = mean if known_centre else rows.mean(axis=0)
    centred = rows - offset
    values, vectors = eigenpairs(centred.T, min(d, n if known_centre else n - 1))
    # Where `eigenpairs` left eigh for singular values, they are exact to this of the largest.
    some = values > (max(n, d) * np.finfo(float).eps) ** 2 * values[-1]
    return Draw(spectrum, mean, n, offset, values[some] / n, vectors[:, some], centred, held_out)


DRAWS = {"wishart": draw_wishart, "samples": draw_samples}


def make_draw(
    kind: str,
    spectrum: Float64[Array, " d"],
    n: SupportsIndex,
    seed: SupportsIndex,
    key: dict[str, object] | None = None,
    population_mean: float = 0.0,
    known_centre: bool = False,
) -> Draw:
    """A training set of N samples of N(μ, diag(s)); docs/theory.md, "Draws".

    Args:
        kind: `samples` draws the N vectors: with one seed a smaller set is a prefix of a larger
            one. `wishart` draws μ0 and Σ0 alone, by Bartlett's decomposition (1933): the same law
            at a cost that does not grow with N.
        spectrum: s, shape (d,), float64, not negative, descending, from `make_spectrum`.
        n: N ≥ 2.
        seed: Seed of the training set.
        key: What else names the draw (the spectrum, in a sweep); part of the generator's key.
        population_mean: Every coordinate of μ in the eigenbasis of Σ.
        known_centre: Whether the data are centred by μ instead of μ0.

    Returns:
        Moments and eigenvectors of the training set. Equal arguments give equal numbers.

    Raises:
        ValueError: No such kind of draw; `n` or `seed` is no whole number, or too small;
            `spectrum` is negative somewhere or not descending; another setting is not of its type.

    Example:
        N samples have at most N − 1 directions about their mean; the other d − N + 1 are null:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("isotropic", 50)
        >>> draw = lindiff.make_draw("wishart", s, n=20, seed=0)
        >>> draw
        Draw(d=50, n=20, rank=19)
        >>> draw.vectors.shape, draw.null
        ((50, 19), 31)
    """
    if kind not in DRAWS:
        raise unknown(kind, sorted(DRAWS))
    spectrum, known_centre = descending(spectrum), flag("known_centre", known_centre)
    population_mean = real("population_mean", population_mean)
    d, size, number = len(spectrum), whole("n", n, 2), whole("seed", seed, 0)
    own = {"n": size} if kind == "wishart" else {}
    rng = generator(kind, d=d, seed=number, **own, **(key or {}))
    return DRAWS[kind](spectrum, np.full(d, population_mean), size, known_centre, rng)
