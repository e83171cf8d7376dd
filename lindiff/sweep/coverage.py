"""Which wanted cells have which metrics: finished parts first, then pending specs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns.arrays import Rows, places
from lindiff.config.resolve import Config
from lindiff.errors import InputError
from lindiff.fingerprint import fingerprints, joined
from lindiff.models import MODELS
from lindiff.progress import duration
from lindiff.sweep.bits import Bits, bits
from lindiff.sweep.grid import Wanted
from lindiff.sweep.store import DamagedError, Shard, Store, check_cells, read_table

# Cell ids looked up at a time: enough to share the hash table, little enough to hold.
_BATCH = 2_000_000


@dataclass(frozen=True)
class Stale:
    """Finished cells whose model's code has changed since.

    Attributes:
        model: The model.
        policy: What the config does with them: ``rerun``, ``error`` or ``keep``.
        cells: Wanted cells that lack a metric which only parts of older code have.
        seconds: Estimated time to compute them again, on one core.
    """

    model: str
    policy: str
    cells: int
    seconds: float


@dataclass
class Coverage:
    """What finished parts and pending specs cover.

    Attributes:
        lack: Requested metrics that neither covers, as bits, shape (M,).
        missing: Requested metrics that finished parts do not cover, as bits, shape (M,).
        reuse: Finished parts that cover something.
        pending: Pending specs that cover the rest as far as they can.
        rows: Rows of the wanted cells of each pending spec, in its order, by name.
        stale: Finished cells of older code.
        damaged: What is wrong with damaged parts, by name.
        fingerprints: Fingerprint of each wanted cell, shape (M,).
    """

    lack: Bits
    missing: Bits
    reuse: tuple[str, ...] = ()
    pending: tuple[Shard, ...] = ()
    rows: dict[str, Rows] = field(default_factory=dict)
    stale: tuple[Stale, ...] = ()
    damaged: dict[str, str] = field(default_factory=dict)
    fingerprints: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))

    @property
    def done(self) -> int:
        """Number of cells that finished parts cover."""
        return int(np.count_nonzero(self.missing == 0))


def stale_policy(config: Config, model: str) -> str:
    """What happens to stale cells of `model`: the config's choice, or its model's."""
    return config.stale or ("error" if MODELS[model].trained else "rerun")


def cover(grid: Wanted, store: Store, config: Config, refuse: bool = True) -> Coverage:
    """Cover the wanted cells.

    Args:
        grid: The wanted cells and what is requested of each.
        store: The store.
        config: Says what happens to stale cells.
        refuse: Whether stale cells under ``stale: error`` are an error.

    Raises:
        InputError: The store is of a newer version, or holds stale cells that are to be an error.
    """
    models = set(grid.cells["model"].combine_chunks().cast("string").unique().to_pylist())
    current = fingerprints(grid.cells)
    parts, damaged = store.find_parts()
    lack = grid.request.copy()
    everything = np.bitwise_or.reduce(lack) if len(lack) else np.uint64(0)
    useful = {
        name: shard
        for name, shard in parts.items()
        if shard.model in models and bits(shard.metrics) & everything
    }
    reuse, older = [], {}
    for shard, rows, old in lookup_parts(grid, useful, store, damaged, current):
        if _take(lack, np.where(old, -1, rows), shard, whole=False):
            reuse.append(shard.name)
        if old.any():
            older[shard.name] = shard
    stale, kept = _stale(grid, older, store, lack, config, damaged, current)
    missing = lack.copy()
    for entry in stale:
        if entry.policy == "error" and refuse:
            raise InputError(_bill(entry))
    specs = {
        name: shard
        for name, shard in store.find_specs().items()
        if name not in parts and shard.model in models
    }
    unreadable: dict[str, str] = {}
    rows_of = {
        shard.name: rows
        for shard, rows in lookup(grid, specs, store.spec, unreadable)
        if shard.fingerprint == joined(current[rows]) and _take(lack, rows, shard, whole=True)
    }
    return Coverage(
        lack=lack,
        missing=missing,
        reuse=(*reuse, *(name for name in kept if name not in reuse)),
        pending=tuple(specs[name] for name in rows_of),
        rows=rows_of,
        stale=stale,
        damaged=damaged,
        fingerprints=current,
    )


def _stale(
    grid: Wanted,
    older: dict[str, Shard],
    store: Store,
    lack: Bits,
    config: Config,
    damaged: dict[str, str],
    current: NDArray[np.object_],
) -> tuple[tuple[Stale, ...], list[str]]:
    """What rows of older code would cover; under ``keep`` they do, and `lack` loses it."""
    left = lack.copy()
    kept = []
    rows_of: dict[str, list[Rows]] = {}
    seconds: dict[str, float] = {}
    for shard, rows, old in lookup_parts(grid, older, store, damaged, current):
        rows = np.where(old, rows, -1)
        known = rows[rows >= 0]
        before = left[known]
        if not _take(left, rows, shard, whole=False):
            continue
        stale = known[before != left[known]]
        rows_of.setdefault(shard.model, []).append(stale)
        share = shard.seconds * len(stale) / shard.cells
        seconds[shard.model] = seconds.get(shard.model, 0.0) + share
        if stale_policy(config, shard.model) == "keep":
            _take(lack, rows, shard, whole=False)
            kept.append(shard.name)
    entries = tuple(
        Stale(
            model=model,
            policy=stale_policy(config, model),
            cells=len(np.unique(np.concatenate(rows))),
            seconds=round(seconds[model], 1),
        )
        for model, rows in sorted(rows_of.items())
    )
    return entries, kept


def _bill(stale: Stale) -> str:
    return (
        f"{stale.cells:,} finished cells of {stale.model} are of older code; computing them again "
        f"takes about {duration(stale.seconds)} on one core. Set `stale: rerun` in the config to "
        "do that, or `stale: keep` to use them as they are"
    )


def lookup(
    grid: Wanted, shards: dict[str, Shard], path: Callable[[str], Path], damaged: dict[str, str]
) -> Iterator[tuple[Shard, Rows]]:
    """Each shard, by name, with the rows of `grid.cells` that its cells are, or -1.

    Files whose cells cannot be read are noted in `damaged` and left out.
    """
    for shard, rows, _ in _lookup(grid, shards, path, damaged, ["cell_id"]):
        yield shard, rows


def lookup_parts(
    grid: Wanted,
    shards: dict[str, Shard],
    store: Store,
    damaged: dict[str, str],
    current: NDArray[np.object_],
) -> Iterator[tuple[Shard, Rows, NDArray[np.bool_]]]:
    """As `lookup` of finished parts, with which of their wanted rows older code computed.

    Args:
        grid: The wanted cells.
        shards: Parts by name.
        store: The store.
        damaged: What cannot be read is noted here.
        current: Fingerprint of each wanted cell, shape (M,).
    """
    names = ["cell_id", "fingerprint"]
    for shard, rows, part in _lookup(grid, shards, store.part, damaged, names):
        found = np.asarray(part["fingerprint"].cast("string").to_numpy(zero_copy_only=False))
        yield shard, rows, (rows >= 0) & (found != current[rows])


def _lookup(
    grid: Wanted,
    shards: dict[str, Shard],
    path: Callable[[str], Path],
    damaged: dict[str, str],
    names: list[str],
) -> Iterator[tuple[Shard, Rows, pa.Table]]:
    held: list[tuple[Shard, pa.Table]] = []
    for name in sorted(shards):
        try:
            table = read_table(path(name), names)
            check_cells(shards[name], table)
        except DamagedError as error:
            damaged[name] = str(error)
            continue
        held.append((shards[name], table))
        if sum(len(table) for _, table in held) >= _BATCH:
            yield from _rows_of(grid, held)
            held = []
    if held:
        yield from _rows_of(grid, held)


def _rows_of(
    grid: Wanted, held: list[tuple[Shard, pa.Table]]
) -> Iterator[tuple[Shard, Rows, pa.Table]]:
    chunks = [chunk for _, table in held for chunk in table["cell_id"].chunks]
    together = pa.chunked_array(chunks, pa.string())
    rows = places(together, grid.cells["cell_id"].combine_chunks())
    ends = np.cumsum([len(table) for _, table in held])
    for (shard, table), own in zip(held, np.split(rows, ends[:-1]), strict=True):
        yield shard, own, table


def _take(lack: Bits, rows: Rows, shard: Shard, whole: bool) -> bool:
    """Take what `shard` has from `lack`; whether it had anything, or with `whole` all of it."""
    mask = bits(shard.metrics)
    known = rows[rows >= 0]
    if whole and (len(known) < len(rows) or np.any(lack[known] & mask != mask)):
        return False
    if not np.any(lack[known] & mask):
        return False
    lack[known] &= ~mask
    return True
