"""What a results folder holds that nothing wants any more: `lindiff gc`.

Wanted is what the plan of any config names: its parts, finished or pending. A finished part is
garbage only if that is asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lindiff.errors import InputError
from lindiff.files import lock_run, names_in
from lindiff.sweep.leftovers import leftovers, remove, running_shard
from lindiff.sweep.plan import Plan, plan_files, read_plan, store_of
from lindiff.sweep.store import DamagedError, Store, read_table

# The columns that name a matrix of the user, ``FILENAME@HASH``.
_NAMING = ("data", "spectrum_params")


@dataclass(frozen=True)
class Garbage:
    """Files of one kind that can go.

    Attributes:
        kind: What they are.
        paths: Files and folders, sorted.
        bytes: Their size.
    """

    kind: str
    paths: tuple[Path, ...]
    bytes: int

    def remove(self) -> None:
        """Remove them."""
        for path in self.paths:
            remove(path)


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Keep runs out of a store while the block runs.

    Raises:
        InputError: There is no store, or a run or a shard that outlived its run is at work on it.
    """
    store = store_of(results)
    if not store.root.is_dir():
        raise InputError(f"{store.root}: there is no store")
    lock = lock_run(store.root)
    try:
        if (shard := running_shard(store)) is not None:
            spec = store.spec(shard)
            raise InputError(f"{spec}: a process computes it; try again when that has ended")
        yield
    finally:
        os.close(lock)


def find_garbage(results: Path, parts: bool = False) -> list[Garbage]:
    """What can go, by kind; only `alone`.

    Args:
        results: The results folder.
        parts: Also finished parts that no plan takes a number from.

    Raises:
        InputError: A plan cannot be read, so that nobody knows what it wants.
    """
    store = store_of(results)
    plans, old = _plans(results)
    wanted = {name for plan in plans.values() for name in plan.parts}
    specs, finished = set(names_in(store.specs, ".parquet")), set(names_in(store.parts, ".parquet"))
    unrun = specs - finished - wanted
    unused = finished - wanted if parts else set()
    reported = set(names_in(store.progress, ".json")) - ((specs | finished) - unrun - unused)
    found = {
        "checkpoints of shards that are finished or that no plan wants": [
            path for path in store.checkpoints.glob("*")
            if path.name in finished or path.name not in wanted
        ],
        "matrices of data files that no spec, part or plan names": _matrices(store, plans.values()),
        "older plans": old,
        "specs that never ran and that no plan wants": [store.spec(name) for name in unrun],
        "finished parts that no plan takes a number from": [
            path for name in unused for path in (store.part(name), store.spec(name))
        ],
        "reports on shards that are gone": [store.progress_file(name) for name in reported],
        "damaged files that were moved aside": [
            *store.damaged.glob("*"), *results.glob("*/damaged/*"),
        ],
        "leftovers of killed processes": leftovers(results),
    }  # fmt: skip
    garbage = []
    for kind, paths in found.items():
        there = sorted({path for path in paths if path.exists()})
        if there:
            garbage.append(Garbage(kind, tuple(there), sum(map(_size, there))))
    return garbage


def _plans(results: Path) -> tuple[dict[Path, Plan], list[Path]]:
    """All plans by file, and which files are not the newest of their config."""
    plans: dict[Path, Plan] = {}
    old: list[Path] = []
    for folder in sorted(path for path in results.glob("*") if path.is_dir()):
        files = plan_files(folder)
        for file in files:
            try:
                plans[file] = read_plan(file)
            except InputError as error:
                raise InputError(
                    f"{error}\nwhat that plan wants is not known, so nothing is removed; run its "
                    "config again, or remove the file"
                ) from None
        old += sorted(files, key=lambda file: file.stat().st_mtime_ns)[:-1]
    return plans, old


def _matrices(store: Store, plans: Iterable[Plan]) -> list[Path]:
    """Stored matrices that nothing names; none where a file that may name some cannot be read."""
    stored = set(names_in(store.data, ".npy"))
    named = {name for plan in plans for name in plan.config.matrices}
    files = [store.spec(name) for name in names_in(store.specs, ".parquet")]
    files += [store.part(name) for name in names_in(store.parts, ".parquet")]
    for path in files if stored else []:
        try:
            table = read_table(path, _NAMING)
        except DamagedError:
            return []
        named |= {text for column in table.columns for text in column.unique().to_pylist() if text}
    hashes = {found for text in named for found in re.findall(r"@([0-9a-f]+)", text)}
    return [store.data / f"{name}.npy" for name in stored - hashes]


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(inner) for inner in path.iterdir())
    return path.lstat().st_size
