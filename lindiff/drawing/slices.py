"""Which slice of a sweep a figure shows: a sweep has more axes than a page.

`pick` holds every setting that a figure does not show at one value and notes which; the others
choose a few values of the settings that it does show.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import REQUIRED, SETTINGS
from lindiff.columns.groups import ONE_CLASS
from lindiff.columns.groups import SPECTRUM as SPECTRUM
from lindiff.drawing.tables import (
    distinct,
    distinct_keys,
    facts,
    keep,
    only,
    with_columns,
    with_facts,
    with_ratio,
)
from lindiff.models import EXACT, MODELS, THEORY
from lindiff.science.pools import INDEPENDENT
from lindiff.science.schedule import Schedule, make_schedule
from lindiff.science.spectrum import make_spectrum

REGULARIZERS = ("ridge", "weight_decay", "stop")
Choice = Callable[[list[Any]], Any]


def pick(table: pa.Table, shown: Collection[str], choices: Mapping[str, Choice]) -> pa.Table:
    """Hold every setting that is not `shown` at one value; seeds are kept.

    A setting is held at its choice of `choices` (a function of its sorted values), else at its
    neutral value where that occurs, else at its most frequent one. The facts of the result have
    ``fixed`` (setting: value) and ``choice`` (the settings that had several values: all of them).
    """
    fixed: dict[str, Any] = {}
    choice: dict[str, list[Any]] = {}
    for column in SETTINGS:
        if column.name in shown or column.name == "seed" or table.num_rows == 0:
            continue
        values = distinct(table, column.name)
        if not values:
            continue
        if column.name in choices:
            value = choices[column.name](values)
        elif column.neutral is not REQUIRED and column.neutral in values:
            value = column.neutral
        else:
            value = _most_frequent(table, column.name)
        if len(values) > 1:
            choice[column.name] = values
            table = table.filter(pc.equal(table[column.name], value))
        fixed[column.name] = value
    return with_facts(table, fixed=fixed, choice=choice, dependent_from=_dependent_from(table))


def _dependent_from(table: pa.Table) -> int | None:
    """The least N that is too much of a data set's pool for its rows to be like independent ones.

    None where there is none: the theory is of independent samples.
    """
    share = table["pool_fraction"] if "pool_fraction" in table.column_names else None
    if share is None or pa.types.is_null(share.type):
        return None
    found: int | None = pc.min(table["n"].filter(pc.greater(share, INDEPENDENT))).as_py()
    return found


def _exponent(params: str) -> float:
    return float(json.loads(params or "{}").get("exponent", math.inf))


# `pick` with these takes the power law s_j ∝ 1/j where the sweep has it.
POWER_LAW: dict[str, Choice] = {
    "spectrum": lambda kinds: min(kinds, key=lambda kind: (kind != "power_law", kind)),
    "spectrum_params": lambda params: min(params, key=lambda p: (abs(_exponent(p) - 1), p)),
}


# `pick` with this leaves the sampler, and what it adds of its own, out where the sweep can.
NO_SAMPLER: dict[str, Choice] = {
    "sampler": lambda names: min(names, key=lambda name: (name != "ideal", name != "ddpm_beta")),
}


def two(values: Sequence[Any]) -> list[Any]:
    """The first of the values and one in the middle."""
    return [values[0], values[len(values) // 2]]


def _most_frequent(table: pa.Table, name: str) -> Any:
    counts = pc.value_counts(table[name].drop_null()).to_pylist()
    return min(counts, key=lambda item: (-item["counts"], item["values"]))["values"]


def spread(values: Sequence[float], count: int) -> list[float]:
    """At most `count` of the distinct `values`: the ends and some evenly between in log.

    Zero and infinity are kept and count. The order is that of `values`.
    """
    ends = {v for v in values if v == 0 or math.isinf(v)}
    positive = sorted(set(values) - ends)
    room = count - len(ends)
    if len(positive) <= room:
        return list(values)
    logs = np.log(positive)
    targets = np.linspace(logs[0], logs[-1], room)
    chosen = [int(np.argmin(np.abs(logs - target))) for target in targets]
    if room > 1:
        chosen[-1] = len(positive) - 1  # whose neighbour may have the same logarithm
    kept = ends | {positive[i] for i in set(chosen)}
    return [v for v in values if v in kept]


def taken(table: pa.Table, name: str, count: int, among: pa.Table | None = None) -> pa.Table:
    """Rows of at most `count` values of a setting, spread over their range; the facts count them.

    Args:
        table: Rows.
        name: The setting.
        count: Most values.
        among: The rows whose values they are of; by default all.
    """
    values = distinct(table if among is None else among, name)
    return counted(keep(table, name, spread(values, count)), name, values)


def counted(table: pa.Table, name: str, values: Collection[Any]) -> pa.Table:
    """The table whose facts say, under ``few``, how many of a setting's values it still has.

    Args:
        table: Rows of some of the values.
        name: The setting.
        values: All its values that were measured.
    """
    kept = len({*values}.intersection(distinct(table, name)))
    return with_few(table, name, kept, len(values))


def with_few(table: pa.Table, what: str, kept: int, of: int) -> pa.Table:
    """The table whose facts say how many of what it has, where that is not all."""
    few = {**facts(table).get("few", {})} | ({what: [kept, of]} if kept < of else {})
    return with_facts(table, few=few) if few else table


def regularizations(
    metrics: pa.Table,
    shown: Collection[str],
    select: Choice,
    choices: Mapping[str, Choice] = MappingProxyType({}),
    of: Sequence[str] = REGULARIZERS,
) -> pa.Table:
    """Rows of the strengths that `select` takes of the regularization that the sweep varies.

    That is the one of the settings `of` with the most values; the others are held by `pick`, to
    which `shown` and `choices` go. Its name and its value become the columns ``regularizer`` and
    ``strength``. `select` gets the values from the least to the most regularized one.
    """
    name = max(of, key=lambda name: len(distinct(metrics, name)))
    table = pick(metrics, (*shown, name), choices)
    values = by_strength(name, distinct(table, name))
    table = keep(table, name, select(values) if values else [])
    named = pa.array([name] * table.num_rows, pa.string())
    return with_columns(table, regularizer=named, strength=table[name])


def measured(metrics: pa.Table, model: str = EXACT) -> pa.Table:
    """The rows of single training sets, of `linear_exact` or another model with a limit.

    Rows of a data set are taken about the mean of their pool: they are compared with Gaussian data
    of mean 0 and one class, and with the theory of those.
    """
    rows = keep(metrics, "model", [model])
    for name, value in (("population_mean", 0.0), ("mixture", ONE_CLASS)):
        at = rows.column_names.index(name)
        rows = rows.set_column(at, rows.schema.field(name), pc.fill_null(rows[name], value))
    return rows


def theory(
    metrics: pa.Table, cells: pa.Table, finer: Collection[str] = ("n",), model: str = THEORY
) -> pa.Table:
    """The rows of `linear_theory`, or of another limit, in the slice of `cells`.

    They have their ratio and regularization.

    Every setting that the theory reads has one of the values that it has in `cells`, but for those
    of `finer`, where all of the theory's own values are kept.
    """
    table = keep(metrics, "model", [model])
    table = within(table, cells, set(MODELS[model].settings) - {"model", *finer})
    if "regularizer" in cells.column_names:
        name = cells["regularizer"][0].as_py() if cells.num_rows else REGULARIZERS[0]
        named = pa.array([name] * table.num_rows, pa.string())
        table = with_columns(table, regularizer=named, strength=table[name])
    return with_ratio(table)


def within(table: pa.Table, cells: pa.Table, names: Collection[str]) -> pa.Table:
    """The rows whose settings `names` each have one of the values that `cells` have."""
    inside = [pc.is_in(table[name], value_set=pc.unique(cells[name])) for name in names]
    return only(table, reduce(pc.and_, inside)) if inside else table


def by_strength(regularizer: str, values: Sequence[float]) -> list[float]:
    """The values from the least to the most regularized: an early stop is a strong one."""
    return sorted(values, reverse=regularizer == "stop")


def strengths(table: pa.Table) -> tuple[str, list[float]]:
    """The regularization of a figure's data and its values, the least regularized first."""
    name = next(iter(distinct(table, "regularizer")), REGULARIZERS[0])
    return name, by_strength(name, distinct(table, "strength"))


