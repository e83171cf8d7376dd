"""The store ``results/store``: immutable specs and the parts made from them.

A *spec* lists the cells of a shard and the metrics wanted; a *part* is what running it left. Both
are Parquet files with the same name, a hash of what is asked, and both say in their header
(`Shard`) what they hold, so that the store can be read without any other file. The header has
digests of itself and of every column, and what is read is checked against them.

Format 1 had no digests. Its files stay as they are, and are checked as far as they can be: by the
checksums of their pages, by their name, and by the ids of their cells.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import columns
from lindiff.errors import InputError, is_of_machine
from lindiff.files import (
    free_name,
    local,
    names_in,
    patiently,
    remove_leftovers,
    write_array,
    write_table,
    write_text,
)
from lindiff.progress import Progress, read_progress
from lindiff.science import datasets
from lindiff.sweep.digests import digest, digests
from lindiff.sweep.ids import cell_ids

FORMAT = 2
_HEADER = b"lindiff"
# An allocation of a damaged length that is no lack of memory: no file of the store is as large.
_ABSURD_BYTES = 2**40


class DamagedError(Exception):
    """A file of the store is truncated, foreign or not Parquet; ``str(error)`` says which."""


@contextmanager
def _content(what: str) -> Iterator[None]:
    """Whatever Arrow raises of bytes that are not what they should be becomes a `DamagedError`.

    Not so the errors of the system, whose number says that the file could not be read at all, and
    a lack of memory.
    """
    try:
        yield
    except (InputError, DamagedError):
        raise
    except Exception as error:
        numbers = [int(word) for word in str(error).split() if word.isdecimal()]
        absurd = isinstance(error, MemoryError) and max(numbers, default=0) > _ABSURD_BYTES
        if is_of_machine(error) and not absurd:
            raise
        raise DamagedError(f"{what} ({type(error).__name__}: {error})") from None


@dataclass(frozen=True)
class Shard:
    """What the header of a spec, and of the part made from it, says.

    Attributes:
        name: File name stem of both, 16 hexadecimal digits.
        model: The model, one a shard.
        metrics: Requested metrics, of `columns.REQUESTABLE`, sorted.
        fingerprint: Fingerprint of the model's code when the spec was written.
        cells: Number of cells.
        families: Number of families.
        seconds: Estimated time on one core.
        bytes: Estimated peak memory.
    """

    name: str
    model: str
    metrics: tuple[str, ...]
    fingerprint: str
    cells: int
    families: int
    seconds: float
    bytes: int

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Shard:
        """The shard of `dataclasses.asdict`, metrics as a list, as JSON has it."""
        return cls(**(data | {"metrics": tuple(data["metrics"])}))  # type: ignore[arg-type]


def shard_name(
    model: str, metrics: Iterable[str], fingerprint: str, cell_ids: Sequence[str]
) -> str:
    """Name of the shard that asks for `metrics` of these cells: a hash, so equal asks are equal."""
    identity = [model, sorted(metrics), fingerprint, list(cell_ids)]
    text = json.dumps(identity, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def read_header(path: Path, kind: str) -> Shard:
    """Header of a spec or part.

    Args:
        path: The file.
        kind: ``"spec"`` or ``"part"``.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read at present; this says nothing of its content.
        DamagedError: It is truncated, not Parquet, or not a lindiff file of that kind.
        InputError: A newer version of lindiff wrote it.
    """
    with _content("truncated or not Parquet"):
        found = patiently(lambda: pq.read_metadata(local(path)), path)
    with _content("Parquet, but not written by lindiff"):
        header = _header(found, path)
        if header.pop("kind") != kind:
            raise DamagedError(f"not a {kind}")
        shard = Shard.from_dict(header)
    if shard.cells != found.num_rows:
        raise DamagedError(f"{found.num_rows} rows instead of {shard.cells}")
    return shard


def _header(found: pq.FileMetaData, path: Path) -> dict[str, Any]:
    """The header, checked against its own digest, without format and digests."""
    header: dict[str, Any] = json.loads(found.metadata[_HEADER])
    if header["format"] != 1:
        # First, so that a damaged number is not taken for a newer format: all formats have this.
        if header.pop("digest") != _digest(header):
            raise DamagedError("its header is damaged")
        if header["format"] > FORMAT:
            raise InputError(f"{path}: {newer(header['format'])}")
        del header["columns"]
    del header["format"]
    return header


def _digest(header: dict[str, Any]) -> str:
    return blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16).hexdigest()


def newer(number: int) -> str:
    """What is said of a file of a format that is to come."""
    return (
        f"written by a newer lindiff (format {number}, this one reads up to {FORMAT}); update "
        "lindiff or choose another results folder"
    )


def read_table(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Columns `names` (all by default) of a spec or part, checked against their digests.

    Raises:
        OSError: The file cannot be read at present; this says nothing of its content.
        DamagedError: The columns are not those that were written.
    """
    with _content("damaged data"):
        table, header = patiently(lambda: _read(path, names), path)
        known = json.loads(header).get("columns", {})
        for name in table.column_names:
            if known and digest(table[name]) != known[name]:
                raise DamagedError(f"damaged data (column {name} is not what was written)")
        return table.select(list(names)) if names is not None else table


