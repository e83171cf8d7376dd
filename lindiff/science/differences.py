"""How far two linear denoisers of disjoint training sets are apart (docs/theory.md, "Differences").

Both meet the same noisy point x_t of the population. What is between them, mode by mode of Σ, is a
trace for two training sets and has a limit for two of a large system.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.draws import Draw
from lindiff.science.filters import Bank
from lindiff.science.limit import degrees_of_freedom
from lindiff.science.numbers import descending, whole
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
OnModes = Inexact[NDArray[Any], " d"]

_ROUNDS = 200
# Of a derivative by one imaginary step, which subtracts nothing.
_STEP = 1e-25


def differences(one: Draw, other: Draw, bank: Bank, index: int) -> Float64[Array, "F d"]:
    """E (u_νᵀ(ε̂ − ε̂′))² over noisy test points, along each eigenvector of Σ, shape (F, d).

    Args:
        one: A training set; its test points are those of the population, or held-out rows.
        other: The training set of the other denoiser, disjoint from it.
        bank: F trainings, the same for both.
        index: t − 1 of the noise level.

    Returns:
        From the largest eigenvalue of Σ on; in the unit of the loss times d.

    Example:
        A training set is not apart from itself:

        >>> import numpy as np, lindiff
        >>> from lindiff.science.differences import differences
        >>> draw = lindiff.make_draw("wishart", np.ones(4), n=9, seed=0)
        >>> bank = lindiff.Bank(lindiff.make_schedule(), [lindiff.Training()])
        >>> differences(draw, draw, bank, index=99).max()
        0.0
    """
    alpha_bar, q = bank.schedule.alpha_bar[index], bank.schedule.q[index]
    held_out = one.held_out
    clean = np.diag(one.spectrum) if held_out is None else held_out.covariance
    noisy = alpha_bar * clean + q * np.eye(one.d)
    found = np.empty((len(bank.trainings), one.d))
    pairs = zip(_matrices(one, bank, index), _matrices(other, bank, index), strict=True)
    with np.errstate(over="ignore", invalid="ignore"):
        for own, (first, second) in zip(found, pairs, strict=True):
            apart = first - second
            shift = first @ one.test_offset - second @ other.test_offset
            own[:] = ((apart @ noisy) * apart).sum(axis=1) + alpha_bar * shift**2
    return found


def _matrices(draw: Draw, bank: Bank, index: int) -> list[Float64[Array, "d d"]]:
    """W_t of each training, F of shape (d, d)."""
    nodes = np.append(draw.eigenvalues, 0.0) if draw.null else draw.eigenvalues
    w = bank.level(nodes, index)[3]
    null = w[-1] if draw.null else np.zeros(w.shape[1])
    U, modes = draw.vectors, w[: len(draw.eigenvalues)] - null
    return [
        (U * own) @ U.T + rest * np.eye(draw.d) for own, rest in zip(modes.T, null, strict=True)
    ]


def mean_resolvent(
    penalty: OnModes, spectrum: Float64[Array, " d"], freedom: int, start: complex | None = None
) -> tuple[OnModes, complex]:
    """Diagonal of E (M + Z)⁻¹, M a real Wishart matrix, with its order 1/n, shape (d,), and w.

    Z is diagonal in the eigenbasis of Σ. To leading order it is Q = 1/(Z + wΣ) with
    w (1 + tr ΣQ) = n. Gaussian rows have E MQ = Σ E[(n − tr MQ) Q − QMQ], exactly; the last term is
    the order 1/n, as of frozen noises (docs/theory.md, "Noise copies").

    Args:
        penalty: Z, positive or with a small imaginary part, shape (d,).
        spectrum: s, shape (d,).
        freedom: Degrees of freedom n.
        start: A w near the root; None is n.

    Raises:
        ArithmeticError: No root was found.
    """
    w = _root(penalty, spectrum, freedom, freedom if start is None else start)
    Q = 1 / (penalty + w * spectrum)
    KQ = spectrum * Q
    square, weight = (KQ * KQ).sum(), w * w / freedom
    ratio = weight / (1 - square * weight)
    twist = ratio * (spectrum * Q) ** 2 * Q
    slope = 1 + KQ.sum() - w * square
    dw = (ratio * square - w * (spectrum * twist).sum()) / slope
    return Q + twist - Q * KQ * dw, w


def _root(penalty: OnModes, spectrum: Float64[Array, " d"], freedom: int, start: complex) -> Any:
    """The w of w (1 + tr ΣQ) = n, by Newton's method in ln w."""
    w, settled = start, 0
    for _ in range(_ROUNDS):
        KQ = spectrum / (penalty + w * spectrum)
        off = freedom - w * (1 + KQ.sum())
        step = off / (w * (1 + KQ.sum()) - w * w * (KQ * KQ).sum())
        w = w * np.exp(step / max(abs(step), 1))
        settled += abs(step) < 1e-7
        if settled == 2:
            return w
    raise ArithmeticError("the limit of a resolvent was not found")


def limit_of_differences(
    spectrum: Float64[Array, " d"],
    n: int,
    schedule: Schedule,
    index: int,
    penalty: float,
    known_centre: bool = False,
) -> Float64[Array, " d"]:
    """Mean of `differences` over pairs of training sets at the optimum, with its order 1/n, (d,).

    Twice the variance of W_t over training sets: E W K W − (E W) K (E W) on the diagonal, with
    K = ᾱΣ + q, and what the error of the mean adds, ᾱ E WΣW/N. W_t is a resolvent, and E QKQ minus
    its slope where K is added to the penalty.

    Args:
        spectrum: s ≥ 0, descending, shape (d,).
        n: N, the samples of each training set.
        schedule: The noise schedule.
        index: t − 1 of the noise level.
        penalty: g_t ≥ 0.
        known_centre: Whether the mean is known.

    Raises:
        ArithmeticError: No root was found.

    Example:
        The modes whose variance is the renormalized noise are apart the most:

        >>> import numpy as np, lindiff
        >>> from lindiff.science.differences import limit_of_differences
        >>> s = lindiff.make_spectrum("power_law", 200, exponent=1.0)
        >>> found = limit_of_differences(s, 400, lindiff.make_schedule(), 99, penalty=0.0)
        >>> 1 < int(found.argmax()) < 199
        True
    """
    s, n = descending(spectrum), whole("n", n, 2)
    freedom = degrees_of_freedom(n, known_centre)
    alpha_bar, q = float(schedule.alpha_bar[index]), float(schedule.q[index])
    # W = √q (ᾱΣ0 + q + g)⁻¹ = √q N/ᾱ (M + Z)⁻¹ with M = N Σ0.
    Z = np.full(len(s), n * (q + penalty) / alpha_bar)
    K = alpha_bar * s + q
    Q, w = mean_resolvent(Z, s, freedom)
    step = _STEP * Z[0] / K.max()
    fresh = K if known_centre else K + alpha_bar * s / n
    moved, _ = mean_resolvent(Z + 1j * step * fresh, s, freedom, w)
    scatter = -np.imag(moved) / step - np.real(Q) ** 2 * K
    found: Array = 2 * q * (n / alpha_bar) ** 2 * np.maximum(scatter, 0)
    return found
