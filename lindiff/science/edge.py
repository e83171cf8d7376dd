"""Where the bulk of Σ0 reaches 0: as many degrees of freedom as dimensions that have variance.

docs/theory.md, "Limit", "The edge at 0". There κ goes to 0 like √λ, so that differences of 1 and
of what is nearly 1 are written out here, and the correction of order 1/n leaves a quarter of an
eigenvalue at 0, which no contour around the bulk sees.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex128, Float64
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def reaches_zero(
    s: Float64[Array, " u"], counts: Float64[Array, " u"], freedom: int | float
) -> bool:
    """Whether there are as many degrees of freedom as dimensions that have variance.

    Args:
        s: Distinct population eigenvalues, shape (u,).
        counts: How often each occurs, shape (u,).
        freedom: Degrees of freedom n.
    """
    return bool(counts[s > 0].sum() == freedom)


def remainders(
    kappa: Complex128[Complex, "K 1"], s: Float64[Array, " u"], counts: Float64[Array, " u"]
) -> tuple[Complex128[Complex, " K"], Complex128[Complex, " K"]]:
    """1 − Σ S/n and 1 − Σ S²/n with S = s′/(s′+κ), where `reaches_zero`; shape (K,) each.

    Args:
        kappa: κ, shape (K, 1).
        s: Distinct s′, shape (u,).
        counts: How often each occurs, shape (u,).
    """
    s, counts = s[s > 0], counts[s > 0]
    left = kappa / (s + kappa)
    n = counts.sum()
    return left @ counts / n, (left * (2 - left)) @ counts / n


def weights_at_zero(
    nodes: Complex128[Complex, " K"],
    modes: Complex128[Complex, "K u"],
    dy: Complex128[Complex, " K"],
    s: Float64[Array, " u"],
    counts: Float64[Array, " u"],
) -> Complex128[Complex, "K u"]:
    """What the weights of a contour around the bulk lack where `reaches_zero`, shape (K, u).

    The quarter of an eigenvalue that the correction has at 0 lies where it makes E ln det Σ0
    exact; what the bulk has below the contour lies at its low end.

    Args:
        nodes: λ on the upper half of the contour, shape (K,).
        modes: Weight of one population mode at each node, shape (K, u).
        dy: The step of the contour in ln λ at each node, shape (K,).
        s: Distinct s′, shape (u,).
        counts: How often each occurs, shape (u,).
    """
    from scipy.special import digamma

    some = s > 0
    n = counts[some].sum()
    share = np.zeros_like(s)
    share[some] = 1 / (4 * s[some] * np.sum(counts[some] / s[some]))
    added = np.zeros_like(modes)
    added[-1, some] = (1 - share - modes.real.sum(axis=0))[some]
    # Bartlett's decomposition: ln det is a sum of ln χ²_j/n, j = 1..n.
    exact = counts[some] @ np.log(s[some]) + np.sum(
        digamma(np.arange(1, n + 1) / 2) + np.log(2 / n)
    )
    found = ((modes + added) @ counts @ np.log(nodes)).real
    place = np.exp(4 * (exact - found))
    # Cauchy's formula makes weights on the contour of a unit mass inside; less a term that is
    # analytic there they are small far from it, so that large filters lose no digits.
    unit = dy / (np.pi * 1j) * 2 * place * nodes / (nodes**2 - place**2)
    added += unit[:, None] * share
    return added
