"""What all models refuse, and what of their cells should be known before they run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns import SETTING
from lindiff.columns.groups import (
    COVARIANCE,
    GAUSSIAN,
    ONE_CLASS,
    REGULARIZATION,
    SAMPLING,
    SCHEDULE,
    SPECTRUM,
)
from lindiff.models import EXACT, MODELS, THEORY
from lindiff.models.augmented import is_augmented
from lindiff.models.linear_cells import (
    IDEAL,
    are_frozen,
    is_noiseless,
    loss_weights,
    make_filters,
    spectrum,
    training_of,
)
from lindiff.models.linear_family import is_mixture
from lindiff.models.measured import OF_TWO, SAME_NOISE
from lindiff.models.proximity import PROXIMITY
from lindiff.planning import augmentation, random_features_theory
from lindiff.planning.cells import Check, Finding, column, distinct, find, is_real
from lindiff.planning.linear import LARGEST_SPECTRUM
from lindiff.science.datasets import notes
from lindiff.science.mixture import directions
from lindiff.science.pools import INDEPENDENT, make_pool

Array = NDArray[np.float64]

_LARGEST_ALPHA_BAR = 0.05
# The largest population mean, in standard deviations of about 1. Exact metrics take squares of
# squares; a denoiser that is a function takes noise from points that are as far.
_FARTHEST = 1e70
_FARTHEST_DRAWN = 1e3
_OF_ROWS = PROXIMITY | {"monte_carlo_gap"}


def _largest_eigenvalue(s: Array, n: int) -> float:
    """A bound on the largest eigenvalue of Σ0 that a draw passes with probability 4e-6.

    (√s_1 (1 + 5/√n) + √(tr Σ/n))²; Davidson & Szarek 2001, theorem II.13, for columns of
    covariance Σ.
    """
    return float((np.sqrt(s[0]) * (1 + 5 / np.sqrt(n)) + np.sqrt(s.sum() / n)) ** 2)


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, as ``(row, setting, message)``."""
    checks: tuple[Check, ...] = (
        (COVARIANCE, "spectrum", _bad_spectrum),
        (SCHEDULE, "schedule", _bad_schedule),
        (("weighting", "scale", *SCHEDULE), "weighting", _bad_weighting),
        (("timesteps", "truncation"), "truncation", _bad_truncation),
        (("timesteps", "sampling_steps", "truncation"), "sampling_steps", _bad_steps),
        (
            ("model", "data", "draw", "mixture", "augmentation"),
            "draw",
            partial(_without_samples, metrics),
        ),
        *augmentation.CHECKS,
        ((*COVARIANCE, "mixture"), "mixture", _bad_mixture),
        (("model", "mixture"), "mixture", partial(_of_one_class, metrics)),
        (("sampler",), "sampler", partial(_noisy, metrics)),
        (("data",), "data", partial(_no_population, metrics)),
        (("model", "sampler", "population_mean"), "population_mean", _far),
        (("data", "n"), "n", partial(_too_few_rows, metrics)),
        (("model", "noises"), "noises", partial(_not_averaged, metrics)),
        (("noises", "stop", "learning_rate"), "learning_rate", _discrete),
    )
    return find(cells, checks) or _unstable(cells)


def _bad_spectrum(values: dict[str, Any]) -> str | None:
    try:
        spectrum(*(values[name] for name in COVARIANCE))
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def _bad_schedule(values: dict[str, Any]) -> str | None:
    try:
        _schedule_of(values).make_schedule()
    except ValueError as error:
        return str(error)
    return None


def _bad_weighting(values: dict[str, Any]) -> str | None:
    if _bad_schedule(values) is not None:
        return None
    try:
        loss_weights(values, _schedule_of(values).make_schedule())
    except ValueError as error:
        return str(error)
    return None


def _bad_truncation(values: dict[str, Any]) -> str | None:
    if (values["truncation"] or 0) >= values["timesteps"]:
        most = values["timesteps"] - 1
        return f"no noise level above it: with timesteps = {most + 1} it is at most {most}"
    return None


