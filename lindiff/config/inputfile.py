"""A file that the user names, looked at before it is opened: what it is, and what it would take.

Every check raises a ValueError whose text is the end of a message.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

from lindiff.progress import machine_memory

# A small file can ask for any memory. Above this size as float64, data are read only from a file
# that is no less than 1/500 of them: so far real measurements do not compress.
_SURE = 2**28
_DENSEST = 500


def size_of(path: Path) -> int:
    """Bytes of a file that can be read to its end.

    Raises:
        ValueError: There is none, it is empty, or it is a folder, a pipe or a device, which may
            never end.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is not a regular file (it is a pipe, a socket or a device)")
    if not found.st_size:
        raise ValueError(f"{path} is empty")
    return found.st_size


def check_memory(path: Path, shape: tuple[int, ...], size: int) -> None:
    """Refuse numbers that no memory holds, or that a file of `size` bytes can hardly mean.

    Args:
        path: The file, for the message.
        shape: Shape of the numbers in it.
        size: Its bytes, or those of the part of it that has the numbers.

    Raises:
        ValueError: As float64 they take more than this machine's memory, or much more than the
            file.
    """
    needed, memory = 8 * math.prod(shape), machine_memory()
    if needed > memory:
        raise ValueError(
            f"{_said(path, shape)}, more than the memory of this machine, {memory / 1e9:,.3g} GB"
        )
    check_dense(path, shape, size)


def check_dense(path: Path, shape: tuple[int, ...], size: int) -> None:
    """Refuse numbers that a file of `size` bytes can hardly mean; arguments as for `check_memory`.

    Raises:
        ValueError: As float64 they take much more than the file.
    """
    if 8 * math.prod(shape) > max(_SURE, _DENSEST * size):
        raise ValueError(
            f"{_said(path, shape)}, from {size:,} bytes: not read; if they are meant, save them "
            "uncompressed (np.save)"
        )


def _said(path: Path, shape: tuple[int, ...]) -> str:
    size = 8 * math.prod(shape) / 1e9
    return f"{path} holds {'×'.join(map(str, shape))} numbers, {size:,.3g} GB as float64"
