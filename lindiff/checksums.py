"""Checksums of the files of a config that can be made again: tables, figures, pages.

Whoever writes such files leaves ``results/<config>/checksums/JOB.json`` after them, with the BLAKE2
of each. It is removed before they are written anew: files that are half old and half new have none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff.errors import is_of_machine
from lindiff.files import local, names_in, patiently, remove_leftovers, write_text

FOLDER = "checksums"
# The job that writes the tables.
COLLECT = "collect"


@contextmanager
def kept(folder: Path, job: str, paths: Iterable[Path]) -> Iterator[None]:
    """Keep the checksums of `paths`, which the block writes.

    Args:
        folder: The config's folder ``results/<config>``.
        job: What makes them: ``collect``, ``figure-NAME``, ``answers``, ``page``.
        paths: The files.
    """
    path = folder / FOLDER / f"{job}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    yield
    found = {os.path.relpath(one, folder): _checksum(one) for one in paths}
    remove_leftovers(path)
    write_text(json.dumps(found, indent=1) + "\n", path)


def jobs(folder: Path) -> list[str]:
    """The jobs that have left checksums."""
    return names_in(folder / FOLDER, ".json")


def drop(folder: Path, job: str) -> None:
    """Forget the files of a job."""
    (folder / FOLDER / f"{job}.json").unlink(missing_ok=True)


def damaged(folder: Path, made: Mapping[str, Iterable[Path]]) -> dict[Path, str]:
    """Files that are there and are not what was written, each with a reason.

    Args:
        folder: The config's folder.
        made: The files of each job. Those without a checksum are of an older lindiff, or their job
            was killed: a Parquet file is then opened, another taken as it is.

    Raises:
        OSError: One cannot be read at present; this says nothing of its content.
    """
    found: dict[Path, str] = {}
    for job, paths in made.items():
        known = _read(folder / FOLDER / f"{job}.json")
        for path in paths:
            # A file that is not there is made again anyway.
            if path.is_file() and (reason := _reason(path, os.path.relpath(path, folder), known)):
                found[path] = reason
    return found


def _reason(path: Path, name: str, known: Mapping[str, object] | None) -> str:
    """What is wrong with a file of a job with these checksums; empty if nothing."""
    if known is None:
        return _unreadable(path)
    if name not in known:
        return "it has lost its checksum"
    return "" if _checksum(path) == known[name] else "it is not what was written"


def _checksum(path: Path) -> str:
    def read() -> str:
        with path.open("rb") as file:
            return file_digest(file, "blake2b").hexdigest()

    return patiently(read, path)


def _read(path: Path) -> dict[str, object] | None:
    """The checksums of a job; None where it has left none, and none in a file that is damaged."""
    try:
        content = json.loads(patiently(path.read_bytes, path))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _unreadable(path: Path) -> str:
    """Why a Parquet file without a checksum cannot be opened; empty if it can."""
    try:
        if path.suffix == ".parquet":
            patiently(lambda: pq.read_metadata(local(path)), path)
    except (pa.ArrowException, OSError) as error:
        if is_of_machine(error):
            raise
        return f"it cannot be opened: {error}"
    return ""
