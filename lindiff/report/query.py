"""Rows of a config's table by conditions on its columns, as ``lindiff cells`` asks for them."""

from __future__ import annotations

import difflib
import json
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lindiff.columns import SETTING, SETTINGS
from lindiff.columns.arrays import as_text
from lindiff.config.words import few
from lindiff.config.yamlfile import shown
from lindiff.drawing.tables import join
from lindiff.errors import InputError, is_of_machine
from lindiff.files import local

_NULL = "null"
# After every digit of an id; ids of a message.
_AFTER, _SOME = "~", 3
_RATIO = "n_over_d"
# Settings in the order in which one reads them: sizes first, what is repeated last.
READING = (
    "d", "n", _RATIO,
    *(c.name for c in SETTINGS if c.name not in ("d", "n", "seed", "train_seed")),
    "train_seed", "seed",
)  # fmt: skip
_SILENT = ("family_id", "experiments", "fingerprint", "numpy")
_SHAPE = re.compile(r"\s*(\w+)\s*(!=|<=|>=|<|>|=)(.*)", re.DOTALL)
_RELATIONS = {"<=": pc.less_equal, ">=": pc.greater_equal, "<": pc.less, ">": pc.greater}


def cells(folder: Path, conditions: Sequence[str], names: Sequence[str] = ()) -> pa.Table:
    """Rows of ``metrics.parquet`` that meet all conditions, and the columns that one asks for.

    Args:
        folder: As in `matching`.
        conditions: As in `matching`.
        names: Columns to return; by default ids, settings that vary, metrics that are not all
            null, and the outcome.

    Raises:
        InputError: As `matching`, or there is no such column.
    """
    return select(matching(folder, conditions), names)


