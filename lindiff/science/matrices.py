"""Exact metrics of denoisers that are any matrices (docs/theory.md, "Metrics" and "Sampling").

ε̂ = W_t (x_t − √ᾱ_t μ0) with a W_t of its own at every level. Without common eigenvectors there are
no filters, but losses are still traces and samples still Gaussian: one step of a sampler multiplies
x − √ᾱ_t μ0 by A I − B W_t and adds noise. Where every W_t is U w_t Uᵀ all of it equals
`lindiff.science.exact`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science.draws import Draw
from lindiff.science.sampler import Sampler, Walk, start_factor
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
Vector = Float64[Array, " d"]
Matrix = Float64[Array, "d d"]

_EPSILON = float(np.finfo(np.float64).eps)


def training_covariance(draw: Draw) -> Matrix:
    """Σ0 of a training set about its centre, shape (d, d)."""
    covariance: Array = (draw.vectors * draw.eigenvalues) @ draw.vectors.T
    return covariance


def population_moment(draw: Draw) -> Matrix:
    """Mean of (x − centre)(x − centre)ᵀ over the population, or the held-out rows, (d, d)."""
    held_out, offset = draw.held_out, draw.test_offset
    covariance = np.diag(draw.spectrum) if held_out is None else held_out.covariance
    moment: Array = covariance + np.outer(offset, offset)
    return moment


def losses(
    weights: Float64[Array, "K L d d"], schedule: Schedule, levels: range, moment: Matrix
) -> Float64[Array, "K L"]:
    """(‖I − √q W‖² + ᾱ tr(W M Wᵀ))/d at some noise levels, shape (K, L).

    Args:
        weights: W_t of K models at L levels, shape (K, L, d, d).
        schedule: The noise schedule.
        levels: Indices t − 1 of the levels.
        moment: M, the data's second moment about the centre: `training_covariance` gives the train
            loss, `population_moment` the test loss, shape (d, d).
    """
    d = len(moment)
    alpha_bar, q = (a[levels.start : levels.stop] for a in (schedule.alpha_bar, schedule.q))
    with np.errstate(over="ignore", invalid="ignore"):
        noise = np.eye(d) - np.sqrt(q)[:, None, None] * weights
        signal = ((weights @ moment) * weights).sum(axis=(-2, -1))
        total: Array = ((noise**2).sum(axis=(-2, -1)) + alpha_bar * signal) / d
    return total


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A generated distribution N(μ + shift, root rootᵀ), μ the population mean.

    Attributes:
        shift: m_N − μ, shape (d,).
        root: Shape (d, d). Where the sampler draws no noise it is what the starting noise is
            multiplied by.
    """

    shift: Vector
    root: Matrix

    def samples(self, noise: Float64[Array, "S d"]) -> Float64[Array, "S d"]:
        """Samples less μ, shape (S, d), of white noise of that shape."""
        return self.shift + noise @ self.root.T


