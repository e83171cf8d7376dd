"""The rows that the explorer of a page is given: those that are ok, thinned where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff.columns import METRICS, SETTING, SETTINGS
from lindiff.columns.arrays import Rows, combinations, plain
from lindiff.columns.groups import GAUSSIAN, SPECTRUM
from lindiff.drawing.tables import with_ratio
from lindiff.errors import InputError
from lindiff.files import local
from lindiff.report.findings import spectrum
from lindiff.science.datasets import title

LIMIT = 100_000  # rows that a browser opens in seconds
# Cells that differ in this alone repeat each other, with other training sets.
REPEATED = "seed"
EXPERIMENTS = "experiments"
RATIO = "n_over_d"
_ROW = "row of the table"
# What the page says in a word of its own, or not at all.
AXES = (RATIO, *(c.name for c in SETTINGS if c.name != "spectrum_params"))


@dataclass(frozen=True)
class Cells:
    """The cells of a page.

    Attributes:
        table: Their rows: ``cell_id``, ``experiments``, settings (a spectrum in words), metrics.
        total: Number of cells of the config.
        failed: Number of those that are not ok, which are left out.
        notes: What is left out of the rest, a sentence each.
    """

    table: pa.Table
    total: int
    failed: int
    notes: tuple[str, ...]


def read_cells(folder: Path, limit: int = LIMIT) -> Cells:
    """The cells of ``results/<config>``.

    Args:
        folder: The config's folder.
        limit: Most rows that are kept.

    Raises:
        InputError: There is no table.
    """
    path = folder / "metrics.parquet"
    if not path.is_file():
        raise InputError(f"{path} is missing: run the collect step first")
    with pq.ParquetFile(local(path)) as file:
        settings = file.read(["status", EXPERIMENTS, *(column.name for column in SETTINGS)])
        total = len(settings)
        settings = settings.append_column(_ROW, pa.array(range(total), pa.int64()))
        ok = settings.filter(pc.equal(settings["status"], "ok"))
        kept, notes = thinned(ok, limit)
        found = kept.drop_columns(["status", EXPERIMENTS, _ROW])
        rest = _rest(file, np.asarray(kept[_ROW]))
    for name in rest.column_names:
        found = found.append_column(rest.schema.field(name), rest[name])
    return Cells(_in_words(with_ratio(plain(found))), total, total - len(ok), notes)


def _rest(file: pq.ParquetFile, rows: Rows) -> pa.Table:
    """What is no setting of some rows, ascending: group by group, for most may be left out."""
    names = ["cell_id", EXPERIMENTS, *(c.name for c in METRICS if not c.nested)]
    pieces, start = [file.schema_arrow.empty_table().select(names)], 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        inside = rows[(rows >= start) & (rows < end)] - start
        pieces.append(file.read_row_group(group, names).take(pa.array(inside)).select(names))
        start = end
    return pa.concat_tables(pieces)


def thinned(table: pa.Table, limit: int) -> tuple[pa.Table, tuple[str, ...]]:
    """At most `limit` rows, by rules that look at settings only, and what is left out, in words.

    First whole training sets go, the largest seeds of each point first: experiments have seeds of
    their own, and every curve keeps all its points. Where one seed is still too many, every second
    value of the setting with the most goes, its ends kept, as often as it takes.
    """
    notes = []
    if len(table) > limit:
        rank = _rank(table)
        sizes = np.bincount(rank[rank >= 0])
        room = limit - int(np.count_nonzero(rank < 0))
        count = max(1, int((np.cumsum(sizes) <= room).sum()))
        if count < len(sizes):
            table = table.filter(pa.array(rank < count))
            notes.append(f"of each point the {count} smallest of up to {len(sizes)} seeds")
    while len(table) > limit:
        name, values = _most_varied(table)
        if len(values) < 3:
            break
        kept = [*values[:-1:2], values[-1]]
        column = table[name]
        table = table.filter(
            pc.or_(pc.is_null(column), pc.is_in(column, value_set=pa.array(kept, column.type)))
        )
        notes.append(f"{len(kept)} of {len(values)} values of {name}")
    return table, tuple(notes)


def _rank(table: pa.Table) -> NDArray[np.int64]:
    """Which of the seeds of its point a row has, from 0 for the smallest; −1 without a seed."""
    # An experiment is shown alone, too: another one's seeds of the same settings are not its own.
    own = table.append_column("own", pc.binary_join(table[EXPERIMENTS], ","))
    codes, _ = combinations(own, ["own", *(name for name in SETTING if name != REPEATED)])
    seeds = np.asarray(table[REPEATED].cast(pa.float64()))
    order = np.lexsort((seeds, codes))
    first = np.searchsorted(codes[order], codes[order])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - first
    return np.where(np.isnan(seeds), -1, rank)


def _most_varied(table: pa.Table) -> tuple[str, list[float]]:
    """The numeric setting with the most values, and these, ascending."""
    found = {
        c.name: sorted(pc.unique(table[c.name]).drop_null().to_pylist())
        for c in SETTINGS
        if c.type in ("int", "float")
    }
    name = max(found, key=lambda name: len(found[name]))
    return name, found[name]


def _in_words(table: pa.Table) -> pa.Table:
    """The table with the spectrum and its parameters as one text, and files by their names."""
    kinds, params = (table[name].to_pylist() for name in SPECTRUM)
    keys = list(dict.fromkeys(zip(kinds, params, strict=True)))
    table = _set(table, "spectrum", list(zip(kinds, params, strict=True)), _told_apart(
        keys, [spectrum(*key) for key in keys], [key[1] for key in keys]
    ))  # fmt: skip
    names = list(dict.fromkeys(table["data"].to_pylist()))
    words = ["" if name is None else name if name == GAUSSIAN else title(name) for name in names]
    data = _told_apart(names, words, [str(name) for name in names])
    return _set(table, "data", table["data"].to_pylist(), {**data, None: None})


def _told_apart(
    keys: Sequence[object], words: Sequence[str], more: Sequence[str]
) -> dict[object, str | None]:
    """The words of each key, with more of them where two keys have the same."""
    return {
        key: word if words.count(word) == 1 else f"{word} {extra}"
        for key, word, extra in zip(keys, words, more, strict=True)
    }


def _set(
    table: pa.Table, name: str, keys: Sequence[object], words: dict[object, str | None]
) -> pa.Table:
    column = pa.array([words[key] for key in keys], pa.string())
    return table.set_column(table.column_names.index(name), name, column)


def most_seeds(table: pa.Table) -> int:
    """The most rows that are equal in all settings but `REPEATED`; 0 of no rows."""
    codes, _ = combinations(table, [name for name in AXES if name != REPEATED])
    return int(np.bincount(codes).max(initial=0))
