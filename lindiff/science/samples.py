"""What is measured of generated samples, whatever made them (docs/theory.md, "Samples").

Distances of a Gaussian fit from the population, agreement of two sets, memorized samples; each
with a standard error over the samples, which are taken as independent. Those of a function of all
samples are of a jackknife that leaves out one of 16 blocks (Efron & Stein 1981).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from lindiff.science.repeats import repeated

Array = NDArray[np.float64]
Vector = Float64[Array, " d"]
Estimate = tuple[float, float]

# A sample is a copy of its nearest point below this share of the next distance (Yoon et al. 2023).
_COPY = 1 / 3
BLOCKS = 16
# Distances at once: 8 MiB.
_BLOCK = 1 << 20


def squares_along(
    vectors: Float64[Array, "K d"], U: Float64[Array, "d r"]
) -> Float64[Array, "K m"]:
    """Squares of vectors (K, d) along the orthonormal columns of U (d, r), shape (K, m).

    For r < d the last of the m = r + 1 columns is the mean square over the d − r directions that
    are orthogonal to U, in whatever basis of them.
    """
    along = vectors @ U
    squares: Array = along**2
    outside = U.shape[0] - U.shape[1]
    if not outside:
        return squares
    rest = ((vectors - along @ U.T) ** 2).sum(axis=1, keepdims=True)
    return np.concatenate([squares, rest / outside], axis=1)


def variances(samples: Float64[Array, "S d"], U: Float64[Array, "d r"]) -> Float64[Array, " m"]:
    """Unbiased variances of samples (S, d) along the columns of U, shape (m,) as `squares_along`.

    Args:
        samples: The samples, S ≥ 2.
        U: Orthonormal columns, shape (d, r).
    """
    squares = squares_along(samples - samples.mean(axis=0), U)
    variance: Array = squares.sum(axis=0) / (len(samples) - 1)
    return variance


def nearest(
    samples: Float64[Array, "S d"],
    points: Float64[Array, "N d"],
    number: Int64[NDArray[np.int64], " N"] | None = None,
) -> tuple[Int64[NDArray[np.int64], " S"], Float64[Array, " S"]]:
    """Which training point is nearest to each sample, and how near, shape (S,) each.

    Args:
        samples: Generated points, shape (S, d).
        points: Training points, shape (N, d).
        number: Which distinct point each of them is, shape (N,): points of one number are copies
            of each other. None is `lindiff.science.repeats.repeated` of them.

    Returns:
        Its row, and the ratio of its distance to that of the nearest distinct from it; 1 where both
        are 0.

    Raises:
        ValueError: There is no second distinct training point.
    """
    number = repeated(points) if number is None else number
    if len(points) < 2 or (number == number[0]).all():
        raise ValueError(f"{min(len(points), 1)} distinct training points; a second needs 2")
    index, ratio = np.empty(len(samples), dtype=np.int64), np.ones(len(samples))
    for i, x in enumerate(samples):
        # Differences, not |x|² + |y|² − 2 x·y, which has no digits left at near duplicates.
        squares = ((points - x) ** 2).sum(axis=1)
        index[i] = squares.argmin()
        first = squares[index[i]]
        second = squares[number != number[index[i]]].min()
        if second:
            ratio[i] = np.sqrt(first / second)
    return index, ratio


def memorized_fraction(
    samples: Float64[Array, "S d"],
    points: Float64[Array, "N d"],
    number: Int64[NDArray[np.int64], " N"] | None = None,
) -> Estimate:
    """Share of samples that are nearer to one training point than to a third of the next.

    The ratio of the distances to the nearest training point and to the nearest that is distinct
    from it is below 1/3 (Yoon et al. 2023): a copy of a point that is twice in the training set is
    memorized.

    Args:
        samples: Generated points, shape (S, d), S ≥ 2.
        points: Training points, shape (N, d).
        number: Which distinct point each is, as in `nearest`.

    Returns:
        The share and its standard error, 0 where all samples are alike.

    Raises:
        ValueError: There are fewer than three distinct training points: of two, the second-nearest
            is always the other one.
    """
    return mean(copies(samples, points, number)[1])


def copies(
    samples: Float64[Array, "S d"],
    points: Float64[Array, "N d"],
    number: Int64[NDArray[np.int64], " N"] | None = None,
) -> tuple[Int64[NDArray[np.int64], " S"], Bool[NDArray[np.bool_], " S"]]:
    """The nearest training point of each sample, and whether `memorized_fraction` counts it.

    Arguments and errors are those of `memorized_fraction`.
    """
    number = repeated(points) if number is None else number
    distinct = len(np.unique(number))
    if distinct < 3:
        raise ValueError(f"{distinct} distinct training points; the ratio needs at least 3")
    index, ratio = nearest(samples, points, number)
    return index, ratio < _COPY


def excess_kurtosis(values: Float64[Array, " S"]) -> Estimate:
    """Fourth cumulant over the squared variance, 0 of a Gaussian, with its jackknife error.

    m_4/m_2² − 3 of central moments; its bias of order 1/S is taken out by the same jackknife,
    which leaves out one of 16 blocks. Both are too small in most sets of samples with heavy tails:
    an interval is `lindiff.science.kurtosis.interval`.

    Args:
        values: Numbers, shape (S,), S ≥ 2.

    Returns:
        NaN where all values are the same.
    """

    def of(x: Float64[Array, " n"]) -> float:
        squares = (x - x.mean()) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.mean(squares**2) / np.mean(squares) ** 2) - 3

    folds = np.array([of(np.delete(values, block)) for block in _blocks(len(values))])
    count = len(folds)
    return float(count * of(values) - (count - 1) * folds.mean()), _jackknife(folds)


def proximity_bias(
    one: Float64[Array, "S d"],
    other: Float64[Array, "S d"],
    points: Float64[Array, "N d"],
    other_points: Float64[Array, "N2 d"],
) -> Estimate:
    """How much nearer samples of two models are to their own training points than to the other's.

    ½ E[δ(x, P′) − δ(x, P) + δ(x′, P) − δ(x′, P′)], δ(x, P) the distance of x to the nearest point
    of P. Of models whose samples know nothing of their training points it is 0 for any two sets:
    that one of them lies nearer to everything drops out. Its jackknife error, which for a mean is
    the standard deviation over √S, leaves out a sample of each at a time, for both may be made of
    the same noise.

    Args:
        one: Samples x of the model that is trained on P, shape (S, d), S ≥ 2.
        other: Samples x′ of the model that is trained on P′, as many.
        points: P, shape (N, d).
        other_points: P′, shape (N′, d).

    Returns:
        In the unit of the samples.
    """
    far = _distances(one, other_points) + _distances(other, points)
    near = _distances(one, points) + _distances(other, other_points)
    return mean((far - near) / 2)


def _distances(
    samples: Float64[Array, "S d"], points: Float64[Array, "N d"]
) -> Float64[Array, " S"]:
    """Distance of each sample to the nearest of the points, shape (S,)."""
    from scipy.spatial.distance import cdist

    rows = max(1, _BLOCK // len(points))
    blocks = [samples[start : start + rows] for start in range(0, len(samples), rows)]
    return np.concatenate([cdist(block, points).min(axis=1) for block in blocks])


def cosine(one: Float64[Array, "S d"], other: Float64[Array, "S d"]) -> Estimate:
    """Mean cosine between the rows of two arrays (S, d), with its standard error.

    Args:
        one: Vectors, none of them 0, S ≥ 2.
        other: Vectors, each beside one of the first.
    """
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return mean((one * other).sum(axis=1) / lengths)


def mean(values: Bool[NDArray[np.bool_], " S"] | Float64[Array, " S"]) -> Estimate:
    """The mean of numbers of independent samples, shape (S,), S ≥ 2, with its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def agreement(one: Float64[Array, "S d"], other: Float64[Array, "S d"], mean: Vector) -> Estimate:
    """E⟨x − m, x′ − m⟩/√(E|x − m|² E|x′ − m|²) of two sets of samples of the same noises.

    The sample form of `lindiff.science.agreement`, with the standard error of a jackknife.

    Args:
        one: Samples x of one model, shape (S, d).
        other: Samples x′ of the other, each of the same noise.
        mean: The population mean m, shape (d,).

    Returns:
        Between −1 and 1; NaN where a model makes nothing but m.
    """
    one, other = one - mean, other - mean
    sums = np.stack([(a * b).sum(axis=1) for a, b in ((one, other), (one, one), (other, other))])
    blocks = np.array([sums[:, block].sum(axis=1) for block in _blocks(len(one))])
    left = blocks.sum(axis=0) - blocks
    with np.errstate(divide="ignore", invalid="ignore"):
        value, *folds = (float(a / np.sqrt(b * c)) for a, b, c in (blocks.sum(axis=0), *left))
    return value, _jackknife(np.array(folds))


