"""What one spectrum says, and what many say of each other: numbers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.columns import SETTING
from lindiff.science.filters import Training
from lindiff.science.laws import optimal_loss
from lindiff.science.optima import minimum
from lindiff.science.prediction import Predictor
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule

Array = NDArray[np.float64]
Curves = dict[str, Float64[Array, " n"]]

SAMPLER = "ddim"
METRICS = ("test_loss", "kl_model_data", "kl_data_model")
# The strengths that are compared; the neutral one of each is among them.
REGULARIZERS: dict[str, tuple[float, ...]] = {
    "ridge": (0.0, *np.geomspace(1e-7, 10, 33).tolist()),
    "weight_decay": (0.0, *np.geomspace(1e-7, 10, 33).tolist()),
    "stop": (*np.geomspace(0.1, 1e6, 36).tolist(), math.inf),
}
FEWEST_N = 4  # N that large-system theory is asked for
_FEWEST, _LARGEST, _SIZES = 1 / 16, 400.0, 24  # of N in units of d, and how many
_LEVEL = 1e-3  # a gain that is none


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one spectrum says.

    Attributes:
        curves: Over N: ``train_loss``, ``test_loss``, both KL, and ``…_best`` of the last three at
            the best ridge of each N; (n,) each.
        ridge: The best ridge for the test loss at each N, shape (n,).
        best: Best strength and ratio to the metric without regularization, by regularizer, metric
            and N.
        optimal_loss: Test loss of infinitely many samples.
    """

    curves: Curves
    ridge: Float64[Array, " n"]
    best: dict[tuple[str, str, int], tuple[float, float]]
    optimal_loss: float


class Model:
    """Predictions for spectra near one.

    Args:
        spectrum: s, shape (d,).
        ns: N for which the best regularization is wanted, that of a sample among them.
    """

    def __init__(self, spectrum: Float64[Array, " d"], *ns: int) -> None:
        d = len(spectrum)
        self._few = sorted(set(ns))
        self.n = _sizes(d, self._few)
        self._schedule = make_schedule()
        sampler = make_sampler(SAMPLER, self._schedule)
        self._least = spectrum.min() / 100
        # Only the best ridge is wanted at every N.
        self._sizes = {name: self.n if name == "ridge" else self._few for name in REGULARIZERS}
        self._predictors = {
            name: Predictor(
                [_training(name, strength) for strength in strengths],
                spectrum,
                self._sizes[name],
                sampler,
                self._schedule,
            )
            for name, strengths in REGULARIZERS.items()
        }

    def __call__(self, spectrum: Float64[Array, " d"]) -> Predicted:
        """What a spectrum says; its least eigenvalues are those of the model at least."""
        spectrum = np.maximum(spectrum, self._least)
        found = {
            name: predict(spectrum, self._sizes[name], divergences=True)
            for name, predict in self._predictors.items()
        }
        ridges = found["ridge"]
        curves = {"train_loss": ridges["train_loss"][:, 0]}
        curves |= {metric: ridges[metric][:, 0] for metric in METRICS}
        curves |= {f"{metric}_best": ridges[metric].min(axis=1) for metric in METRICS}
        best = {
            (name, metric, n): best_strength(name, found[name][metric][self._sizes[name].index(n)])
            for name in REGULARIZERS
            for metric in METRICS
            for n in self._few
        }
        which = ridges["test_loss"].argmin(axis=1)
        return Predicted(
            curves=curves,
            ridge=np.array(REGULARIZERS["ridge"])[which],
            best=best,
            optimal_loss=float(np.mean(optimal_loss(self._schedule.alpha_bar, spectrum))),
        )


def _training(regularizer: str, strength: float) -> Training:
    given: dict[str, Any] = {regularizer: strength}
    return Training(**given)


def _sizes(d: int, wanted: Sequence[int]) -> list[int]:
    ends = max(FEWEST_N, _FEWEST * d), max(_LARGEST * d, *wanted)
    grid = np.rint(np.geomspace(*ends, _SIZES)).astype(int).tolist()
    return sorted({*grid, *wanted})


def best_strength(name: str, y: Float64[Array, " F"]) -> tuple[float, float]:
    """The best strength of a regularizer, and the metric there over that without regularization."""
    x, neutral = np.array(REGULARIZERS[name]), float(SETTING[name].neutral)
    without = float(y[x == neutral][0])
    if not np.isfinite(y).any():
        return neutral, math.nan
    found = minimum(x, np.where(np.isnan(y), np.inf, y))
    if found.value >= (1 - _LEVEL) * without:
        return neutral, 1.0
    return found.x, found.value / without
