"""From cells of the linear model to schedules, samplers and trainings.

A setting that does not apply is null in a cell; it is read as its neutral value, which has no
effect there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns.groups import REGULARIZATION, SAMPLING, SCHEDULE
from lindiff.science.filters import Bank, Training
from lindiff.science.reference import BETA_MAX, BETA_MIN
from lindiff.science.sampler import Sampler, make_sampler, start_factor
from lindiff.science.schedule import Schedule, log_levels, make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.weighting import UNIFORM, make_weights

Array = NDArray[np.float64]

# The value of the setting `sampler` that leaves the sampler out.
IDEAL = "ideal"

_OF_TRAINING = (*REGULARIZATION, "scale")

# Noise levels of the metric `levels`, at most, and of those with a row a mode.
LEVELS = 25
FEW_LEVELS = 8


def level_indices(timesteps: int) -> list[int]:
    """The noise levels of the metric `levels`, t − 1 each, log-spaced in t."""
    return log_levels(timesteps, LEVELS)


def level_row(schedule: Schedule, index: int) -> dict[str, float]:
    """What names a level in a row, from its index t − 1."""
    return {"t": index + 1, "alpha_bar": float(schedule.alpha_bar[index])}


def level_rows(schedule: Schedule, train: Array, test: Array) -> list[dict[str, float]]:
    """The metric `levels` from the losses of all T levels, shape (T,) each."""
    return [
        level_row(schedule, index)
        | {"train_loss": float(train[index]), "test_loss": float(test[index])}
        for index in level_indices(schedule.timesteps)
    ]


def difference_rows(
    schedule: Schedule, spectrum: Array, found: Mapping[int, tuple[Array, Array]]
) -> list[dict[str, float]]:
    """The metric `differences`.

    Args:
        schedule: The noise schedule.
        spectrum: Eigenvalues of Σ, shape (d,).
        found: By index t − 1 the difference along each eigenvector, and its standard error; NaN of
            what is computed; shape (d,) each.
    """
    return [
        level_row(schedule, index)
        | {
            "mode": mode,
            "population_variance": float(variance),
            "difference": float(value),
            "difference_se": float(error),
        }
        for index, numbers in found.items()
        for mode, (variance, value, error) in enumerate(zip(spectrum, *numbers, strict=True), 1)
    ]


def are_frozen(row: dict[str, Any]) -> bool:
    """Whether the noises of a cell are frozen; null (`ideal`) and inf are the average over them."""
    return row["noises"] is not None and bool(np.isfinite(row["noises"]))


def noises_of(row: dict[str, Any]) -> float:
    """m of a cell; inf is the average over noise."""
    return float(row["noises"]) if are_frozen(row) else np.inf


class Common(dict[str, Any]):
    """Settings that have one value in all cells of a call; asking for another is an error.

    So what a call takes from one cell for all of them cannot differ between them, whatever the
    registry says of it.
    """

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"cells that differ in {name} cannot be computed in one call")


def common(cells: pa.Table) -> Common:
    """The settings that all of `cells` have in common."""
    first = cells.slice(0, 1).to_pylist()[0]
    return Common(
        (name, value)
        for name, value in first.items()
        if len(cells[name].combine_chunks().unique()) == 1
    )


@lru_cache
def is_noiseless(sampler: str) -> bool:
    """Whether a sampler draws no noise of its own: a sample is a function of its starting noise."""
    return sampler == IDEAL or not make_sampler(sampler, make_schedule()).variance.any()


@lru_cache
def evaluations(sampler: str) -> int:
    """How often a sampler evaluates the denoiser in a step; in one to the data it is once."""
    if sampler == IDEAL:
        return 1
    return 1 if make_sampler(sampler, make_schedule()).corrector is None else 2


@dataclass(frozen=True)
class Filters:
    """Hashable arguments of a bank of filters and its sampler.

    Attributes:
        schedule: Arguments of `make_schedule`.
        sampler: Arguments of `make_sampler` but the schedule, or None for `ideal`.
        trainings: One training a filter.
    """

    schedule: tuple[Any, ...]
    sampler: tuple[Any, ...] | None
    trainings: tuple[Training, ...]

    def make_schedule(self) -> Schedule:
        """The noise schedule."""
        return make_schedule(*self.schedule)

    def make_bank(self) -> Bank:
        """The filters."""
        return Bank(self.make_schedule(), self.trainings)

    def make_sampler(self) -> Sampler | None:
        """The sampler; None is `ideal`."""
        if self.sampler is None:
            return None
        return make_sampler(self.sampler[0], self.make_schedule(), *self.sampler[1:])

    @property
    def noiseless(self) -> bool:
        """Whether a sample is a function of its starting noise."""
        return is_noiseless(self.sampler[0] if self.sampler else IDEAL)

    @cached_property
    def discrete(self) -> bool:
        """Whether any filter is of discrete gradient descent, which can diverge."""
        return any(training.discrete for training in self.trainings)

    @cached_property
    def root_alpha_bar(self) -> float:
        """√ᾱ_T, or 0 for `ideal`: see `start_factor`."""
        return start_factor(self.make_schedule(), self.make_sampler())


def groups(cells: pa.Table) -> tuple[tuple[list[int], Filters], ...]:
    """The rows of `cells` that share a schedule and a sampler, with their filters."""
    # Cells come in the order of their ids; in that of their settings most families of a sweep are
    # the same, so their filters are read, and tabulated, once.
    keys = [_sortable(cells[name]) for name in (*REGULARIZATION, "sampler")]
    order = np.lexsort(keys)
    table = cells.select([*SCHEDULE, *SAMPLING, *_OF_TRAINING]).take(pa.array(order))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    found = _groups(sink.getvalue().to_pybytes())
    return tuple((order[rows].tolist(), filters) for rows, filters in found)


def _sortable(column: pa.ChunkedArray) -> NDArray[Any]:
    """Values that can be sorted; of words their places among the words."""
    if pa.types.is_dictionary(column.type):
        words = np.asarray(column.cast("string").fill_null(""), dtype=str)
        return np.unique(words, return_inverse=True)[1]
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def training_of(settings: Mapping[str, Any]) -> Training:
    """The training of a cell from its settings `REGULARIZATION` and `scale`."""
    given = {name: settings[name] for name in REGULARIZATION if settings[name] is not None}
    if given.get("weighting", UNIFORM) != UNIFORM:
        given["rms"] = settings["scale"]
    return Training(**given)


def loss_weights(row: Mapping[str, Any], schedule: Schedule) -> Array | None:
    """w_t of the training loss of a cell, shape (T,); None is the plain mean over levels."""
    name = row["weighting"] or UNIFORM
    return None if name == UNIFORM else make_weights(name, schedule, row["scale"])


@lru_cache(maxsize=64)
def _groups(stream: bytes) -> tuple[tuple[list[int], Filters], ...]:
    cells = pa.ipc.open_stream(stream).read_all()
    columns = [column.to_pylist() for column in cells.columns]
    members: dict[tuple[Any, ...], list[tuple[int, Training]]] = {}
    for row, values in enumerate(zip(*columns, strict=True)):
        given = dict(zip(_OF_TRAINING, values[-len(_OF_TRAINING) :], strict=True))
        members.setdefault(values[: -len(_OF_TRAINING)], []).append((row, training_of(given)))
    names = (*SCHEDULE, *SAMPLING)
    return tuple(
        (
            [row for row, _ in group],
            make_filters(dict(zip(names, key, strict=True)), tuple(own for _, own in group)),
        )
        for key, group in members.items()
    )


def make_filters(settings: Mapping[str, Any], trainings: tuple[Training, ...]) -> Filters:
    """Filters from the schedule and the sampler of a cell.

    Args:
        settings: Those of `SCHEDULE` and, unless the sampler is `ideal`, of `SAMPLING`.
        trainings: One training a filter.
    """
    schedule = (
        settings["schedule"],
        settings["timesteps"],
        settings["beta_min"] or BETA_MIN,
        settings["beta_max"] or BETA_MAX,
    )
    if settings["sampler"] == IDEAL:
        return Filters(schedule, None, trainings)
    steps = settings["sampling_steps"] or 0
    # A table from before that setting has none.
    truncation = settings.get("truncation") or 0
    sampler = settings["sampler"], bool(settings["final_noise"]), steps, truncation
    return Filters(schedule, sampler, trainings)


@lru_cache(maxsize=256)
def spectrum(name: str, params: str, d: int, scale: float) -> Array:
    """Eigenvalues of the population, shape (d,), from the settings `COVARIANCE` of a cell."""
    return make_spectrum(name, d, **json.loads(params)) * scale**2
