"""Parts to the one table of a config, ``results/<config>/metrics.parquet``.

One row a wanted cell, sorted by id. Where several parts have a metric of a cell, one of today's
code gives it, else the first in the plan's order; what the config does not ask of a cell is null,
whatever the store has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff import checksums, columns
from lindiff.columns import (
    METRIC,
    METRICS,
    NESTED,
    OUTCOME,
    REQUESTABLE,
    SECONDS,
    SETTINGS,
    delivered,
)
from lindiff.columns.arrays import Rows, as_text, family_rows, nothing, places
from lindiff.errors import InputError
from lindiff.files import atomic, local, remove_leftovers, write_table
from lindiff.fingerprint import fingerprints
from lindiff.progress import duration
from lindiff.sweep.bits import Bits, bits, names
from lindiff.sweep.coverage import lookup_parts
from lindiff.sweep.grid import Wanted, wanted
from lindiff.sweep.plan import Plan, store_of
from lindiff.sweep.store import FORMAT, DamagedError, Shard, Store, read_table

_STATUS = ("ok", "diverged", "failed")
# Rows of a nested table that are unpacked at a time.
_BATCH = 20_000
# Lists of a nested metric that are held at a time.
_HELD_BYTES = 2**28


@dataclass(frozen=True)
class Collected:
    """What a collection did.

    Attributes:
        files: The tables written.
        rows: Rows of ``metrics.parquet``.
        status: Number of rows of each status.
        estimated: Estimated seconds of the parts whose time is known.
        measured: Their measured seconds.
    """

    files: tuple[Path, ...]
    rows: int
    status: dict[str, int]
    estimated: float
    measured: float

    def lines(self) -> list[str]:
        """What to tell the user."""
        bad = [f"{n:,} {name}" for name, n in self.status.items() if n and name != "ok"]
        text = [f"{self.files[0]}: {self.rows:,} cells" + (f" ({', '.join(bad)})" if bad else "")]
        if self.measured > 0 and self.estimated > 0:
            text.append(
                f"cost model: {duration(self.estimated)} estimated, {duration(self.measured)} "
                f"measured, ratio {self.measured / self.estimated:.2f}"
            )
        return text


class _Merge:
    """The rows of the table while parts are merged into it."""

    def __init__(self, grid: Wanted) -> None:
        self.grid = grid
        self.left: Bits = grid.request.copy()
        rows = len(grid.cells)
        # Of what nothing asks for there is no array: a column of a million cells is 9 MB.
        asked = delivered(names(np.bitwise_or.reduce(self.left, initial=0)))
        self.values = {name: np.full(rows, np.nan) for name in asked if name not in NESTED}
        self.known = {name: np.zeros(rows, bool) for name in self.values}
        # By nested metric, the parts that have it and the row of the table of each of its rows.
        self.nested: dict[str, dict[str, Rows]] = {name: {} for name in NESTED}
        self.status = np.full(rows, -1, np.int8)
        self.text = {c.name: _Texts(rows) for c in OUTCOME if c.name != "status"}
        self.seconds = np.full(rows, np.nan)

    def add(
        self, shard: Shard, part: pa.Table, rows: Rows, seconds: NDArray[np.float64] | None
    ) -> None:
        """Merge a part; `rows` and `seconds` are the row and the time of each of its cells."""
        mask = bits(shard.metrics)
        useful = np.flatnonzero((rows >= 0) & ((self.left[rows] & mask) != 0))
        for name in set(shard.metrics) & set(NESTED):
            # Their lists may be larger than all else: `_write_nested` reads them.
            new = (rows >= 0) & ((self.left[rows] & bits([name])) != 0)
            before = self.nested[name].get(shard.name, -1)
            self.nested[name][shard.name] = np.maximum(before, np.where(new, rows, -1))
        rows, part = rows[useful], part.take(pa.array(useful))
        for metric in set(shard.metrics) - set(NESTED):
            new = (self.left[rows] & bits([metric])) != 0
            for name in delivered([metric]):
                if name in self.values:
                    self._put(name, part[name], rows, new)
        self.left[rows] &= ~mask
        self.status[rows] = np.maximum(
            self.status[rows], places(as_text(part["status"]), pa.array(_STATUS))
        )
        for name, texts in self.text.items():
            if name in part.column_names:  # `torch` came after the first parts
                texts.add(rows, part[name])
        if seconds is not None:
            before = self.seconds[rows]
            self.seconds[rows] = np.where(np.isnan(before), 0, before) + seconds[useful]

    def _put(self, name: str, column: pa.ChunkedArray, rows: Rows, new: NDArray[np.bool_]) -> None:
        valid = np.asarray(pc.is_valid(column).combine_chunks()) & new
        numbers = np.asarray(column.combine_chunks().fill_null(0), float)
        self.values[name][rows[valid]] = numbers[valid]
        self.known[name][rows[valid]] = True

    def table(self) -> pa.Table:
        """The table, one row a wanted cell; the arrays become its columns and are let go."""
        cells = self.grid.cells
        data: dict[str, Any] = {"cell_id": cells["cell_id"], "family_id": cells["family_id"]}
        data["experiments"] = _experiments(self.grid)
        data |= {column.name: cells[column.name] for column in SETTINGS}
        empty = nothing(len(cells), (c.arrow_type for c in METRICS if c.name not in NESTED))
        for column in METRICS:
            if column.name in self.values:
                mask = ~self.known.pop(column.name)
                data[column.name] = pa.array(self.values.pop(column.name), mask=mask)
            elif column.name not in NESTED:
                data[column.name] = empty[column.arrow_type]
        codes = pa.array(self.status, mask=self.status < 0).cast(pa.int32())
        data["status"] = pa.DictionaryArray.from_arrays(codes, pa.array(_STATUS))
        data |= {name: texts.array() for name, texts in self.text.items()}
        data["seconds"] = pa.array(self.seconds, mask=np.isnan(self.seconds))
        return pa.table(data, schema=_schema())


class _Texts:
    """A text of each row, few of them distinct; two different ones are joined by ``; ``."""

    def __init__(self, rows: int) -> None:
        self.codes = np.full(rows, -1, np.int32)
        self._code_of: dict[str, int] = {}

    def add(self, rows: Rows, column: pa.ChunkedArray) -> None:
        """Set the texts of `rows`."""
        encoded = as_text(column).combine_chunks().dictionary_encode()
        own = [self._code(text) for text in encoded.dictionary.to_pylist()]
        codes = np.array([*own, -1], np.int32)[np.asarray(encoded.indices.fill_null(len(own)))]
        before = self.codes[rows]
        both = (before >= 0) & (codes >= 0) & (before != codes)
        values = list(self._code_of)
        for one, other in np.unique(np.stack([before[both], codes[both]]), axis=1).T:
            text = self._code(f"{values[one]}; {values[other]}")
            codes[both & (before == one) & (codes == other)] = text
        self.codes[rows] = np.where(codes >= 0, codes, before)

    def _code(self, text: str) -> int:
        return self._code_of.setdefault(text, len(self._code_of))

    def array(self) -> pa.DictionaryArray:
        """The column; its dictionary is sorted, whatever the order in which texts came."""
        found = np.unique(self.codes[self.codes >= 0])
        values = list(self._code_of)
        order = sorted(found.tolist(), key=values.__getitem__)
        rank = np.full(len(values) + 1, -1, np.int32)
        rank[order] = np.arange(len(order))
        codes = rank[self.codes]
        dictionary = pa.array([values[code] for code in order], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), dictionary)


def _experiments(grid: Wanted) -> pa.ListArray:
    """The names of the experiments that ask for each cell."""
    names = sorted(grid.experiments)
    member = np.zeros((len(grid.cells), len(names)), bool)
    for index, name in enumerate(names):
        member[grid.experiments[name], index] = True
    offsets = np.concatenate([[0], np.cumsum(member.sum(axis=1))]).astype(np.int32)
    values = pa.array(names, pa.string()).take(pa.array(np.nonzero(member)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _schema() -> pa.Schema:
    """Schema of ``metrics.parquet``: ids, experiments, settings, metrics, outcome, seconds."""
    cell = columns.cell_schema()
    part = columns.part_schema([name for name in REQUESTABLE if name not in NESTED])
    help_text = {"label": "experiments", "unit": "", "help": "Experiments that ask for the cell."}
    experiments = pa.field("experiments", pa.list_(pa.string()), metadata=help_text)
    about = {"label": SECONDS.label, "unit": SECONDS.unit, "help": SECONDS.help}
    seconds = pa.field(SECONDS.name, SECONDS.arrow_type, metadata=about)
    rest = [field for field in part if field.name not in cell.names]
    return pa.schema([cell.field(0), cell.field(1), experiments, *list(cell)[2:], *rest, seconds])


def collect(plan: Plan, out_dir: Path) -> Collected:
    """Write the tables of a plan whose parts are all finished.

    Args:
        plan: From `lindiff.sweep.plan.read_plan`.
        out_dir: ``results/<config>``, beside the store.

    Raises:
        InputError: A part is missing, or damaged (it is moved aside).
    """
    out_dir = Path(out_dir)
    store = store_of(out_dir.parent)
    merge, times = _merged(plan, store)
    table = merge.table()
    about = _about(plan)
    files = [out_dir / name for name in plan.tables]
    with checksums.kept(out_dir, checksums.COLLECT, files):
        for path in files:
            remove_leftovers(path)
        write_table(table, files[0], about)
        for path in files[1:]:
            name = path.stem
            _write_nested(merge.nested[name], name, store, table["cell_id"], path, about)
    status = {name: int(np.sum(merge.status == code)) for code, name in enumerate(_STATUS)}
    return Collected(tuple(files), len(table), status, *times)


def _merged(plan: Plan, store: Store) -> tuple[_Merge, tuple[float, float]]:
    """The rows of the table, and estimated and measured seconds of the parts with known times."""
    shards, damaged = store.find_parts(plan.parts)
    grid = wanted(plan.config)
    found = {
        shard.name: (rows, old)
        for shard, rows, old in lookup_parts(grid, shards, store, damaged, fingerprints(grid.cells))
    }
    merge = _Merge(grid)
    # What was pending was lacking, so it goes before what was there; rows of older code go last.
    parts = [*(shard.name for shard in plan.pending), *plan.reuse]
    for older in (False, True):
        for name in parts:
            if name in damaged:
                raise _damaged(store, name, damaged[name])
            if name not in shards:
                raise InputError(f"{store.part(name)}: not finished; run snakemake again")
            rows, old = found[name]
            own = np.where(old == older, rows, -1)
            if older and not np.any(own >= 0):
                continue
            shard = shards[name]
            try:
                part = read_table(store.part(name), _wanted_columns(shard))
            except DamagedError as error:
                raise _damaged(store, name, str(error)) from None
            merge.add(shard, part, own, _per_cell(part, store.family_seconds(shard)))
    if np.any(merge.left):
        raise InputError(f"{plan.file}: its parts do not have all cells; run snakemake again")
    return merge, store.times(shards.values())


def _wanted_columns(shard: Shard) -> list[str]:
    metrics = [name for name in delivered(shard.metrics) if name not in NESTED]
    return ["family_id", *metrics, *(column.name for column in OUTCOME)]


def _damaged(store: Store, name: str, reason: str) -> InputError:
    store.quarantine(store.part(name), reason)
    return InputError(f"{store.part(name)}: was damaged; run snakemake again")


def _per_cell(part: pa.Table, family_seconds: Sequence[float]) -> NDArray[np.float64] | None:
    """Time of each row's family divided by its rows; None where the times are not known."""
    families = family_rows(part)
    if len(families) != len(family_seconds):
        return None
    shares = np.empty(len(part))
    for rows, seconds in zip(families, family_seconds, strict=True):
        shares[rows] = seconds / len(rows)
    return shares


