"""The empirical score: what memorizes most (docs/theory.md, "Empirical score").

The minimiser of the training loss over all functions, with its losses and its samples, on the
training set that the linear models have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models import measured
from lindiff.models.linear_cells import Filters, groups
from lindiff.models.linear_family import Family, make_family, to_table
from lindiff.models.proximity import SAMPLES, row_numbers, training_points
from lindiff.science.collapse import collapse_time, collapses
from lindiff.science.denoisers import Denoiser, rows_of
from lindiff.science.draws import generator
from lindiff.science.empirical import empirical

Array = NDArray[np.float64]

_COLLAPSE = frozenset(("collapse_time", "collapse_time_se"))
_NO_PAIR = "halves are compared on samples that are functions of a noise; those of ideal are not"


def _collapse(family: Family, points: Array, wanted: Sequence[str]) -> measured.Metrics:
    """The collapse time, which is that of the training set alone; NaN where there is none."""
    if not _COLLAPSE.intersection(wanted):
        return {}
    number, found = row_numbers(family), (np.nan, np.nan)
    if collapses(number):
        found = collapse_time(points, number, generator("collapse", **family.key))
    return {"collapse_time": np.array([found[0]]), "collapse_time_se": np.array([found[1]])}


def _reason(family: Family, wanted: Sequence[str]) -> str | None:
    """Why metrics of this family are null, or None."""
    reasons = [measured.reason(family, wanted)]
    if _COLLAPSE.intersection(wanted) and not collapses(row_numbers(family)):
        reasons.append(
            "collapse_time needs 3 distinct training points or more, none of them most of the "
            "training set: of two drawn at random less than half are the same one"
        )
    return "; ".join(filter(None, reasons)) or None


def _rows(family: Family, points: Array) -> Array:
    """What `ideal` generates: training points, whatever the noise."""
    return rows_of(points)(generator("samples", **family.key), SAMPLES)


def _of_samples(
    family: Family, filters: Filters, denoise: Denoiser, wanted: frozenset[str]
) -> measured.Metrics:
    """The metrics of samples."""
    if not wanted:
        return {}
    others = family.halves.other.centred if wanted & measured.compared(filters) else None
    if filters.sampler is None:
        made = _rows(family, training_points(family))
        other = None if others is None else _rows(family, others)
        return measured.of_samples(family, made, wanted, other, same_noise=False)
    partner = None if others is None else empirical(others, filters.make_schedule())
    return measured.measure(family, filters, denoise, wanted, partner)


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: The draw has no samples.
    """
    family, results = make_family(cells), []
    points = training_points(family)
    of_samples, reason = measured.OF_SAMPLES.intersection(wanted), _reason(family, wanted)
    collapse = _collapse(family, points, wanted)
    message: list[str | None] = [None] * len(cells)
    by_schedule: dict[tuple[Any, ...], measured.Metrics] = {}
    for rows, filters in groups(cells):
        denoise, schedule = empirical(points, filters.make_schedule()), filters.schedule
        if schedule not in by_schedule:
            partner = None
            if measured.DIFFERENCES.intersection(wanted):
                others = family.halves.other.centred
                assert others is not None
                partner = empirical(others, filters.make_schedule())
            by_schedule[schedule] = measured.of_schedule(
                family, schedule, denoise, wanted, partner=partner
            )
        found = by_schedule[schedule] | _of_samples(family, filters, denoise, of_samples)
        found |= collapse
        results.append((rows, found))
        lost = measured.SAME_NOISE.intersection(wanted) and filters.sampler is None
        for row in rows:
            message[row] = _NO_PAIR if reason is None and lost else reason
    return to_table(cells, wanted, results, ["ok"] * len(cells), message)
