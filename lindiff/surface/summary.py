"""Means over seeds of a table of cells, with the intervals of the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SETTING
from lindiff.columns.arrays import combinations, plain
from lindiff.config.words import few, known_word, suggestion
from lindiff.drawing import tables
from lindiff.drawing.intervals import (
    Estimator,
    geometric_mean_interval,
    mean_interval,
    median_interval,
)
from lindiff.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

CENTRES: dict[str, Estimator] = {
    "mean": mean_interval,
    "geometric_mean": geometric_mean_interval,
    "median": median_interval,
}
# What one averages over: training sets are independent, whatever else is repeated is not.
_SEED = "seed"
_STATUS = "status"
_ALL = "all rows"
# Columns that are whole numbers or texts and tell no rows of a cell apart.
_NO_KEYS = ("cell_id", "family_id", "message", "fingerprint", "numpy", "torch")


def summary(
    frame: pd.DataFrame,
    metrics: str | Sequence[str],
    by: str | Sequence[str] = (),
    *,
    centre: str = "mean",
) -> pd.DataFrame:
    """Means over training sets with their 95 % interval, as the figures draw them.

    Only seeds are averaged over: whatever else varies within a group has to be in `by`, or has to
    be chosen before. The coverage of the intervals is tested (benchmarks/coverage.py).

    Args:
        frame: Rows of `lindiff.read`, or others with the columns asked for. Rows whose ``status``
            is not ``ok`` and values that are null are left out and counted.
        metrics: A column of numbers, or several.
        by: The columns that make a group, one or several; none is one group.
        centre: ``mean``, with Student's t-interval; ``geometric_mean``, the same on logarithms, for
            positive quantities; ``median``, from order statistics, for heavy tails and infinite
            values.

    Returns:
        A row a group and quantity, sorted: the columns `by`, ``quantity``, ``value``, ``low``,
        ``high`` (NaN where there is no interval, as of one seed), ``seeds``, the number of values,
        and ``left_out``, the number of rows of the group that have none.

    Raises:
        InputError: There is no such column, it holds no numbers, a geometric mean is of negative
            values, or a setting other than the seed varies within a group.

    Example:
        >>> import lindiff, pandas
        >>> s = lindiff.make_spectrum("isotropic", 16)
        >>> rows = []
        >>> for n in (32, 64):
        ...     for seed in range(5):
        ...         draw = lindiff.make_draw("wishart", s, n=n, seed=seed)
        ...         loss = lindiff.linear_metrics(draw)["test_loss"][0]
        ...         rows.append({"n": n, "seed": seed, "test_loss": loss})
        >>> means = lindiff.summary(pandas.DataFrame(rows), "test_loss", by="n")
        >>> means[["n", "quantity", "seeds"]].values.tolist()
        [[32, 'test_loss', 5], [64, 'test_loss', 5]]
        >>> bool((means["low"] < means["value"]).all())
        True
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"lindiff.summary: a data frame is needed, not {type(frame).__name__}")
    keys, names = _columns(frame, by, "by"), _columns(frame, metrics, "metrics")
    estimator = _known_centre(centre)
    if not names:
        raise InputError("lindiff.summary: metrics: name one column at least")
    if twice := sorted(set(keys) & set(names)):
        raise InputError(f"lindiff.summary: {few(twice)}: in by and in metrics")
    table = _as_table(frame, [*keys, *names])
    for name in names:
        kind = table[name].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise InputError(f"lindiff.summary: metrics: {name} holds no numbers")
    ok = table
    if _STATUS in table.column_names:
        ok = table.filter(pc.equal(table[_STATUS], "ok"))
    _refuse_mixtures(ok, keys, names)
    try:
        found = tables.summarise(_numbers(ok, names), [*keys, _ALL], names, estimator)
    except ValueError as error:
        raise InputError(f"lindiff.summary: {few(names)}: {error}") from None
    return _result(found, table, keys, frame)


def _known_centre(centre: str) -> Estimator:
    try:
        return CENTRES[known_word(centre, CENTRES)]
    except ValueError as error:
        raise InputError(f"lindiff.summary: centre = {centre!r}: {error}") from None


