"""The large-system limit of random features: both losses, level by level (docs/theory.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models import FEATURES_THEORY, MODELS
from lindiff.models.linear_cells import Filters, groups, level_rows, spectrum
from lindiff.models.linear_family import optimal_loss, population_of, to_table, undefined
from lindiff.science.activations import ACTIVATIONS
from lindiff.science.filters import Bank, Training
from lindiff.science.random_features_limit import level_losses
from lindiff.science.random_features_stop import level_losses_at_stops
from lindiff.science.schedule import Schedule

Array = NDArray[np.float64]
Losses = tuple[Array, Array]

_AS_MANY = "as many {} as features, without a penalty: the test loss has no limit"


class _Family:
    """What cells of one population, m and activation have in common; losses, each found once."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.population = population_of(row)
        self.spectrum = spectrum(*self.population[:-1])
        self.known = row["centre"] == "known"
        # Null of a sampler that reads none.
        self.noises = np.inf if row["noises"] is None else float(row["noises"])
        self.activation = row["activation"]
        self._found: dict[tuple[Any, ...], Losses] = {}

    def reason(self, n: int, p: int, training: Training) -> str | None:
        """Why the losses of a cell have no limit, or None."""
        if np.isfinite(training.stop):
            return None
        # Linear features are as few as dimensions.
        fitted = min(p, len(self.spectrum)) if self.activation == "identity" else p
        if training.weight_decay == 0 and n * self.noises == fitted:
            return _AS_MANY.format("pairs of sample and noise")
        return None

    def stopped(self, n: int, p: int, schedule: Schedule, trainings: Sequence[Training]) -> Losses:
        """Train and test loss at every level of trainings with a stop, shape (T, F) each."""
        bank, activation = Bank(schedule, trainings), ACTIVATIONS[self.activation]
        pairs = [
            level_losses_at_stops(
                activation, self.spectrum, n, p, self.noises, bank, index, self.known
            )
            for index in range(schedule.timesteps)
        ]
        train, test = zip(*pairs, strict=True)
        return np.stack(train), np.stack(test)

    def losses(self, n: int, p: int, filters: Filters, training: Training) -> Losses:
        """Train and test loss at every level, shape (T,) each."""
        key = n, p, filters.schedule, training
        if key not in self._found:
            schedule = filters.make_schedule()
            bank, activation = Bank(schedule, [training]), ACTIVATIONS[self.activation]
            pairs = [
                level_losses(
                    activation, self.spectrum, n, p, self.noises, float(alpha_bar), float(q),
                    float(bank.penalty(index)[0]), self.known,
                )
                for index, (alpha_bar, q) in enumerate(
                    zip(schedule.alpha_bar, schedule.q, strict=True)
                )
            ]  # fmt: skip
            train, test = np.array(pairs).T
            self._found[key] = train, test
        return self._found[key]


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`. Metrics
        without a limit are null, and the message says why.
    """
    family = _Family(cells.slice(0, 1).to_pylist()[0])
    sizes, features = cells["n"].to_pylist(), cells["features"].to_pylist()
    reasons: list[str | None] = [None] * len(cells)
    results = []
    for rows, filters in groups(cells):
        found = {name: undefined(name, len(rows)) for name in MODELS[FEATURES_THEORY].metrics}
        found["optimal_loss"][:] = optimal_loss(family.population, filters.schedule)
        stopped: dict[tuple[int, int], list[int]] = {}
        for i, (row, training) in enumerate(zip(rows, filters.trainings, strict=True)):
            n, p = sizes[row], features[row]
            reasons[row] = family.reason(n, p, training)
            if np.isfinite(training.stop):
                stopped.setdefault((n, p), []).append(i)
            elif reasons[row] is None:
                _fill(found, i, filters, family.losses(n, p, filters, training))
        for (n, p), own in stopped.items():
            trainings = [filters.trainings[i] for i in own]
            train, test = family.stopped(n, p, filters.make_schedule(), trainings)
            for column, i in enumerate(own):
                _fill(found, i, filters, (train[:, column], test[:, column]))
        found["residual_loss"] = found["test_loss"] - found["optimal_loss"]
        results.append((rows, found))
    return to_table(cells, wanted, results, ["ok"] * len(cells), reasons)


def _fill(found: dict[str, NDArray[Any]], i: int, filters: Filters, losses: Losses) -> None:
    """The metrics of one cell from its losses at every level."""
    found["train_loss"][i], found["test_loss"][i] = (own.mean() for own in losses)
    found["levels"][i] = level_rows(filters.make_schedule(), *losses)