class Generation:
    """What a sampler makes of N(0, I) under several models, level after level from high noise.

    The covariance is kept as F V Fᵀ, V where noise was last added and F the product of the steps
    since: the last step of DDPM and all of DDIM add none, and a product of square matrices keeps
    twice the digits of their small singular values.

    Args:
        sampler: The sampler.
        schedule: The noise schedule.
        draw: The training set, whose centre the denoisers have.
        count: Number of models K.
    """

    def __init__(self, sampler: Sampler, schedule: Schedule, draw: Draw, count: int) -> None:
        self._sampler = sampler
        self._centre, self._eye = draw.offset, np.eye(draw.d)
        self._walk = Walk(sampler, self._eye, operator.matmul)
        self._offset = np.tile(-start_factor(schedule, sampler) * draw.centre, (count, 1))
        self._factor = np.tile(self._eye, (count, 1, 1))
        self._covariance = self._factor

    def step(self, weights: Float64[Array, "K d d"], index: int) -> None:
        """Leave level t = `index` + 1 with its W_t, shape (K, d, d), if the sampler visits it."""

        def act(A: float, B: float, C: float) -> Float64[Array, "K d d"]:
            made: Array = A * self._eye - B * weights
            return made

        with np.errstate(over="ignore", invalid="ignore"):
            for i, a in self._walk.at(index, act):
                self._apply(a, self._sampler.variance[i])

    def _apply(self, a: Float64[Array, "K d d"], variance: float) -> None:
        # A step on x − √ᾱ μ0: relative to √ᾱ μ0 the mean is multiplied as the noise is.
        self._offset = (a @ self._offset[..., None])[..., 0]
        self._factor = a @ self._factor
        if variance > 0:
            F = self._factor
            self._covariance = F @ self._covariance @ F.swapaxes(-2, -1) + variance * self._eye
            self._factor = np.tile(self._eye, (len(F), 1, 1))

    def result(self, model: int) -> Gaussian:
        """The distribution after all steps; NaN where it is not finite."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                root = self._factor[model] @ np.linalg.cholesky(self._covariance[model])
        except np.linalg.LinAlgError:
            root = np.full_like(self._eye, np.nan)
        return Gaussian(self._centre + self._offset[model], root)


def divergences(generated: Gaussian, spectrum: Vector) -> tuple[float, float]:
    """KL(ρ_N‖ρ) and KL(ρ‖ρ_N) from N(μ, diag(spectrum)), per dimension, in nats.

    Both from one singular value decomposition of Σ^-½ · root. They are inf where ρ_N is singular to
    rounding or Σ is singular, and NaN where it is not finite.
    """
    if not spectrum.all() and np.isfinite(generated.root).all():
        return np.inf, np.inf
    d, scale = len(spectrum), np.sqrt(spectrum)
    H, shift = generated.root / scale[:, None], generated.shift / scale
    if not (np.isfinite(H).all() and np.isfinite(shift).all()):
        return np.nan, np.nan
    U, h, _ = np.linalg.svd(H)
    if h[-1] <= d * _EPSILON * h[0]:
        return np.inf, np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        log_det, along = 2 * np.log(h).sum(), (U.T @ shift) / h
        model_data = (h**2).sum() - d - log_det + shift @ shift
        data_model = (h**-2.0).sum() - d + log_det + along @ along
    return float(model_data / (2 * d)), float(data_model / (2 * d))


def bures(generated: Gaussian, spectrum: Vector) -> float:
    """Squared 2-Wasserstein distance from N(μ, diag(spectrum)) over d; NaN if not finite."""
    shift, root = generated.shift, generated.root
    if not (np.isfinite(root).all() and np.isfinite(shift).all()):
        return np.nan
    cross = np.linalg.svd(np.sqrt(spectrum)[:, None] * root, compute_uv=False).sum()
    with np.errstate(over="ignore", invalid="ignore"):
        total = shift @ shift + spectrum.sum() + (root**2).sum() - 2 * cross
    return float(total / len(spectrum))


def agreement(one: Gaussian, other: Gaussian) -> float:
    """E⟨x − μ, x' − μ⟩/√(E‖x − μ‖² E‖x' − μ‖²) of two generators given the same starting noise.

    Args:
        one: What a sampler without noise of its own makes of one half.
        other: What it makes of the other.

    Returns:
        Between −1 and 1; NaN where a model makes nothing but μ, or is not finite.
    """
    shift, other_shift = one.shift, other.shift
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        cross = shift @ other_shift + np.sum(one.root * other.root)
        power = shift @ shift + np.sum(one.root**2)
        other_power = other_shift @ other_shift + np.sum(other.root**2)
        return float(cross / np.sqrt(power * other_power))


def node_variances(draw: Draw, generated: Gaussian) -> Float64[Array, " m"]:
    """Generated variance along the modes of Σ0, in the order of the nodes of its measure, (m,).

    The null space, if any, is first, with the mean over its directions.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        along = draw.vectors.T @ generated.root
        variances: Array = (along**2).sum(axis=1)
        if not draw.null:
            return variances
        rest = generated.root - draw.vectors @ along
        return np.concatenate([[(rest**2).sum() / draw.null], variances])