def _about(plan: Plan) -> dict[bytes, bytes]:
    """Schema metadata of the tables."""
    about = {
        "format": FORMAT,
        "config": json.loads(plan.config.to_json()),
        "versions": {
            "lindiff": version("lindiff"),
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
            "python": sys.version.split()[0],
        },
    }
    return {b"lindiff": json.dumps(about, sort_keys=True).encode()}


def _write_nested(
    parts: Mapping[str, Rows],
    name: str,
    store: Store,
    cell_ids: pa.ChunkedArray,
    path: Path,
    about: dict[bytes, bytes],
) -> None:
    """Unpack the lists of a nested metric, sorted by cell.

    The cells go in as many pieces as keep the lists of each below `_HELD_BYTES`, for which every
    part is read again: together they may be larger than all memory.

    Args:
        parts: For each part the row in the table of each of its rows, or -1.
        name: The metric.
        store: Where the parts are.
        cell_ids: Id of each row of the table.
        path: The table that is written.
        about: Its metadata.
    """
    item = METRIC[name].arrow_type.value_type
    fields = [item.field(i) for i in range(item.num_fields)]
    schema = pa.schema([pa.field("cell_id", pa.string()), *fields], metadata=about)
    total = sum(_bytes(store.part(part)) for part in parts)
    step = max(1, len(cell_ids) // (1 + total // _HELD_BYTES))
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(local(temporary), schema, compression="zstd") as file,
    ):
        for start in range(0, len(cell_ids) if parts else 0, step):
            pieces = [
                _lists(store, part, name, rows, range(start, start + step))
                for part, rows in parts.items()
            ]
            table = pa.concat_tables(pieces)
            order = pc.sort_indices(table["row"])
            for first in range(0, len(order), _BATCH):
                batch = table.take(order[first : first + _BATCH]).combine_chunks()
                lists = batch[name].combine_chunks()
                rows = batch["row"].take(pc.list_parent_indices(lists))
                structs = pc.list_flatten(lists)
                arrays = [cell_ids.take(rows), *structs.flatten()]
                file.write_table(pa.table(arrays, schema=schema))


def _lists(store: Store, part: str, name: str, rows: Rows, wanted_rows: range) -> pa.Table:
    """The lists that a part has for some rows of the table, with these."""
    try:
        column = read_table(store.part(part), [name])[name]
    except DamagedError as error:
        raise _damaged(store, part, str(error)) from None
    inside = (rows >= wanted_rows.start) & (rows < wanted_rows.stop)
    keep = np.asarray(pc.is_valid(column).combine_chunks()) & inside
    return pa.table({"row": rows, name: column}).filter(pa.array(keep))


def _bytes(path: Path) -> int:
    """Size of a part in memory, about: twice what it is encoded, with repeated numbers once.

    Of the whole part, most of which its lists are: what the footer says of a column, PyArrow does
    not hand out without ending the process where it is damaged.
    """
    with pq.ParquetFile(local(path)) as file:
        groups = map(file.metadata.row_group, range(file.num_row_groups))
        return 2 * sum(int(group.total_byte_size) for group in groups)
