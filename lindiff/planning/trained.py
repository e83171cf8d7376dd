"""What the planner asks of the trained networks: cost, and errors that only whole cells show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.planning import linear
from lindiff.planning.linear import Check, Finding, column, find, is_real, text
from lindiff.science.pools import make_pool

Array = NDArray[np.float64]

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_ROW = 1e-6
_OPERATION = 8.5e-11
_CALL = 4e-4
_NUMBER = 1e-8
# Noisy rows a level of the losses, generated samples, noisy rows a dimension of the affine fits.
_NOISY = 128
_SAMPLES = 1024
_FIT = 32
_FIT_LEVELS = 8
_SAMPLING = frozenset(
    ("kl_model_data", "kl_data_model", "bures", "memorized_fraction", "agreement",
     "uncentred_cosine", "modes", "pictures")
)  # fmt: skip
# Torch itself, the work arrays, and the snapshots that are held at a time.
_BYTES = 450e6
_SNAPSHOT_BYTES = 4 * 30e6
# Models that are trained as one; parameters, gradients, both means and a copy on the way.
_PACK = 16
_COPIES = 5

_EMBEDDING = 32
_PIXELS = 64


class Demand(NamedTuple):
    """What one model takes; arrays of one number a family.

    Attributes:
        operations: Products a row.
        weights: Numbers that are trained.
        kept: Numbers that a row keeps for the gradient.
    """

    operations: Array
    weights: Array
    kept: Array


def mlp(d: Array, width: Array) -> Demand:
    """The perceptron: as many products a row as it has weights."""
    weights = 2 * d * width + 2 * width**2 + 6 * _EMBEDDING * width
    return Demand(weights, weights, 30 * width + 4 * d)


def unet(d: Array, width: Array) -> Demand:
    """The U-Net: its convolutions at both resolutions, and the modulation of its channels."""
    pixels = np.maximum(d, _PIXELS)
    weights = 225 * width**2 + 33 * _EMBEDDING * width
    return Demand(9 * width**2 * (4 + 24 / 4) * pixels, weights, 34 * width * pixels)


DEMANDS: dict[str, Callable[[Array, Array], Demand]] = {
    "mlp": mlp,
    "unet": unet,
}


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`,
            `sampling_steps`, `width`, `steps`, `batch_size`, `precision` and `cells` (a count).
        metrics: Metrics asked for.
    """
    names = ("d", "n", "cells", "timesteps", "width", "steps", "batch_size")
    d, n, cells, timesteps, width, steps, batch = (column(families, name) for name in names)
    once = families.set_column(families.column_names.index("cells"), "cells", pa.array(0 * n))
    seconds, size = linear.estimate(once, ())
    models = families["model"].cast("string").to_pylist()
    operations, weights, kept = np.array(
        [DEMANDS[m](a, b) for m, a, b in zip(models, d, width, strict=True)]
    ).T
    row = _ROW + _OPERATION * operations + d * _NUMBER
    halves = 1 + bool({"agreement", "uncentred_cosine"} & set(metrics))
    # A step is forward and twice that backward.
    training = halves * steps * batch * 3 * row
    work = np.zeros_like(n)
    if {"train_loss", "test_loss", "residual_loss", "levels"} & set(metrics):
        work += timesteps * (_CALL + _NOISY * row)
    if _SAMPLING & set(metrics):
        visited = np.asarray(pc.fill_null(families["sampling_steps"], 0), dtype=float)
        visited = np.where(visited > 0, visited, timesteps)
        work += halves * visited * (_CALL + _SAMPLES * row) + _SAMPLES * n * d * 2e-9
    if {"linearity", "directions"} & set(metrics):
        work += _FIT_LEVELS * (_CALL + _FIT * d * (row + d**2 * 1e-10))
    numbers = _PACK * (_COPIES * weights + batch * kept) + 2 * halves * cells * weights
    numbers *= np.where(text(families, "precision") == "float64", 8, 4)
    size += _BYTES + _SNAPSHOT_BYTES + 16 * n * d + numbers
    return seconds + training + cells * work, size


def _rate(values: dict[str, Any]) -> str | None:
    if not values["learning_rate"]:
        return "a trained model needs a learning rate above 0 (6.0e-3 suits mlp with adam)"
    return None


def _stop(values: dict[str, Any]) -> str | None:
    if values["stop_step"] >= values["steps"]:
        return f"the run has {values['steps']:,} steps; write 0 for its end"
    return None


def _warm_up(values: dict[str, Any]) -> str | None:
    if values["warm_up"] >= values["steps"]:
        return f"the run has {values['steps']:,} steps; the warm-up must be shorter"
    return None


def _sampler(values: dict[str, Any]) -> str | None:
    if values["sampler"] == "ideal":
        return (
            f"{values['model']} generates by its denoiser; "
            "allowed: ddpm_beta, ddpm_beta_tilde, ddim"
        )
    return None


def _optimizer(values: dict[str, Any]) -> str | None:
    if values["optimizer"] == "gradient_descent" and values["model"] != "linear_trained":
        return (
            f"{values['model']} has no exact loss to descend on; allowed: adam, adamw, sgd "
            "(gradient_descent is for linear_trained)"
        )
    return None


def _pictures(values: dict[str, Any]) -> str | None:
    if values["model"] != "unet":
        return None
    shape = make_pool(values["data"]).picture if is_real(values["data"]) else None
    if shape is None:
        return "unet needs pictures; allowed: digits, mnist, patches"
    if any(side % 2 or not 8 <= side <= 32 for side in shape):
        return f"unet needs pictures of even sides from 8 to 32, not {shape[0]}×{shape[1]}"
    return None


_TRAINING: tuple[Check, ...] = (
    (("model", "learning_rate"), "learning_rate", _rate),
    (("stop_step", "steps"), "stop_step", _stop),
    (("warm_up", "steps"), "warm_up", _warm_up),
    (("model", "sampler"), "sampler", _sampler),
    (("model", "optimizer"), "optimizer", _optimizer),
)


def check_training(cells: pa.Table) -> list[Finding]:
    """Errors of the settings of a training run, which every trained model has."""
    return find(cells, _TRAINING)


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    own: list[Check] = [(("model", "data"), "data", _pictures)]
    return [*check_training(cells), *find(cells, own), *linear.check(cells, metrics)]
