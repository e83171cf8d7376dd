"""What killed writers left: temporary files and half-made reports."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lindiff.files import is_locked, names_in
from lindiff.progress import exists
from lindiff.sweep.store import Store

# Seconds after which a file that nobody writes to has no writer, though its number is in use again.
_QUIET = 600.0
# As lindiff.files and lindiff.progress name them; a report is one that `make` of 0.1 left.
_NAMES = (
    re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-[0-9a-f]{8}\.tmp"),
    re.compile(r"\.(?P<name>.+\.json)\..+-(?P<pid>\d+)\.tmp"),
    re.compile(r"\.(?P<name>report)\.(?P<pid>\d+)\.\w+"),
)


def leftovers(results: Path) -> list[Path]:
    """Temporary files and folders in the results whose writer is gone.

    Only under the lock of a run: what then is of no process here and of no shard is of nobody.
    """
    store = Store(results / "store")
    return [path for path in sorted(_candidates(results, store)) if not _is_written(path, store)]


def remove(path: Path) -> None:
    """Remove a file or a folder that may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def running_shard(store: Store) -> str | None:
    """A shard without a part that a process holds, which may have outlived its run."""
    finished = set(names_in(store.parts, ".parquet"))
    unfinished = (name for name in names_in(store.specs, ".parquet") if name not in finished)
    return next((name for name in unfinished if is_locked(store.spec(name))), None)


def _candidates(results: Path, store: Store) -> Iterator[Path]:
    folders = [store.root, *(path for path in store.root.glob("*") if path.is_dir())]
    folders += [path for path in store.checkpoints.glob("*") if path.is_dir()]
    for folder in (path for path in results.glob("*") if path.is_dir() and path != store.root):
        folders += [folder, folder / "figures", folder / "checksums"]
        yield from (path for path in folder.glob(".report.*") if path.is_dir())
    for folder in folders:
        yield from folder.glob(".*.tmp")


def _is_written(path: Path, store: Store) -> bool:
    """Whether somebody may still write it."""
    found = next((match for names in _NAMES if (match := names.fullmatch(path.name))), None)
    shard = None
    if path.parent == store.parts and found:
        shard = found["name"].removesuffix(".parquet")
    elif path.parent.parent == store.checkpoints:
        shard = path.parent.name
    if shard is not None and is_locked(store.spec(shard)):
        return True
    try:
        quiet = time.time() - path.stat().st_mtime > _QUIET
    except FileNotFoundError:
        return True  # Its writer has just renamed it.
    return found is not None and not quiet and exists(int(found["pid"]))
