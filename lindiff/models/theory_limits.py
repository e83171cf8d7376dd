"""Large-system limits of linear models, of a spectrum with all its N and filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models.linear_cells import (
    FEW_LEVELS,
    Filters,
    difference_rows,
    groups,
    level_indices,
    level_row,
    spectrum,
)
from lindiff.models.linear_family import (
    FLOORS,
    KL,
    PopulationKey,
    as_objects,
    at_infinity,
    make_table,
    optimal_loss,
    population_of,
)
from lindiff.science import theory
from lindiff.science.density import paired
from lindiff.science.differences import limit_of_differences
from lindiff.science.filters import Bank
from lindiff.science.limit import Limit, contour, degrees_of_freedom, limit_range, limits
from lindiff.science.overlap import leading_overlap
from lindiff.science.schedule import log_levels
from lindiff.science.spectrum import leading
from lindiff.science.tables import FilterTable, Range

Array = NDArray[np.float64]

# What an own mean of the population rules: its way through the sampler is no function of Σ0 alone.
_OF_THE_MEAN = (*KL, *(f"{name}_mean" for name in KL), "agreement")
# Pairing by rank needs the quantiles of the spectrum, not only functionals of it.
_BY_RANK = frozenset(f"{name}_{part}" for name in KL for part in ("spectrum", "eigenvectors"))
_NO_CONTINUATION = "the filter is not analytic around the spectrum: no limit"
_NO_OVERLAP = "no limit of overlap_1: few leading eigenvalues, hardly apart from the others"
_NO_MEAN = "no limit of the divergences and the agreement: population_mean is not 0"
_NO_STOP = "no limit of differences after a stop: only at the optimum"
_NO_KL = "no limit of kl_data_model: the spectrum reaches 0, too weak a regularization for that"


@dataclass(frozen=True, eq=False)
class Population:
    """What all cells of a family share.

    Attributes:
        name: The settings `COVARIANCE` and the population mean.
        spectrum: s, shape (d,).
        known: Whether the mean is known.
    """

    name: PopulationKey
    spectrum: Array
    known: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Cells of one schedule, sampler and contour.

    Attributes:
        filters: The distinct filters.
        tight: Whether their contour ends at the edge of the bulk.
        rows: Rows of the cells by N.
        columns: For each of these rows its filter, an index into `filters`, by N.
    """

    filters: Filters
    tight: bool
    rows: dict[int, list[int]]
    columns: dict[int, list[int]]


def make_population(row: dict[str, Any]) -> Population:
    """The population of a cell."""
    name = population_of(row)
    return Population(name, spectrum(*name[:-1]), row["centre"] == "known")


def _groups(cells: pa.Table, population: Population) -> Iterator[tuple[Range, Group]]:
    """The rows by schedule, sampler and range of their contour, each with ascending N."""
    n = cells["n"].to_numpy()
    sizes = {int(size): degrees_of_freedom(int(size), population.known) for size in n}
    ranges = {
        tight: {n: limit_range(population.spectrum, own, tight) for n, own in sizes.items()}
        for tight in (False, True)
    }
    for rows, filters in groups(cells):
        for tight in (False, True):
            own = [i for i, t in enumerate(filters.trainings) if t.discrete == tight]
            distinct = tuple(dict.fromkeys(filters.trainings[i] for i in own))
            column_of = {training: i for i, training in enumerate(distinct)}
            shared = replace(filters, trainings=distinct)
            by_range: dict[Range, Group] = {}
            for i in sorted(own, key=lambda i: n[rows[i]]):
                size = int(n[rows[i]])
                group = by_range.setdefault(ranges[tight][size], Group(shared, tight, {}, {}))
                group.rows.setdefault(size, []).append(int(rows[i]))
                group.columns.setdefault(size, []).append(column_of[filters.trainings[i]])
            yield from by_range.items()


def limits_of(
    cells: pa.Table, population: Population, wanted: Sequence[str]
) -> tuple[list[tuple[list[int], dict[str, NDArray[Any]]]], list[str | None]]:
    """The limits of all cells of a family, of a population that may be a part of theirs.

    Returns:
        Rows of `cells` with their metrics, and for each cell why some have no limit, or None.
    """
    reasons: list[str | None] = [None] * len(cells)
    backward = any(name.startswith("kl_data_model") for name in wanted)
    results = []
    for span, group in _groups(cells, population):
        shared = _Shared.make(population, group.filters, span, frozenset(wanted))
        for limit in limits(population.spectrum, group.rows, population.known, group.tight):
            rows, columns = group.rows[limit.n], group.columns[limit.n]
            found = _metrics(population, shared, limit)
            results.append((rows, {name: values[columns] for name, values in found.items()}))
            lost = _NO_OVERLAP if shared.overlap and np.isnan(found["overlap_1"]).any() else None
            for row, column in zip(rows, columns, strict=True):
                unknown = backward and np.isnan(found["kl_data_model"][column])
                reasons[row] = shared.reasons[column] or (_NO_KL if unknown else lost)
                if shared.differences and np.isfinite(shared.table.bank.trainings[column].stop):
                    reasons[row] = "; ".join(filter(None, (reasons[row], _NO_STOP)))
        # The filters of one contour and those of the next are not in memory together.
        del shared
    return results, reasons