def _bad_steps(values: dict[str, Any]) -> str | None:
    truncation, timesteps = values["truncation"] or 0, values["timesteps"]
    if truncation < timesteps < (values["sampling_steps"] or 0) + truncation:
        cut = f" and truncation = {truncation}" if truncation else ""
        return f"more sampling steps than noise levels: timesteps = {timesteps}{cut}"
    return None


def _without_samples(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    if values["draw"] == "samples" or values["data"] != GAUSSIAN:
        return None
    if is_mixture(values):
        return "a mixture is drawn as samples, not as a covariance; allowed: samples"
    if MODELS[values["model"]].samples:
        return f"{values['model']} needs the training samples; allowed: samples"
    if is_augmented(values) and values["model"] != THEORY:
        return "augmentation is of the training samples, not of a covariance; allowed: samples"
    asked = sorted(_OF_ROWS & set(metrics))
    return f"{asked[0]} needs the training samples; allowed: samples" if asked else None


def _bad_mixture(values: dict[str, Any]) -> str | None:
    if not is_mixture(values):
        return None
    count, d = directions(json.loads(values["mixture"])), values["d"]
    return f"the means lie in {count} directions, but d = {d}" if count > d else None


def _of_one_class(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    """What holds of no mixture, or not of all."""
    if not is_mixture(values):
        return None
    if "monte_carlo_gap" in metrics:
        return f"monte_carlo_gap draws Gaussian samples; allowed: {ONE_CLASS}"
    if values["model"] == THEORY and "differences" in metrics:
        return (
            f"the limit of differences is that of Gaussian data; allowed with {THEORY}: {ONE_CLASS}"
        )
    if values["model"] == THEORY and "variances" in json.loads(values["mixture"]):
        return (
            "of rows whose size differs from class to class the limit is another; allowed with "
            f"{THEORY}: {ONE_CLASS}, or classes of one covariance"
        )
    return None


def _noisy(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    asked = sorted(SAME_NOISE & set(metrics))
    if asked and not is_noiseless(values["sampler"]):
        allowed = ", ".join(sorted(filter(is_noiseless, SETTING["sampler"].choices)))
        return f"{asked[0]} needs a sampler that draws no noise of its own; allowed: {allowed}"
    return None


def _no_population(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    if "monte_carlo_gap" in metrics and is_real(values["data"]):
        return f"monte_carlo_gap needs fresh samples of the population; allowed: {GAUSSIAN}"
    return None


def _not_averaged(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    if not are_frozen(values):
        return None
    if "monte_carlo_gap" in metrics:
        return "monte_carlo_gap draws noises of its own, not frozen ones; allowed: .inf"
    if "differences" in metrics and values["model"] in (EXACT, THEORY):
        return f"differences of {values['model']} are of the average over noise; allowed: .inf"
    return None


def _discrete(values: dict[str, Any]) -> str | None:
    if are_frozen(values) and np.isfinite(values["stop"] or np.inf) and values["learning_rate"]:
        return "frozen noises are not followed step by step; allowed: 0, gradient flow"
    return None


def _far(values: dict[str, Any]) -> str | None:
    """A population mean beside which samples, or squares of squares, have no digits left."""
    drawn = "memorized_fraction" in MODELS[values["model"]].metrics and values["sampler"] != IDEAL
    largest = _FARTHEST_DRAWN if drawn else _FARTHEST
    if abs(values["population_mean"] or 0) <= largest:
        return None
    why = "its samples" if drawn else "its metrics"
    return (
        f"so far from 0 {why} have no digits left in float64; allowed with {values['model']}: "
        f"-{largest:g} to {largest:g}"
    )


def _too_few_rows(metrics: Sequence[str], values: dict[str, Any]) -> str | None:
    if not is_real(values["data"]):
        return None
    pool, n = make_pool(values["data"]), values["n"]
    if n > pool.size:
        return f"more than the pool of {values['data']} has: {pool.size:,} rows"
    asked = sorted(OF_TWO & set(metrics))
    if asked and n > pool.largest_half:
        repeats = len(np.unique(pool.number)) < pool.size
        return (
            f"{asked[0]} needs two disjoint sets; the pool of {values['data']} has {pool.size:,} "
            f"rows{', of which some repeat each other' if repeats else ''}, so n is at most "
            f"{pool.largest_half:,}"
        )
    return None


def _schedule_of(values: dict[str, Any]) -> Any:
    return make_filters(values | {"sampler": IDEAL}, ())


def _unstable(cells: pa.Table) -> list[Finding]:
    """Discrete gradient descent that would diverge, with the largest stable learning rate."""
    rates = np.nan_to_num(column(cells, "learning_rate"))
    some = np.flatnonzero((rates > 0) & np.isfinite(column(cells, "stop")))
    if not len(some):
        return []
    names = (*COVARIANCE, "n", *SCHEDULE, *SAMPLING, *REGULARIZATION)
    findings = []
    for row, values in distinct(cells.take(some), names):
        s = spectrum(*(values[name] for name in COVARIANCE))
        training = training_of(values)
        bank = make_filters(values, (training,)).make_bank()
        largest = bank.largest_stable_rate(_largest_eigenvalue(s, values["n"]))[0]
        if training.learning_rate >= largest:
            findings.append(
                (
                    int(some[row]),
                    "learning_rate",
                    f"gradient descent is unstable at d = {values['d']}, n = {values['n']}; "
                    f"the largest stable value is {largest:.4g}",
                )
            )
    return findings


def warn(cells: pa.Table) -> list[Finding]:
    """What is allowed but should be known, as ``(row, setting, message)``.

    Schedules that leave signal in the starting noise; what a data set became; training sets that
    take so much of a pool that theory does not apply; where a limit is rough.
    """
    findings = _pools(cells) + _dependent(cells) + _singular(cells) + augmentation.warn(cells)
    findings += random_features_theory.warn(cells)
    for row, values in distinct(cells, SCHEDULE):
        alpha_bar = float(_schedule_of(values).make_schedule().alpha_bar[-1])
        if alpha_bar > _LARGEST_ALPHA_BAR:
            findings.append(
                (
                    row,
                    "schedule",
                    f"alpha_bar at the last level is {alpha_bar:.3g}, more than "
                    f"{_LARGEST_ALPHA_BAR}: samples do not start from noise alone",
                )
            )
    return findings


def _pools(cells: pa.Table) -> list[Finding]:
    """What each data set of `cells` became: rows, dimension, what was left out, and notes on it."""
    named = [(row, "data", values["data"]) for row, values in distinct(cells, ("data",))]
    named += [
        (row, "spectrum", json.loads(values["spectrum_params"])["name"])
        for row, values in distinct(cells, SPECTRUM)
        if values["spectrum"] == "dataset"
    ]
    first = {name: (row, setting) for row, setting, name in reversed(named)}
    return [
        (row, setting, message)
        for name, (row, setting) in first.items()
        if is_real(name)
        for message in (make_pool(name).summary(), *notes(name))
    ]


def _singular(cells: pa.Table) -> list[Finding]:
    """Spectra with directions without variance."""
    findings: list[Finding] = []
    for row, values in distinct(cells, COVARIANCE):
        if values["spectrum"] is None or values["d"] > LARGEST_SPECTRUM:
            continue
        s = spectrum(*(values[name] for name in COVARIANCE))
        if not s.all():
            message = (
                f"{np.count_nonzero(s == 0):,} of {len(s):,} directions have no variance: both KL "
                "are infinite with any model; losses, bures and the others are of all d"
            )
            findings.append((row, "spectrum", message))
    return findings


def _dependent(cells: pa.Table) -> list[Finding]:
    """For each data set the smallest n that theory does not apply to, and how many are larger."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row, values in distinct(cells, ("data", "n")):
        name, n = values["data"], values["n"]
        if is_real(name) and n > INDEPENDENT * make_pool(name).size:
            found.setdefault(name, []).append((n, row))
    findings: list[Finding] = []
    for name, sizes in found.items():
        more = f" (nor to {len(sizes) - 1} larger n)" if len(sizes) > 1 else ""
        message = (
            f"more than a tenth of the pool of {name}, {make_pool(name).size:,} rows: not like "
            f"independent samples, so theory does not apply to it{more}"
        )
        findings.append((min(sizes)[1], "n", message))
    return findings
