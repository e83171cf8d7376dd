"""Data of several Gaussian classes with a given covariance (docs/theory.md, "Mixtures").

Σ, which the spectrum says, is the covariance of all classes together, and the means of the classes
lie along its leading eigenvectors. So a mixture has the mean and the covariance of the Gaussian
population, and what differs between the two is all that a linear denoiser cannot see. Its score is
exact: class k noised to level t is N(√ᾱ m_k, ᾱ C_k + q), and x_t belongs to it with the
probability p_k(x_t).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.science.denoisers import Denoiser
from lindiff.science.numbers import descending, real
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
Classes = Float64[Array, " K"]
Rows = Float64[Array, "n d"]

KEYS = ("weights", "between", "means", "variances")
MOST_CLASSES = 100
# Of the whitened means' covariance: what is less than 1 by no more is 1 but for rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Mixture:
    """Classes of one population, about its mean; from `make_mixture`.

    Coordinates are those of the eigenbasis of Σ, of which `turn` makes those along the axes that
    the covariances of all classes share.

    Attributes:
        weights: Share w_k of each class, shape (K,), of sum 1.
        means: Mean m_k of each class, shape (K, d), along the axes; Σ w_k m_k = 0.
        variances: Of each class along the axes, shape (K, d).
        turn: The axes of the first r coordinates as columns, shape (r, r); those of the others are
            the coordinates themselves.
        shared: Whether all classes have one covariance.
    """

    weights: Classes
    means: Float64[Array, "K d"]
    variances: Float64[Array, "K d"]
    turn: Float64[Array, "r r"]
    shared: bool

    @property
    def rank(self) -> int:
        """Number r of leading directions that the means of the classes may differ in."""
        return len(self.turn)

    def along(self, rows: Rows) -> Rows:
        """Rows of the eigenbasis of Σ along the axes, shape (n, d)."""
        turned = rows.copy()
        turned[:, : self.rank] = rows[:, : self.rank] @ self.turn
        return turned

    def back(self, rows: Rows) -> Rows:
        """The inverse of `along`."""
        turned = rows.copy()
        turned[:, : self.rank] = rows[:, : self.rank] @ self.turn.T
        return turned

    def sample(
        self, n: int, labels: np.random.Generator, rng: np.random.Generator
    ) -> tuple[Rows, Int64[NDArray[np.int64], " n"]]:
        """Rows less the population's mean, shape (n, d), and the class of each, from 0.

        With the same generators a smaller set is a prefix of a larger one.

        Args:
            n: Number of rows.
            labels: Source of the classes.
            rng: Source of all else.
        """
        edges = np.cumsum(self.weights)[:-1]
        label = np.searchsorted(edges, labels.random(n), side="right")
        rows = rng.standard_normal((n, self.means.shape[1]))
        rows *= np.sqrt(self.variances)[label]
        rows += self.means[label]
        return self.back(rows), label

    def posterior(
        self, rows: Rows, alpha_bar: float = 1.0, q: float = 0.0
    ) -> Float64[Array, "n K"]:
        """p_k(x_t), the probability of each class given noisy rows, shape (n, K).

        Args:
            rows: x_t less √ᾱ times the population's mean, shape (n, d).
            alpha_bar: ᾱ_t.
            q: q_t; 0 for rows without noise.
        """
        return self.informative().among(self._informative(self.along(rows)), alpha_bar, q)

    def denoiser(self, schedule: Schedule, offset: Float64[Array, " d"]) -> Denoiser:
        """The optimum of all denoisers, E[ε|x_t], on a schedule, for points less a centre.

        Args:
            schedule: The noise schedule.
            offset: The centre less the population's mean, shape (d,).
        """

        def denoise(x: Rows, index: int) -> Rows:
            alpha_bar, q = float(schedule.alpha_bar[index]), float(schedule.q[index])
            rows = self.along(x + np.sqrt(alpha_bar) * offset)
            p = self.informative().among(self._informative(rows), alpha_bar, q)
            precision = 1 / (alpha_bar * self.variances + q)
            found = (p @ precision) * rows - np.sqrt(alpha_bar) * (p @ (self.means * precision))
            return self.back(np.sqrt(q) * found)

        return denoise

    def informative(self) -> Mixture:
        """The coordinates that tell the classes apart, all of them where covariances differ."""
        if not self.shared:
            return self
        some = slice(self.rank)
        return replace(self, means=self.means[:, some], variances=self.variances[:, some])

    def _informative(self, rows: Rows) -> Float64[Array, "n m"]:
        return rows[:, : self.rank] if self.shared else rows

    def among(
        self, rows: Float64[Array, "n m"], alpha_bar: float, q: float
    ) -> Float64[Array, "n K"]:
        """As `posterior`, of rows along the informative axes."""
        variance, root = alpha_bar * self.variances + q, np.sqrt(alpha_bar)
        # Directions without variance, of rows without noise, say nothing: no class has one.
        some = (variance > 0).all(axis=0)
        rows, variance, means = rows[:, some], variance[:, some], self.means[:, some]
        logs = (
            np.log(self.weights) - (np.log(variance) + alpha_bar * means**2 / variance).sum(1) / 2
        )
        logs = logs + root * rows @ (means / variance).T
        if not self.shared:
            logs = logs - rows**2 @ (1 / variance).T / 2
        logs -= logs.max(axis=1, keepdims=True)
        p: Array = np.exp(logs)
        p /= p.sum(axis=1, keepdims=True)
        return p


def one_class(spectrum: Float64[Array, " d"]) -> Mixture:
    """The Gaussian of covariance diag(s), shape (d,), as a mixture of one class."""
    mean, turn = np.zeros((1, len(spectrum))), np.eye(0)
    return Mixture(np.ones(1), mean, np.asarray(spectrum)[None], turn, shared=True)


def make_mixture(
    spectrum: Float64[Array, " d"],
    weights: Sequence[float],
    between: float | None = None,
    means: Sequence[Sequence[float]] | None = None,
    variances: Sequence[float] | None = None,
) -> Mixture:
    """Gaussian classes whose common covariance is diag(s); docs/theory.md, "Mixtures".

    Args:
        spectrum: s, shape (d,), of all classes together, from `make_spectrum`.
        weights: Share of each class, positive; their sum is made 1.
        between: Share of the variance of the first K − 1 eigenvectors of Σ that lies between the
            classes, from 0 to less than 1; mode j tells class j + 1 from those before it. Two
            classes of equal weight are at ±√(between · s_1) along the first.
        means: Instead of `between` the mean of each class, r coordinates along the first
            eigenvectors of Σ in units of the standard deviation √s_j there; the mean of all is
            subtracted.
        variances: Covariance of each class in units of one that all would have; else all have it.

    Returns:
        The classes, about the population's mean.

    Raises:
        ValueError: As `standard`, or there are more directions of means than dimensions.

    Example:
        Two classes at ±3 with variance 1 around them, in a space of total variance 10 + 63:

        >>> import numpy as np, lindiff
        >>> s = np.append(10.0, np.ones(63))
        >>> two = lindiff.make_mixture(s, [1, 1], between=0.9)
        >>> two.means[:, 0].tolist(), two.variances[:, 0].round(9).tolist()
        ([3.0, -3.0], [1.0, 1.0])
        >>> two.posterior(np.eye(64)[:1]).round(4).tolist()
        [[0.9975, 0.0025]]
    """
    spectrum = descending(spectrum)
    given = {"between": between, "means": means, "variances": variances}
    own = standard({"weights": weights} | {k: v for k, v in given.items() if v is not None})
    z, r = whitened(own), directions(own)
    if r > len(spectrum):
        raise ValueError(f"means in {r} directions, but d = {len(spectrum)}")
    w, root = np.array(own["weights"]), np.sqrt(spectrum[:r])
    share = (z.T * w) @ z
    within = root[:, None] * (np.eye(r) - share) * root
    inside, turn = np.diagonal(within), np.eye(r)
    if np.abs(within - np.diag(inside)).max(initial=0) > _ROUNDING * spectrum[0]:
        inside, turn = np.linalg.eigh(within)
    along = np.zeros((len(w), len(spectrum)))
    along[:, :r] = (z * root) @ turn
    sizes = np.array(own.get("variances", np.ones(len(w))))
    common = np.append(np.maximum(inside, 0), spectrum[r:])
    return Mixture(w, along, sizes[:, None] * common, turn, "variances" not in own)


def standard(given: Mapping[str, Any]) -> dict[str, Any]:
    """One spelling of what says a mixture, by `KEYS`, after every check that needs no spectrum.

    Weights have the sum 1, means the mean 0, variances the mean 1; what makes no difference is
    left out.

    Args:
        given: The arguments of `make_mixture` but the spectrum, those that are given.

    Raises:
        ValueError: The key weights is missing; weights or variances are not positive, or not as
            many as classes; there are fewer than two classes or more than `MOST_CLASSES`; `between`
            is below 0 or not below 1, or given beside means; as much variance as there is, or more,
            lies between the means; or the classes do not differ.
    """
    if "weights" not in given:
        raise ValueError("the key weights is missing")
    weights = _positive("weights", given["weights"])
    count = len(weights)
    if not 2 <= count <= MOST_CLASSES:
        raise ValueError(f"{count} weights; a mixture has 2 to {MOST_CLASSES} classes")
    weights = weights / weights.sum()
    own: dict[str, Any] = {"weights": weights.tolist()}
    if "between" in given and "means" in given:
        raise ValueError("between and means both say where the classes are; give one")
    if "between" in given:
        between = real("between", given["between"])
        if not 0 <= between < 1:
            raise ValueError(f"between = {between:g} must be at least 0 and less than 1")
        own |= {"between": between} if between else {}
    if "means" in given:
        means = _means(given["means"], weights)
        own |= {"means": means.tolist()} if means.any() else {}
    if "variances" in given:
        sizes = _positive("variances", given["variances"])
        if len(sizes) != count:
            raise ValueError(f"{len(sizes)} variances for {count} weights")
        sizes = sizes / (weights @ sizes)
        own |= {"variances": sizes.tolist()} if np.ptp(sizes) > _ROUNDING else {}
    if len(own) == 1:
        raise ValueError("the classes do not differ: give between, means or variances")
    return own


def whitened(own: Mapping[str, Any]) -> Float64[Array, "K r"]:
    """Means of the classes in units of √s_j along the first r eigenvectors of Σ, shape (K, r).

    Those of `between` are √between times the one configuration of K points of these weights whose
    mean is 0 and whose covariance is I, in which direction j tells class j + 1 from those before.

    Args:
        own: What `standard` returned.
    """
    if "means" in own:
        return np.array(own["means"])
    w = np.array(own["weights"])
    before = np.cumsum(w)
    z = np.zeros((len(w), directions(own)))
    for j in range(z.shape[1]):
        z[: j + 1, j] = np.sqrt(w[j + 1] / (before[j] * before[j + 1]))
        z[j + 1, j] = -np.sqrt(before[j] / (w[j + 1] * before[j + 1]))
    z *= np.sqrt(own.get("between", 0.0))
    return z


def two_class_kurtosis(own: Mapping[str, Any]) -> float | None:
    """Excess kurtosis of two classes of one covariance along the whitened line between their means.

    b²(1/(w_1 w_2) − 6), with b the share of the variance there that lies between them: that of a
    coin, as an independent Gaussian adds no cumulant.

    Args:
        own: What `standard` returned.

    Returns:
        None of more classes, and of classes whose covariances differ.

    Example:
        >>> from lindiff.science.mixture import standard, two_class_kurtosis
        >>> two_class_kurtosis(standard({"weights": [1, 1], "between": 0.5}))
        -0.5
    """
    if len(own["weights"]) != 2 or "variances" in own:
        return None
    w, z = np.array(own["weights"]), whitened(own)
    between = float(w @ (z**2).sum(axis=1))
    return between**2 * (1 / float(w.prod()) - 6)


def directions(own: Mapping[str, Any]) -> int:
    """Number r of leading eigenvectors of Σ along which `standard` classes may differ in mean."""
    if "means" in own:
        return len(own["means"][0])
    return len(own["weights"]) - 1 if "between" in own else 0


def _positive(name: str, values: Any) -> Classes:
    """Positive numbers, shape (K,)."""
    if isinstance(values, str | Mapping) or not isinstance(values, Sequence | np.ndarray):
        raise ValueError(f"{name} must be a list of numbers, one for each class")
    found = np.array([real(f"{name}: value {i}", value) for i, value in enumerate(values, 1)])
    for i, value in enumerate(found, 1):
        if not value > 0:
            raise ValueError(f"{name}: value {i} = {value:g} must be more than 0")
    return found


def _means(values: Any, weights: Classes) -> Float64[Array, "K r"]:
    """Means of the classes less their own mean."""
    form = f"means must be {len(weights)} lists of as many numbers each, one for each class"
    if isinstance(values, str | Mapping) or not isinstance(values, Sequence | np.ndarray):
        raise ValueError(form)
    if any(
        isinstance(v, str | Mapping) or not isinstance(v, Sequence | np.ndarray) for v in values
    ):
        raise ValueError(form)
    if (
        len(values) != len(weights)
        or len({len(mean) for mean in values}) != 1
        or not len(values[0])
    ):
        raise ValueError(form)
    found: Array = np.array([[real("means: a coordinate", x) for x in mean] for mean in values])
    found -= weights @ found
    found[np.abs(found) < _ROUNDING] = 0.0
    largest = float(np.linalg.eigvalsh((found.T * weights) @ found)[-1])
    if not largest < 1 - _ROUNDING:
        raise ValueError(
            f"{largest:.4g} of the variance along a direction lies between the means, which are in "
            "units of the standard deviation there; it must be less than 1"
        )
    return found