def _read(path: Path, names: Sequence[str] | None) -> tuple[pa.Table, bytes]:
    with pq.ParquetFile(local(path), page_checksum_verification=True) as file:
        columns = None if names is None else list(names)
        return file.read(columns=columns), file.metadata.metadata[_HEADER]


def check_cells(shard: Shard, cells: pa.Table) -> None:
    """Check that cells are those that a header and a name promise.

    Args:
        shard: The header.
        cells: All rows of its file, with at least ``cell_id``; where they have their settings, ids
            are computed anew from them.

    Raises:
        DamagedError: They are not.
    """
    ids = cells["cell_id"]
    name = shard_name(shard.model, shard.metrics, shard.fingerprint, ids.to_pylist())
    if name != shard.name:
        raise DamagedError(f"its cells are not those of {shard.name}")
    if "model" in cells.column_names:
        with _content("its settings are no cells"):
            own = cell_ids(cells)
        if not own.equals(ids.combine_chunks()):
            raise DamagedError("its settings are not those of its ids")


def write_spec(path: Path, shard: Shard, cells: pa.Table) -> None:
    """Write a spec; `cells` in `columns.cell_schema`, sorted by family, then cell."""
    _write(path, "spec", shard, cells.cast(columns.cell_schema()))


def write_part(path: Path, shard: Shard, table: pa.Table) -> None:
    """Write a part; the same shard and table give the same bytes."""
    schema = columns.part_schema(shard.metrics)
    _write(path, "part", shard, table.select(schema.names).cast(schema))


def _write(path: Path, kind: str, shard: Shard, table: pa.Table) -> None:
    header = {"format": FORMAT, "kind": kind, **asdict(shard), "columns": digests(table)}
    header["digest"] = _digest(json.loads(json.dumps(header)))
    write_table(table, path, {_HEADER: json.dumps(header, sort_keys=True).encode()})


