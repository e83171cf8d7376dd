"""What the planner asks of the trained networks: cost, and errors that only whole cells show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import EXACT_DESCENT, SETTING
from lindiff.columns.groups import GAUSSIAN
from lindiff.models import MODELS
from lindiff.models.few_levels import DIRECTION_POINTS
from lindiff.models.linear_cells import FEW_LEVELS
from lindiff.models.measured import DIFFERENCES, OF_SAMPLES, OF_TWO, PAIR
from lindiff.models.proximity import SAMPLES
from lindiff.planning import checks, linear, noises
from lindiff.planning.cells import (
    Array,
    Check,
    Finding,
    column,
    each,
    each_word,
    find,
    is_real,
    text,
    with_cells,
)
from lindiff.planning.measured import (
    NEEDS_A_DENOISER,
    evaluations_of,
    of_samples,
    of_training_set,
)
from lindiff.planning.networks import DEMANDS, takes_dropout
from lindiff.science.datasets import BUNDLED, is_file, notes, picture, title
from lindiff.science.denoisers import fit_count, rounds_of
from lindiff.science.pools import make_pool
from lindiff.training.sizes import ACTIVATIONS, BLOCK, COPIES, HELD, PACK, pack_size

# Seconds on one core of a 2020s server; `lindiff collect` prints them against measured ones.
_ROW = 1e-6
_OPERATION = 8e-11
_CALL = 4e-4
_NUMBER = 1e-8
_MEAN = 1e-9
_MASK = 3e-8
# Torch itself.
TORCH_BYTES = 210e6
# Of pictures that a U-Net, which halves them once, is planned for.
SIDES = range(8, 33, 2)


def estimate(families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds and bytes of each family.

    Args:
        families: One row a family with `model`, `data`, `d`, `n`, `draw`, `timesteps`,
            `sampler`, `sampling_steps`, `noises`, `width`, `dropout`, `steps`, `batch_size`,
            `precision` and `cells` (a count).
        metrics: Metrics asked for.
    """
    names = ("d", "n", "cells", "timesteps", "steps", "batch_size")
    d, n, cells, timesteps, steps, batch = (column(families, name) for name in names)
    # The draw of the linear models, with none of the cells' own work.
    seconds, _ = linear.estimate(with_cells(noises.averaged(families), 0 * n), ())
    frozen = noises.are_frozen(families)
    operations, weights, kept, droppable = _demands(families)
    row = _ROW + _OPERATION * operations + d * _NUMBER
    halves = 1 + bool(OF_TWO & set(metrics))
    # A step is forward and twice that backward.
    training = halves * steps * batch * (3 * row + np.where(frozen, d * noises.NUMBER, 0))
    training += halves * steps * weights * np.where(_averaged(families), _MEAN, 0)
    drops = np.nan_to_num(column(families, "dropout")) > 0
    training += halves * steps * batch * np.where(drops, droppable * _MASK, 0)
    work = np.zeros_like(n)
    if {"train_loss", "test_loss", "residual_loss", "levels"} & set(metrics):
        # Training points with noises of their own come on top.
        work += timesteps * (_CALL + np.where(frozen, 3, 2) * each(rounds_of, timesteps) * row)
    if {"excess_loss", "excess_loss_se"} & set(metrics):
        work += timesteps * (_CALL + each(rounds_of, timesteps) * row)
    if OF_SAMPLES & set(metrics):
        sampled = 1 + bool(PAIR & set(metrics))
        work += sampled * evaluations_of(families) * (_CALL + SAMPLES * row)
    work += of_samples(set(metrics), d, n)
    once, held = of_training_set(set(metrics), n)
    if {"linearity", "directions"} & set(metrics):
        work += FEW_LEVELS * (_CALL + each(fit_count, d) * (row + d**2 * 1e-10))
    if DIFFERENCES & set(metrics):
        work += 2 * FEW_LEVELS * (_CALL + DIRECTION_POINTS * row)
    numbers = np.zeros_like(n)
    points = np.maximum(SAMPLES, 2 * each(rounds_of, timesteps))
    if {"linearity", "directions"} & set(metrics):
        points = np.maximum(points, each(fit_count, d))
    # A forward pass that measures keeps a layer, not all of them.
    numbers += np.minimum(ACTIVATIONS, points * kept) / 2
    size = linear.BASE_BYTES + TORCH_BYTES + linear.draw_bytes(families) + _item(families) * numbers
    size += 8 * d * (8 * SAMPLES + (6 * points if "linearity" in metrics else 0))
    size += np.where(frozen, noises.NUMBER_BYTES * BLOCK * batch * d, 0)
    return seconds + once + training + cells * work, size + held


def _demands(families: pa.Table) -> Array:
    """`Demand` of each family, shape (4, families).

    What works on pictures has their pixels, of which there may be more than directions; the few
    weights that colours add are left out.
    """
    d, width = column(families, "d"), column(families, "width")
    pixels = each_word(_pixels, pc.fill_null(families["data"].cast("string"), GAUSSIAN))
    found = [
        DEMANDS[model](p if p and MODELS[model].pictures else own, b)
        for model, own, p, b in zip(text(families, "model"), d, pixels, width, strict=True)
    ]
    return np.array(found).T


