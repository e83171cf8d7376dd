"""The exact metrics: a measure applied to filters (docs/theory.md, "Metrics").

One function for a draw and for the population: a measure knows no setting, a filter no data.
All are per dimension, the KL in nats.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.filters import Bank
from lindiff.science.measure import Measure
from lindiff.science.numbers import precisions
from lindiff.science.tables import Evaluated

Array = NDArray[np.float64]
PerFilter = Float64[Array, " F"]


def losses(mu: Measure, filters: Evaluated) -> dict[str, PerFilter]:
    """Train, test and null loss, mean over noise levels; arrays of shape (F,)."""
    return _losses(mu, filters.functional)


def level_losses(mu: Measure, bank: Bank, index: int) -> dict[str, PerFilter]:
    """The losses of a bank's F filters at the noise level t − 1 = `index`, shape (F,)."""
    fields = dict(zip(("residual", "gain"), bank.losses(mu.nodes, index), strict=True))
    return _losses(mu, lambda name, weights: weights @ fields[name])


def _losses(
    mu: Measure, functional: Callable[[str, Float64[Array, "i m"]], Float64[Array, "i F"]]
) -> dict[str, PerFilter]:
    """The losses from a field's sums Σ_ν weights[i, ν] F(λ_ν), as `Evaluated.functional`."""
    ones = mu.identity
    (residual,) = functional("residual", ones[None])
    rows = np.stack([ones * mu.nodes, mu.test, np.where(mu.nodes == 0, mu.variance, 0)])
    train, test, null = functional("gain", rows)
    return {
        "train_loss": (residual + train) / mu.d,
        "test_loss": (residual + test) / mu.d,
        "null_loss": null / mu.d,
    }


def _by_rank(
    mu: Measure, spectrum: Float64[Array, " d"]
) -> tuple[Float64[Array, " m"], Float64[Array, " m"]]:
    """Σ 1/s and Σ s over the population modes that pair with each node by rank."""
    starts = np.concatenate([[0], np.cumsum(mu.identity).astype(int)[:-1]])
    ascending = spectrum[::-1]
    return np.add.reduceat(precisions(ascending), starts), np.add.reduceat(ascending, starts)


def covariance_metrics(
    mu: Measure, spectrum: Float64[Array, " d"], filters: Evaluated
) -> tuple[dict[str, PerFilter], Float64[Array, "m F"]]:
    """Both KL between the centred Gaussians with their parts, and c_mean.

    Args:
        mu: The measure.
        spectrum: Population eigenvalues, shape (d,), descending.
        filters: The filters on its nodes.

    Returns:
        Arrays of shape (F,), and 1/v on the nodes, shape (m, F). A divergence that is infinite
        is inf: where some mode is generated without variance, or Σ has none in some direction.
    """
    log_v = filters.pointwise("log_v")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_det = mu.identity @ log_v - mu.log_det
        v = np.exp(log_v)
        inverse = 1 / v
        pair_inverse, pair = _by_rank(mu, spectrum)
        trace, paired, total = np.stack([mu.precision, pair_inverse, mu.identity]) @ v
        inverse_trace, inverse_paired = np.stack([mu.sigma, pair]) @ inverse
        parts = {
            "kl_model_data_spectrum": paired - mu.d - log_det,
            "kl_model_data_eigenvectors": trace - paired,
            "kl_data_model_spectrum": inverse_paired - mu.d + log_det,
            "kl_data_model_eigenvectors": inverse_trace - inverse_paired,
        }
    for name in ("kl_data_model_spectrum", "kl_data_model_eigenvectors"):
        parts[name] = np.where(np.isneginf(log_det), np.inf, parts[name])
    if np.isneginf(mu.log_det):
        parts = {name: np.full_like(total, np.inf) for name in parts}
    scaled = {name: value / (2 * mu.d) for name, value in parts.items()}
    scaled["c_mean"] = (total - mu.identity @ mu.nodes) / mu.d
    return scaled, inverse