class Store:
    """The files of one store.

    Attributes:
        root: ``results/store``.
        specs: Folder of the specs.
        parts: Folder of the parts.
        progress: Folder of the progress files.
        checkpoints: Folder of the running shards' checkpoints, a folder each.
        data: Folder of the matrices of users that cells name, by their hash.
        damaged: Folder of the damaged parts that were moved aside.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.specs = self.root / "specs"
        self.parts = self.root / "parts"
        self.progress = self.root / "progress"
        self.checkpoints = self.root / "checkpoints"
        self.data = self.root / "data"
        self.damaged = self.root / "damaged"

    def spec(self, name: str) -> Path:
        """Path of the spec of a shard."""
        return self.specs / f"{name}.parquet"

    def part(self, name: str) -> Path:
        """Path of the part of a shard."""
        return self.parts / f"{name}.parquet"

    def progress_file(self, name: str) -> Path:
        """Path of the progress file of a shard."""
        return self.progress / f"{name}.json"

    def matrix_file(self, name: str) -> Path:
        """Path of the matrix of a user's data set, ``FILENAME@HASH``."""
        return self.data / f"{datasets.identity(name)}.npy"

    def has_matrix(self, name: str) -> bool:
        """Whether the matrix of a user's data set is there, and is what its name says."""
        path = self.matrix_file(name)
        return patiently(lambda: datasets.stored(path, name), path) is not None

    def write_matrix(self, name: str) -> None:
        """Write the matrix of a user's data set, unless it is there: its name is its content."""
        path = self.matrix_file(name)
        if not self.has_matrix(name):
            self.data.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path)
            write_array(datasets.matrix(name), path)

    def read_progress(self, name: str) -> Progress | None:
        """The last report on a shard."""
        return read_progress(self.progress_file(name))

    def family_seconds(self, shard: Shard) -> list[float]:
        """Measured seconds of each family of a finished shard; none where they are not known."""
        report = self.read_progress(shard.name)
        known = report is not None and len(report.family_seconds) == shard.families
        return list(report.family_seconds) if report and known else []

    def times(self, shards: Iterable[Shard]) -> tuple[float, float]:
        """Estimated and measured seconds, in all, of the finished shards whose times are known."""
        pairs = [(s.seconds, sum(found)) for s in shards if (found := self.family_seconds(s))]
        return sum(one for one, _ in pairs), sum(other for _, other in pairs)

    def check(self) -> None:
        """Refuse a store that a newer lindiff wrote.

        Raises:
            InputError: The format number in ``FORMAT`` is newer, or not a number.
        """
        path = self.root / "FORMAT"
        try:
            text = patiently(path.read_bytes, path).decode(errors="replace").strip()
        except FileNotFoundError:
            return
        if not (text.isascii() and text.isdecimal()):
            raise InputError(
                f"{path}: {text[:40]!r} is not a format number; if {self.root} is a store of "
                "lindiff, remove this one file, and it is written anew"
            )
        if int(text) > FORMAT:
            raise InputError(
                f"{path}: says that this store was {newer(int(text))}; if none ever wrote here, "
                "the file is damaged: remove it, and it is written anew"
            )

    def create(self) -> None:
        """Make the folders where they are missing, and say which format is written from now on.

        What older formats left stays as it is, and an older lindiff leaves the newer files alone.
        """
        for folder in (self.specs, self.parts, self.progress):
            folder.mkdir(parents=True, exist_ok=True)
        path, text = self.root / "FORMAT", f"{FORMAT}\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(text, path)

    def find_parts(
        self, names: Iterable[str] | None = None
    ) -> tuple[dict[str, Shard], dict[str, str]]:
        """Finished parts, and what is wrong with damaged ones, by name.

        Args:
            names: Look at these only, and leave out missing ones; by default at all.

        Raises:
            InputError: A newer lindiff wrote one of them.
            OSError: One cannot be read at present.
        """
        return self._find(self.parts, "part", names)

    def find_specs(self, names: Iterable[str] | None = None) -> dict[str, Shard]:
        """Specs by name; damaged ones are left out, as if they were missing."""
        return self._find(self.specs, "spec", names)[0]

    def _find(
        self, folder: Path, kind: str, names: Iterable[str] | None
    ) -> tuple[dict[str, Shard], dict[str, str]]:
        if names is None:
            names = names_in(folder, ".parquet")
        found: dict[str, Shard] = {}
        damaged: dict[str, str] = {}
        for name in names:
            try:
                shard = read_header(folder / f"{name}.parquet", kind)
            except FileNotFoundError:
                continue
            except DamagedError as error:
                damaged[name] = str(error)
                continue
            if shard.name != name:
                damaged[name] = f"holds {kind} {shard.name}"
            elif set(shard.metrics) <= set(columns.REQUESTABLE):
                found[name] = shard
        return found, damaged

    def quarantine(self, source: Path, reason: str) -> None:
        """Move a damaged spec or part aside to ``damaged/`` and say so on stderr."""
        self.damaged.mkdir(parents=True, exist_ok=True)
        target = free_name(self.damaged / source.name)
        os.replace(source, target)
        print(f"{source}: {reason}; moved to {target}, its cells run again", file=sys.stderr)

    def drop_spec(self, name: str) -> None:
        """Remove the spec of a shard that never ran and is not wanted any more."""
        self.spec(name).unlink(missing_ok=True)
        self.progress_file(name).unlink(missing_ok=True)
