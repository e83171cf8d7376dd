"""The limit of both losses with frozen noises (docs/theory.md, "Noise copies").

The N m pairs are two groups of rows: n_1 = N − 1 (N where the mean is known) with signal and noise,
y of covariance K_1 = mᾱΣ + q, and n_2 = N m − n_1 of noise alone, K_2 = q. Losses come from
Q = (G + Z)⁻¹, G = M_1 + M_2 the groups' sums of y yᵀ, whose limit is diagonal in the eigenbasis of
Σ: Q = 1/(Z + w_1 K_1 + w_2 K_2) with w_k (1 + tr K_k Q) = n_k. What real Gaussian rows add to it at
order 1/n is kept, as in `lindiff.science.limit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Inexact
from numpy.typing import NDArray

from lindiff.science.limit import degrees_of_freedom
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
PerLevel = Float64[Array, " T"]
OnModes = Inexact[NDArray[Any], "L u"]
OfGroups = Inexact[NDArray[Any], "L 2"]

# Levels × modes of one pass: its work arrays then stay in the cache.
_BLOCK = 16384
_ROUNDS = 200
# No penalty, as a part of q. Of fewer pairs than dimensions, times (1 − √(N m/d))²: smaller ones
# would cost digits by cancellation, larger ones change the minimiser of least norm.
_LEAST, _LEAST_BELOW = 1e-12, 1e-8
# Of a derivative by one imaginary step, which subtracts nothing.
_STEP = 1e-25


@dataclass(frozen=True, eq=False)
class _Rows:
    """The two groups of pairs at L levels.

    Attributes:
        K: Their covariances on the u distinct modes, shape (L, 2, u).
        n: Their sizes, shape (2,).
        counts: How often each mode occurs, shape (u,).
    """

    K: Float64[Array, "L 2 u"]
    n: Float64[Array, " 2"]
    counts: Float64[Array, " u"]

    def resolvent(
        self, Z: OnModes, w: OfGroups
    ) -> tuple[OnModes, OfGroups, Inexact[NDArray[Any], "L 2 2"]]:
        """Q, tr K_k Q and tr K_k Q K_j Q."""
        Q = 1 / (Z + (w[:, None] @ self.K)[:, 0])
        KQ = self.K * Q[:, None]
        return Q, KQ @ self.counts, (KQ * self.counts) @ KQ.swapaxes(1, 2)

    def root(self, Z: OnModes, start: OfGroups) -> OfGroups:
        """The w of w_k (1 + tr K_k Q) = n_k, by Newton's method in ln w from `start`.

        Raises:
            ArithmeticError: The method did not end.
        """
        w: OfGroups = start
        settled = 0
        for _ in range(_ROUNDS):
            _, t, C = self.resolvent(Z, w)
            slope = (w * (1 + t))[:, :, None] * np.eye(2) - w[:, :, None] * C * w[:, None]
            step = np.linalg.solve(slope, (self.n - w * (1 + t))[..., None])[..., 0]
            size = np.abs(step).max(axis=1)
            w = w * np.exp(step / np.maximum(size, 1)[:, None])
            # Near N m = d rounding moves the root: once near, the next step is the last to help.
            settled += bool(size.max() < 1e-7)
            if settled == 2:
                return w
        raise ArithmeticError("the limit of frozen noises was not found")


@dataclass(frozen=True, eq=False)
class _Means:
    """Means over draws, with their order 1/n: of Q, M_2 Q and M_2 Q M_2 (L, u), tr M_1 Q (L,)."""

    Q: OnModes
    MQ: OnModes
    MQM: OnModes
    trace: Inexact[NDArray[Any], " L"]


def _means(rows: _Rows, Z: OnModes, w: OfGroups) -> _Means:
    """The means at the root w.

    Gaussian rows have E M_k Q = K_k E[(n_k − tr M_k Q) Q − Q M_k Q], exactly; the last term, of
    order 1/n, is what they add to the limit. So has M_2 Q M_2, with Q M_2 − Q M_2 Q M_2.
    """
    K, n = rows.K, rows.n
    Q, t, C = rows.resolvent(Z, w)
    c = w / n
    # B_k, the limits of Q M_k Q, and T_k = tr K_k B_k.
    weight = n * c**2
    H = np.linalg.solve(np.eye(2) - C * weight[:, None], C)
    inner = K + (weight[:, :, None] * H).swapaxes(1, 2) @ K
    B = weight[:, :, None] * inner * (Q**2)[:, None]
    T = weight * np.diagonal(H, axis1=1, axis2=2)
    K2, w2, c2 = K[:, 1], w[:, 1:], c[:, 1:]
    MQ = w2 * K2 * Q
    QMQM = n[1] * K2 * (B[:, 1] * c2 + Q * c2**2 * (t[:, 1:] - T[:, 1:]))
    # What the terms of order 1/n change of w and Q.
    twist = Q * (K * B).sum(axis=1)
    slope = (1 + t)[:, :, None] * np.eye(2) - w[:, :, None] * C
    of_twist = (K @ (twist * rows.counts)[..., None])[..., 0]
    dw = np.linalg.solve(slope, (T - w * of_twist)[..., None])[..., 0]
    dQ = twist - Q**2 * (dw[:, None] @ K)[:, 0]
    dw2 = dw[:, 1:]
    dMQ = K2 * (dw2 * Q - B[:, 1] + w2 * dQ)
    MQM = K2 * (w2 * MQ + n[1] - w2 + dw2 * MQ + w2 * dMQ - dw2 + MQ - QMQM)
    return _Means(Q + dQ, MQ + dMQ, MQM, n[0] - w[:, 0] - dw[:, 0])


@dataclass(frozen=True, eq=False)
class _Levels:
    """L levels of a training set's limit.

    Attributes:
        rows: The groups of pairs.
        signal: mᾱ s, shape (L, u).
        q: q_t, shape (L, 1).
        test: Covariance of fresh y, about a mean that is estimated, shape (L, u).
    """

    rows: _Rows
    signal: Float64[Array, "L u"]
    q: Float64[Array, "L 1"]
    test: Float64[Array, "L u"]

    def least(
        self, Z: OnModes, V: OnModes, start: OfGroups
    ) -> tuple[Inexact[NDArray[Any], " L"], OfGroups]:
        """Mean of the least sum of squares, shape (L,), and its w.

        That is Σ‖ε − W y‖² + tr W Z Wᵀ − 2 tr W (B Z − V), least in W. In both groups ε is B y,
        B = √q K_1⁻¹, and something else: noise of covariance R = mᾱΣ K_1⁻¹ that does not know y in
        the first, D y with D = q^-½ R in the second. So it is linear in the `_Means`, and no term
        is large where the signal is.
        """
        rows, q = self.rows, self.q
        w = rows.root(Z, start)
        means = _means(rows, Z, w)
        R = self.signal / rows.K[:, 0]
        B, D = np.sqrt(q) / rows.K[:, 0], R / np.sqrt(q)
        # d N m less B² (M_1 + M_2) and 2 B D M_2, whose sizes are n_k K_k.
        fixed = rows.n[0] * R + rows.n[1] * R**2 - B**2 * Z + 2 * B * V
        drawn = V**2 * means.Q - 2 * V * D * means.MQ + D**2 * means.MQM
        total = (fixed - drawn) @ rows.counts - (R @ rows.counts) * means.trace
        return total, w

    def losses(self, z: Float64[Array, "L 1"]) -> tuple[Float64[Array, " L"], Float64[Array, " L"]]:
        """Train loss times d N m, and test loss times d, with the penalty z = N m g.

        The slope of the least sum of squares where the test loss is added to it is the test loss of
        its minimiser, less d; where ‖W‖² is added, ‖W‖².
        """
        rows, root = self.rows, np.sqrt(self.q)
        B = root / rows.K[:, 0]
        Z = z + 0 * self.signal
        least, w = self.least(Z, B * Z, np.tile(rows.n, (len(z), 1)))
        step = _STEP * rows.n.sum() * self.q
        more = 1j * step + 0 * self.signal
        square, _ = self.least(Z + more, B * (Z + more), w.astype(complex))
        moved = Z + more * self.test
        test, _ = self.least(moved, B * moved - more * root, w.astype(complex))
        slopes = (square.imag / step[:, 0], test.imag / step[:, 0])
        return least - z[:, 0] * slopes[0], rows.counts.sum() + slopes[1]


def level_losses(
    spectrum: Float64[Array, " d"],
    n: int,
    noises: int,
    schedule: Schedule,
    penalty: PerLevel,
    known_centre: bool = False,
) -> tuple[PerLevel, PerLevel]:
    """Limits of train and test loss at every level, per dimension, shape (T,) each.

    Args:
        spectrum: s ≥ 0, shape (d,).
        n: N ≥ 2, the number of samples.
        noises: m ≥ 1, frozen noises a sample and level.
        schedule: The noise schedule.
        penalty: g_t ≥ 0, shape (T,).
        known_centre: Whether the mean is known.

    Raises:
        ValueError: As many pairs as dimensions without a penalty: the test loss has no limit.
        ArithmeticError: No root was found.
    """
    pairs, d = n * noises, len(spectrum)
    if pairs == d and not penalty.all():
        raise ValueError(f"no limit at N m = {pairs}: as many pairs as dimensions")
    least = _LEAST_BELOW * (1 - np.sqrt(pairs / d)) ** 2 if pairs < d else _LEAST
    z = np.maximum(penalty, least * schedule.q) * pairs
    found = [
        levels.losses(z[part, None])
        for part, levels in _blocks(spectrum, n, noises, schedule, known_centre)
    ]
    train, test = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # Without a penalty that many numbers are fitted exactly.
    train = np.where((penalty == 0) & (pairs < d), 0.0, train)
    return train / (d * pairs), test / d


def _blocks(
    spectrum: Float64[Array, " d"], n: int, noises: int, schedule: Schedule, known_centre: bool
) -> Iterator[tuple[slice, _Levels]]:
    """The levels, some at a time."""
    s, counts = np.unique(spectrum, return_counts=True)
    freedom = degrees_of_freedom(n, known_centre)
    # A group without rows has a weight that changes no digit.
    sizes = np.array([freedom, max(n * noises - freedom, 1e-30)], float)
    width = max(1, _BLOCK // len(s))
    for start in range(0, schedule.timesteps, width):
        part = slice(start, start + width)
        alpha_bar, q = schedule.alpha_bar[part, None], schedule.q[part, None]
        signal = noises * alpha_bar * s
        K = np.stack([signal + q, np.broadcast_to(q, signal.shape)], axis=1)
        fresh = alpha_bar * s * (1 + (0.0 if known_centre else 1 / n)) + q
        yield part, _Levels(_Rows(K, sizes, counts.astype(float)), signal, q, fresh)
