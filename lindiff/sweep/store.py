"""The store ``results/store``: immutable specs and the parts made from them.

A *spec* lists the cells of a shard and the metrics wanted; a *part* is what running it left. Both
are Parquet files with the same name, a hash of what is asked, and both say in their header
(`Shard`) what they hold, so that the store can be read without any other file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import columns
from lindiff.errors import InputError
from lindiff.files import local, remove_leftovers, write_array, write_table, write_text
from lindiff.progress import Progress, read_progress
from lindiff.science import datasets

FORMAT = 1
_HEADER = b"lindiff"


class DamagedError(Exception):
    """A file of the store is truncated, foreign or not Parquet; ``str(error)`` says which."""


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
        DamagedError: It is truncated, not Parquet, or not a lindiff file of that kind.
        InputError: A newer version of lindiff wrote it.
    """
    try:
        found = pq.read_metadata(local(path))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"truncated or not Parquet ({error})") from None
    try:
        header = json.loads(found.metadata[_HEADER])
        _check_format(header.pop("format"), path)
        if header.pop("kind") != kind:
            raise DamagedError(f"not a {kind}")
        shard = Shard.from_dict(header)
    except (KeyError, TypeError, ValueError):
        raise DamagedError("Parquet, but not written by lindiff") from None
    if shard.cells != found.num_rows:
        raise DamagedError(f"{found.num_rows} rows instead of {shard.cells}")
    return shard


def _check_format(number: int, path: Path) -> None:
    if number > FORMAT:
        raise InputError(
            f"{path}: written by a newer lindiff (format {number}, this one reads up to {FORMAT}); "
            "update lindiff or choose another results folder"
        )


def read_table(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Columns `names` (all by default) of a spec or part, checksums verified.

    Raises:
        DamagedError: The file cannot be read to its end.
    """
    try:
        with pq.ParquetFile(local(path), page_checksum_verification=True) as file:
            return file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"damaged data ({error})") from None


def write_spec(path: Path, shard: Shard, cells: pa.Table) -> None:
    """Write a spec; `cells` in `columns.cell_schema`, sorted by family, then cell."""
    _write(path, "spec", shard, cells.cast(columns.cell_schema()))


def write_part(path: Path, shard: Shard, table: pa.Table) -> None:
    """Write a part; the same shard and table give the same bytes."""
    schema = columns.part_schema(shard.metrics)
    _write(path, "part", shard, table.select(schema.names).cast(schema))


def _write(path: Path, kind: str, shard: Shard, table: pa.Table) -> None:
    header = {"format": FORMAT, "kind": kind, **asdict(shard)}
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

    def write_matrix(self, name: str) -> None:
        """Write the matrix of a user's data set, unless it is there: its name is its content."""
        path = self.matrix_file(name)
        if not path.exists():
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
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8").strip()
        if not text.isdecimal():
            raise InputError(f"{path}: {text!r} is not a format number; not a store of lindiff?")
        _check_format(int(text), path)

    def create(self) -> None:
        """Make the folders and the ``FORMAT`` file where they are missing."""
        for folder in (self.specs, self.parts, self.progress):
            folder.mkdir(parents=True, exist_ok=True)
        if not (self.root / "FORMAT").exists():
            write_text(f"{FORMAT}\n", self.root / "FORMAT")

    def find_parts(
        self, names: Iterable[str] | None = None
    ) -> tuple[dict[str, Shard], dict[str, str]]:
        """Finished parts, and what is wrong with damaged ones, by name.

        Args:
            names: Look at these only, and leave out missing ones; by default at all.

        Raises:
            InputError: A newer lindiff wrote one of them.
        """
        return self._find(self.parts, "part", names)

    def find_specs(self, names: Iterable[str] | None = None) -> dict[str, Shard]:
        """Specs by name; damaged ones are left out, as if they were missing."""
        return self._find(self.specs, "spec", names)[0]

    def _find(
        self, folder: Path, kind: str, names: Iterable[str] | None
    ) -> tuple[dict[str, Shard], dict[str, str]]:
        if names is None:
            names = sorted(path.stem for path in folder.glob("[!.]*.parquet"))
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
            if shard.name == name:
                found[name] = shard
            else:
                damaged[name] = f"holds {kind} {shard.name}"
        return found, damaged

    def quarantine(self, name: str, reason: str) -> None:
        """Move a damaged part aside to ``damaged/`` and say so on stderr."""
        self.damaged.mkdir(parents=True, exist_ok=True)
        source = self.part(name)
        target = self.damaged / source.name
        count = 1
        while target.exists():
            target = self.damaged / f"{name}-{count}.parquet"
            count += 1
        os.replace(source, target)
        print(f"{source}: {reason}; moved to {target}, its cells run again", file=sys.stderr)

    def drop_spec(self, name: str) -> None:
        """Remove the spec of a shard that never ran and is not wanted any more."""
        self.spec(name).unlink(missing_ok=True)
        self.progress_file(name).unlink(missing_ok=True)
