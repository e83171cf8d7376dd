"""Text files of numbers, ``.csv`` and ``.tsv``: columns of numbers, or the reason why not.

The first line has the names of the columns; where it has numbers it is a row, and columns are
called by their numbers, from 1. Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as pacsv

from lindiff.config.inputfile import size_of
from lindiff.config.numbers import as_numbers, check_numbers
from lindiff.config.spelling import Name, Spelling
from lindiff.config.table import Field, check_names, numbers
from lindiff.config.words import cut, few
from lindiff.config.yamlfile import shown
from lindiff.errors import is_of_machine
from lindiff.progress import machine_memory

_WORDS = {
    ",": "cells between commas",
    ";": "cells between semicolons",
    "\t": "cells between tabs",
    " ": "cells between spaces",
}
# Bytes in memory for one of the file: as text, as a table and as a matrix.
_TIMES = 4
# Of a first line; of text that is parsed at once, in which a line must have room.
_LONGEST, _BLOCK = 2**24, 2**26
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*|,\d+)?|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf)|true|false", re.I)
_PLAIN = re.compile(r"|[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.I)


def read_csv(
    path: Path, drop: Sequence[Name], columns: Sequence[Name], spelling: Spelling
) -> tuple[list[Field], list[str]]:
    """The columns of a text file, separated by commas, semicolons, tabs or spaces.

    Args:
        path: The file, UTF-8.
        drop: Columns to leave out, whatever they hold: by name, or by number where the file has no
            names.
        columns: The columns to read, if not all.
        spelling: How the user leaves out a column, for messages.

    Returns:
        The other columns, and notes on how the file was read.

    Raises:
        ValueError: The file is missing, empty, too large, no text or no table, has no column in
            `drop` or `columns`, or one to be read holds anything but numbers.
    """
    size = size_of(path)
    if _TIMES * size > machine_memory():
        raise ValueError(
            f"{path} is {size / 1e9:,.3g} GB of text, too much for the memory of this machine; "
            "save it as .npy, which is read by pieces"
        )
    content = path.read_bytes()
    line = _first_line(path, content)
    if not line:
        raise ValueError(f"{path} is empty: it has blank lines only")
    separator = _separator(line)
    cells = _cells(path, line, separator)
    is_row = _is_row(cells)
    table, decimal_commas = _table(path, content, separator, is_row)
    if not table.num_rows:
        raise ValueError(f"{path} is empty: it has names of columns, and no row")
    names: list[Name] = [*range(1, table.num_columns + 1)] if is_row else _names(table)
    fields = [
        Field(names[j], _column(path, names[j], table.column(j), spelling))
        for j in sorted(_kept(path, names, drop, columns))
    ]
    return fields, _notes(separator, cells, is_row, decimal_commas)


def _first_line(path: Path, content: bytes) -> str:
    """The first line that is not blank."""
    start = content[:_LONGEST]
    if b"\0" in start:
        raise ValueError(f"{path} is no text in UTF-8 (it has zero bytes, as UTF-16 has)")
    line = next((line for line in re.split(rb"[\r\n]", start) if line.strip()), b"")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error.reason})") from None


def _separator(line: str) -> str:
    """What stands between the cells of a line, whatever the ending of its file says."""
    unquoted = re.sub(r'"[^"]*"', "", line)
    if " " in unquoted.strip() and all(_NUMBER.fullmatch(cell) for cell in line.split()):
        return " "
    # A comma may also stand in a number, a semicolon and a tab may not.
    return next((mark for mark in "\t;" if mark in unquoted), ",")


def _cells(path: Path, line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"{path} is no table of {_WORDS[separator]} ({error})") from None


def _is_row(cells: list[str]) -> bool:
    """Whether the first line has numbers, and no names."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    # As pandas writes an index and columns without names.
    counted = cells[0].strip() == "" and filled == [str(j) for j in range(len(cells) - 1)]
    return bool(filled) and not counted and all(map(_NUMBER.fullmatch, filled))