def gaussian_distances(
    samples: Float64[Array, "S d"], mean: Vector, spectrum: Vector
) -> dict[str, Estimate]:
    """Distances of the Gaussian of some samples from N(mean, diag(spectrum)), per dimension.

    For S normal samples of mean m and covariance C, n = S − 1 and W = Σ (x − x̄)(x − x̄)ᵀ, both KL
    are free of the bias of finite S, by exact expectations of the Wishart distribution (Anderson
    2003, sections 3.2, 7.2, 7.7):
    E tr W = n tr C, E ln det W = ln det C + d ln 2 + Σ_{i<d} ψ((n − i)/2),
    E W⁻¹ = C⁻¹/(n − d − 1), E x̄ᵀAx̄ = mᵀAm + tr(AC)/S, and x̄ is independent of W. Samples
    that are far from normal have a bias of their own. Values below 0 are within the error of 0.
    The squared 2-Wasserstein (Bures) distance is freed of its bias of order 1/S by the jackknife.

    Args:
        samples: The samples, shape (S, d), S ≥ 2.
        mean: Of the population, shape (d,).
        spectrum: Variances of the population, shape (d,).

    Returns:
        `kl_model_data` and `kl_data_model`, in nats, and `bures`, each with its standard error.
        Samples that lie in fewer directions than they could, to the rounding of float64, have an
        infinite KL, with NaN as its error, and so have all where the population has no variance in
        some direction. With too few samples to tell, the KL are NaN:
        `kl_model_data` needs S > d, `kl_data_model` S > d + 2; an error needs that of 15/16 of S.
    """
    whole = _fit(samples, mean, spectrum)
    folds = np.array([
        _fit(np.delete(samples, block, axis=0), mean, spectrum) for block in _blocks(len(samples))
    ])  # fmt: skip
    count = len(folds)
    bures = count * whole[2] - (count - 1) * folds[:, 2].mean()
    values = (whole[0], whole[1], bures)
    names = ("kl_model_data", "kl_data_model", "bures")
    return {
        name: (float(value), _jackknife(fold))
        for name, value, fold in zip(names, values, folds.T, strict=True)
    }