def spectra(table: pa.Table, count: int) -> pa.Table:
    """Rows of at most `count` spectra, those of `first_spectra`; their facts count them."""
    chosen = [_is_spectrum(table, *key) for key in first_spectra(table, count)]
    found = only(table, reduce(pc.or_, chosen)) if chosen else table.slice(0, 0)
    return with_few(found, "spectrum", len(chosen), len(distinct_keys(table, SPECTRUM)))


def first_spectra(table: pa.Table, count: int) -> list[tuple[str, str]]:
    """At most `count` spectra: isotropic first, then power laws from exponent 1 on."""

    def rank(key: tuple[str, str]) -> tuple[bool, bool, float, str]:
        kind, params = key
        flat = kind == "isotropic" or _exponent(params) == 0
        return not flat, kind != "power_law", abs(_exponent(params) - 1), params

    return sorted(distinct_keys(table, SPECTRUM), key=rank)[:count]


def of_spectrum(table: pa.Table, kind: str, params: str) -> pa.Table:
    """The rows of one spectrum."""
    return only(table, _is_spectrum(table, kind, params))


def _is_spectrum(table: pa.Table, kind: str, params: str) -> pa.ChunkedArray:
    return pc.and_(pc.equal(table["spectrum"], kind), pc.equal(table["spectrum_params"], params))


def scale(cells: pa.Table) -> float:
    """The data scale that `pick` held the cells at."""
    return float(facts(cells).get("fixed", {}).get("scale", 1.0))


def schedule(cells: pa.Table) -> Schedule:
    """The noise schedule that the cells are held at; not every kind has the ends of β_t."""
    fixed = facts(cells)["fixed"]
    ends = {name: fixed[name] for name in ("beta_min", "beta_max") if name in fixed}
    return make_schedule(fixed["schedule"], fixed["timesteps"], **ends)


def eigenvalues(kind: str, params: str, d: int, *, scale: float) -> NDArray[np.float64]:
    """The population eigenvalues of a cell from its settings, shape (d,)."""
    return make_spectrum(kind, d, **json.loads(params or "{}")) * scale**2