def _pixels(data: str) -> int:
    """Pixels of a picture of a data set, 0 of what is no pictures."""
    size = picture(data)
    return math.prod(size[:2]) if size else 0


def together(families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of each family in a pack, and of its snapshots and training sets, shape (families, 2).

    Args:
        families: As `estimate`.
        metrics: Metrics asked for.
    """
    d, n, cells, batch = (column(families, name) for name in ("d", "n", "cells", "batch_size"))
    _, weights, kept, _ = _demands(families)
    halves = 1 + bool(OF_TWO & set(metrics))
    # What is trained, its snapshots and, thrice, the noise of a block of steps.
    pack = (
        (COPIES + _averaged(families)) * weights
        + batch * kept
        + cells * weights
        + 3 * BLOCK * batch * d
    )
    # Of several looped over, one at a time.
    pack = np.where(each(pack_size, weights) == 1, pack / PACK, pack)
    held = halves * (cells * weights + 3 * n * d)
    return np.stack([halves * pack, held], axis=1) * _item(families)[:, None]


def of_call(parts: Array) -> float:
    """Bytes of a call of families with such parts (`together`): a pack of them, and all held."""
    pack, held = parts.T
    return float(np.sort(pack)[-PACK:].sum() + min(held.sum(), 8 * HELD))


def _averaged(families: pa.Table) -> NDArray[np.bool_]:
    """Whether the parameters are averaged over steps."""
    return np.nan_to_num(column(families, "ema")) > 0


def _item(families: pa.Table) -> Array:
    """Bytes of a number of each family's training."""
    return np.where(text(families, "precision") == "float64", 8.0, 4.0)


def _rate(values: dict[str, Any]) -> str | None:
    if not values["learning_rate"]:
        return "a trained model needs a learning rate above 0 (6.0e-3 suits networks with adam)"
    return None


def _stop(values: dict[str, Any]) -> str | None:
    if values["stop_step"] >= values["steps"]:
        return f"the run has {values['steps']:,} steps; write 0 for its end"
    return None


def _warm_up(values: dict[str, Any]) -> str | None:
    if values["warm_up"] >= values["steps"]:
        return f"the run has {values['steps']:,} steps; the warm-up must be shorter"
    return None


def _optimizer(values: dict[str, Any]) -> str | None:
    if values["optimizer"] == EXACT_DESCENT:
        allowed = ", ".join(name for name in SETTING["optimizer"].choices if name != EXACT_DESCENT)
        return f"{values['model']} has no exact loss to descend on; allowed: {allowed}"
    return None


def _dropout(values: dict[str, Any]) -> str | None:
    if values["dropout"] and not takes_dropout(values["model"]):
        return f"{values['model']} has no layer that dropout takes units of; allowed: 0"
    return None


def _pictures(values: dict[str, Any]) -> str | None:
    name = values["model"]
    if not MODELS[name].pictures:
        return None
    pool = make_pool(values["data"]) if is_real(values["data"]) else None
    shape = None if pool is None else pool.picture
    if shape is None:
        known = ", ".join(data for data, source in BUNDLED.items() if source.picture)
        message = (
            f"{name} needs pictures; allowed: {known}, a file of pictures N×H×W, N×H×W×1 or "
            "N×H×W×3, a folder of pictures; each without drop"
        )
        if pool is None or not is_file(values["data"]):
            return message
        own = f"{title(values['data'])} has rows of {pool.columns:,} numbers"
        return "; ".join([message, own, *notes(values["data"])])
    if any(side not in SIDES for side in shape[:2]):
        nearest = " or ".join(
            dict.fromkeys(f"{a}×{b}" for a, b in zip(*map(_nearest, shape[:2]), strict=True))
        )
        return (
            f"{name} needs pictures of even sides from {SIDES[0]} to {SIDES[-1]}, not "
            f"{shape[0]}×{shape[1]}; nearest: {nearest}"
        )
    return None


def _nearest(side: int) -> tuple[int, int]:
    """The longest allowed side that is no longer, and the shortest that is no shorter."""
    shorter = [own for own in SIDES if own <= side] or [SIDES[0]]
    longer = [own for own in SIDES if own >= side] or [SIDES[-1]]
    return shorter[-1], longer[0]


_TRAINING: tuple[Check, ...] = (
    (("model", "learning_rate"), "learning_rate", _rate),
    (("stop_step", "steps"), "stop_step", _stop),
    (("warm_up", "steps"), "warm_up", _warm_up),
    NEEDS_A_DENOISER,
)


def check_training(cells: pa.Table) -> list[Finding]:
    """Errors of the settings of a training run, which every trained model has."""
    return find(cells, _TRAINING)


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    own: tuple[Check, ...] = (
        (("model", "optimizer"), "optimizer", _optimizer),
        (("model", "data"), "data", _pictures),
        (("model", "dropout"), "dropout", _dropout),
    )
    return [*check_training(cells), *find(cells, own), *checks.check(cells, metrics)]
