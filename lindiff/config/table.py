"""Tables of any format: columns of numbers as one matrix, or the reason why not.

Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.config.numbers import Array, as_float
from lindiff.config.spelling import IN_YAML, Name, Spelling
from lindiff.config.words import cut, few, suggestion
from lindiff.config.yamlfile import shown

_NUMBERS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
)  # fmt: skip
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


@dataclass(frozen=True)
class Field:
    """A column of a table.

    Attributes:
        name: Its name, or its number where the table has no names.
        values: Real numbers, shape (rows, numbers in each row); more than one of a list.
        category: Whether the file says that its numbers stand for categories.
    """

    name: Name
    values: NDArray[Any]
    category: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a table side by side.

    Attributes:
        values: One row a sample, shape (rows, columns).
        names: One for each column; the numbers of a list have one name.
        categories: Names of columns that their file calls categories.
        notes: What the user should know of columns that are lists.
    """

    values: Array
    names: list[Name]
    categories: frozenset[Name]
    notes: list[str]


def joined(path: Path, fields: Sequence[Field], spelling: Spelling = IN_YAML) -> Table:
    """Columns as one matrix of float64.

    Raises:
        ValueError: A whole number is not a float64.
    """
    pieces = [as_float(path, field.values, [field.name], spelling=spelling) for field in fields]
    notes = [
        f"the column {shown(field.name)} is a list of {field.values.shape[1]:,} numbers, each of "
        "them a column"
        for field in fields
        if field.values.shape[1] > 1
    ]
    return Table(
        np.concatenate(pieces, axis=1) if pieces else np.empty((0, 0)),
        [field.name for field in fields for _ in range(field.values.shape[1])],
        frozenset(field.name for field in fields if field.category),
        notes,
    )


def check_names(path: Path, names: Sequence[str], wanted: Sequence[str], purpose: str) -> None:
    """Refuse names of columns that the table does not have.

    Raises:
        ValueError: One is not among `names`; the message says for what `purpose` it was wanted.
    """
    for name in wanted:
        if name not in names:
            near = suggestion(name, names)
            raise ValueError(
                f"{path} has no column {shown(name)} to {purpose}; there are: {few(names)}{near}"
            )


def numbers(
    path: Path, name: Name, column: pa.ChunkedArray, spelling: Spelling = IN_YAML
) -> NDArray[Any]:
    """The numbers of a column, any real dtype, shape (rows, numbers in each row).

    Raises:
        ValueError: It holds anything else, or has empty values, or lists of several lengths.
    """
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
            f"{where} is {cut(str(column.type), 60)}, not a number; `{spelling.drop([name])}` "
            "leaves it out"
        )
    _check_full(where, values, rows)
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64(), safe=False)
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found.reshape(rows, len(found) // rows if rows else 1)


def count(values: pa.Array) -> int:
    """Numbers in a column, those in lists each for itself."""
    while _is(_LISTS, values.type):
        values = values.flatten()
    return len(values)


def _check_full(where: str, values: pa.Array, rows: int) -> None:
    if values.null_count:
        first = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(
            f"{where} has {values.null_count:,} empty values; the first is in row "
            f"{first * rows // len(values) + 1}"
        )


def _is(kinds: tuple[Any, ...], kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in kinds)
