"""A matrix of the user: ``.npy``, ``.npz`` or ``.parquet``, one row a sample.

Nothing is unpickled. Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff.config.words import suggestion
from lindiff.files import local

FORMATS = (".npy", ".npz", ".parquet")
_NUMBERS = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
)  # fmt: skip
_UNPICKLED = "holds Python objects, which are never unpickled"
_ANOTHER = "of another format, or a bare pickle, which is never opened"


def read_matrix(path: Path, array: str | None = None) -> NDArray[np.float64]:
    """The matrix in a file.

    Args:
        path: The file; its ending says what it is.
        array: Which array of an ``.npz``; not needed where there is one.

    Returns:
        The values, shape (rows, columns), finite.

    Raises:
        ValueError: The file is missing, empty, of another format or damaged, or holds anything but
            one matrix of finite real numbers.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"{path} must end in one of {', '.join(FORMATS)}")
    if array is not None and path.suffix != ".npz":
        raise ValueError(f"array is for .npz files only, not {path}")
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder")
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty")
        if path.suffix == ".parquet":
            return _checked(_parquet(path), path)
        return _checked(_npy(path) if path.suffix == ".npy" else _npz(path, array), path)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None


def _npy(path: Path) -> NDArray[np.generic]:
    with path.open("rb") as file:
        if not file.read(6).startswith(b"\x93NUMPY"):
            raise ValueError(f"{path} is no .npy file ({_ANOTHER})")
    try:
        # Mapped, so that a header that promises more than the file has asks for no memory.
        found: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(_broken(path, error)) from None
    return found


def _npz(path: Path, array: str | None) -> NDArray[np.generic]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is no .npz file ({_ANOTHER})")
    with np.load(path, allow_pickle=False) as archive:
        name = _only(archive.files, array, path)
        try:
            found: NDArray[np.generic] = archive[name]
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError) as error:
            raise ValueError(_broken(path, error)) from None
    return found


def _only(names: list[str], array: str | None, path: Path) -> str:
    """The array that is meant."""
    if array in names:
        return array
    if not names:
        raise ValueError(f"{path} has no arrays")
    listed = ", ".join(names)
    if array is not None:
        near = suggestion(array, names)
        raise ValueError(f"{path} has no array {array!r}; there are: {listed}{near}")
    if len(names) > 1:
        form = f"{{file: {path.name}, array: {names[0]}}}"
        raise ValueError(f"{path} has {len(names)} arrays: {listed}; write which, as in {form}")
    return names[0]


def _broken(path: Path, error: Exception) -> str:
    # NumPy's own word for an array of objects that it may not unpickle.
    if "object" in str(error).lower():
        return f"{path} {_UNPICKLED}"
    return f"{path} is damaged ({error})"


def _parquet(path: Path) -> NDArray[np.generic]:
    try:
        # Not `read_table`, which makes columns of folders that are called a=1.
        with pq.ParquetFile(local(path)) as file:
            table = file.read()
    except pa.ArrowException as error:
        raise ValueError(f"{path} is damaged, or no Parquet file ({error})") from None
    table = table.drop_columns(
        [name for name in _index(table.schema) if name in table.column_names]
    )
    for field, column in zip(table.schema, table.columns, strict=True):
        if not any(is_type(field.type) for is_type in _NUMBERS):
            raise ValueError(f"{path}: the column {field.name!r} is {field.type}, not a number")
        if column.null_count:
            raise ValueError(f"{path}: the column {field.name!r} has empty values")
    columns = [column.cast(pa.float64(), safe=False).to_numpy() for column in table.columns]
    return np.stack(columns, axis=1) if columns else np.empty((table.num_rows, 0))


def _index(schema: pa.Schema) -> list[str]:
    """Columns that the file itself says are the index of a pandas DataFrame: no features."""
    try:
        found = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return []
    # A range that needs no column stands there as a mapping.
    return [name for name in found if isinstance(name, str)]


def _checked(values: NDArray[np.generic], path: Path) -> NDArray[np.float64]:
    if values.dtype.hasobject:
        raise ValueError(f"{path} {_UNPICKLED}")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold real numbers, not {values.dtype}")
    if values.ndim != 2:
        raise ValueError(
            f"{path} must hold a matrix (rows, columns), not an array of shape {values.shape}"
        )
    if not values.size:
        raise ValueError(f"{path} is empty: a matrix of shape {values.shape}")
    with np.errstate(over="ignore"):
        matrix = np.array(values, dtype=np.float64, order="C")
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        row, column = bad[0].tolist()
        raise ValueError(
            f"{path}: {len(bad):,} of its values are NaN or infinite; the first is "
            f"{matrix[row, column]} in row {row + 1}, column {column + 1}"
        )
    return matrix