def _columns(frame: pd.DataFrame, given: str | Sequence[str], where: str) -> list[str]:
    """Names of columns that there are."""
    names = [given] if isinstance(given, str) else list(dict.fromkeys(given))
    there = [str(name) for name in frame.columns]
    for name in names:
        if name not in there:
            near = suggestion(str(name), there) or f"; there are: {few(there)}"
            raise InputError(f"lindiff.summary: {where}: no column {name!r}{near}")
    return names


def _as_table(frame: pd.DataFrame, asked: Sequence[str]) -> pa.Table:
    """What is asked for, settings and what may tell rows apart; NaN is null, texts are plain."""
    from pandas.api.types import is_integer_dtype, is_string_dtype

    kept = [
        name
        for name in frame.columns
        if name in (*asked, *SETTING, _STATUS)
        or (
            name not in _NO_KEYS and (is_integer_dtype(frame[name]) or is_string_dtype(frame[name]))
        )
    ]
    try:
        return plain(pa.Table.from_pandas(frame[kept], preserve_index=False))
    except pa.ArrowException as error:
        raise InputError(f"lindiff.summary: a column is of no one type: {error}") from None


def _numbers(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table with metrics as float64, and with the key of the one group that all rows make."""
    numbers = {name: table[name].cast(pa.float64()) for name in names}
    others = {name: table[name] for name in table.column_names if name not in names}
    return pa.table(others | numbers | {_ALL: pa.nulls(len(table), pa.int8())})


def _refuse_mixtures(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> None:
    """An average is over seeds alone, each once in its group."""
    groups = len(combinations(table, keys)[1])
    settings = [n for n in table.column_names if n in SETTING and n not in (*keys, _SEED)]
    mixed = _varying(table, settings, keys, groups)
    # What goes with another that is named: parameters with their spectrum, N with d at one N/d.
    for goes, along in (("spectrum_params", "spectrum"), ("n", "d")):
        if {goes, along} <= set(mixed) and (goes != "n" or "n_over_d" in keys):
            mixed.remove(goes)
    if not mixed and _SEED in table.column_names and _SEED not in keys:
        mixed = _repeated(table, keys, names)
    if mixed:
        verb, it = ("vary", "them") if len(mixed) > 1 else ("varies", "it")
        raise InputError(
            f"lindiff.summary: {few(mixed)} {verb} within a group ({mixed[0]}: "
            f"{_values(table, mixed[0])}), and only seeds are averaged over: name {it} in by, or "
            "choose the rows of one value first"
        )


def _varying(table: pa.Table, names: Sequence[str], keys: Sequence[str], groups: int) -> list[str]:
    """The columns of `names` that have several values in one of the groups."""
    return [name for name in names if len(combinations(table, [*keys, name])[1]) > groups]


def _repeated(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> list[str]:
    """What tells rows of one group and one seed apart, where there are several.

    Raises:
        InputError: Nothing does.
    """
    groups = len(combinations(table, [*keys, _SEED])[1])
    if groups == len(table):
        return []
    others = [
        name
        for name in table.column_names
        if name not in (*keys, *names, *SETTING, *_NO_KEYS) and name != _STATUS
    ]
    found = _varying(table, others, [*keys, _SEED], groups)
    if not found:
        raise InputError(
            "lindiff.summary: rows of one group have the same seed, and nothing tells them apart; "
            "drop the rows that repeat others"
        )
    return found


def _values(table: pa.Table, name: str) -> str:
    """Some values of a column, for a message."""
    null = ["null"] if table[name].null_count else []
    return few([*map(str, tables.distinct(table, name)), *null])


def _result(
    found: pa.Table, table: pa.Table, keys: Sequence[str], frame: pd.DataFrame
) -> pd.DataFrame:
    """The summary as a frame; keys have the types that they came with."""
    rows = Counter(tables.keys_of(table, keys) if keys else [()] * len(table))
    groups = tables.keys_of(found, keys) if keys else [()] * len(found)
    left = [rows[key] - n for key, n in zip(groups, found["seeds"].to_pylist(), strict=True)]
    result: pd.DataFrame = found.drop_columns([_ALL]).to_pandas()
    result["left_out"] = left
    result = result.astype({key: frame[key].dtype for key in keys})
    result.attrs = dict(frame.attrs)
    return result
