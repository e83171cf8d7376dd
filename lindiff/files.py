"""Whole files or none, patient reading, and kernel locks: what the store is built on.

A file is written under a temporary name in its folder, flushed to the disk and renamed, so that a
name that exists is whole, whatever was killed when. Locks are `flock` locks: the kernel frees them
when their process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lindiff.errors import InputError

# Rows that are encoded, and read back, at a time: a million at once take as much as the table.
ROW_GROUP = 2**16

T = TypeVar("T")

# Errors of a file system that may pass, and how long to wait for that, in seconds.
_PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EREMOTEIO}
PAUSES = (0.1, 0.5, 2.0)


def patiently(read: Callable[[], T], path: Path) -> T:
    """What `read` returns, tried again where the file system fails for a moment.

    Args:
        read: Reads the file, as often as it is called.
        path: The file.

    Raises:
        OSError: Reading failed for a reason of the system, to the last: it has a number and names
            the file, and it says nothing of the file's content. Without a number, it is Arrow's
            word on the content, passed on as it is.
    """
    for pause in (*PAUSES, None):
        try:
            return read()
        except OSError as error:
            if error.errno is None:
                raise
            if error.errno not in _PASSING or pause is None:
                raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def names_in(folder: Path, suffix: str) -> list[str]:
    """The stems of the files ``STEM + suffix`` of a folder, sorted; none where there is no folder.

    Not by `Path.glob`, which takes a folder that may not be read for an empty one.
    """
    try:
        found = patiently(lambda: os.listdir(folder), folder)
    except FileNotFoundError:
        return []
    return sorted(n.removesuffix(suffix) for n in found if n.endswith(suffix) and n[0] != ".")


def free_name(path: Path) -> Path:
    """`path`, or where it is taken the first of ``STEM-1``, ``STEM-2``, … that is not."""
    free, count = path, 1
    while free.exists():
        free = path.with_name(f"{path.stem}-{count}{path.suffix}")
        count += 1
    return free


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(text: str, path: Path) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_array(values: NDArray[Any], path: Path) -> None:
    """Write a ``.npy`` file atomically."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def local(path: Path) -> str:
    """A path as Arrow takes it: absolute, so that a colon in its name is no scheme of a URI."""
    return os.path.abspath(path)


def write_table(table: pa.Table, path: Path, metadata: dict[bytes, bytes]) -> None:
    """Write a Parquet file atomically; the same table and metadata give the same bytes."""
    # Chunks left by concatenation would show in the pages of the file.
    table = table.unify_dictionaries().combine_chunks().replace_schema_metadata(metadata)
    # In memory first: Arrow writes in small pieces, and its errors name no file.
    with pa.BufferOutputStream() as sink:
        pq.write_table(
            table, sink, compression="zstd", write_page_checksum=True, row_group_size=ROW_GROUP
        )
        content = sink.getvalue()
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(content)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of `path` left; only under its lock."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def lock_run(root: Path) -> int:
    """Take the lock that keeps a second workflow out of the store `root`.

    Returns:
        The open file descriptor that holds the lock until the process ends.

    Raises:
        InputError: Another run holds it; the message names it.
    """
    path = root / "lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(
            f"{root}: a run writes here, and that is not possible ({error.strerror}); make it "
            "writable, or name another results folder"
        ) from None
    if not _flock(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB):
        holder = os.read(descriptor, 1000).decode(errors="replace").strip() or "unknown process"
        os.close(descriptor)
        raise InputError(
            f"{root}: another run is at work on this store ({holder}); "
            "wait until it ends, or give this one its own results folder"
        )
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}, {started}\n".encode())
    return descriptor


@contextmanager
def lock_shard(spec: Path) -> Iterator[None]:
    """Hold the lock of a shard: a lock on its spec, which needs no file of its own.

    After a kill the shard's orphaned process may still run; the next one waits here, then finds the
    finished part.
    """
    descriptor = os.open(spec, os.O_RDWR)
    try:
        if not _flock(descriptor, spec, fcntl.LOCK_EX | fcntl.LOCK_NB):
            print(f"{spec}: another process computes it; waiting for it", file=sys.stderr)
            _flock(descriptor, spec, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_locked(spec: Path) -> bool:
    """Whether a process holds the lock of a shard; a file system without locks knows of none."""
    try:
        descriptor = os.open(spec, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _flock(descriptor: int, path: Path, operation: int) -> bool:
    """Whether the lock was got; a file system without locks is said and counts as got."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
        print(f"{path}: this file system has no locks ({error}); going on without", file=sys.stderr)
    return True
