"""The large-system limit of the linear model with `noises`: of both losses, N by N."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models import MODELS, THEORY
from lindiff.models.linear_cells import Filters, groups, level_rows, spectrum
from lindiff.models.linear_family import (
    FLOORS,
    at_infinity,
    optimal_loss,
    population_of,
    to_table,
    undefined,
)
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limit_range
from lindiff.science.noise_limit import level_losses
from lindiff.science.overlap import leading_overlap
from lindiff.science.spectrum import leading

Array = NDArray[np.float64]

_OF_LOSSES = FLOORS | {
    "train_loss", "test_loss", "residual_loss", "optimal_loss", "levels", "overlap_1",
}  # fmt: skip
_NO_SQUARE = "as many pairs as dimensions, without a penalty: the test loss has no limit"
_NO_STOP = "no limit with frozen noises after a stop: only at the optimum"
_NO_OTHER = "no limit of the divergences with frozen noises"


class _Family:
    """What cells of one population and m have in common, and their losses, each computed once."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.population = population_of(row)
        self.spectrum = spectrum(*self.population[:-1])
        self.known = row["centre"] == "known"
        self.noises = int(row["noises"])
        self._found: dict[tuple[Any, ...], tuple[Array, Array]] = {}

    def reason(self, n: int, training: Training) -> str | None:
        """Why the losses of a cell have no limit, or None."""
        if np.isfinite(training.stop):
            return _NO_STOP
        plain = training.ridge == training.weight_decay == 0
        return _NO_SQUARE if plain and n * self.noises == len(self.spectrum) else None

    def losses(self, n: int, filters: Filters, training: Training) -> tuple[Array, Array]:
        """Train and test loss at every level, shape (T,) each."""
        key = n, filters.schedule, training
        if key not in self._found:
            schedule = filters.make_schedule()
            bank = Bank(schedule, [training])
            penalty = np.array([bank.penalty(index)[0] for index in range(schedule.timesteps)])
            self._found[key] = level_losses(
                self.spectrum, n, self.noises, schedule, penalty, self.known
            )
        return self._found[key]

    def floors(self, filters: Filters) -> dict[str, Array]:
        """`FLOORS` at N = ∞, which does not know m, shape (F,)."""
        span = limit_range(self.spectrum, 2 * len(self.spectrum))
        return at_infinity(self.population, filters, span)

    def overlap(self, n: int) -> float:
        """The limit of `overlap_1`, which does not know m."""
        if leading(self.spectrum) == len(self.spectrum):
            return np.nan
        return leading_overlap(self.spectrum, n, self.known)


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family with frozen noises; see `lindiff.models.theory.run`."""
    family = _Family(cells.slice(0, 1).to_pylist()[0])
    sizes = cells["n"].to_pylist()
    no_other = None if _OF_LOSSES.issuperset(wanted) else _NO_OTHER
    reasons: list[str | None] = [no_other] * len(cells)
    results = []
    for rows, filters in groups(cells):
        found = {name: undefined(name, len(rows)) for name in MODELS[THEORY].metrics}
        found["optimal_loss"][:] = optimal_loss(family.population, filters.schedule)
        if FLOORS & set(wanted):
            found |= family.floors(filters)
        if "overlap_1" in wanted:
            found["overlap_1"] = np.array([family.overlap(sizes[row]) for row in rows])
        for i, (row, training) in enumerate(zip(rows, filters.trainings, strict=True)):
            reason = family.reason(sizes[row], training)
            reasons[row] = reason or no_other
            if reason is None:
                train, test = family.losses(sizes[row], filters, training)
                found["train_loss"][i], found["test_loss"][i] = train.mean(), test.mean()
                found["levels"][i] = level_rows(filters.make_schedule(), train, test)
        found["residual_loss"] = found["test_loss"] - found["optimal_loss"]
        results.append((rows, found))
    return to_table(cells, wanted, results, ["ok"] * len(cells), reasons)
