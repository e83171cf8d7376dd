"""A hash of the content of a column, whatever file, chunks or dictionary hold it.

The header of a part or spec has one of each column, so that a reader knows that what it read is
what was written: the checksums of Parquet's pages cover neither its footer nor a table that was
written anew by hand.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def digests(table: pa.Table) -> dict[str, str]:
    """The digest of every column, by its name."""
    return {name: digest(table[name]) for name in table.column_names}


def digest(column: pa.ChunkedArray) -> str:
    """Hash of a column: 32 hexadecimal digits of BLAKE2 over its type, values and nulls.

    Args:
        column: Numbers, booleans, strings, or lists and structs of them; a dictionary counts as its
            values.

    >>> one, other = pa.chunked_array([["a", "b"]]), pa.chunked_array([["a"], ["b"]])
    >>> digest(one) == digest(other.dictionary_encode())
    True
    """
    hashes: dict[str, Any] = {}
    for chunk in column.chunks:
        if len(chunk):
            _add(hashes, "", chunk)
    text = "\0".join(f"{path} {found.hexdigest()}" for path, found in sorted(hashes.items()))
    return blake2b(
        f"{_type(column.type)} {len(column)}\0{text}".encode(), digest_size=16
    ).hexdigest()


def _type(kind: pa.DataType) -> str:
    """The type as text, without what Parquet does not keep: dictionaries, names of items."""
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_list(kind):
        return f"list<{_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return "struct<{}>".format(", ".join(f"{f.name}: {_type(f.type)}" for f in kind))
    return str(kind)


def _add(hashes: dict[str, Any], path: str, array: pa.Array) -> None:
    """Add the values of `array`, and those of its fields, each to the hash of its path.

    Each hash sees its values in the order of the rows, so that chunks do not show.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    _update(hashes, f"{path}?", np.asarray(array.is_valid()).view(np.uint8))
    kind = array.type
    if pa.types.is_struct(kind):
        for field, values in zip(kind, array.flatten(), strict=True):
            _add(hashes, f"{path}.{field.name}", values)
    elif pa.types.is_list(kind):
        _update(hashes, path, np.asarray(pc.fill_null(pc.list_value_length(array), 0)))
        _add(hashes, f"{path}[]", array.flatten())
    elif pa.types.is_string(kind):
        text = array.fill_null("")
        _update(hashes, path, np.asarray(pc.binary_length(text)))
        _update(hashes, f"{path}=", np.frombuffer("".join(text.to_pylist()).encode(), np.uint8))
    else:
        number = array.cast(pa.uint8()) if pa.types.is_boolean(kind) else array
        _update(hashes, path, np.asarray(number.fill_null(0)))


def _update(hashes: dict[str, Any], path: str, values: np.ndarray[Any, Any]) -> None:
    hashed = hashes.setdefault(path, blake2b(digest_size=16))
    hashed.update(np.ascontiguousarray(values).data)
