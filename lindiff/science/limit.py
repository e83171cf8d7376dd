"""The large-system limit of the exact metrics (docs/theory.md, "Limit").

For d, N → ∞ at fixed N/d the spectral measure of Σ0 is deterministic. Linear functionals of it are
integrals over a contour around the spectrum, where the filters are analytic: no density, no band
edges. The real Wishart correction of order 1/n makes them good to a fraction of a percent at finite
d, near N = d too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.science.filters import Bank, Response, Training
from lindiff.science.samplers import Sampler, start_factor
from lindiff.science.schedule import Schedule, make_schedule

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# The filters are analytic in the strip |Im ln λ| < 1.3; the contour goes half-way.
_STRIP = 1.3
_DIGITS = 13
_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Limit:
    """The limiting spectral measure of Σ0 on a contour around its bulk.

    Attributes:
        spectrum: s, shape (d,).
        n: N, the number of samples.
        nodes: λ on the upper half of the contour, shape (K,).
        modes: Weight of each population mode at each node, (K, d): with F̄_j the limit of
            (F(Σ0))_jj, F̄_j = Re Σ_k modes[k, j] F(λ_k) + atom[j] F(0).
        atom: Weight of each mode in the null space of Σ0, shape (d,).
    """

    spectrum: Array
    n: int
    nodes: Complex
    modes: Complex
    atom: Array

    def diagonal(self, values: NDArray[Any], at_zero: Array) -> Array:
        """Limits of (F(Σ0))_jj, shape (d, F), for F on the nodes (K, F) and at 0 (1, F)."""
        bulk: Array = (self.modes.T @ values).real
        # Where there is no null space F(0) may be infinite and has no part.
        null = self.atom > 0
        bulk[null] += self.atom[null, None] * at_zero
        return bulk


def _contour(spectrum: Array, n: int) -> tuple[Complex, Complex]:
    """Nodes λ = e^y on the upper half of the contour in y = ln λ, and dy at each."""
    low = np.log(1e-7 * spectrum.min())
    high = np.log(1.05 * spectrum.max() * (1 + np.sqrt(len(spectrum) / n)) ** 2)
    quarter = (high - low) / 4
    ratio = _STRIP / quarter
    rho = np.sqrt((ratio + np.sqrt(ratio**2 + 4)) / 2)
    count = int(np.ceil(_DIGITS * np.log(10) / np.log(rho) / 2))
    turn = rho * np.exp(1j * (np.arange(count) + 0.5) * np.pi / count)
    y = (high + low) / 2 + quarter * (turn + 1 / turn)
    return np.exp(y), 1j * quarter * (turn - 1 / turn) * np.pi / count


def _newton(kappa: complex, z: complex, s: Array, n: int) -> complex:
    """The root of κ = z + (κ/n) Σ s/(s+κ) next to `kappa`."""
    for _ in range(_ROUNDS):
        S = s / (s + kappa)
        step = (kappa - z - kappa / n * S.sum()) / (1 - (S * S).sum() / n)
        step *= min(1.0, abs(kappa) / (2 * abs(step))) if step else 0
        kappa -= step
        if abs(step) < 1e-15 * abs(kappa):
            break
    return kappa


def _kappas(nodes: Complex, s: Array, n: int) -> Complex:
    """κ(−λ) at each node: by homotopy from far away for the first, then from node to node."""
    kappa = -50 * nodes[0]
    for factor in np.geomspace(50, 1, 40):
        kappa = _newton(kappa, -factor * nodes[0], s, n)
    found = [kappa]
    for before, node in pairwise(nodes):
        guess = found[-1] * (found[-1] / found[-2] if len(found) > 1 else node / before)
        found.append(_newton(guess, -node, s, n))
    return np.array(found)


def limiting(spectrum: Array, n: int, known_centre: bool = False) -> Limit:
    """The limiting measure of Σ0, with the real Wishart correction of order 1/n.

    Args:
        spectrum: s, shape (d,), all positive.
        n: N ≥ 3, the number of samples.
        known_centre: Whether the mean is known: N degrees of freedom instead of N − 1.

    Raises:
        ValueError: As many degrees of freedom as dimensions: the bulk then reaches 0, and the
            contour around it does not exist.
    """
    freedom = n if known_centre else n - 1
    if freedom == len(spectrum):
        raise ValueError(f"no limit at N = {n}: as many degrees of freedom as dimensions")
    s = spectrum * freedom / n
    nodes, dy = _contour(spectrum, freedom)
    kappa = _kappas(nodes, s, freedom)[:, None]
    S = s / (s + kappa)
    slope = 1 / (1 - (S * S).sum(axis=1, keepdims=True) / freedom)
    cubes = s**2 / (s + kappa) ** 3
    shift = slope**2 * cubes.sum(axis=1, keepdims=True) / freedom
    S = S - kappa / freedom * (slope * cubes - kappa * shift * s / (s + kappa) ** 2)
    modes = -(dy / (np.pi * 1j))[:, None] * S
    atom = 1 - modes.real.sum(axis=0)
    if freedom >= len(spectrum):
        atom = np.zeros_like(atom)
    return Limit(spectrum, n, nodes, modes, atom)


def linear_theory(
    spectrum: Array,
    n: int,
    trainings: Sequence[Training] = (Training(),),
    schedule: Schedule | None = None,
    sampler: Sampler | None = None,
    known_centre: bool = False,
) -> dict[str, Array]:
    """Limits of the metrics of `linear_metrics` for data of population mean 0.

    Args:
        spectrum: Population eigenvalues s, shape (d,).
        n: N, the number of samples.
        trainings: F trainings.
        schedule: Noise schedule; None is linear with T = 1000.
        sampler: From `make_sampler` on the same schedule; None is the ideal sampler.
        known_centre: Whether the mean is known.

    Returns:
        Arrays of shape (F,), per dimension, the KL in nats: inf where a null space of Σ0 is
        generated without variance. With neither ridge nor final noise KL(ρ‖ρ_N) has no mean over
        draws up to N = d + 2; its limit is finite there all the same.

    Raises:
        ValueError: As `limiting`.
    """
    schedule = schedule or make_schedule()
    limit = limiting(spectrum, n, known_centre)
    bank = Bank(schedule, trainings)
    F, zero = bank.response(limit.nodes, sampler), bank.response(np.zeros(1), sampler)
    root = start_factor(schedule, sampler)
    mean = 0.0 if known_centre else 1 / n
    return _losses(limit, F, zero, mean) | _divergences(limit, F, zero, mean, root)


def _losses(limit: Limit, F: Response, zero: Response, mean: float) -> dict[str, Array]:
    s, d = limit.spectrum, len(limit.spectrum)
    residual = limit.diagonal(F.residual, zero.residual).sum(axis=0)
    gain = limit.diagonal(F.gain, zero.gain)
    own = limit.diagonal(F.gain * limit.nodes[:, None], 0 * zero.gain).sum(axis=0)
    # The error of the mean is independent of Σ0, with covariance Σ/N.
    return {
        "train_loss": (residual + own) / d,
        "test_loss": (residual + (1 + mean) * (s @ gain)) / d,
        "null_loss": (limit.atom * s).sum() * zero.gain[0] / d,
    }


def _divergences(
    limit: Limit, F: Response, zero: Response, mean: float, root: float
) -> dict[str, Array]:
    s, d = limit.spectrum, len(limit.spectrum)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_v = limit.diagonal(F.log_v, zero.log_v).sum(axis=0)
        v = limit.diagonal(np.exp(F.log_v), np.exp(zero.log_v))
        inverse = limit.diagonal(np.exp(-F.log_v), np.exp(-zero.log_v))
        P = limit.diagonal(F.P, zero.P)
        error = (1 - root * F.P) ** 2 * np.exp(-F.log_v)
        null_error = (1 - root * zero.P) ** 2 * np.exp(-zero.log_v)
        shift = limit.diagonal(error, null_error)
        log_det = log_v - np.log(s).sum()
        data_model = (s @ inverse - d + log_det + mean * (s @ shift)) / (2 * d)
    # ⟨δᵀ(1 − √ᾱ P)Σ⁻¹(1 − √ᾱ P)δ⟩ with δ ~ N(0, Σ/N): at order 1/N, P by its diagonal.
    start = d - 2 * root * P.sum(axis=0) + root**2 * (P**2).sum(axis=0)
    return {
        "kl_model_data": ((1 / s) @ v - d - log_det + mean * start) / (2 * d),
        "kl_data_model": np.where(np.isneginf(log_det), np.inf, data_model),
    }