def _fit(
    samples: Float64[Array, "S d"], mean: Vector, spectrum: Vector
) -> tuple[float, float, float]:
    """Both KL, without their bias, and the Bures distance, with it, per dimension."""
    count, d = samples.shape
    shift = samples.mean(axis=0)
    # W = RᵀR. Of R, not of W: a product would lose half of the digits of small variances.
    R = np.asarray(np.linalg.qr(samples - shift, mode="r"))
    shift = shift - mean
    root = np.sqrt(spectrum)
    cross = np.linalg.svd(R * root, compute_uv=False).sum() / np.sqrt(count - 1)
    bures = shift @ shift + spectrum.sum() + (R**2).sum() / (count - 1) - 2 * cross
    singular = np.linalg.svd(R, compute_uv=False)
    # Rounding is that of numbers of the population's size, also where all samples are one point.
    size = max(singular[0], np.sqrt(count * spectrum.max()))
    tolerance = max(count, d) * np.finfo(float).eps * size
    if np.sum(singular > tolerance) < min(count - 1, d) or not spectrum.all():
        return np.inf, np.inf, bures / d
    forward, backward = _divergences(R / root, shift / root, count)
    return forward / (2 * d), backward / (2 * d), bures / d


def _divergences(R: Float64[Array, "rank d"], shift: Vector, count: int) -> tuple[float, float]:
    """2 KL(model‖N(0, I)) and 2 KL(N(0, I)‖model) without bias, of W = RᵀR and mean `shift`."""
    from scipy.special import digamma

    freedom, d = count - 1, len(shift)
    if freedom < d:
        return np.nan, np.nan
    trace = (R**2).sum() / freedom
    log_det = 2 * np.log(np.abs(np.diagonal(R))).sum() - d * np.log(2)
    log_det -= digamma((freedom - np.arange(d)) / 2).sum()
    forward = trace - d - log_det + shift @ shift - trace / count
    if freedom - d - 1 <= 0:
        return forward, np.nan
    inverse = np.linalg.inv(R)
    total = (inverse**2).sum() + ((shift @ inverse) ** 2).sum()
    backward = (freedom - d - 1) * total - d / count - d + log_det
    return forward, backward


def _blocks(count: int) -> list[Int64[NDArray[np.int64], " _"]]:
    """The rows of up to 16 blocks of about the same size."""
    return np.array_split(np.arange(count), min(BLOCKS, count))


def _jackknife(folds: Float64[Array, " blocks"]) -> float:
    """Standard error from the values without one block each; NaN where one of them is no number."""
    if not np.isfinite(folds).all():
        return np.nan
    count = len(folds)
    return float(np.sqrt((count - 1) * folds.var()))
