"""Cells that lack metrics, packed into shards of near-equal time.

Everything here is a function of the cells alone: the same cells give the same shards. Nothing is
one Python object a cell; a million cells take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff import planning
from lindiff.columns.arrays import Rows, combinations, plain
from lindiff.columns.groups import COVARIANCE, SPECTRUM
from lindiff.fingerprint import joined
from lindiff.models import MODELS, Model
from lindiff.sweep.bits import Bits, names
from lindiff.sweep.store import Shard, shard_name

# Neighbours in this order share filter tables, which a process keeps.
_ORDER = (*SPECTRUM, "d", "n", "seed")
# A sweep of some seconds is cut into this many shards, so that it uses the cores there are.
_FEWEST = 4


@dataclass(frozen=True)
class Target:
    """What a shard aims at.

    Attributes:
        seconds: Time on one core.
        bytes: Peak memory.
    """

    seconds: float
    bytes: int


@dataclass(frozen=True)
class _Units:
    """The pieces that are packed: whole families, or pieces of one that is over the target alone.

    Attributes:
        rows: Rows of all units, unit after unit.
        ends: End of each unit in `rows`, shape (U,).
        first: Whether a unit starts a family, shape (U,).
        seconds: Estimated time, shape (U,).
        bytes: Estimated peak of memory while it is computed, shape (U,).
        kept: Memory that its finished rows take until the shard's end, shape (U,).
        together: What of its memory adds up with other units', shape (U, parts).
        model: The model.
    """

    rows: Rows
    ends: Rows
    first: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    bytes: NDArray[np.float64]
    kept: NDArray[np.float64]
    together: NDArray[np.float64]
    model: Model


def pack(
    cells: pa.Table, lack: Bits, target: Target, fingerprints: NDArray[np.object_]
) -> Iterator[tuple[Shard, Rows]]:
    """Pack the cells that lack metrics.

    A family stays whole unless it alone is over the target and most of its time is its cells'.

    Args:
        cells: All wanted cells, sorted by ``cell_id``, shape (M,).
        lack: The metrics that each cell lacks, as bits, shape (M,).
        target: What a shard aims at.
        fingerprints: Fingerprint of each cell, shape (M,).

    Yields:
        Each shard with the rows of `cells` that it holds, in the order of its spec.
    """
    missing = np.flatnonzero(lack)
    if not len(missing):
        return
    models = cells["model"].combine_chunks().cast("string").take(pa.array(missing))
    encoded = models.dictionary_encode()
    codes = np.asarray(encoded.indices)
    for model in sorted(encoded.dictionary.to_pylist()):
        own = missing[codes == encoded.dictionary.index(model).as_py()]
        for mask in np.unique(lack[own]):
            metrics = names(mask)
            rows = own[lack[own] == mask]
            units = _units(cells, rows, MODELS[model], metrics, target)
            for shard_rows, seconds, size, families in _cut(units, target):
                ids = cells["cell_id"].take(pa.array(shard_rows)).to_pylist()
                code = joined(fingerprints[shard_rows])
                shard = Shard(
                    name=shard_name(model, metrics, code, ids),
                    model=model,
                    metrics=metrics,
                    fingerprint=code,
                    cells=len(shard_rows),
                    families=families,
                    seconds=round(seconds, 3),
                    bytes=size,
                )
                yield shard, shard_rows


def _units(
    cells: pa.Table, rows: Rows, model: Model, metrics: Sequence[str], target: Target
) -> _Units:
    family = cells["family_id"].combine_chunks().take(pa.array(rows)).dictionary_encode()
    codes = np.asarray(family.indices)
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    order = _neighbours(cells, rows[first])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    # Stable: inside a family the cells keep the order of their ids.
    rows = rows[np.argsort(rank[codes], kind="stable")]
    families, counts = cells.take(pa.array(rows[np.cumsum(counts[order]) - 1])), counts[order]
    families = families.append_column("filters", pa.array(_filters(cells, rows, model, counts)))
    families = families.append_column("sharing", pa.array(_sharing(families)))

    seconds, size = _estimate(model, families, counts, metrics)
    fixed = _estimate(model, families, np.ones_like(counts), metrics)
    pieces = np.ones(len(counts))
    for whole, least, aim in ((seconds, fixed[0], target.seconds), (size, fixed[1], target.bytes)):
        # Where a single cell costs most of it, splitting would only repeat the draw.
        pieces = np.where(least < aim / 2, np.maximum(pieces, np.ceil(whole / aim)), pieces)
    number = np.minimum(pieces, counts).astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), number)
    position = np.arange(len(owner)) - (np.cumsum(number) - number)[owner]
    starts: Rows = position * counts[owner] // number[owner]
    stops: Rows = (position + 1) * counts[owner] // number[owner]
    if len(owner) > len(counts):
        seconds, size = _estimate(model, families.take(pa.array(owner)), stops - starts, metrics)
    pieces_of = _counted(families.take(pa.array(owner)), stops - starts)
    return _Units(
        rows,
        np.cumsum(stops - starts),
        position == 0,
        seconds,
        size,
        (stops - starts) * planning.kept(model, pieces_of, metrics),
        planning.together(model, pieces_of, metrics),
        model,
    )


def _sharing(families: pa.Table) -> Rows:
    """How many families have the covariance, the d and the N of each: they share filter tables."""
    codes, first = combinations(families, ("data", *COVARIANCE, "n"))
    return np.asarray(np.bincount(codes, minlength=len(first))[codes])


def _filters(cells: pa.Table, rows: Rows, model: Model, counts: Rows) -> Rows:
    """Cells of one N in each family, where a family has several: as many of them have a filter."""
    if "n" not in model.within:
        return counts
    family = np.repeat(np.arange(len(counts)), counts)
    n = cells["n"].combine_chunks().take(pa.array(rows)).dictionary_encode().indices
    pairs = np.unique(np.stack([family, np.asarray(n)]), axis=1)[0]
    return np.asarray(-(-counts // np.bincount(pairs)))


def _counted(families: pa.Table, counts: Rows) -> pa.Table:
    return families.append_column("cells", pa.array(counts))


def _neighbours(cells: pa.Table, first: Rows) -> Rows:
    """The order of families in which neighbours have most in common."""
    table = plain(cells.select([*_ORDER, "family_id"]).take(pa.array(first)))
    keys = [(name, "ascending") for name in table.column_names]
    return np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)


def _estimate(
    model: Model, families: pa.Table, counts: Rows, metrics: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seconds, size = planning.estimate(model, _counted(families, counts), metrics)
    return np.asarray(seconds, dtype=float), np.asarray(size, dtype=float)


def _cut(units: _Units, target: Target) -> Iterator[tuple[Rows, float, int, int]]:
    """Cut the row of units where the running load passes equal shares."""
    # Units run one after another: their times add up, of their memory only the results do. These
    # get what the largest unit leaves, less a tenth, for shares are only nearly equal; and a tenth
    # of all where it leaves less.
    room = 0.9 * max(target.bytes - float(units.bytes.max()), target.bytes / 9)
    load = np.maximum(units.seconds / target.seconds, units.kept / room)
    total = float(units.seconds.sum())
    number = max(1, int(np.ceil(load.sum() - 1e-9)))
    number = min(max(number, min(_FEWEST, int(total))), len(load))
    middle = np.cumsum(load) - load / 2
    share = np.minimum((middle * number / load.sum()).astype(np.int64), number - 1)
    starts = np.flatnonzero(np.diff(share, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(load)], strict=True):
        begin = units.ends[start - 1] if start else 0
        rows = units.rows[begin : units.ends[stop - 1]]
        size = units.bytes[start:stop].max() + units.kept[start:stop].sum()
        size += planning.of_call(units.model, units.together[start:stop])
        families = max(1, int(units.first[start:stop].sum()))
        yield rows, float(units.seconds[start:stop].sum()), int(size), families
