"""Ids of cells and families: BLAKE2 of the canonical typed JSON of the settings that matter.

The canonical text of a cell is a JSON object with sorted keys and no spaces. Every value has the
type of its column (a float is written by ``repr``: 3 is ``3.0``), a setting that is null or has its
frozen neutral value is left out. So a new setting with a neutral value changes no existing id, and
no id comes from a formatted number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import REQUIRED, SETTING, SETTINGS, Column
from lindiff.columns.arrays import as_text
from lindiff.models import MODELS
from lindiff.science import datasets

_DIGEST_BYTES = 16
# Texts are made and hashed in pieces of about this size: a grid's own texts may not fit in memory.
_PIECE_BYTES = 2**23


def fragment(column: Column, value: Any) -> str | None:
    """``"name":value`` as it stands in the canonical text; None for a neutral or null value.

    Raises:
        ValueError: The value is NaN.
    """
    if value is None:
        return None
    typed = _typed(column, value)
    if column.neutral is not REQUIRED and typed == _typed(column, column.neutral):
        return None
    text = typed if column.type == "json" else json.dumps(typed)
    return f"{json.dumps(column.name)}:{text}"


def _typed(column: Column, value: Any) -> Any:
    if column.type == "float":
        number = float(value) + 0.0  # −0.0 becomes 0.0
        if math.isnan(number):
            raise ValueError(f"{column.name} is NaN")
        return number
    return {"int": int, "bool": bool, "str": str, "json": str}[column.type](value)


def digest(text: str) -> str:
    """The id of a canonical text: 32 hexadecimal digits."""
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def cell_ids(table: pa.Table) -> pa.Array:
    """The id of every cell, strings in the order of the rows.

    Args:
        table: Cells with the columns of `SETTINGS`.
    """
    return _ids(table, [column.name for column in SETTINGS])


def family_ids(table: pa.Table) -> pa.Array:
    """The id of every cell's family: of its settings that do not vary within one computation.

    Args:
        table: Cells with the columns of `SETTINGS`.
    """
    models = table["model"].combine_chunks().dictionary_encode()
    codes = np.asarray(models.indices)
    order, pieces = [], []
    for code, model in enumerate(models.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == code)
        outside = [c.name for c in SETTINGS if c.name not in MODELS[model].within]
        part = table if len(rows) == len(codes) else table.take(rows)
        order.append(rows)
        pieces.append(_ids(part, outside))
    if not pieces:
        return pa.array([], pa.string())
    back = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(back))


def _unshaped(table: pa.Table) -> pa.Table:
    """The cells without the sizes of pictures in names of data, but where the model is of pictures.

    Other cells had ids before pictures had sizes, and have the same numbers.
    """
    of_pictures = pa.array([name for name, model in MODELS.items() if model.pictures])
    for name in ("data", "spectrum_params"):
        texts = as_text(table[name]).combine_chunks().dictionary_encode()
        given = pa.array(texts.dictionary.to_pylist(), pa.string())
        plain = pa.array([text and datasets.plain(text) for text in given.to_pylist()], pa.string())
        if given.equals(plain):
            continue
        keep = pc.is_in(as_text(table["model"]).combine_chunks(), value_set=of_pictures)
        column = pc.if_else(keep, given.take(texts.indices), plain.take(texts.indices))
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _ids(table: pa.Table, names: Iterable[str]) -> pa.Array:
    """Ids over the settings `names`: fragments once a distinct value, one hash a distinct text."""
    table = _unshaped(table)
    encoded = [_encoded(table[name], SETTING[name]) for name in sorted(names)]
    varying = [(codes, texts) for codes, texts, longest in encoded if longest]
    width = 2 + sum(longest + 1 for _, _, longest in encoded)
    step = max(1, min(2**16, _PIECE_BYTES // width))
    pieces = []
    for start in range(0, table.num_rows, step):
        columns = [texts.take(codes.slice(start, step)) for codes, texts in varying]
        length = min(step, table.num_rows - start)
        body = (
            pc.binary_join_element_wise(*columns, ",", null_handling="skip")
            if columns
            else pa.repeat("", length)
        )
        distinct = body.dictionary_encode()
        hashed = pa.array([digest(f"{{{text}}}") for text in distinct.dictionary.to_pylist()])
        pieces.append(hashed.take(distinct.indices))
    return pa.concat_arrays(pieces) if pieces else pa.array([], pa.string())


def _encoded(values: pa.ChunkedArray, column: Column) -> tuple[pa.Array, pa.Array, int]:
    """Codes, the fragment of each code (null: left out) and the longest fragment's length."""
    values = values.combine_chunks()
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    fragments = [fragment(column, value) for value in values.dictionary.to_pylist()]
    longest = max((len(text) for text in fragments if text is not None), default=0)
    return values.indices, pa.array(fragments, pa.string()), longest
