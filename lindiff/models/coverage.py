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

COVERAGE = frozenset(("coverage", "copied_auc"))


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


def of_copies(family: Family, made: Array) -> dict[str, NDArray[Any]]:
    """The metrics `COVERAGE` of samples less the centre, shape (S, d), as arrays of shape (1,)."""
    number = np.unique(row_numbers(family), return_inverse=True)[1]
    found = _places(family)
    copied = coverage.times_copied(made, training_points(family), number)
    columns = {
        "own_time": found.own_time,
        "own_time_se": found.own_time_se,
        "nearest": found.nearest,
        "second": found.second,
        "log_density": found.log_density,
        "copied": copied,
    }
    rows = [
        {"point": i} | {name: _plain(values[i]) for name, values in columns.items()}
        for i in range(len(copied))
    ]
    auc = coverage.copied_auc(found.own_time, copied, number)
    return {"coverage": as_objects([rows]), "copied_auc": np.array([auc])}


def _plain(value: np.generic) -> float | int | None:
    number: float | int = value.item()
    return number if np.isfinite(number) else None
