"""NumPy's files, ``.npy`` and ``.npz``: an array of real numbers, or the reason why not.

Nothing is unpickled. The header is held against the size of the file before any memory is asked
for. Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lindiff.config.inputfile import check_memory, size_of
from lindiff.config.spelling import IN_YAML, Spelling
from lindiff.config.words import cut, few, suggestion

_ANOTHER = "of another format, or a bare pickle, which is never opened"
_PIECE = 2**24
# Of NumPy's arrays.
_MOST_AXES = 64
# What makes real numbers of what is none, by the kind of its dtype.
_CONVERSION = {
    "O": "np.array(x.tolist(), dtype=float)",
    "V": "numpy.lib.recfunctions.structured_to_unstructured(x)",
    "c": "np.concatenate([x.real, x.imag], axis=-1)",
    "U": "x.astype(float)",
    "S": "x.astype(float)",
}


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a ``.npy`` file, of real numbers, not empty.

    Raises:
        ValueError: It is missing, of another format or damaged, or has no such array.
    """
    size = size_of(path)
    with path.open("rb") as file:
        return _array(file, size, size, path)


@dataclass(frozen=True)
class Header:
    """What is said before the numbers of a ``.npy`` file.

    Attributes:
        shape: Shape of the array.
        by_columns: Whether the first axis is the fastest (Fortran order), not the last.
        dtype: Any real dtype.
        offset: Bytes before the numbers.
    """

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]
    offset: int


def read_header(path: Path) -> Header:
    """The header of a ``.npy`` file of real numbers, not empty, that has the size it should.

    Raises:
        ValueError: As for `read_npy`.
    """
    size = size_of(path)
    with path.open("rb") as file:
        return Header(*_checked_header(file, size, path), file.tell())


def read_npz(path: Path, array: str | None = None, spelling: Spelling = IN_YAML) -> NDArray[Any]:
    """An array of a ``.npz`` file, of real numbers, not empty.

    Args:
        path: The file.
        array: Which array; not needed where there is one.
        spelling: How the user writes which, for messages.

    Raises:
        ValueError: As for `read_npy`; or the array is not there, or one of several.
    """
    size = size_of(path)
    with path.open("rb") as content, _archive(content, path) as archive:
        members = {
            member.filename.removesuffix(".npy"): member
            for member in archive.infolist()
            if member.filename.endswith(".npy")
        }
        member = members[only(list(members), array, path, spelling)]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{path} is compressed in a way that NumPy does not write")
        with _member(archive, member, path) as file:
            return _array(file, member.file_size, min(member.compress_size, size), path)


# Whatever a parser raises on a file's content, the file is wrong; only its reading may fail too.
def _archive(content: BufferedIOBase, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(content)
    except OSError:
        raise
    except Exception:
        raise ValueError(f"{path} is no .npz file ({_ANOTHER})") from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> BufferedIOBase:
    try:
        return cast(BufferedIOBase, archive.open(member))
    except OSError:
        raise
    except Exception as error:
        raise ValueError(_damaged(path, error)) from None


def only(names: Sequence[str], array: str | None, path: Path, spelling: Spelling) -> str:
    """The array of a file that is meant: `array`, or the only one.

    Raises:
        ValueError: It is not there, there are several, or none.
    """
    if array is not None and array in names:
        return array
    if not names:
        raise ValueError(f"{path} has no arrays")
    if array is not None:
        near = suggestion(array, names)
        raise ValueError(f"{path} has no array {array!r}; there are: {few(names)}{near}")
    if len(names) > 1:
        form = spelling.array(path.name, names[0])
        raise ValueError(f"{path} has {len(names)} arrays: {few(names)}; write which, {form}")
    return names[0]


def _array(file: BufferedIOBase, size: int, stored: int, path: Path) -> NDArray[Any]:
    """The array that starts in an open file.

    Args:
        file: Open at the first byte.
        size: Bytes from there to its end.
        stored: Bytes that these take on the disk.
        path: For messages.
    """
    shape, by_columns, dtype = _checked_header(file, size, path)
    needed = math.prod(shape) * dtype.itemsize
    check_memory(path, shape, stored)
    content = np.empty(needed, np.uint8)
    try:
        whole = _fill(content.data, file) and not file.read(1)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(_damaged(path, error)) from None
    if not whole:
        raise ValueError(f"{path} is damaged: it ends early")
    return content.view(dtype).reshape(shape, order="F" if by_columns else "C")


def _checked_header(
    file: BufferedIOBase, size: int, path: Path
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype; the numbers follow in the file.

    Args:
        file: Open at the first byte.
        size: Bytes from there to its end.
        path: For messages.
    """
    try:
        shape, by_columns, dtype = _header(file)
    except OSError:
        raise
    except _NoNpyError:
        raise ValueError(f"{path} is no .npy file ({_ANOTHER})") from None
    except Exception as error:
        raise ValueError(_damaged(path, error)) from None
    check_real(path, dtype)
    follow, needed = size - file.tell(), math.prod(shape) * dtype.itemsize
    if min(shape, default=1) < 0 or len(shape) > _MOST_AXES or needed != follow:
        what = "has more than one array, or is" if 0 <= needed < follow else "is"
        raise ValueError(
            f"{path} {what} damaged (its header says {cut(str(shape), 60)} of {dtype}; {follow:,} "
            "bytes follow)"
        )
    if not needed:
        raise ValueError(f"{path} is empty: an array of shape {shape}")
    return shape, by_columns, dtype


def _fill(content: memoryview, file: BufferedIOBase) -> bool:
    """Read until `content` is full; by pieces, of which an archive makes copies."""
    at = 0
    while at < len(content) and (count := file.readinto(content[at : at + _PIECE])):
        at += count
    return at == len(content)


def check_real(path: Path, dtype: np.dtype[Any]) -> None:
    """Refuse what are no real numbers.

    Raises:
        ValueError: They are not; the message says what makes numbers of them.
    """
    if dtype.kind in "biuf" and not dtype.hasobject:
        return
    kind = "O" if dtype.hasobject else dtype.kind
    text = f"must hold real numbers, not {cut(str(dtype), 60)}"
    if kind == "O":
        text = "holds Python objects, which are never unpickled"
    mend = f"; save np.save(file, {_CONVERSION[kind]})" if kind in _CONVERSION else ""
    raise ValueError(f"{path} {text}{mend}")


class _NoNpyError(Exception):
    """The file does not start as NumPy's files do."""


def _header(file: BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise _NoNpyError from None
    # Version 3 differs from 2 in the encoding of the names of fields, which numbers do not have.
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    with warnings.catch_warnings():
        # Of headers that Python 2 wrote.
        warnings.simplefilter("ignore")
        shape, by_columns, dtype = read(file)
    return shape, by_columns, dtype


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is damaged ({cut(' '.join(str(error).split()), 200)})"
