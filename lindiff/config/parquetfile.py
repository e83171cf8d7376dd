"""Parquet files as programs save tables: columns of numbers, or the reason why not.

The columns that the file itself calls the index of a pandas DataFrame are no features. Every check
raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff.config.inputfile import check_memory, size_of
from lindiff.config.spelling import IN_YAML, Spelling
from lindiff.config.table import Field, check_names, count, numbers
from lindiff.config.words import cut
from lindiff.errors import is_of_machine
from lindiff.files import local

# Numbers that are read at once.
_BLOCK = 2**20


def read_parquet(
    path: Path,
    drop: Sequence[str] = (),
    columns: Sequence[str] = (),
    spelling: Spelling = IN_YAML,
) -> tuple[list[Field], list[str]]:
    """The columns of a Parquet file.

    Args:
        path: The file.
        drop: Names of columns to leave out, whatever they hold.
        columns: Names of the columns to read, if not all.
        spelling: How the user leaves out a column, for messages.

    Returns:
        The other columns, and the names of those that are an index and left out for that.

    Raises:
        ValueError: The file is missing, of another format or damaged, has no column of a name in
            `drop` or `columns`, or one to be read holds anything but numbers.
    """
    size = size_of(path)
    try:
        # Not `read_table`, which makes columns of folders that are called a=1.
        with pq.ParquetFile(local(path), page_checksum_verification=True) as file:
            schema, metadata = file.schema_arrow, file.metadata
            check_names(path, schema.names, drop, "drop")
            check_names(path, schema.names, columns, "keep")
            index = [name for name in _index(schema) if name in {*schema.names} - {*drop, *columns}]
            out = {*drop, *index} if not columns else {*schema.names} - {*columns}
            kept = [i for i, name in enumerate(schema.names) if name not in out]
            check_memory(path, (metadata.num_rows, metadata.num_columns), size)
            table = _read(file, kept, path, size)
        categories = _categories(metadata)
        fields = [
            Field(field.name, numbers(path, field.name, column, spelling), field.name in categories)
            for field, column in zip(table.schema, table.columns, strict=True)
        ]
    except (pa.ArrowMemoryError, MemoryError):
        raise MemoryError from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if is_of_machine(error):
            raise
        text = cut(" ".join(str(error).split()), 200)
        raise ValueError(f"{path} is damaged, or no Parquet file ({text})") from None
    return fields, index


def _read(file: pq.ParquetFile, kept: list[int], path: Path, size: int) -> pa.Table:
    """Some columns, block by block, so that a few rows of lists do not ask for any memory.

    The numbers in a list are counted as they are read: what the footer says of a column, PyArrow
    does not hand out without ending the process where it is damaged.
    """
    batches, total = [], 0
    rows = max(1, _BLOCK // max(1, file.metadata.num_columns))
    for batch in file.iter_batches(batch_size=rows):
        batches.append(batch.select(kept))
        total += sum(count(column) for column in batches[-1].columns)
        check_memory(path, (total,), size)
    schema = pa.schema([file.schema_arrow.field(i) for i in kept])
    return pa.Table.from_batches(batches) if batches else schema.empty_table()


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
