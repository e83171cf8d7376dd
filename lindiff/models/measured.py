"""From a denoiser that is a function to metric columns: what measured models have in common.

The counterpart of `linear_family.common_metrics`, which computes: here losses, samples and
linearity are measured, for the empirical score and trained networks alike (docs/theory.md). All
random numbers are keyed by the family and never by the model, so that all models of a family meet
the same points and noises; nothing is measured that is not wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.models import classes, few_levels
from lindiff.models.coverage import COVERAGE, of_copies
from lindiff.models.few_levels import fit_points, fresh_points, pool_of
from lindiff.models.linear_cells import Filters, level_rows
from lindiff.models.linear_family import (
    Family,
    as_objects,
    bayes_loss,
    mode_rows,
    of_data,
)
from lindiff.models.proximity import (
    LARGEST,
    PROXIMITY,
    SAMPLES,
    proximity,
    row_numbers,
    training_points,
)
from lindiff.science import denoisers, samples
from lindiff.science.denoisers import Denoiser, Pairs
from lindiff.science.draws import generator
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
Metrics = dict[str, NDArray[Any]]

# A denoiser that predicts no noise has the loss 1; one of this loss learned nothing but to grow.
LARGEST_LOSS = 1e6
# Samples that are kept as pictures.
PICTURES = 8

_LOSSES = frozenset(
    (
        "train_loss", "train_loss_se", "test_loss", "test_loss_se", "residual_loss", "levels",
    )
)  # fmt: skip
_OF_TRAINING = ("train_loss", "test_loss")
_FAMILY = frozenset(("optimal_loss", "pool_fraction"))
_SPECIATION = frozenset(("speciation_time", "speciation_time_se"))
_EXCESS = frozenset(("excess_loss", "excess_loss_se"))
_KURTOSIS = frozenset(("excess_kurtosis", "excess_kurtosis_se"))
_MEMORIZED = frozenset(("memorized_fraction", "memorized_fraction_se"))
_DISTANCES = frozenset(
    (
        "kl_model_data", "kl_model_data_se", "kl_data_model", "kl_data_model_se", "bures",
        "bures_se",
    )
)  # fmt: skip
# Of two models; the first of samples that are functions of the same noises.
SAME_NOISE = frozenset(("agreement", "agreement_se", "uncentred_cosine", "uncentred_cosine_se"))
PAIR = SAME_NOISE | PROXIMITY
# Of two models at the same noisy points, whatever the sampler; and all that needs two.
DIFFERENCES = frozenset(("differences",))
OF_TWO = PAIR | DIFFERENCES
OF_COPIES = _MEMORIZED | COVERAGE | {"classes"}

OF_SCHEDULE = (
    _FAMILY | _LOSSES | _SPECIATION | _EXCESS | DIFFERENCES
    | {"bayes_loss", "linearity", "directions"}
)  # fmt: skip
OF_SAMPLES = (
    _MEMORIZED | _DISTANCES | _KURTOSIS | PAIR | COVERAGE | {"modes", "classes", "pictures"}
)
# What `measure` can give.
METRICS = OF_SCHEDULE | OF_SAMPLES


def reason(family: Family, wanted: Iterable[str]) -> str | None:
    """Why metrics of this family are null, or None."""
    asked = frozenset(wanted)
    copies = asked & (_MEMORIZED | COVERAGE)
    if copies and _distinct(family) < 3:
        name = "memorized_fraction" if copies & _MEMORIZED else min(copies)
        return (
            f"{name} needs 3 distinct training points: of two, the second-nearest is the other one"
        )
    if "linearity" in asked and fit_points(family)[1] // 2 <= family.draw.d + 2:
        return "linearity needs more than 2 d + 4 rows that the model was not trained on"
    if asked & (_DISTANCES - {"bures", "bures_se"}) and family.draw.d + 2 >= SAMPLES:
        return f"both KL need more than d + 2 samples; there are {SAMPLES:,}"
    return None


def measure(
    family: Family,
    filters: Filters,
    denoise: Denoiser,
    wanted: Iterable[str],
    partner: Denoiser | None = None,
) -> Metrics:
    """All wanted metrics of one denoiser with one sampler: `of_schedule` and `of_samples`.

    Args:
        family: The family, with its training samples.
        filters: The schedule and the sampler; not `ideal`, which generates without a denoiser.
        denoise: The denoiser on that schedule.
        wanted: Names of metric columns, out of `METRICS`; others are ignored.
        partner: The denoiser of the same model trained on `family.halves.other`, relative to the
            centre of that; without it, or where its samples are not finite, the metrics of a pair
            are NaN, and so are those of the same noises where the sampler draws its own.

    Returns:
        Arrays of shape (1,) by name.

    Raises:
        FloatingPointError: The samples are not finite, as in `make_samples`.
    """
    asked = frozenset(wanted)
    result = of_schedule(family, filters.schedule, denoise, wanted, partner=partner)
    if not asked & OF_SAMPLES:
        return result
    made = make_samples(family, filters, denoise)
    other = None
    if partner is not None and asked & compared(filters):
        with suppress(FloatingPointError):
            other = make_samples(family, filters, partner, half=1)
    return result | of_samples(family, made, wanted, other, filters.noiseless)


def compared(filters: Filters) -> frozenset[str]:
    """The metrics of two models that there are with a sampler."""
    return PAIR if filters.noiseless else PROXIMITY


def of_schedule(
    family: Family,
    schedule: tuple[Any, ...],
    denoise: Denoiser,
    wanted: Iterable[str],
    frozen: Pairs | None = None,
    partner: Denoiser | None = None,
) -> Metrics:
    """The metrics that no sampler changes, as `measure`.

    Args:
        family: The family.
        schedule: Arguments of `make_schedule`.
        denoise: The denoiser on that schedule.
        wanted: Names of metric columns.
        frozen: The training points with the noises that the model was trained on; None of a model
            that was trained on the average over noise.
        partner: As in `measure`; without it `differences` are undefined.
    """
    asked = frozenset(wanted)
    made, result = Filters(schedule, None, ()).make_schedule(), Metrics()
    if asked & (_FAMILY | {"residual_loss"}):
        optimum, fraction = of_data(family, schedule)
        result |= {"optimal_loss": np.array([optimum]), "pool_fraction": np.array([fraction])}
    if asked & _LOSSES:
        result |= _losses(family, made, denoise, frozen)
    if "bayes_loss" in asked:
        result["bayes_loss"] = np.array([bayes_loss(family, schedule)])
    if asked & _EXCESS:
        of_all = classes.excess(family, made, denoise, fresh_points(family))
        result |= _estimates({"excess_loss": of_all})
    if asked & _SPECIATION:
        result |= _estimates({"speciation_time": classes.speciation(family)})
    if "residual_loss" in asked:
        result["residual_loss"] = result["test_loss"] - result["optimal_loss"]
    if "linearity" in asked:
        result["linearity"] = as_objects([few_levels.linearity(family, made, denoise) or None])
    if "directions" in asked:
        result["directions"] = as_objects([few_levels.directions(family, made, denoise)])
    if asked & DIFFERENCES:
        rows = None if partner is None else few_levels.differences(family, made, denoise, partner)
        result["differences"] = as_objects([rows])
    return result


def diverged(found: Metrics) -> str | None:
    """Why a trained model with these losses diverged, or None.

    Args:
        found: Arrays of shape (1,) by name; losses that are not among them say nothing.
    """
    train, test = (float(found[name][0]) if name in found else 1.0 for name in _OF_TRAINING)
    if not np.isfinite([train, test]).all():
        return "the loss is not finite"
    if train > LARGEST_LOSS:
        return f"the training loss is {train:.2g}; without a prediction it is 1"
    return None


def finite(found: Metrics) -> Metrics:
    """What is finite of the metrics of a model that diverged; the rest is undefined."""

    def of_row(row: dict[str, Any]) -> dict[str, Any]:
        lost = {k: None for k, v in row.items() if isinstance(v, float) and not np.isfinite(v)}
        return row | lost

    result = Metrics()
    for name, values in found.items():
        if values.dtype == object:
            result[name] = as_objects([rows and [of_row(row) for row in rows] for rows in values])
        else:
            result[name] = np.where(np.isfinite(values), values, np.nan)
    return result


def make_samples(family: Family, filters: Filters, denoise: Denoiser, half: int = 0) -> Array:
    """Generated points less the centre, shape (SAMPLES, d); the same noises for every model.

    Args:
        family: The family.
        filters: The schedule and the sampler.
        denoise: The denoiser.
        half: Whose centre it is relative to: 0 the family's training set, 1 its partner.

    Raises:
        ValueError: The sampler is `ideal`, which generates without a denoiser.
        FloatingPointError: Samples are not finite, or so large that their squares are not.
    """
    schedule, sampler = filters.make_schedule(), filters.make_sampler()
    if sampler is None:
        raise ValueError("sampler ideal needs no denoiser")
    draw = family.halves.other if half else family.draw
    rng = generator("samples", **family.key)
    with np.errstate(over="ignore", invalid="ignore"):
        made = denoisers.generate(denoise, schedule, sampler, draw.mean, draw.offset, rng, SAMPLES)
    if not np.abs(made).max() < LARGEST:
        raise FloatingPointError("the generated samples are not finite")
    return made


def of_samples(
    family: Family,
    made: Array,
    wanted: Iterable[str],
    other: Array | None = None,
    same_noise: bool = True,
) -> Metrics:
    """The metrics of generated samples, as `measure`.

    Args:
        family: The family.
        made: Samples less the centre, shape (S, d).
        wanted: Names of metric columns.
        other: The partner's samples less the partner's centre.
        same_noise: Whether both are functions of the same noises and of nothing else.
    """
    asked, draw, found = frozenset(wanted), family.draw, dict[str, samples.Estimate]()
    copies = _copies(family, made) if asked & OF_COPIES else None
    if asked & _MEMORIZED:
        found["memorized_fraction"] = samples.mean(copies[1]) if copies else (np.nan, np.nan)
    if asked & _DISTANCES:
        found |= samples.gaussian_distances(made, -draw.offset, draw.spectrum)
    if asked & SAME_NOISE:
        found |= _agreement(family, made, other if same_noise else None)
    if asked & PROXIMITY:
        theirs = None if other is None else other + family.halves.other.offset
        found["proximity_bias"] = proximity(family, made + draw.offset, theirs)
    if asked & _KURTOSIS:
        found["excess_kurtosis"] = classes.kurtosis(family, made)
    result = _estimates(found)
    if "classes" in asked:
        result["classes"] = as_objects(
            [classes.rows(family, made, copies[1] if copies else None) or None]
        )
    if "modes" in asked:
        # Of nodes as the measure has them, ascending; the table's first mode is the largest.
        generated = samples.variances(made, draw.vectors[:, ::-1])[::-1]
        result["modes"] = as_objects(mode_rows(draw, family.mu, generated[None]))
    if asked & COVERAGE:
        areas = dict.fromkeys(COVERAGE - {"coverage"}, np.full(1, np.nan))
        result |= {"coverage": np.full(1, None, dtype=object)} | areas
        if copies:
            result |= of_copies(family, *copies)
    if "pictures" in asked:
        result["pictures"] = np.full(1, None, dtype=object)
        rows = _pictures(family, made[:PICTURES])
        if rows:
            result["pictures"] = as_objects([rows])
    return result


def _copies(family: Family, made: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """`samples.copies`; None where there are fewer than three distinct training points."""
    if _distinct(family) < 3:
        return None
    return samples.copies(made, training_points(family), row_numbers(family))


def _estimates(found: dict[str, samples.Estimate]) -> Metrics:
    """Metrics with their standard errors, arrays of shape (1,)."""
    result: Metrics = {name: np.array([value]) for name, (value, _) in found.items()}
    return result | {f"{name}_se": np.array([error]) for name, (_, error) in found.items()}


def _distinct(family: Family) -> int:
    """Number of distinct training points."""
    return len(np.unique(row_numbers(family)))


def _agreement(family: Family, made: Array, other: Array | None) -> dict[str, samples.Estimate]:
    """Agreement and uncentred cosine of samples less the centre of each; NaN where undefined."""
    found = {"agreement": (np.nan, np.nan), "uncentred_cosine": (np.nan, np.nan)}
    if other is None:
        return found
    draw, pool = family.draw, pool_of(family)
    # Relative to the population mean, which is 0 of a data set.
    one, two = made + draw.offset, other + family.halves.other.offset
    found["agreement"] = samples.agreement(one, two, np.zeros(draw.d))
    if pool is not None:
        found["uncentred_cosine"] = samples.cosine(pool.restore(one), pool.restore(two))
    return found


def _pictures(family: Family, made: Array) -> list[dict[str, Any]]:
    """A row a sample: its pixels and its nearest training point's, in the data's own units."""
    pool = pool_of(family)
    if pool is None or pool.picture is None or _distinct(family) < 2:
        return []
    points, centre = training_points(family), family.draw.offset
    index, ratio = samples.nearest(made, points, row_numbers(family))
    generated, near = pool.restore(made + centre), pool.restore(points[index] + centre)
    return [
        {
            "sample": i,
            "height": pool.picture[0],
            "generated": generated[i].tolist(),
            "nearest": near[i].tolist(),
            "ratio": float(ratio[i]),
        }
        for i in range(len(made))
    ]


def _losses(family: Family, schedule: Schedule, denoise: Denoiser, frozen: Pairs | None) -> Metrics:
    sources = denoisers.rows_of(training_points(family)), fresh_points(family)
    rng, result = generator("loss", **family.key), Metrics()
    losses = denoisers.monte_carlo_losses(denoise, schedule, sources, rng)
    if frozen is not None:
        rng = generator("frozen loss", **family.key)
        losses = denoisers.frozen_losses(denoise, schedule, frozen, rng), losses[1]
    for name, values in zip(_OF_TRAINING, losses, strict=True):
        value, error = denoisers.over_rounds(values)
        result |= {name: np.array([value]), f"{name}_se": np.array([error])}
    train, test = (values.mean(axis=1) for values in losses)
    return result | {"levels": as_objects([level_rows(schedule, train, test)])}
