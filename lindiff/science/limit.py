"""The large-system limit of the spectral measure (docs/theory.md, "Limit").

For d, N → ∞ at fixed N/d the spectral measure of Σ0 is deterministic. Linear functionals of it are
integrals over a contour around the spectrum, where the filters are analytic: no density, no band
edges. The real Wishart correction of order 1/n makes them good to a fraction of a percent at finite
d, near N = d too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.edge import reaches_zero, remainders, weights_at_zero
from lindiff.science.numbers import variances, whole
from lindiff.science.tables import Range

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# The filters are analytic in the strip |Im ln λ| < 1.3; the contour goes half-way.
_STRIP = 1.3
_DIGITS = 13
_ROUNDS = 60
# Low end of a contour over the smallest eigenvalue, and where the bulk reaches 0.
_LOW, _LOWEST = 1e-7, 1e-12


@dataclass(frozen=True, eq=False)
class Limit:
    """The limiting spectral measure of Σ0 on a contour around its bulk.

    From `limiting`; docs/theory.md, "Limit".

    Attributes:
        spectrum: The distinct population eigenvalues s, shape (u,), descending, float64.
        counts: How often each occurs, shape (u,), float64.
        n: N, the number of samples.
        nodes: λ on the upper half of the contour, shape (K,), complex128.
        modes: Weight of one population mode at each node, (K, u): with F̄_j the limit of
            (F(Σ0))_jj, F̄_j = Re Σ_k modes[k, j] F(λ_k) + atom[j] F(0).
        atom: Weight of one mode in the null space of Σ0, shape (u,).
        kappa: κ(−λ) at each node, shape (K,), complex128.
        dy: The step of the contour in y = ln λ at each node, shape (K,), complex128.
        freedom: Degrees of freedom n: N − 1, or N where the mean is known.

    Example:
        The trace of F(λ) = λ is that of Σ0, with n = N − 1 of N degrees of freedom:

        >>> import numpy as np, lindiff
        >>> limit = lindiff.limiting(lindiff.make_spectrum("power_law", 50, exponent=1.0), n=101)
        >>> one = np.ones(len(limit.spectrum))
        >>> trace = limit.trace(one, limit.nodes[:, None], np.zeros((1, 1)))
        >>> bool(np.isclose(trace[0], 50 * 100 / 101))
        True
    """

    spectrum: Float64[Array, " u"]
    counts: Float64[Array, " u"]
    n: int
    nodes: Complex128[Complex, " K"]
    modes: Complex128[Complex, "K u"]
    atom: Float64[Array, " u"]
    kappa: Complex128[Complex, " K"]
    dy: Complex128[Complex, " K"]
    freedom: int

    def trace(
        self,
        weights: Float64[Array, " u"],
        values: Inexact[NDArray[Any], "K F"],
        at_zero: Float64[Array, "1 F"],
    ) -> Float64[Array, " F"]:
        """Limit of tr A F(Σ0), shape (F,), for A diagonal in the eigenbasis of Σ.

        Args:
            weights: A on each distinct population mode, shape (u,).
            values: F on the nodes, shape (K, F).
            at_zero: F at λ = 0, shape (1, F); not used where there is no null space.
        """
        each = weights * self.counts
        nodes = self.modes @ each
        bulk: Array = nodes.real @ values.real - nodes.imag @ values.imag
        # Where there is no null space F(0) may be infinite and has no part.
        return bulk + (each @ self.atom) * at_zero[0] if self.atom.any() else bulk

    def diagonal(
        self, values: Inexact[NDArray[Any], "K F"], at_zero: Float64[Array, "1 F"]
    ) -> Float64[Array, "u F"]:
        """Limits of (F(Σ0))_jj of each distinct mode, shape (u, F); `values` as in `trace`."""
        modes = self.modes.T
        bulk: Array = modes.real @ values.real - modes.imag @ values.imag
        return bulk + self.atom[:, None] * at_zero if self.atom.any() else bulk

    @property
    def reaches_zero(self) -> bool:
        """Whether the bulk does: as many degrees of freedom as dimensions that have variance."""
        return reaches_zero(self.spectrum, self.counts, self.freedom)

    def scatter(
        self,
        left: Float64[Array, " u"],
        right: Float64[Array, " u"],
        values: Inexact[NDArray[Any], "K F"],
        at_zero: Float64[Array, "1 F"],
    ) -> Float64[Array, " F"]:
        """Limit of Σ_ij left_i right_j (F(Σ0)_ij)² over modes i ≠ j, shape (F,).

        docs/theory.md, "Limit", "The mean": E R_ij(λ) R_ij(λ′) of the resolvent, to leading order.

        Args:
            left: A weight of each distinct population mode, shape (u,).
            right: Another one, shape (u,).
            values: F on the nodes, shape (K, F); analytic at λ = 0.
            at_zero: F at λ = 0, shape (1, F).
        """
        s = self.spectrum * self.freedom / self.n
        inverse = 1 / (s + self.kappa[:, None])
        weights = np.stack([s * s, left * s, right * s]) * self.counts
        sums, slopes = weights @ inverse.T, weights @ (inverse * inverse).T
        F = (values - at_zero) * (self.dy / (np.pi * 1j))[:, None]
        total = np.zeros(values.shape[1])
        # Both halves of the contour; the lower is the conjugate of the upper.
        for half in (np.asarray, np.conj):
            other = half(self.kappa)
            gap = other - self.kappa[:, None]
            # Σ weights/((s + κ)(s + κ′)) is a difference of sums over κ′ − κ. Where that has no
            # digits, the derivative has.
            near = np.abs(gap) < 1e-4 * np.abs(other)
            gap[near] = np.inf
            square, one, two = (
                (h[:, None] - half(h)) / gap + near * (slope[:, None] + half(slope)) / 2
                for h, slope in zip(sums, slopes, strict=True)
            )
            between = self.kappa[:, None] * other / (self.freedom - square) * one * two
            total += ((F.T @ between) * half(F).T).sum(axis=1).real / 2
        return total


def degrees_of_freedom(n: int, known_centre: bool) -> int:
    """N − 1 where the mean is estimated, N where it is known."""
    return n if known_centre else n - 1


def limit_range(spectrum: Float64[Array, " d"], freedom: int, tight: bool = False) -> Range:
    """Range of λ that the contour encloses, one for most N so that they share their filters.

    It holds the bulk: above s_1 (1 + √γ)², below s_d (1 − √γ)², γ = d over degrees of freedom; up
    to γ = 10 and 0.3 % from γ = 1 all have the same, beyond that it grows by whole decades.
    At γ = 1 the bulk reaches 0, and next to nothing of it lies below the range. `tight` leaves the
    upper end where it is: for filters that grow without bound beyond it.
    """
    positive = spectrum[spectrum > 0]
    root = np.sqrt(len(positive) / freedom)
    share = _LOWEST
    if root != 1:
        share = min(_LOW, 10.0 ** np.floor(np.log10((1 - root) ** 2 / 20)))
    low = positive.min() * share
    edge = 1.05 * (1 + root) ** 2
    high = spectrum.max() * (edge if tight else 20 * 10.0 ** max(0, np.ceil(np.log10(edge / 20))))
    return float(low), float(high)


def contour(
    span: Range, digits: int = _DIGITS
) -> tuple[Complex128[Complex, " K"], Complex128[Complex, " K"]]:
    """Nodes λ = e^y on the upper half of an ellipse around `span` in y = ln λ, and dy at each."""
    low, high = np.log(span)
    quarter = (high - low) / 4
    ratio = _STRIP / quarter
    rho = np.sqrt((ratio + np.sqrt(ratio**2 + 4)) / 2)
    count = int(np.ceil(digits * np.log(10) / np.log(rho) / 2))
    turn = rho * np.exp(1j * (np.arange(count) + 0.5) * np.pi / count)
    y = (high + low) / 2 + quarter * (turn + 1 / turn)
    return np.exp(y), 1j * quarter * (turn - 1 / turn) * np.pi / count


def _solve(
    z: Complex128[Complex, " K"],
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
    freedom: int,
    guess: Complex128[Complex, " K"],
) -> Complex128[Complex, " K"] | None:
    """The κ of κ = z + (κ/n) Σ s/(s+κ) in the half-plane of z, by Newton's method from `guess`.

    There is one such root (docs/theory.md); None where the method did not end there.
    """
    kappa, at_zero = guess, reaches_zero(s, counts, freedom)
    for _ in range(_ROUNDS):
        if at_zero:
            first, second = remainders(kappa[:, None], s, counts)
            step = (kappa * first - z) / second
        else:
            S = s / (s + kappa[:, None])
            step = (kappa - z - kappa / freedom * (S @ counts)) / (1 - (S * S) @ counts / freedom)
        size, far = np.abs(step), np.abs(kappa) / 2
        step[size > far] *= (far / np.maximum(size, 1e-300))[size > far]
        kappa = kappa - step
        if np.all(size < 1e-10 * far):
            return kappa if np.all(kappa.imag * z.imag > 0) else None
    return None


def _walk(
    nodes: Complex128[Complex, " K"],
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
    freedom: int,
) -> Complex128[Complex, " K"]:
    """κ(−λ) from node to node: at the first, far out, it is near −λ."""
    found = [-nodes[:1]]
    for i in range(len(nodes)):
        guess = found[-1] * (found[-1] / found[-2] if i > 1 else 1)
        kappa = _solve(-nodes[i : i + 1], s, counts, freedom, guess)
        if kappa is None:
            raise ArithmeticError(f"κ was not found at {freedom} degrees of freedom")
        found.append(kappa)
    return np.concatenate(found[1:])


def limits(
    spectrum: Float64[Array, " d"],
    ns: Iterable[int],
    known_centre: bool = False,
    tight: bool = False,
    digits: int = _DIGITS,
) -> Iterator[Limit]:
    """The limits of several N, one after the other; see `limiting`.

    The number of nodes is in proportion to the `digits`.
    """
    s, repeats = np.unique(spectrum, return_counts=True)
    s, counts = s[::-1], repeats[::-1].astype(float)
    span, kappa = None, None
    for n in ns:
        freedom = degrees_of_freedom(n, known_centre)
        own = limit_range(spectrum, freedom, tight)
        if reaches_zero(s, counts, freedom):
            # Apart, so that no other N notices whether this one is among them.
            yield _limit(s, counts, n, freedom, contour(own, digits), None)
            continue
        if own != span:
            span, around, kappa = own, contour(own, digits), None
        limit = _limit(s, counts, n, freedom, around, kappa)
        kappa = limit.kappa
        yield limit


def _limit(
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
    n: int,
    freedom: int,
    around: tuple[Complex128[Complex, " K"], Complex128[Complex, " K"]],
    guess: Complex128[Complex, " K"] | None,
) -> Limit:
    """The limit on a contour; `guess` is the κ of a neighbouring N, which is near."""
    nodes, dy = around
    scaled = s * freedom / n
    kappa = None if guess is None else _solve(-nodes, scaled, counts, freedom, guess)
    if kappa is None:
        kappa = _walk(nodes, scaled, counts, freedom)
    modes, atom = _weights(nodes, kappa[:, None], dy, scaled, counts, freedom)
    return Limit(s, counts, n, nodes, modes, atom, kappa, dy, freedom)


def limiting(
    spectrum: Float64[Array, " d"], n: int, known_centre: bool = False, tight: bool = False
) -> Limit:
    """The limiting measure of Σ0, with the real Wishart correction of order 1/n.

    docs/theory.md, "Limit" (Marchenko & Pastur 1967; Silverstein 1995; Bach, arXiv 2303.01372).

    Args:
        spectrum: s ≥ 0, shape (d,), float64; a direction without variance is in the null space
            of Σ0.
        n: N ≥ 2, the number of samples.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.
        tight: As in `limit_range`.

    Returns:
        The measure, from whose nodes traces of any filter come.

    Raises:
        ValueError: An eigenvalue is negative or not finite, or N < 2.
        ArithmeticError: The root κ was not found.

    Example:
        The mean of tr Σ0⁻¹ is N d/(n − d − 1) for white data, exactly (an inverse Wishart matrix):

        >>> import numpy as np, lindiff
        >>> limit = lindiff.limiting(np.ones(50), n=101)
        >>> trace = limit.trace(np.ones(1), 1 / limit.nodes[:, None], np.zeros((1, 1)))
        >>> bool(np.isclose(trace[0], 101 * 50 / (100 - 50 - 1), rtol=1e-3))
        True
    """
    return next(limits(variances(spectrum), [whole("n", n, 2)], known_centre, tight))


def _without_low_end(
    S: Complex128[Complex, "K u"],
    nodes: Complex128[Complex, "K 1"],
    kappa: Complex128[Complex, "K 1"],
    s: Float64[Array, " u"],
) -> Complex128[Complex, "K u"]:
    """S less S_0 s/(λ + s), S_0 its value at the low end: the last node.

    That is analytic inside the contour, so it integrates to zero with every filter. What is left is
    small at both ends: neither filters as large as 1/λ nor those as large as λ lose digits.
    """
    low = kappa[-1].real
    at_low = s / (s + low)
    near_zero = s * (low - kappa) / ((s + kappa) * (s + low)) + at_low * nodes / (nodes + s)
    far: Complex = S - at_low * s / (nodes + s)
    return np.where(np.abs(nodes) < s, near_zero, far).astype(np.complex128)


def correction(
    kappa: Complex128[Complex, "K 1"],
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
    freedom: int,
) -> Complex128[Complex, "K u"]:
    """What a real Wishart matrix has less than S at order 1/n, at each κ.

    Args:
        kappa: κ, shape (K, 1).
        s: Distinct s′, shape (u,).
        counts: How often each occurs, shape (u,).
        freedom: Degrees of freedom n.
    """
    S = s / (s + kappa)
    if reaches_zero(s, counts, freedom):
        slope = 1 / remainders(kappa, s, counts)[1][:, None]
    else:
        slope = 1 / (1 - (S * S) @ counts / freedom)[:, None]
    cubes = s**2 / (s + kappa) ** 3
    shift = slope**2 * (cubes @ counts)[:, None] / freedom
    less: Complex = kappa / freedom * (slope * cubes - kappa * shift * s / (s + kappa) ** 2)
    return less


def _weights(
    nodes: Complex128[Complex, " K"],
    kappa: Complex128[Complex, "K 1"],
    dy: Complex128[Complex, " K"],
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
    freedom: int,
) -> tuple[Complex128[Complex, "K u"], Float64[Array, " u"]]:
    """`Limit.modes` and `Limit.atom` from κ(−λ) on the nodes, shape (K, 1)."""
    S = _without_low_end(s / (s + kappa), nodes[:, None], kappa, s)
    S = S - correction(kappa, s, counts, freedom)
    modes = -(dy / (np.pi * 1j))[:, None] * S
    if reaches_zero(s, counts, freedom):
        modes += weights_at_zero(nodes, modes, dy, s, counts)
    if freedom >= counts[s > 0].sum():
        return modes, (s == 0).astype(float)
    return modes, 1 - modes.real.sum(axis=0)