@dataclass(frozen=True, eq=False)
class _Shared:
    """What does not depend on N: filters on the contour, and what is wanted of them."""

    filters: Filters
    table: FilterTable
    on_contour: theory.OnContour
    fixed: dict[str, Array]
    levels: list[tuple[int, Any, Any]]
    reasons: list[str | None]
    agreement: bool
    by_rank: bool
    overlap: bool
    differences: bool

    @classmethod
    def make(
        cls, population: Population, filters: Filters, span: Range, wanted: frozenset[str]
    ) -> _Shared:
        table = make_table(filters, span)
        on_contour = theory.on_contour(table, filters.root_alpha_bar)
        count = len(filters.trainings)
        optimum = optimal_loss(population.name, filters.schedule)
        fixed = {"optimal_loss": np.full(count, optimum)}
        if wanted & FLOORS:
            fixed |= at_infinity(population.name, filters, span)
        levels = []
        if "levels" in wanted:
            nodes, _ = contour(span)
            levels = [
                (i, table.bank.losses(nodes, i), table.bank.losses(np.zeros(1), i))
                for i in level_indices(table.bank.schedule.timesteps)
            ]
        moved = population.name[-1] != 0 and filters.root_alpha_bar != 0
        reasons = [
            _NO_CONTINUATION if missing else _NO_MEAN if moved else None
            for missing in table.unresolved
        ]
        return cls(
            filters, table, on_contour, fixed, levels, reasons,
            "agreement" in wanted and filters.noiseless, bool(wanted & _BY_RANK),
            "overlap_1" in wanted and leading(population.spectrum) < len(population.spectrum),
            "differences" in wanted,
        )  # fmt: skip


def _metrics(population: Population, shared: _Shared, limit: Limit) -> dict[str, NDArray[Any]]:
    """Metric columns of one N, arrays of shape (F,)."""
    mean = 0.0 if population.known else 1 / limit.n
    F = shared.on_contour
    found: dict[str, NDArray[Any]] = theory.losses(limit, F, mean)
    ranked = None
    if shared.by_rank and population.spectrum.all():
        nodes = paired(population.spectrum, limit.n, population.known)
        at = shared.table.at(nodes.ravel()).pointwise("log_v")
        ranked = np.exp(at).reshape(*nodes.shape, -1)
    found |= theory.divergences(limit, F, mean, ranked)
    if shared.by_rank and ranked is None:
        # No density, so that all parts are infinite, as the others are.
        found |= dict.fromkeys(_BY_RANK, np.full_like(found["kl_model_data"], np.inf))
    found |= shared.fixed
    found["residual_loss"] = found["test_loss"] - found["optimal_loss"]
    nothing = np.full_like(found["test_loss"], np.nan)
    found |= {"overlap_1": nothing, "agreement": nothing}
    if shared.overlap:
        overlap = leading_overlap(population.spectrum, limit.n, population.known)
        found["overlap_1"] = np.full_like(nothing, overlap)
    if shared.agreement:
        found["agreement"] = theory.agreement(limit, F, mean, shared.filters.sampler is None)
    if population.name[-1] != 0 and F.root_alpha_bar != 0:
        found |= dict.fromkeys(_OF_THE_MEAN, nothing)
    if shared.levels:
        found["levels"] = as_objects(_levels(shared, limit, mean))
        found["levels"][F.missing] = None
    if shared.differences:
        bank = shared.table.bank
        each = [_differences(population, bank, k, limit.n) for k in range(len(bank.trainings))]
        found["differences"] = as_objects(each)
    return found


def _differences(
    population: Population, bank: Bank, training: int, n: int
) -> list[dict[str, float]] | None:
    """`differences` of one filter; None after a stop."""
    if np.isfinite(bank.trainings[training].stop):
        return None
    schedule, s = bank.schedule, population.spectrum
    found = {
        index: (
            limit_of_differences(
                s, n, schedule, index, float(bank.penalty(index)[training]), population.known
            ),
            np.full(len(s), np.nan),
        )
        for index in log_levels(schedule.timesteps, FEW_LEVELS)
    }
    return difference_rows(schedule, s, found)


def _levels(shared: _Shared, limit: Limit, mean: float) -> list[list[dict[str, float]]]:
    """Losses at the noise levels of `level_indices`, one list a filter."""
    rows: list[list[dict[str, float]]] = [[] for _ in shared.table.bank.trainings]
    for index, at_nodes, at_zero in shared.levels:
        train, test = theory.level_losses(limit, at_nodes, at_zero, mean)
        level = level_row(shared.table.bank.schedule, index)
        for row, a, b in zip(rows, train.tolist(), test.tolist(), strict=True):
            row.append(level | {"train_loss": a, "test_loss": b})
    return rows
