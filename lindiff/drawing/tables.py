"""From the tables of a config to the rows of a figure: read, join, summarise over seeds.

Notes on a figure's data (`facts`: what it holds fixed, what it leaves out) travel in the metadata
of the table, from where the title takes them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff.columns import METRIC
from lindiff.columns.arrays import nothing, plain
from lindiff.drawing.intervals import Estimator
from lindiff.errors import InputError
from lindiff.files import local

_KEY = b"lindiff"
# Columns that no figure looks at.
_UNSEEN = {"message", "numpy", "torch", "seconds"}


@dataclass(frozen=True)
class Source:
    """The rows that feed a figure.

    Attributes:
        table: Rows of the experiments that list the figure and whose status is ``ok``.
        left_out: Number of rows of those experiments whose status is another.
        fingerprints: Fingerprints of the code that computed the rows, sorted.
    """

    table: pa.Table
    left_out: int
    fingerprints: list[str]


def read_metrics(
    results_dir: Path, experiments: Sequence[str], metrics: Collection[str] = tuple(METRIC)
) -> Source:
    """Rows of ``metrics.parquet`` that feed a figure, with the columns of `metrics` only.

    Raises:
        InputError: The table is missing.
    """
    path = results_dir / "metrics.parquet"
    _must_be(path)
    pieces, count = [], 0
    with pq.ParquetFile(local(path)) as file:
        # Group by group: a table of a million cells with its texts is to be held once.
        fields = plain(file.schema_arrow.empty_table()).schema
        unseen = _UNSEEN | ({*METRIC} - {*metrics})
        names = [name for name in fields.names if name not in unseen]
        for group in range(file.num_row_groups):
            table = _with_values(file.read_row_group(group, names))
            lists = table["experiments"].combine_chunks()
            listed = pc.is_in(pc.list_flatten(lists), value_set=pa.array(experiments, pa.string()))
            rows = pc.unique(pc.filter(pc.list_parent_indices(lists), listed))
            table = plain(table.take(rows))
            count += table.num_rows
            pieces.append(table.filter(pc.equal(table["status"], "ok")))
    ok = pa.concat_tables(pieces, promote_options="default")
    ok = with_nulls(ok, **{n: fields.field(n).type for n in names if n not in ok.column_names})
    fingerprints = sorted(pc.unique(ok["fingerprint"].drop_null()).to_pylist())
    return Source(ok, count - ok.num_rows, fingerprints)


def read_nested(results_dir: Path, name: str, cell_ids: pa.ChunkedArray) -> pa.Table:
    """Rows of ``levels.parquet`` or ``modes.parquet`` of the cells `cell_ids`.

    Raises:
        InputError: The table is missing.
    """
    ids = cell_ids.combine_chunks() if isinstance(cell_ids, pa.ChunkedArray) else cell_ids
    return _read(results_dir / f"{name}.parquet", pc.field("cell_id").isin(ids))


def _with_values(table: pa.Table) -> pa.Table:
    """The table without the columns that are null in every row."""
    some = [n for n in table.column_names if table[n].null_count < max(len(table), 1)]
    return table.select(some)


def _must_be(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing: run the collect step first")


def _read(path: Path, rows: pc.Expression) -> pa.Table:
    _must_be(path)
    return pq.read_table(local(path), filters=rows)


def distinct(table: pa.Table, name: str) -> list[Any]:
    """The sorted values of a column, without null."""
    return sorted(pc.unique(table[name]).drop_null().to_pylist())


def keep(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    """The rows whose column `name` has one of `values`."""
    column = table[name]
    return only(table, pc.is_in(column, value_set=pa.array(values, column.type)))


def only(table: pa.Table, kept: pa.ChunkedArray | pa.Array) -> pa.Table:
    """The rows where `kept` is true: no copy where all are, as of the model in a sweep of one."""
    whole = pc.all(kept, skip_nulls=False, min_count=0).as_py()
    return table if whole else table.filter(kept)


def keys_of(table: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The values of the columns `names`, a tuple per row."""
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def distinct_keys(table: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """The distinct values of the columns `names`, tuples in ascending order, null first."""

    def rank(key: tuple[Any, ...]) -> list[tuple[bool, Any]]:
        return [(value is not None, 0 if value is None else value) for value in key]

    found = table.select(names).group_by(list(names), use_threads=False).aggregate([])
    return sorted(keys_of(found, names), key=rank)


def with_columns(table: pa.Table, **columns: Any) -> pa.Table:
    """The table with more columns."""
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def with_nulls(table: pa.Table, **types: pa.DataType) -> pa.Table:
    """The table with columns of nothing, of the types given; those of one type share memory."""
    of = nothing(table.num_rows, types.values())
    return with_columns(table, **{name: of[kind] for name, kind in types.items()})


def join(rows: pa.Table, cells: pa.Table) -> pa.Table:
    """Rows of ``levels`` or ``modes`` with the columns of their cell, if it is among `cells`."""
    at = pc.index_in(rows["cell_id"], value_set=cells["cell_id"].combine_chunks())
    found = pc.is_valid(at)
    right = cells.take(pc.filter(at, found))
    extra = {name: right[name] for name in cells.column_names if name not in rows.column_names}
    return with_columns(rows.filter(found), **extra)


def with_ratio(table: pa.Table) -> pa.Table:
    """The table with the column ``n_over_d``."""
    return with_columns(table, n_over_d=pc.divide(table["n"].cast(pa.float64()), table["d"]))


def with_gap(table: pa.Table) -> pa.Table:
    """The table with the column ``exact_gap``, test minus train loss."""
    return with_columns(table, exact_gap=pc.subtract(table["test_loss"], table["train_loss"]))


def summarise(
    table: pa.Table, keys: Sequence[str], quantities: Sequence[str], estimator: Estimator
) -> pa.Table:
    """Centre and interval over seeds: one row per group and quantity, sorted by `keys`.

    Args:
        table: Rows with the columns `keys` and `quantities`; null and nan are left out.
        keys: Columns that make a group.
        quantities: Columns to summarise.
        estimator: One of `lindiff.drawing.intervals`.

    Returns:
        `keys`, ``quantity``, ``value``, ``low``, ``high`` and ``seeds`` (number of values). Low
        and high are null where there is no interval.
    """
    grouped = table.group_by(list(keys), use_threads=False)
    lists = grouped.aggregate([(name, "list") for name in quantities])
    lists = lists.sort_by([(key, "ascending") for key in keys])
    rows: list[dict[str, Any]] = []
    for name in quantities:
        for group in lists.select([*keys, f"{name}_list"]).to_pylist():
            values = [v for v in group.pop(f"{name}_list") if v is not None and v == v]
            if values:
                interval = estimator(values)
                own = {"quantity": name, **interval.columns(), "seeds": interval.count}
                rows.append(group | own)
    return pa.Table.from_pylist(rows, schema=summary_schema(table, keys))


def summary_schema(table: pa.Table, keys: Sequence[str]) -> pa.Schema:
    """Schema of `summarise`, with the facts of `table`."""
    fields = [pa.field(key, table.schema.field(key).type) for key in keys]
    numbers = [pa.field(name, pa.float64()) for name in ("value", "low", "high")]
    ends = [pa.field("quantity", pa.string()), *numbers, pa.field("seeds", pa.int64())]
    return pa.schema([*fields, *ends], metadata={_KEY: _dump(facts(table))})


def curve(like: pa.Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """`like`, a result of `summarise`, with the rows of exact curves after it (no interval).

    A row gives the columns that apply to it; the others are null.
    """
    return pa.concat_tables([like, pa.Table.from_pylist(list(rows), schema=like.schema)])


def with_theory(
    like: pa.Table, theory: pa.Table, keys: Sequence[str], quantities: Sequence[str]
) -> pa.Table:
    """`like`, a result of `summarise`, with the rows of the theory after it.

    Their quantity is ``NAME_theory``; they have no interval and no seeds. Values that do not exist
    are left out, infinite ones kept.
    """
    theory = theory.sort_by([(key, "ascending") for key in keys])
    rows = [
        {**{key: row[key] for key in keys}, "quantity": f"{name}_theory", "value": row[name]}
        for name in quantities
        for row in theory.select([*keys, name]).to_pylist()
        if row[name] is not None and row[name] == row[name]
    ]
    return curve(like, rows)


def has_theory(table: pa.Table) -> bool:
    """Whether rows of `with_theory` are among the data of a figure."""
    return any(name.endswith("_theory") for name in distinct(table, "quantity"))


def facts(table: pa.Table) -> dict[str, Any]:
    """The notes that travel with the data of a figure."""
    notes: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    return notes


def with_facts(table: pa.Table, **more: Any) -> pa.Table:
    """The table with more notes; the metadata of single columns stays."""
    return table.replace_schema_metadata({_KEY: _dump(facts(table) | more)})


def _dump(notes: Mapping[str, Any]) -> bytes:
    return json.dumps(notes, sort_keys=True, ensure_ascii=False).encode()


def where(table: pa.Table, **equal: Any) -> pa.Table:
    """The rows where every column of `equal` has that value (None: null)."""
    same = [
        pc.is_null(table[name]) if value is None
        else pc.fill_null(pc.equal(table[name], value), False)
        for name, value in equal.items()
    ]  # fmt: skip
    # One filter for all: rows are copied with every column that there is.
    return only(table, reduce(pc.and_, same)) if same else table


def arrays(table: pa.Table, **equal: Any) -> dict[str, NDArray[Any]]:
    """The columns of the rows where every column of `equal` has that value (None: null)."""
    rows = where(table, **equal)
    return {name: rows[name].to_numpy(zero_copy_only=False) for name in rows.column_names}
