"""The number of a statement, read off a table: one interval for each point where it is stated.

The curve is the mean over training sets, and what is taken of it (a crossing, a minimum, a ratio)
is taken of that mean, as theory predicts it. Intervals are Student's t on the jackknife's values,
one a training set (Tukey 1958; Miller, Biometrika 61, 1, 1974), of all but plain means in
logarithms; a power law is fitted to those, so that its interval has its lack of fit
(`lindiff.drawing.intervals.power_fit`). A number of the population alone is the same in all
training sets; where it is measured its interval is that of its measurement.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.claims.expression import Expression
from lindiff.claims.statement import PLACES, Statement, Take
from lindiff.claims.taking import Undecided, reduction
from lindiff.columns import SETTINGS
from lindiff.columns.arrays import plain, steps_made
from lindiff.columns.groups import REPEATS, SPECTRUM
from lindiff.drawing.intervals import (
    FEWEST_SETS,
    Interval,
    geometric_mean_interval,
    mean_interval,
    power_fit,
)
from lindiff.drawing.need import FEWEST
from lindiff.models import MODELS

Array = NDArray[np.float64]
Row = dict[str, Any]
Key = tuple[tuple[str, Any], ...]
_SIZES = ("n", "n_over_d")
_FOUND = ("value", "low", "high", "seeds", "quantity")  # columns of a figure that are no setting


@dataclass(frozen=True)
class Point:
    """What was found at one point.

    Attributes:
        settings: What tells the point from the others of its statement.
        interval: The number, with its interval; of theory alone it has no width.
        sets: Training sets; 0 for theory.
        cells: Rows behind it.
        reason: Why there is no number, or no interval; else empty.
    """

    settings: dict[str, Any]
    interval: Interval
    sets: int
    cells: int
    reason: str = ""


@dataclass(frozen=True)
class _Numbers:
    """One number of a point.

    Attributes:
        value: The estimate.
        by_seed: Its jackknife values by training set.
        cells: Rows behind it.
        error: Standard error of what all training sets have in common.
    """

    value: float
    by_seed: dict[Any, float]
    cells: int
    error: float = 0.0


def points(
    table: pa.Table, other: pa.Table, statement: Statement, together: float
) -> tuple[float, list[Point]]:
    """The number of a statement at each of its points.

    Args:
        table: The rows that `statement.where` takes, with ``n_over_d``; of a nested table its rows
            with the columns of their cells.
        other: The rows of `statement.against`, if it has that.
        statement: What to read.
        together: Nominal coverage of all intervals together (Bonferroni).

    Returns:
        The nominal coverage of each interval, and a point for each combination of the settings that
        vary, but for seeds and for those that the statement runs along.
    """
    own = _varying([table, other] if statement.against else [table])
    names = _names(own, statement)
    scale = _is_scale(statement)
    found = _numbers(_rows(table), names, statement.quantity, statement.take, scale)
    if statement.against:
        against = statement.against
        formula, take = against.quantity or statement.quantity, against.take or statement.take
        below = _numbers(_rows(other), names, formula, take, scale)
        found = _ratios(found, below)
    laws = _laws(found, statement.exponent) if statement.exponent else {}
    level = 1 - (1 - together) / max(len(laws or found), 1)
    if statement.exponent:
        return level, [_exponent(dict(key), law, level) for key, law in laws.items()]
    return level, [_point(dict(key), own, scale, level) for key, own in found.items()]


def _rows(table: pa.Table) -> list[Row]:
    """The rows of a table, where a stop is the step that was made: that of the end is no 0."""
    if "stop_step" in table.column_names:
        at = table.column_names.index("stop_step")
        table = table.set_column(at, "stop_step", steps_made(table))
    rows: list[Row] = plain(table).to_pylist()
    return rows


def _is_scale(statement: Statement) -> bool:
    """Whether the number is a ratio, a place on an axis or an exponent of such: no plain mean."""
    return any((statement.take, statement.against, statement.exponent))


def _takes(statement: Statement) -> list[Take]:
    inner = statement.against.take if statement.against else None
    return [take for take in (statement.take, inner) if take is not None]


def _varying(tables: Sequence[pa.Table]) -> list[str]:
    """Settings that have several values in one of the tables; of a spectrum all or none.

    One that the table lacks, which is of a lindiff from before that setting, does not vary.
    """
    names = [*(c.name for c in SETTINGS if c.name not in REPEATS), "n_over_d", *PLACES]
    found = {name for name in names if any(_several(table, name) for table in tables)}
    if found & set(SPECTRUM):
        found |= set(SPECTRUM)
    return [name for name in names if name in found]


def _several(table: pa.Table, name: str) -> bool:
    return name in table.column_names and len(plain(table.select([name]))[name].unique()) > 1


def _names(varying: Sequence[str], statement: Statement) -> list[str]:
    """The settings that tell curves apart: what varies, but for what is taken along.

    N and N/d are one axis: beside an exponent along d, or a curve along it, it is N/d, and where
    there is one N it is neither.
    """
    taken, exponent = {take.along for take in _takes(statement)}, statement.exponent
    if taken & set(_SIZES) or "n" not in varying:
        gone = set(_SIZES)
    elif exponent in _SIZES:
        gone = set(_SIZES) - {exponent}
    else:
        gone = {"n"} if "d" in taken | {exponent} else {"n_over_d"}
    kept = [name for name in varying if name not in taken | gone | {exponent}]
    return [*kept, exponent] if exponent else kept


def _numbers(
    rows: Iterable[Row], names: Sequence[str], formula: Expression, take: Take | None, scale: bool
) -> dict[Key, _Numbers]:
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple((name, row[name]) for name in names)].append(row)
    return {key: _number(own, formula, take, scale) for key, own in groups.items()}


def _number(rows: Sequence[Row], formula: Expression, take: Take | None, scale: bool) -> _Numbers:
    """What is taken of the mean curve of some rows, and the jackknife's values."""
    values: dict[Any, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        x = 0.0 if take is None else _setting(row, take.along)
        values[row["seed"]][x].append(_of(formula, row))
    grids = {tuple(sorted(curve)) for curve in values.values()}
    if len(grids) > 1:
        raise Undecided("some training sets lack a point of the curve")
    grid = np.array(sorted(next(iter(values.values()))))
    curves = {seed: np.array([np.mean(curve[x]) for x in grid]) for seed, curve in values.items()}
    found = _jackknifed(grid, curves, reduction(take), scale, len(rows))
    first, *others = curves.values()
    if others and all(np.array_equal(first, curve) for curve in others):
        found = replace(found, error=_error(rows, formula, scale))
    return found


def _error(rows: Sequence[Row], formula: Expression, scale: bool) -> float:
    """Standard error of a formula whose value is the same in all training sets, from its metrics'.

    Raises:
        Undecided: A metric of it has one that the rows lack, or it is a ratio, a place or an
            exponent, which errors are not carried through.
    """
    row, square = rows[0], 0.0
    for name in formula.columns:
        if (own := f"{name}_se") not in MODELS[row["model"]].metrics:
            continue
        if row.get(own) is None:
            raise Undecided(f"{name} is the same in all training sets, and {own} was not asked for")
        ends = (formula(row | {name: row[name] + sign * row[own]}) for sign in (1, -1))
        square += (operator.sub(*ends) / 2) ** 2
    if square and scale:
        raise Undecided(
            "the same in all training sets, with an error of its own that is not carried through a "
            "ratio, a place on an axis or an exponent"
        )
    return math.sqrt(square)


def _setting(row: Row, name: str) -> float:
    if row[name] is None:
        raise Undecided(f"{name} is null in a cell")
    return float(row[name])


def _of(formula: Expression, row: Row) -> float:
    missing = [name for name in formula.columns if row[name] is None]
    if missing:
        raise Undecided(f"{', '.join(missing)} is null in a cell")
    return formula(row)


def _jackknifed(
    x: Array,
    curves: Mapping[Any, Array],
    reduce: Callable[[Array, Array], float],
    in_logarithms: bool,
    cells: int,
) -> _Numbers:
    """A number of the mean curve, and its jackknife values, in logarithms if it is a scale."""
    Y = np.array(list(curves.values()))
    n, value = len(Y), reduce(x, Y.mean(axis=0))
    if n == 1 or not math.isfinite(value):
        return _Numbers(value, dict.fromkeys(curves, value), cells)
    without = np.array([reduce(x, np.delete(Y, i, axis=0).mean(axis=0)) for i in range(n)])
    if in_logarithms and value > 0 and (without > 0).all():
        kept = np.exp(n * math.log(value) - (n - 1) * np.log(without))
    else:
        kept = n * value - (n - 1) * without
    return _Numbers(value, dict(zip(curves, kept.tolist(), strict=True)), cells)


def _ratios(above: dict[Key, _Numbers], below: dict[Key, _Numbers]) -> dict[Key, _Numbers]:
    """Each number over that of the other cells which differ least: by what these do not vary."""
    found = {}
    for key, own in above.items():
        fits = [k for k in below if all(v == dict(key)[n] for n, v in _shared(k, below))]
        if len(fits) != 1:
            raise Undecided(f"{len(fits)} cells instead of one to divide by")
        found[key] = _ratio(own, below[fits[0]])
    return found


def _shared(key: Key, below: Mapping[Key, _Numbers]) -> list[tuple[str, Any]]:
    """The settings of a key that vary among the keys."""
    return [
        (name, value) for i, (name, value) in enumerate(key) if len({k[i][1] for k in below}) > 1
    ]


def _ratio(own: _Numbers, other: _Numbers) -> _Numbers:
    # A limit is that of all training sets.
    limit = set(other.by_seed) == {None}
    below = dict.fromkeys(own.by_seed, other.value) if limit else other.by_seed
    if set(own.by_seed) != set(below):
        raise Undecided("the two sides have other training sets")
    if other.value == 0 or 0 in below.values():
        raise Undecided("what it is divided by is 0")
    by_seed = {seed: value / below[seed] for seed, value in own.by_seed.items()}
    return _Numbers(own.value / other.value, by_seed, own.cells + other.cells)


def _laws(found: dict[Key, _Numbers], axis: str) -> dict[Key, dict[float, _Numbers]]:
    """The numbers along an axis, by the other settings."""
    laws: dict[Key, dict[float, _Numbers]] = defaultdict(dict)
    for key, numbers in found.items():
        rest = tuple(item for item in key if item[0] != axis)
        laws[rest][_setting(dict(key), axis)] = numbers
    return laws


def _point(settings: dict[str, Any], numbers: _Numbers, scale: bool, level: float) -> Point:
    values, theory = np.array(list(numbers.by_seed.values())), None in numbers.by_seed
    sets = 0 if theory else len(values)
    if theory:
        interval = Interval(numbers.value, numbers.value, numbers.value, 0)
        return Point(settings, interval, 0, numbers.cells)
    if not np.isfinite(values).all():
        return _none(settings, sets, numbers.cells, "the value is not finite for all training sets")
    if sets < FEWEST_SETS:
        return _none(settings, sets, numbers.cells, _few(sets))
    positive = scale and bool((values > 0).all())
    found = (geometric_mean_interval if positive else mean_interval)(values, level)
    if numbers.error:
        half = NormalDist().inv_cdf((1 + level) / 2) * numbers.error
        found = replace(found, low=numbers.value - half, high=numbers.value + half)
    interval = Interval(numbers.value, found.low, found.high, sets)
    return Point(settings, interval, sets, numbers.cells)


def _exponent(settings: dict[str, Any], law: Mapping[float, _Numbers], level: float) -> Point:
    x = np.array(sorted(law))
    own = [law[at] for at in x]
    cells = sum(numbers.cells for numbers in own)
    theory = None in own[0].by_seed
    shared = sorted(set.intersection(*(set(n.by_seed) for n in own)) - {None})
    if not theory and not shared:
        raise Undecided("the points of the power law have no training set in common")
    sets = 0 if theory else len(shared)
    if len(x) < FEWEST:
        return _none(settings, sets, cells, f"{len(x)} points only, a power law takes {FEWEST}")
    if not theory and sets < FEWEST_SETS:
        return _none(settings, sets, cells, _few(sets))
    y = np.array([[n.by_seed[seed] for n in own] for seed in ([None] if theory else shared)])
    if not (np.isfinite(y) & (y > 0)).all() or x[0] <= 0:
        return _none(settings, sets, cells, "a power law takes positive, finite numbers")
    found = power_fit(x, y, level).exponent
    if theory:
        found = Interval(found.value, found.value, found.value, 0)
    return Point(settings, found, sets, cells)


def _few(sets: int) -> str:
    return f"{sets} training sets only, an interval takes {FEWEST_SETS}"


def _none(settings: dict[str, Any], sets: int, cells: int, reason: str) -> Point:
    return Point(settings, Interval(math.nan, math.nan, math.nan, sets), sets, cells, reason)


def points_of_figure(rows: pa.Table) -> list[Point]:
    """The numbers that a figure has, each with the interval that it draws.

    Args:
        rows: Rows of a figure's data, with ``value``, ``low`` and ``high``.
    """
    varying = [
        name
        for name in rows.column_names
        if name not in _FOUND and len(plain(rows.select([name]))[name].unique()) > 1
    ]
    return [_drawn({name: row[name] for name in varying}, row) for row in plain(rows).to_pylist()]


def _drawn(settings: dict[str, Any], row: Row) -> Point:
    ends = (row[name] for name in ("value", "low", "high"))
    value, low, high = (math.nan if x is None else float(x) for x in ends)
    sets = row.get("seeds") or 0
    without = math.isnan(low) or math.isnan(high)
    reason = "the figure has no interval for it" if without else ""
    return Point(settings, Interval(value, low, high, sets), sets, 0, reason)