def select(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns `names` of what `matching` returned, by default those of `cells`.

    Raises:
        InputError: There is no such column.
    """
    for name in names:
        _known(name, table.schema)
    return table.select(list(dict.fromkeys(names)) or _interesting(table))


def matching(folder: Path, conditions: Sequence[str]) -> pa.Table:
    """Rows of ``metrics.parquet`` that meet all conditions, sorted by their settings (`READING`).

    Beside the columns of the table there is ``n_over_d``.

    Args:
        folder: ``results/<config>``, or the table itself.
        conditions: ``NAME=VALUE[,VALUE…]`` (any of them; ``null`` for none), ``NAME!=VALUE``, or
            ``NAME<VALUE`` with ``<``, ``<=``, ``>``, ``>=``. Values are read in the column's type.
            ``experiments=NAME`` takes the cells that this experiment asks for.

    Raises:
        InputError: There is no table, no such column, or a value is not of its column's type.
    """
    path = table_path(folder)
    with readable(path):
        schema = _with_ratio(pq.read_schema(local(path)).empty_table()).schema
        filters = conditions_on(schema, conditions)
        table = pq.read_table(local(path))
    _check_ids(path, schema)
    table = _with_ratio(table)
    for keep in filters:
        table = table.filter(keep(table))
    return _sorted(table)


def matching_rows(folder: Path, name: str, conditions: Sequence[str]) -> pa.Table:
    """Rows of a nested table, such as ``levels.parquet``, with the columns of their cells.

    Sorted as the cells of `matching`. A column that both have is that of the nested table.

    Args:
        folder: ``results/<config>``.
        name: The nested metric, whose table it is.
        conditions: As in `matching`, on the columns of either.

    Raises:
        InputError: As `matching`, or there is no such nested table.
    """
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: no such table; no experiment asks for {name}")
    with readable(path):
        rows = pq.read_table(local(path))
    inner = [text for text in conditions if _name_in(text) in rows.column_names]
    cells = matching(folder, [text for text in conditions if text not in inner])
    found = join(rows, cells)
    at = pc.index_in(found["cell_id"], value_set=cells["cell_id"].combine_chunks())
    found = found.take(np.argsort(at.to_numpy(), kind="stable"))
    for keep in conditions_on(found.schema, inner):
        found = found.filter(keep(found))
    return found


def _name_in(condition: str) -> str:
    parsed = _SHAPE.fullmatch(condition)
    return parsed[1] if parsed else ""


def conditions_on(
    schema: pa.Schema, conditions: Sequence[str]
) -> list[Callable[[pa.Table], pa.ChunkedArray]]:
    """The conditions of `matching` as functions from a table to a mask of its rows.

    Raises:
        InputError: There is no such column, or a value is not of its column's type.
    """
    return [_condition(text, schema) for text in conditions]


def table_path(folder: Path) -> Path:
    """Path of the table of ``results/<config>``, or of a table.

    Raises:
        InputError: There is none.
    """
    path = Path(folder)
    path = path / "metrics.parquet" if path.is_dir() else path
    if path.suffix in (".yaml", ".yml"):
        raise InputError(f"{path}: a config, no table; name its results, as results/{path.stem}")
    if not path.is_file():
        raise InputError(f"{path}: no such table; run the sweep first")
    return path


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A block that reads a table of Parquet: what it cannot read is the user's."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if is_of_machine(error):
            raise
        raise InputError(f"{path}: not a table of lindiff ({error})") from None


def cell_with_id(folder: Path, start: str) -> pa.Table:
    """The row of ``metrics.parquet`` of one cell, a table of one row with its metadata.

    Args:
        folder: As in `matching`.
        start: The id, or as many of its first digits as no other cell has.

    Raises:
        InputError: As `matching`, or there is no such cell, or more than one.
    """
    path = table_path(folder)
    with readable(path):
        schema = pq.read_schema(local(path))
        _check_ids(path, schema)
        column = pq.read_table(local(path), columns=["cell_id"])["cell_id"]
        ids = sorted(as_text(column).cast(pa.string()).unique().drop_null().to_pylist())
    first = bisect_left(ids, start)
    found = ids[first : bisect_left(ids, start + _AFTER)] if start else []
    if len(found) > 1:
        some = few(found[:_SOME]) + (", …" if len(found) > _SOME else "")
        raise InputError(f"{shown(start)}: {len(found):,} cells of {path} begin so: {some}")
    if not found:
        # By their first digits: a digest has no other likeness.
        near = max(ids[max(0, first - 1) : first + 1], key=lambda i: _common(i, start), default="")
        hint = f"; the nearest is {near}" if near and _common(near, start) else ""
        raise InputError(f"{shown(start)}: no cell of {path} has an id that begins so{hint}")
    with readable(path):
        return pq.read_table(local(path), filters=[("cell_id", "=", found[0])])


def _common(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _check_ids(path: Path, schema: pa.Schema) -> None:
    if "cell_id" not in schema.names:
        raise InputError(f"{path}: not a table of cells: it has no column cell_id")


def _with_ratio(table: pa.Table) -> pa.Table:
    """The table with ``n_over_d``, where it has n and d."""
    if not {"n", "d"} <= set(table.column_names) or _RATIO in table.column_names:
        return table
    ratio = pc.divide(table["n"].cast(pa.float64()), table["d"].cast(pa.float64()))
    return table.add_column(table.column_names.index("n") + 1, _RATIO, ratio)


def _sorted(table: pa.Table) -> pa.Table:
    """By the settings, in the order of `READING`; those that a model does not have last."""
    names = [name for name in READING if name in table.column_names and name != _RATIO]
    keys = pa.table({name: as_text(table[name]) for name in names})
    order = [(name, "ascending") for name in names]
    return table.take(pc.sort_indices(keys, order)) if names else table


def _known(name: str, schema: pa.Schema) -> None:
    if name not in schema.names:
        near = difflib.get_close_matches(name, schema.names, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(schema.names)}"
        raise InputError(f"no column {name!r}{hint}")


def _condition(text: str, schema: pa.Schema) -> Callable[[pa.Table], pa.ChunkedArray]:
    """The condition as a function from the table to a mask."""
    parsed = _SHAPE.fullmatch(text)
    if parsed is None:
        raise InputError(f"{shown(text)}: a condition is NAME=VALUE, NAME!=VALUE or NAME<VALUE")
    name, sign, value = parsed.groups()
    _known(name, schema)
    kind = schema.field(name).type
    if sign in _RELATIONS:
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise InputError(f"{shown(text)}: {name} is not a number; use {name}=VALUE")
        limit = _typed(value.strip(), kind, text)
        if limit is None:
            raise InputError(f"{shown(text)}: {_NULL} is not a number; use {name}={_NULL}")
        return lambda table: _RELATIONS[sign](table[name], limit)
    if value.lstrip().startswith("{"):
        wanted = _json(value, text)
        return lambda table: _same_json(as_text(table[name]), wanted, sign)
    values = [_typed(item.strip(), kind, text) for item in value.split(",")]

    def equal(table: pa.Table) -> pa.ChunkedArray:
        column = as_text(table[name])
        if pa.types.is_list(column.type):
            lists = column.combine_chunks()
            hits = pc.is_in(pc.list_flatten(lists), value_set=pa.array(values, pa.string()))
            rows = pc.unique(pc.list_parent_indices(lists).filter(hits))
            mask = pc.is_in(pa.array(range(len(table))), value_set=rows.cast(pa.int64()))
        else:
            mask = pc.is_in(column, value_set=pa.array(values, column.type))
        return pc.invert(mask) if sign == "!=" else mask

    return equal


def _json(value: str, text: str) -> list[Any]:
    """JSON values between commas."""
    try:
        found: list[Any] = json.loads(f"[{value}]")
    except (ValueError, RecursionError):
        raise InputError(f"{shown(text)}: {shown(value)} is not JSON") from None
    return found


def _same_json(column: pa.ChunkedArray, wanted: list[Any], sign: str) -> pa.ChunkedArray:
    """Rows whose JSON is one of the wanted values, however it is spelled: 1 is 1.0."""
    equal = [t for t in column.unique().to_pylist() if t is not None and _parsed(t) in wanted]
    mask = pc.is_in(column, value_set=pa.array(equal, column.type))
    return pc.invert(mask) if sign == "!=" else mask


def _parsed(text: object) -> Any:
    try:
        return json.loads(str(text))
    except ValueError:
        return text


def _typed(value: str, kind: pa.DataType, text: str) -> Any:
    """`value` in the type of its column."""
    if value == _NULL:
        return None
    if pa.types.is_boolean(kind):
        if value in ("true", "false"):
            return value == "true"
        raise InputError(f"{shown(text)}: {shown(value)} is not true or false")
    for test, make, words in (
        (pa.types.is_integer, _whole, "a whole number of 64 bits"),
        (pa.types.is_floating, _number, "a number"),
    ):
        if test(kind):
            try:
                return make(value)
            except ValueError:
                raise InputError(f"{shown(text)}: {shown(value)} is not {words}") from None
    return value


def _whole(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    """A number, or an infinity that is written as one."""
    value = float(text.replace(".inf", "inf"))
    if math.isnan(value) or (math.isinf(value) and "inf" not in text.lower()):
        raise ValueError(text)
    return value


def _interesting(table: pa.Table) -> list[str]:
    """Columns that tell rows apart, and what is known of them."""
    return [field.name for field in table.schema if _tells(field.name, table[field.name])]


def _tells(name: str, column: pa.ChunkedArray) -> bool:
    if name in ("cell_id", "status"):
        return True
    if name in SETTING or name == _RATIO:
        return bool(pc.count_distinct(as_text(column), mode="all").as_py() > 1)
    return name not in _SILENT and column.null_count < len(column)