def _table(path: Path, content: bytes, separator: str, is_row: bool) -> tuple[pa.Table, bool]:
    """The table, and whether its numbers have decimal commas."""
    # Of a single line Arrow wants the end.
    content = content if content.endswith(b"\n") else content + b"\n"
    table = _parsed(path, content, separator, is_row, ".")
    if separator != "," and (text := _text_columns(table)):
        other = _parsed(path, content, separator, is_row, ",")
        if _text_columns(other) < text:
            return other, True
    return table, False


def _parsed(
    path: Path, content: bytes, separator: str, is_row: bool, decimal_point: str
) -> pa.Table:
    try:
        return pacsv.read_csv(
            pa.BufferReader(content),
            # In one thread its messages count rows; in a block a row must have room.
            pacsv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                autogenerate_column_names=is_row,
            ),
            pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            pacsv.ConvertOptions(decimal_point=decimal_point),
        )
    except pa.ArrowMemoryError:
        raise MemoryError from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if is_of_machine(error):
            raise
        text = cut(" ".join(str(error).replace("Row #", "line ").split()), 200)
        raise ValueError(f"{path} is no table of {_WORDS[separator]} ({text})") from None


def _text_columns(table: pa.Table) -> int:
    return sum(pa.types.is_string(kind) for kind in table.schema.types)


def _names(table: pa.Table) -> list[Name]:
    # NumPy writes a # before the first line.
    return [name.strip().removeprefix("# ") for name in table.column_names]


def _kept(path: Path, names: list[Name], drop: Sequence[Name], columns: Sequence[Name]) -> set[int]:
    """The columns to be read, from 0."""
    if names[0] == 1:
        drop, columns = as_numbers(drop), as_numbers(columns)
        check_numbers(path, drop, len(names), "drop")
        check_numbers(path, columns, len(names), "keep")
    else:
        known, drop, columns = ([str(name) for name in some] for some in (names, drop, columns))
        check_names(path, known, drop, "drop")
        check_names(path, known, columns, "keep")
    wanted, unwanted = set(columns or names), set(drop)
    return {j for j, name in enumerate(names) if name in wanted and name not in unwanted}


def _column(path: Path, name: Name, column: pa.ChunkedArray, spelling: Spelling) -> NDArray[Any]:
    """The numbers of a column; what is none is shown, with the row."""
    where, mend = f"{path}: the column {shown(name)}", f"`{spelling.drop([name])}` leaves it out"
    if pa.types.is_null(column.type):
        raise ValueError(f"{where} is empty; {mend}")
    if pa.types.is_string(column.type):
        cells = ((row, str(cell)) for row, cell in enumerate(column, 1))
        # Between commas a number with a decimal comma is text too: it may be one in thousands.
        row, cell = next((c for c in cells if not _PLAIN.fullmatch(c[1].strip())), (1, "…"))
        raise ValueError(f"{where} has text, {shown(cell)} in row {row}, not a number; {mend}")
    return numbers(path, name, column, spelling)


def _notes(separator: str, cells: list[str], is_row: bool, decimal_commas: bool) -> list[str]:
    """What is to be known of how the file was read."""
    notes = []
    if separator not in ",\t":
        notes.append(f"read as {_WORDS[separator]}")
    if decimal_commas:
        notes.append("numbers were read with decimal commas: 1,5 is one and a half")
    odd = [cell for cell in cells if _NUMBER.fullmatch(cell.strip())]
    if is_row:
        notes.append("the first line has numbers, so a column is called by its number")
        if cells == [str(j) for j in range(len(cells))] and len(cells) > 1:
            notes.append(
                "the first line counts columns from 0, as pandas names them, and was read as a "
                "row; if it is none, take it out"
            )
    elif odd and odd not in ([str(j + one) for j in range(len(odd))] for one in (0, 1)):
        notes.append(
            f"the first line was read as names of columns, though it has numbers, {few(odd[:3])}; "
            "if it is a row, put a line with names above it"
        )
    return notes
