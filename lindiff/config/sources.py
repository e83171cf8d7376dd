"""The rows of any data file of the user, block by block, in bounded memory.

Arrays are read as they are asked for, where they lie: ``.npy``, HDF5, safetensors, and a folder of
pictures. Tables, ``.csv``, ``.tsv`` and ``.parquet``, and the packed ``.npz`` are read into memory
at first. What holds of numbers in `datafile` holds here too, and nothing is unpickled. Every check
raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from lindiff.config.conversion import conversion
from lindiff.config.csvfile import read_csv
from lindiff.config.hdf5file import open_hdf5
from lindiff.config.imagefolder import ENDINGS, open_images
from lindiff.config.inputfile import size_of
from lindiff.config.npyfile import read_npz
from lindiff.config.npymap import map_npy
from lindiff.config.numbers import (
    Array,
    as_float,
    as_numbers,
    check_finite_rows,
    check_matrix,
    check_numbers,
    left_out,
    made_rows,
)
from lindiff.config.parquetfile import read_parquet
from lindiff.config.roles import pointed_out
from lindiff.config.rows import Rows, in_memory
from lindiff.config.safetensorsfile import open_safetensors
from lindiff.config.spelling import AS_OPTIONS, Name, Spelling
from lindiff.config.standardize import Scaling, scaling
from lindiff.config.table import joined
from lindiff.config.words import few
from lindiff.config.yamlfile import shown

Numbers = NDArray[np.int64]
TABLES = (".csv", ".tsv", ".parquet")
# Several arrays may be in the last ones.
ARCHIVES = (".npz", ".h5", ".hdf5", ".safetensors")
FORMATS = (*TABLES, ".npy", *ARCHIVES)
# Bytes of a block as float64, and of all rows that are looked at for what is no feature.
_BLOCK, _SEEN = 2**25, 2**27
# Rows that are looked at where there are more than that, and those that are too few for it: by
# chance any column rises in three rows.
_SPREAD, _FEWEST = 10_000, 50


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of numbers in a file.

    Attributes:
        path: The file, or the folder of pictures.
        rows: How many rows there are.
        columns: Numbers in each, of the columns that were kept.
        names: What each column is called: its name in a table, its number from 1 in an array.
        notes: What the user should know of how it is read, and of columns that may be no features;
            one sentence each.
        picture: The shape of a row that is a picture, height × width or height × width × colours;
            None for other data, and where columns were left out.
    """

    path: Path
    rows: int
    columns: int
    names: tuple[Name, ...]
    notes: tuple[str, ...]
    picture: tuple[int, ...] | None
    _content: Rows = field(repr=False)
    _kept: NDArray[np.intp] | None = field(default=None, repr=False)
    _scaling: Scaling | None = field(default=None, repr=False)
    _spelling: Spelling = field(default=AS_OPTIONS, repr=False)

    def blocks(self) -> Iterator[Float64[Array, "block columns"]]:
        """All rows in order, C-contiguous, at most 32 MiB at a time, or one row that has more.

        Raises:
            ValueError: A value is not finite, or a whole number that float64 does not hold; or the
                file is damaged, or was changed since.
        """
        for start in range(0, self.rows, self._step):
            stop = min(start + self._step, self.rows)
            yield self._as_float(self._raw(start, stop), range(start, stop))

    def take(self, rows: Int64[Numbers, " rows"]) -> Float64[Array, "rows columns"]:
        """Some rows, counted from 0, ascending.

        Raises:
            ValueError: As for `blocks`; or `rows` do not ascend, or are not in the file.
        """
        steps = np.diff(rows)
        if len(rows) and (rows[0] < 0 or rows[-1] >= self.rows or (steps < 0).any()):
            raise ValueError(f"rows must ascend and be from 0 to {self.rows - 1:,}")
        # Rows that lie near each other in one block are read together.
        near = steps <= self._content.gap
        near &= np.diff(rows // self._step) == 0
        runs = np.split(rows, np.flatnonzero(~near) + 1) if len(rows) else []
        found = [self._raw(int(run[0]), int(run[-1]) + 1)[run - run[0]] for run in runs]
        return self._as_float(np.concatenate([np.empty((0, self.columns), bool), *found]), rows)

    @property
    def _step(self) -> int:
        """Rows of a block."""
        return max(1, _BLOCK // (8 * self._content.columns))

    def _raw(self, start: int, stop: int) -> NDArray[Any]:
        with _told(self.path):
            values = self._content.read(start, stop)
        return values if self._kept is None else values[:, self._kept]

    def _as_float(self, values: NDArray[Any], rows: range | Numbers) -> Array:
        matrix = as_float(self.path, values, self.names, rows, self._spelling)
        check_finite_rows(self.path, matrix, self.names, rows, self._spelling)
        return matrix if self._scaling is None else self._scaling(matrix)


def open_source(
    path: Path,
    *,
    array: str | None = None,
    columns: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    standardize: bool = False,
    spelling: Spelling = AS_OPTIONS,
) -> Source:
    """The rows of a data file.

    Args:
        path: The file, whose ending says what it is, or a folder of pictures.
        array: Which array of an ``.npz``, HDF5 or safetensors file; not needed where there is one.
        columns: The columns to keep, if not all; they stay in the order of the file. By name from a
            table; by number, from 1, from an array and from a text file without names (there the
            text of a number will do).
        drop: Columns to leave out, likewise; not together with `columns`.
        standardize: Whether to divide each column by its standard deviation over all rows (1/M):
            two passes over the file.
        spelling: How messages say what to write.

    Raises:
        ValueError: The file is missing, of another format or damaged, has no such array or column,
            or holds anything but rows of real numbers. What is wrong with single values of a large
            file is said when they are read.
    """
    if columns and drop:
        raise ValueError("columns to keep and columns to drop cannot both be given")
    with _told(path):
        source, categories = _opened(path, array, columns, drop, spelling)
    if not source.columns:
        raise ValueError(f"{path} has no columns, or none is left")
    if not source.rows:
        raise ValueError(f"{path} is empty: a matrix of shape {(source.rows, source.columns)}")
    notes = [*source.notes, *_looked_at(source, categories)]
    if standardize:
        source = replace(source, _scaling=scaling(source.blocks))
        notes.append("each column was divided by its standard deviation over all rows")
    return replace(source, notes=tuple(notes))


def _opened(
    path: Path, array: str | None, columns: Sequence[Name], drop: Sequence[Name], spelling: Spelling
) -> tuple[Source, frozenset[Name]]:
    """The rows as they are, and which columns are categories."""
    ending = "" if path.is_dir() else path.suffix.lower()
    if array is not None and ending not in ARCHIVES:
        raise ValueError(f"array is for {', '.join(ARCHIVES)} files only, not {path}")
    if ending in TABLES:
        return _of_table(path, columns, drop, spelling)
    return _of_array(path, array, columns, drop, spelling), frozenset()


def _of_table(
    path: Path, columns: Sequence[Name], drop: Sequence[Name], spelling: Spelling
) -> tuple[Source, frozenset[Name]]:
    if path.suffix.lower() == ".parquet":
        named, dropped = [str(name) for name in columns], [str(name) for name in drop]
        fields, index = read_parquet(path, dropped, named, spelling)
        notes = [left_out("the index that pandas saved", index)] if index else []
    else:
        fields, notes = read_csv(path, drop, columns, spelling)
    table = joined(path, fields, spelling)
    names, told = tuple(table.names), (*notes, *_picked(columns, drop), *table.notes)
    rows = in_memory(table.values)
    source = Source(path, rows.shape[0], rows.columns, names, told, None, rows, _spelling=spelling)
    return source, table.categories


def _of_array(
    path: Path, array: str | None, columns: Sequence[Name], drop: Sequence[Name], spelling: Spelling
) -> Source:
    rows, notes = _array(path, array, spelling)
    columns, drop = as_numbers(columns), as_numbers(drop)
    check_numbers(path, columns, rows.columns, "keep")
    check_numbers(path, drop, rows.columns, "drop")
    notes = [*made_rows(rows.shape, rows.columns), *notes, *_picked(columns, drop)]
    numbers = np.arange(1, rows.columns + 1)
    kept = np.flatnonzero(np.isin(numbers, columns) if columns else ~np.isin(numbers, drop))
    names = tuple((kept + 1).tolist())
    whole = len(kept) == rows.columns
    picture = rows.shape[1:] if whole and len(rows.shape) in (3, 4) else None
    if len(rows.shape) in (3, 4) and not whole:
        notes.append("rows without some of their pixels are no pictures")
    picked = None if whole else kept
    count, told = rows.shape[0], tuple(notes)
    return Source(path, count, len(kept), names, told, picture, rows, picked, _spelling=spelling)


def _array(path: Path, array: str | None, spelling: Spelling) -> tuple[Rows, list[str]]:
    """Rows of any shape, and notes on how they were read."""
    if path.is_dir():
        return open_images(path)
    size_of(path)
    match path.suffix.lower():
        case ".npy":
            return map_npy(path), []
        case ".npz":
            values = read_npz(path, array, spelling)
            check_matrix(path, values.shape)
            return in_memory(values), []
        case ".h5" | ".hdf5":
            return open_hdf5(path, array, spelling), []
        case ".safetensors":
            return open_safetensors(path, array, spelling), []
        case ending if ending in ENDINGS:
            raise ValueError(f"{path} is one picture; name the folder that it is in")
    raise ValueError(
        f"{path} must end in one of {', '.join(FORMATS)}, or be a folder of pictures"
        f"{conversion(path)}"
    )


def _picked(columns: Sequence[Name], drop: Sequence[Name]) -> list[str]:
    """The note on columns that the user picked."""
    if columns:
        return [f"read only the columns {few([shown(name) for name in columns])}"]
    return [left_out("drop", drop)] if drop else []


def _looked_at(source: Source, categories: frozenset[Name]) -> list[str]:
    """What is to be known of columns that may be no features; a picture has none of these."""
    if source.picture is not None:
        return []
    rows, most = np.arange(source.rows, dtype=np.int64), max(1, _SEEN // (8 * source.columns))
    if source.rows <= most:
        return pointed_out(source.take(rows), source.names, categories, source._spelling)
    if most < _FEWEST:
        return ["labels and indices were not looked for, as there are so many columns"]
    rows = rows[:: -(-source.rows // min(most, _SPREAD))]
    return [
        *pointed_out(source.take(rows), source.names, categories, source._spelling),
        f"labels and indices were looked for in {len(rows):,} of {source.rows:,} rows only",
    ]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the machine says of a file, as what is said to the user."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise ValueError(f"{path} needs more memory than there is") from None
