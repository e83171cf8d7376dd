"""Spec to part: the cells of a shard computed family by family, failures kept to their cells."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lindiff.columns import delivered, result_schema
from lindiff.columns.arrays import Rows, family_rows
from lindiff.columns.groups import GAUSSIAN
from lindiff.errors import InputError, is_of_machine
from lindiff.files import lock_shard, patiently, remove_leftovers
from lindiff.fingerprint import fingerprints, joined
from lindiff.models import MODELS, Model
from lindiff.progress import Heartbeat
from lindiff.science import datasets
from lindiff.science.pools import make_pool
from lindiff.session import Failures, Session, current, session
from lindiff.sweep.store import (
    DamagedError,
    Shard,
    Store,
    check_cells,
    read_header,
    read_table,
    write_part,
)

# Tables of calls that are held before they are joined.
_TOGETHER = 256

Run = Callable[[pa.Table, Sequence[str]], pa.Table]


def run_spec(spec_path: Path, part_path: Path, device: str = "auto") -> bool:
    """Compute the shard of a spec.

    One process computes a shard at a time: a second one waits and finds the part. Linear algebra
    runs on one thread, so that the same spec gives the same bytes however busy the machine is.

    Args:
        spec_path: The spec.
        part_path: Where the part goes. In the store of the spec, progress is reported there too,
            and training leaves checkpoints there, from which a killed run goes on.
        device: Where models are trained, one of `lindiff.session.DEVICES`.

    Returns:
        Whether anything had to be computed: False if a whole part was there.

    Raises:
        InputError: There is no such spec, it is damaged (in a store it is moved aside) or of a
            newer lindiff, the model's code is not the one that it was planned for, a data set of
            its cells cannot be loaded, or its model needs torch or a GPU that is not there.
        OSError, MemoryError: The machine failed; nothing was written.
    """
    spec_path, part_path = Path(spec_path), Path(part_path)
    store = Store(spec_path.parent.parent)
    shard = _read_spec(spec_path, store)
    own = _same(spec_path, store.spec(shard.name)) and _same(part_path, store.part(shard.name))
    checkpoints = store.checkpoints / shard.name if own else None
    with lock_shard(spec_path):
        if _is_finished(part_path, shard, store if own else None):
            _drop(checkpoints)
            return False
        cells = _read_cells(spec_path, shard, store)
        code = joined(fingerprints(cells))
        if code != shard.fingerprint:
            raise InputError(
                f"{spec_path}: planned for {shard.model} {shard.fingerprint}, but its code is now "
                f"{code}; plan again (run snakemake again)"
            )
        part_path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(part_path)
        report = store.progress_file(shard.name) if own else None
        earlier = store.read_progress(shard.name) if own else None
        if earlier is not None and earlier.broke_off():
            print(f"{spec_path}: {earlier.epitaph()}; it is computed again", file=sys.stderr)
        model = MODELS[shard.model]
        with threadpool_limits(1), datasets.folder(store.data):
            load_data(cells, str(spec_path), store.data)
            run = load_model(model, device, str(spec_path))
            with (
                Heartbeat(report, shard.name, shard.cells) as beat,
                session(Session(device, checkpoints, heard=beat.hear)),
            ):
                table = compute(cells, shard, run, beat, model)
                write_part(part_path, shard, table)
        _drop(checkpoints)
    return True


def _drop(checkpoints: Path | None) -> None:
    """Remove the checkpoints of a shard whose part is whole."""
    if checkpoints is not None and checkpoints.exists():
        shutil.rmtree(checkpoints)


def load_model(model: Model, device: str, asker: str) -> Run:
    """The model's `run`; a trained one needs torch, and the device that it is told.

    Args:
        model: The model.
        device: One of `lindiff.session.DEVICES`.
        asker: The spec or cell that needs it, for messages.

    Raises:
        InputError: torch is not installed, or there is no such device.
    """
    if model.trained:
        try:
            from lindiff.training import devices
        except ModuleNotFoundError as error:
            raise InputError(
                f"{asker}: {model.name} is trained and needs the package {error.name}: "
                "pip install 'lindiff[train]'"
            ) from None
        try:
            devices.prepare(device)
        except ValueError as error:
            raise InputError(f"{asker}: {error}") from None
    return model.load()


def load_data(cells: pa.Table, asker: str, folder: Path) -> None:
    """Load the data sets that the cells name: without them none of those can be computed.

    Args:
        cells: The cells.
        asker: The spec or cell that needs them, for messages.
        folder: Where the matrices of users are.

    Raises:
        InputError: One cannot be loaded.
    """
    names = set(cells["data"].unique().to_pylist()) - {None, GAUSSIAN}
    surrogates = cells.filter(pc.equal(cells["spectrum"], "dataset"))["spectrum_params"]
    names |= {json.loads(params)["name"] for params in surrogates.unique().to_pylist()}
    for name in sorted(names):
        try:
            patiently(partial(make_pool, name), folder)
        except ValueError as error:
            raise InputError(f"{asker}: data set {name}: {error}") from None


def _read_spec(path: Path, store: Store) -> Shard:
    try:
        shard = read_header(path, "spec")
    except FileNotFoundError:
        raise InputError(f"{path}: no such spec; plan again (run snakemake again)") from None
    except DamagedError as error:
        raise _refused(path, error, store) from None
    if shard.model not in MODELS:
        raise InputError(f"{path}: no model {shard.model!r}; there are: {', '.join(MODELS)}")
    return shard


def _read_cells(path: Path, shard: Shard, store: Store) -> pa.Table:
    """The cells of a spec, their ids computed anew: a result must be of the cell that it names."""
    try:
        cells = read_table(path)
        check_cells(shard, cells)
    except DamagedError as error:
        raise _refused(path, error, store) from None
    return cells


def _refused(path: Path, error: DamagedError, store: Store) -> InputError:
    """A damaged spec, moved aside if it is one of a store: the next plan writes it anew."""
    if _same(path, store.spec(path.stem)) and (store.root / "FORMAT").exists():
        store.quarantine(path, str(error))
    return InputError(f"{path}: {error}; plan again (run snakemake again)")


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _is_finished(path: Path, shard: Shard, store: Store | None) -> bool:
    """Whether the part at `path` is whole; a damaged one in the store is moved aside."""
    try:
        found = read_header(path, "part")
    except FileNotFoundError:
        return False
    except DamagedError as error:
        reason = str(error)
    else:
        if found == shard:
            return True
        reason = f"holds part {found.name}"
    if store is None:
        raise InputError(f"{path}: {reason}; it is not overwritten")
    store.quarantine(path, reason)
    return False


def compute(cells: pa.Table, shard: Shard, run: Run, beat: Heartbeat, model: Model) -> pa.Table:
    """The rows of a part.

    Args:
        cells: Cells in `columns.cell_schema`; the cells of a family stand together.
        shard: Which metrics, and what each row says of its origin.
        run: The model's function of one family, or of several that differ in `Model.batched` alone.
        beat: Told of every family.
        model: The model.

    Returns:
        The cells with what `run` returned, in the order of `cells`. A cell that fails has status
        ``failed``, its message, and no metrics.
    """
    joined_tables: list[pa.Table] = []
    found, order = [], []
    metrics, failures = delivered(shard.metrics), current().failures
    families = family_rows(cells)
    seconds = np.zeros(len(families))
    for members in _calls(cells, families, model):
        start = time.perf_counter()
        rows = np.concatenate([families[member] for member in members])
        own = cells.slice(rows[0], len(rows)) if len(members) == 1 else cells.take(pa.array(rows))
        beat.start(len(rows))
        found.append(_isolated(run, own, metrics, failures))
        order.append(rows)
        if len(found) == _TOGETHER:
            # Of one row each, tables take twenty times what their rows do.
            joined_tables.append(pa.concat_tables(found).unify_dictionaries().combine_chunks())
            found.clear()
        seconds[members] = (time.perf_counter() - start) / len(members)
        beat.finish()
    failures.sum_up()
    beat.family_seconds = seconds.tolist()
    results, back = pa.concat_tables([*joined_tables, *found]), np.argsort(np.concatenate(order))
    if np.any(back[1:] < back[:-1]):
        results = results.take(pa.array(back))
    table = cells
    for name in results.column_names[1:]:
        table = table.append_column(results.schema.field(name), results[name])
    return _with_origin(table, model)


def _with_origin(table: pa.Table, model: Model) -> pa.Table:
    """The rows with what made them: fingerprint, and versions of NumPy and, if it was used, torch.

    A model that is not trained has no version of torch, whatever this process has imported.
    """
    torch = str(sys.modules["torch"].__version__) if model.trained else None
    table = table.append_column(
        "fingerprint", pa.array(fingerprints(table), pa.string()).dictionary_encode()
    )
    for name, value in (("numpy", np.__version__), ("torch", torch)):
        column = pa.repeat(pa.scalar(value, pa.string()), len(table)).dictionary_encode()
        table = table.append_column(name, column)
    return table


def _calls(cells: pa.Table, families: Sequence[Rows], model: Model) -> list[list[int]]:
    """The families of each call: those that share `Model.shared`, or each its own."""
    if not model.batched:
        return [[member] for member in range(len(families))]
    first = cells.select(list(model.shared)).take(pa.array([rows[0] for rows in families]))
    calls: dict[tuple[object, ...], list[int]] = {}
    for member, row in enumerate(first.to_pylist()):
        calls.setdefault(tuple(row.values()), []).append(member)
    return list(calls.values())


def _isolated(run: Run, family: pa.Table, metrics: Sequence[str], failures: Failures) -> pa.Table:
    """What `run` gives for some cells; if it raises, for their halves, down to those that fail.

    Raises:
        Exception: One that is of the machine (`is_of_machine`): that is no result of any cell.
    """
    schema = result_schema(metrics)
    try:
        result = run(family, metrics).select(schema.names).cast(schema)
        if not result["cell_id"].equals(family["cell_id"]):
            raise ValueError("the model returned other cells than it was given")
        return result
    except Exception as error:
        if is_of_machine(error):
            raise
        if family.num_rows == 1:
            cell = family["cell_id"][0].as_py()
            failures.add(cell, error)
            return _failed(cell, f"{type(error).__name__}: {error}", schema)
    # Not in the handler: each failure of a half would tell those of all wholes that it is part of.
    half = family.num_rows // 2
    pieces = (family.slice(0, half), family.slice(half))
    return pa.concat_tables([_isolated(run, piece, metrics, failures) for piece in pieces])


def _failed(cell: str, message: str, schema: pa.Schema) -> pa.Table:
    """The row of a cell that failed."""
    row = {"cell_id": cell, "status": "failed", "message": message}
    arrays = [
        pa.array([row.get(field.name)], pa.string())
        if field.name in row
        else pa.nulls(1, field.type)
        for field in schema
    ]
    return pa.table(arrays, names=schema.names).cast(schema)
