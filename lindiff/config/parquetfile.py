"""Parquet files as programs save tables: columns of numbers, or the reason why not.

The columns that the file itself calls the index of a pandas DataFrame are no features. Every check
raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff.config.inputfile import check_memory, size_of
from lindiff.config.words import cut, few, suggestion
from lindiff.config.yamlfile import shown
from lindiff.errors import is_of_machine
from lindiff.files import local

_NUMBERS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
)  # fmt: skip
# Numbers that are read at once.
_BLOCK = 2**20
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


@dataclass(frozen=True)
class Field:
    """A column of a table.

    Attributes:
        name: Its name.
        values: Real numbers, shape (rows, numbers in each row); more than one of a list.
        category: Whether the file says that its numbers stand for categories.
    """

    name: str
    values: NDArray[Any]
    category: bool = False


def read_parquet(path: Path, drop: Sequence[str] = ()) -> tuple[list[Field], list[str]]:
    """The columns of a Parquet file.

    Args:
        path: The file.
        drop: Names of columns to leave out, whatever they hold.

    Returns:
        The other columns, and the names of those that are an index and left out for that.

    Raises:
        ValueError: The file is missing, of another format or damaged, has no column of a name in
            `drop`, or another one holds anything but numbers.
    """
    size = size_of(path)
    try:
        # Not `read_table`, which makes columns of folders that are called a=1.
        with pq.ParquetFile(local(path), page_checksum_verification=True) as file:
            schema, metadata = file.schema_arrow, file.metadata
            _check_drop(path, schema.names, drop)
            index = [name for name in _index(schema) if name in schema.names]
            kept = [i for i, name in enumerate(schema.names) if name not in {*drop, *index}]
            check_memory(path, (metadata.num_rows, metadata.num_columns), size)
            table = _read(file, kept, path, size)
        categories = _categories(metadata)
        fields = [
            Field(field.name, _numbers(path, field.name, column), field.name in categories)
            for field, column in zip(table.schema, table.columns, strict=True)
        ]
    except (pa.ArrowMemoryError, MemoryError):
        raise MemoryError from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if is_of_machine(error):
            raise
        text = cut(" ".join(str(error).split()), 200)
        raise ValueError(f"{path} is damaged, or no Parquet file ({text})") from None
    return fields, [name for name in index if name not in drop]


def _check_drop(path: Path, names: list[str], drop: Sequence[str]) -> None:
    for name in drop:
        if name not in names:
            near = suggestion(name, names)
            raise ValueError(
                f"{path} has no column {shown(name)} to drop; there are: {few(names)}{near}"
            )


def _read(file: pq.ParquetFile, kept: list[int], path: Path, size: int) -> pa.Table:
    """Some columns, block by block, so that a few rows of lists do not ask for any memory.

    The numbers in a list are counted as they are read: what the footer says of a column, PyArrow
    does not hand out without ending the process where it is damaged.
    """
    batches, numbers = [], 0
    rows = max(1, _BLOCK // max(1, file.metadata.num_columns))
    for batch in file.iter_batches(batch_size=rows):
        batches.append(batch.select(kept))
        numbers += sum(_count(column) for column in batches[-1].columns)
        check_memory(path, (numbers,), size)
    schema = pa.schema([file.schema_arrow.field(i) for i in kept])
    return pa.Table.from_batches(batches) if batches else schema.empty_table()


def _count(values: pa.Array) -> int:
    """Numbers in a column."""
    while _is(_LISTS, values.type):
        values = values.flatten()
    return len(values)


def _index(schema: pa.Schema) -> list[str]:
    """Columns that the file itself says are the index of a pandas DataFrame: no features."""
    try:
        found = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"]
        # A range that needs no column stands there as a mapping.
        return [name for name in found if isinstance(name, str)]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def _categories(metadata: pq.FileMetaData) -> set[str]:
    """Columns that were categories when the table was saved; reading makes numbers of them."""
    try:
        text = base64.b64decode((metadata.metadata or {})[b"ARROW:schema"])
        saved = pa.ipc.read_schema(pa.BufferReader(text))
    except (KeyError, ValueError, OSError, pa.ArrowException):
        return set()
    return {field.name for field in saved if pa.types.is_dictionary(field.type)}


def _numbers(path: Path, name: str, column: pa.ChunkedArray) -> NDArray[Any]:
    """The numbers of a column, shape (rows, numbers in each row)."""
    where = f"{path}: the column {shown(name)}"
    rows, values = len(column), column.combine_chunks()
    while True:
        if isinstance(values.type, pa.BaseExtensionType):
            values = values.storage
        elif _is(_LISTS, values.type):
            _check_full(where, values, rows)
            lengths = np.unique(pc.list_value_length(values).to_numpy(zero_copy_only=False))
            if len(lengths) > 1:
                raise ValueError(
                    f"{where} holds lists of {lengths[0]} to {lengths[-1]} values; all must be of "
                    "one length"
                )
            values = values.flatten()
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        else:
            break
    if not _is(_NUMBERS, values.type):
        raise ValueError(
            f"{where} is {cut(str(column.type), 60)}, not a number; `drop: [{shown(name)}]` leaves "
            "it out"
        )
    _check_full(where, values, rows)
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64(), safe=False)
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers.reshape(rows, len(numbers) // rows if rows else 1)


def _check_full(where: str, values: pa.Array, rows: int) -> None:
    if values.null_count:
        first = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(
            f"{where} has {values.null_count:,} empty values; the first is in row "
            f"{first * rows // len(values) + 1}"
        )


def _is(kinds: tuple[Any, ...], kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in kinds)
