"""The exact linear model with `noises`: m frozen noises a training sample and level.

Its denoisers share no eigenvectors with Σ0, so there are no filters: losses and samples are those
of matrices, a matrix a noise level and filter (docs/theory.md, "Noise copies").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models.linear_cells import Filters, groups, level_rows
from lindiff.models.linear_family import (
    FLOORS,
    KL,
    Family,
    against_all,
    as_objects,
    at_infinity,
    mode_rows,
    of_data,
    to_table,
)
from lindiff.models.proximity import PROXIMITY, of_gaussians, white_noise
from lindiff.science import matrices, vectors
from lindiff.science.draws import Draw, generator
from lindiff.science.noises import Pairs, draw_pairs, train_losses, weights
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]

# What needs the sampler's way through all levels, a product of matrices each.
GENERATED = frozenset((*KL, "c_mean", "bures", "agreement", "modes", *PROXIMITY))
# What is of functions of Σ0.
_NONE = ("null_loss", "monte_carlo_gap", "monte_carlo_gap_se")
_NO_NUMBER = "a loss is not finite"
_NO_DIVERGENCE = "no divergences: a generated variance is lost in the rounding of float64"
# A product of matrices, a level each, keeps five digits of singular values above this of the first.
_THIN = 1e-7


@dataclass(frozen=True, eq=False)
class _Trained:
    """F denoisers on one training set.

    Attributes:
        train: Train loss at each level, shape (F, T).
        test: Test loss, shape (F, T).
        generated: What the sampler makes of each, or None where it was not asked for.
    """

    train: Array
    test: Array
    generated: list[matrices.Gaussian] | None


def level_pairs(
    draw: Draw, key: dict[str, object], noises: int, schedule: Schedule, index: int
) -> Pairs:
    """The pairs of one level: they hang on the training set, m and the level.

    Args:
        draw: The training set.
        key: What names it.
        noises: m.
        schedule: The noise schedule.
        index: t − 1.
    """
    rng = generator("noises", **key, noises=noises, t=index + 1)
    signal = float(schedule.alpha_bar[index]), float(schedule.q[index])
    return draw_pairs(draw, noises, signal, rng)


def _train(
    draw: Draw, key: dict[str, object], noises: int, filters: Filters, sampled: bool
) -> _Trained:
    """Denoisers of all levels, from high noise to low, each on noises of its own.

    Whatever else differs between cells, the noises of a level are those of `level_pairs`.
    """
    bank, schedule, sampler = filters.make_bank(), filters.make_schedule(), filters.make_sampler()
    if sampler is None or filters.discrete:
        raise ValueError("frozen noises with the ideal sampler, or with discrete descent")
    count = len(filters.trainings)
    train, test = np.empty((2, count, schedule.timesteps))
    moment = matrices.population_moment(draw)
    generation = matrices.Generation(sampler, schedule, draw, count) if sampled else None
    for index in range(schedule.timesteps - 1, -1, -1):
        pairs = level_pairs(draw, key, noises, schedule, index)
        W = weights(pairs, bank, index)
        train[:, index] = train_losses(pairs, W)
        level = range(index, index + 1)
        test[:, index] = matrices.losses(W[:, None], schedule, level, moment)[:, 0]
        if generation is not None:
            generation.step(W, index)
    made = None if generation is None else [generation.result(i) for i in range(count)]
    return _Trained(train, test, made)


def _group_metrics(
    family: Family, filters: Filters, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """Metric columns of the cells of one schedule and sampler, arrays of shape (F,)."""
    noises = int(family.row["noises"])
    sampled = bool(GENERATED & wanted)
    own = _train(family.draw, family.key, noises, filters, sampled)
    optimum, fraction = of_data(family, filters.schedule)
    result: dict[str, NDArray[Any]] = {
        "train_loss": own.train.mean(axis=1),
        "test_loss": own.test.mean(axis=1),
    }
    fixed = {
        "optimal_loss": optimum,
        "overlap_1": vectors.leading_overlap(family.draw),
        "pool_fraction": fraction,
        **dict.fromkeys((*_NONE, *GENERATED), np.nan),
    }
    result |= {name: np.full(len(own.train), value) for name, value in fixed.items()}
    result["residual_loss"] = result["test_loss"] - optimum
    result |= against_all(family, filters, result["test_loss"], wanted)
    if wanted & FLOORS:
        result |= at_infinity(family.population, filters, family.span)
    if "levels" in wanted:
        pairs = zip(own.train, own.test, strict=True)
        schedule = filters.make_schedule()
        result["levels"] = as_objects([level_rows(schedule, *losses) for losses in pairs])
    if own.generated is not None:
        result |= _of_samples(family, filters, own.generated, wanted)
    return result


def _singular(draw: Draw, noises: int, filters: Filters) -> NDArray[np.bool_]:
    """Whether some direction is generated without variance, exactly, shape (F,).

    A last step without noise multiplies by I − √q W. Of the min(d, N m) directions that the pairs
    reach it leaves, at the optimum without penalty, the r of Σ0's variance (docs/theory.md).
    """
    sampler, bank = filters.make_sampler(), filters.make_bank()
    plain = np.array([np.isinf(training.stop) for training in bank.trainings])
    plain &= (bank.ridge == 0) & (bank.weight_decay == 0)
    clean = sampler is not None and sampler.C[-1] == 0 and sampler.variance[-1] == 0
    return plain & clean & (min(draw.d, noises * draw.n) > draw.d - draw.null)


def _divergences(generated: matrices.Gaussian, spectrum: Array) -> tuple[float, float]:
    """Both KL as `matrices.divergences`; NaN where rounding would rule them."""
    if not spectrum.all():
        return matrices.divergences(generated, spectrum)
    root = generated.root / np.sqrt(spectrum)[:, None]
    if np.isfinite(root).all():
        size = np.linalg.svd(root, compute_uv=False)
        if size[-1] < _THIN * size[0]:
            return np.nan, np.nan
    return matrices.divergences(generated, spectrum)


def _of_samples(
    family: Family, filters: Filters, generated: list[matrices.Gaussian], wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """What is made of the generated distributions, arrays of shape (F,)."""
    draw = family.draw
    singular = _singular(draw, int(family.row["noises"]), filters)
    kl = np.array([_divergences(each, draw.spectrum) for each in generated])
    kl[singular] = np.inf
    result: dict[str, NDArray[Any]] = dict(zip(KL, kl.T, strict=True))
    total = np.array([(each.root**2).sum() for each in generated])
    result["c_mean"] = (total - draw.eigenvalues.sum()) / draw.d
    if "bures" in wanted:
        result["bures"] = np.array([matrices.bures(each, draw.spectrum) for each in generated])
    if "modes" in wanted:
        variances = np.array([matrices.node_variances(draw, each) for each in generated])
        result["modes"] = as_objects(mode_rows(draw, family.mu, variances))
    noiseless = "agreement" in wanted and filters.noiseless
    if noiseless or PROXIMITY & wanted:
        noises, key = int(family.row["noises"]), {**family.key, "half": 1}
        other = _train(family.halves.other, key, noises, filters, sampled=True).generated or []
        pairs = list(zip(generated, other, strict=True))
        if noiseless:
            result["agreement"] = np.array([matrices.agreement(*pair) for pair in pairs])
        if PROXIMITY & wanted:
            result |= _proximity(family, pairs)
    return result


def _proximity(
    family: Family, pairs: Sequence[tuple[matrices.Gaussian, matrices.Gaussian]]
) -> dict[str, Array]:
    """Proximity bias of samples of each model, with its standard error, shape (F,) each."""
    noise = white_noise(family)
    found = np.array(
        [of_gaussians(family, [each.samples(noise) for each in pair]) for pair in pairs]
    )
    return {"proximity_bias": found[:, 0], "proximity_bias_se": found[:, 1]}


def run(family: Family, cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of a family with frozen noises; see `lindiff.models.linear.run`."""
    status: list[str] = ["ok"] * len(cells)
    message: list[str | None] = [None] * len(cells)
    results = []
    for rows, filters in groups(cells):
        found = _group_metrics(family, filters, frozenset(wanted))
        lost = ~np.isfinite(found["test_loss"] + found["train_loss"])
        if GENERATED & set(wanted):
            undefined = np.isnan(found["kl_model_data"] + found["kl_data_model"])
            for i in np.flatnonzero(undefined).tolist():
                message[rows[i]] = _NO_DIVERGENCE
        for i in np.flatnonzero(lost).tolist():
            status[rows[i]], message[rows[i]] = "diverged", _NO_NUMBER
            for name in ("train_loss", "test_loss", "residual_loss"):
                if not np.isfinite(found[name][i]):
                    found[name][i] = np.nan
        results.append((rows, found))
    return to_table(cells, wanted, results, status, message)
