"""Which training points are copied, beside how the training set covers them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.models.linear_family import Family, as_objects
from lindiff.models.proximity import row_numbers, training_points
from lindiff.science import coverage
from lindiff.science.draws import generator

Array = NDArray[np.float64]

COVERAGE = frozenset(("coverage", "copied_auc", "copied_auc_se"))


@lru_cache(maxsize=1)
def _places(family: Family) -> coverage.Places:
    """Of the training set alone, so once for all its cells; distances in units of √tr Σ."""
    unit = np.sqrt(family.draw.spectrum.sum())
    rng = generator("coverage", **family.key)
    found = coverage.places(training_points(family), row_numbers(family), rng)
    return coverage.Places(
        found.own_time, found.own_time_se, found.nearest / unit, found.second / unit,
        found.log_density,
    )  # fmt: skip


def of_copies(
    family: Family, index: NDArray[np.int64], copied: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """The metrics `COVERAGE`, as arrays of shape (1,), from `lindiff.science.samples.copies`."""
    number = np.unique(row_numbers(family), return_inverse=True)[1]
    found = _places(family)
    times = coverage.times_copied(index, copied, number)
    columns = {
        "own_time": found.own_time,
        "own_time_se": found.own_time_se,
        "nearest": found.nearest,
        "second": found.second,
        "log_density": found.log_density,
        "copied": times,
    }
    rows = [
        {"point": i} | {name: _plain(values[i]) for name, values in columns.items()}
        for i in range(len(times))
    ]
    area, error = coverage.copied_auc(found.own_time, times, number)
    return {
        "coverage": as_objects([rows]),
        "copied_auc": np.array([area]),
        "copied_auc_se": np.array([error]),
    }


def _plain(value: np.generic) -> float | int | None:
    number: float | int = value.item()
    return number if np.isfinite(number) else None
