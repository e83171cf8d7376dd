"""What a terminal shows of cells: what they share as words, and of the rest what has room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from lindiff.columns import METRICS, SETTING
from lindiff.columns.arrays import as_text
from lindiff.config.words import printable
from lindiff.report.query import READING
from lindiff.science.datasets import title

GAP = 2  # spaces between two columns
_LONGEST = 24  # characters of a text, where a table has no room for more
# Metrics as one asks for them: parts and standard errors after what they belong to.
_METRICS = sorted(METRICS, key=lambda c: (bool(c.part_of), c.name.endswith("_se"), not c.default))
_ALWAYS = ("spectrum", "sampler")  # said whatever they are


@dataclass(frozen=True)
class Listing:
    """A table for a terminal.

    Attributes:
        shared: Settings and metrics that are the same in all rows, as words.
        rows: Texts by column name, of equal lengths.
        differ: Settings that differ between rows and have no room.
        more: Metrics that are known and have no room.
    """

    shared: tuple[str, ...]
    rows: dict[str, list[str]]
    differ: tuple[str, ...]
    more: tuple[str, ...]


def listing(table: pa.Table, limit: int, width: int) -> Listing:
    """The columns that tell cells apart and their metrics, as many as have room.

    Args:
        table: From `lindiff.report.query.matching`.
        limit: Most rows.
        width: Characters of a line.
    """
    settings = [name for name in READING if _known(table, name)]
    if _known(table, "status") and set(as_text(table["status"]).to_pylist()) != {"ok"}:
        settings.append("status")
    metrics = [column.name for column in _METRICS if _known(table, column.name)]
    one = {name for name in (*settings, *metrics) if _count(table, name) == 1}
    several = [name for name in settings if name not in one]
    measured = [name for name in metrics if name not in one]
    texts = {name: _texts(table.slice(0, limit), name) for name in (*several, *measured)}
    # A table of settings alone says nothing: there is room for one metric at least.
    room = width - sum(_width(name, texts[name]) + GAP for name in measured[:1])
    shown = _fit(several, texts, room)
    numbers = _fit(measured, texts, width - sum(_width(n, texts[n]) + GAP for n in shown))
    return Listing(
        shared=tuple(
            f"{name} = {_texts(table.slice(0, 1), name)[0]}"
            for name in (*settings, *metrics)
            if name in one and _said(table, name)
        ),
        rows={name: texts[name] for name in (*shown, *numbers)},
        differ=tuple(name for name in several if name not in shown),
        more=tuple(name for name in measured if name not in numbers),
    )


def _known(table: pa.Table, name: str) -> bool:
    """Whether a column is one of its own that has a value in some row."""
    if name == "spectrum_params" or name not in table.column_names:
        return False
    return table[name].null_count < len(table) and not pa.types.is_list(table[name].type)


def _count(table: pa.Table, name: str) -> int:
    """The number of different values, a spectrum with its parameters."""
    columns = [as_text(table[name])]
    if name == "spectrum" and "spectrum_params" in table.column_names:
        columns.append(as_text(table["spectrum_params"]))
    keys = pa.table(columns, [str(i) for i in range(len(columns))])
    return len(keys.group_by(keys.column_names).aggregate([]))


def _said(table: pa.Table, name: str) -> bool:
    """Whether what all rows share is worth a word: a setting where it is not neutral."""
    neutral = name in SETTING and table[name][0].as_py() == SETTING[name].neutral
    return name in _ALWAYS or not neutral


def _texts(table: pa.Table, name: str) -> list[str]:
    values = as_text(table[name]).to_pylist()
    if name == "spectrum" and "spectrum_params" in table.column_names:
        params = as_text(table["spectrum_params"]).to_pylist()
        return [_spectrum(*pair) for pair in zip(values, params, strict=True)]
    digits = 6 if name in SETTING else 4
    return [_cut(as_words(value, digits)) for value in values]


def _spectrum(kind: str | None, params: str | None) -> str:
    """A kind with its parameters, without the quotes of JSON."""
    values = json.loads(params or "{}")
    if kind == "dataset":
        return _cut(f"dataset {title(values['name'])}")
    words = [f"{key} {as_words(value)}" for key, value in values.items()]
    return _cut(" ".join([kind or "", *words]))


def as_words(value: object, digits: int = 6) -> str:
    """A value of a cell as a terminal shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, list):
        return ", ".join(as_words(item, digits) for item in value)
    return printable(str(value))


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"


def _width(name: str, texts: Sequence[str]) -> int:
    return max(map(len, (name, *texts)))


def _fit(names: Sequence[str], texts: dict[str, list[str]], room: int) -> list[str]:
    """The first of the columns that have room beside each other."""
    found: list[str] = []
    for name in names:
        room -= _width(name, texts[name]) + (GAP if found else 0)
        if room < 0:
            break
        found.append(name)
    return found
