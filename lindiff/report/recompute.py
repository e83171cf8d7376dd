"""One cell of a finished table computed again, and its numbers beside those of the table.

The cell is the settings of its row, whatever became of the config since; it is computed by the code
path of a shard (`lindiff.sweep.run`), alone, and nothing is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lindiff.columns import METRIC, NESTED, OUTCOME, cell_schema, delivered
from lindiff.config.resolve import Config
from lindiff.config.words import few
from lindiff.errors import InputError
from lindiff.files import local
from lindiff.models import MODELS
from lindiff.progress import Heartbeat
from lindiff.report.query import cell_with_id, readable, table_path
from lindiff.science import datasets
from lindiff.session import Session, session
from lindiff.sweep.ids import cell_ids
from lindiff.sweep.run import compute, load_data, load_model
from lindiff.sweep.store import Shard, Store

# How far a number may be off, relative to it or, below 1, to 1, since rounding hangs on what is
# computed in one batch: of an exact cell in any packing, and of one that is trained, by its
# precision. Held by tests/models/test_company.py and tests/report/test_recompute.py.
EXACT = 1e-12
TRAINED = {"float32": 1e-5, "float64": 1e-10}


@dataclass(frozen=True)
class Compared:
    """A metric of the cell, now and in the table.

    Attributes:
        name: Its column.
        now: Its value, None where it is undefined; of a nested metric a list of rows.
        table: Its value in the table.
        difference: The largest difference of two of its numbers, relative to the larger of them or,
            where both are below 1, to 1; infinite where one of them is missing or infinite.
        agrees: Whether it is within the tolerance.
    """

    name: str
    now: Any
    table: Any
    difference: float
    agrees: bool


@dataclass(frozen=True)
class Recomputed:
    """A cell computed again.

    Attributes:
        cell: Its row of the table, of one row.
        tolerance: How far a number may be off.
        metrics: What it was asked for, but what is undefined now and in the table.
        status: Its status now and in the table.
        message: Its message now and in the table.
        notes: What is not as it was when the table's numbers were computed, a sentence each.
    """

    cell: pa.Table
    tolerance: float
    metrics: tuple[Compared, ...]
    status: tuple[str, str]
    message: tuple[str | None, str | None]
    notes: tuple[str, ...]

    @property
    def cell_id(self) -> str:
        """The id of the cell."""
        return str(self.cell["cell_id"][0].as_py())

    @property
    def agrees(self) -> bool:
        """Whether the cell has the numbers of the table; one that failed has none."""
        sound = self.status[0] == self.status[1] != "failed"
        return sound and all(metric.agrees for metric in self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "cell_id": self.cell_id,
            "agrees": self.agrees,
            "tolerance": self.tolerance,
            "status": dict(zip(("now", "table"), self.status, strict=True)),
            "message": dict(zip(("now", "table"), self.message, strict=True)),
            "notes": list(self.notes),
            "metrics": {
                metric.name: {
                    "now": metric.now,
                    "table": metric.table,
                    "difference": metric.difference,
                    "agrees": metric.agrees,
                }
                for metric in self.metrics
            },
        }

    def verdict(self) -> str:
        """In a sentence whether it agrees."""
        now, then = self.status
        if now == "failed":
            return f"failed: {self.message[0]}"
        if now != then:
            return f"does not agree: its status is {now}, in the table {then} ({self.message[1]})"
        wrong = [metric.name for metric in self.metrics if not metric.agrees]
        count = f"{len(self.metrics)} metric{'s' * (len(self.metrics) != 1)}"
        if wrong:
            return (
                f"does not agree: of {count} {len(wrong)} differ{'s' * (len(wrong) == 1)} by more "
                f"than {self.tolerance:g}: {', '.join(wrong)}"
            )
        outcome = "agrees" if now == "ok" else f"agrees ({now}: {self.message[0]})"
        if all(metric.difference == 0 for metric in self.metrics):
            return f"{outcome}: {count}, equal to the last digit"
        return f"{outcome}: {count}, each to {self.tolerance:g}, relative to it or, below 1, to 1"


def recompute(folder: Path, start: str, device: str = "auto") -> Recomputed:
    """Compute a cell of ``results/<config>`` again; nothing is written.

    Args:
        folder: ``results/<config>``, beside the store, with its tables.
        start: The id of the cell, or its first digits.
        device: Where models are trained, one of `lindiff.session.DEVICES`.

    Raises:
        InputError: There is no table, or none of this lindiff; no such cell, or several; its data
            are not there; its model needs torch or a GPU that is not there.
        OSError, MemoryError: The machine failed.
    """
    path = table_path(folder)
    row = cell_with_id(folder, start)
    cells = _cells(row, path)
    cell_id, name = row["cell_id"][0].as_py(), cells["model"][0].as_py()
    if name not in MODELS:
        raise InputError(f"{path}: cell {cell_id} is of the model {name!r}, which is not known")
    model, asked = MODELS[name], _asked(row, path)
    then = row.to_pylist()[0] | {metric: _rows(path, metric, cell_id) for metric in asked
                                 if metric in NESTED}  # fmt: skip
    shard = Shard("", name, asked, then["fingerprint"], 1, 1, 0.0, 0)
    store = Store(path.parent.parent / "store")
    with threadpool_limits(1), datasets.folder(store.data):
        load_data(cells, f"cell {cell_id}", store.data)
        run = load_model(model, device, f"cell {cell_id}")
        with session(Session(device)):
            found = compute(cells, shard, run, Heartbeat(None, "", 1), model)
    (now,) = found.to_pylist()
    tolerance = TRAINED[now["precision"]] if model.trained else EXACT
    known = [n for n in delivered(asked) if now[n] is not None or then[n] is not None]
    return Recomputed(
        cell=row,
        tolerance=tolerance,
        metrics=tuple(compared(n, now[n], then[n], tolerance) for n in known),
        status=(now["status"], then["status"]),
        message=(now["message"], then["message"]),
        notes=tuple(_notes(now, then)),
    )


def _cells(row: pa.Table, path: Path) -> pa.Table:
    """The settings of a row as a table of cells, which are those of its id.

    Raises:
        InputError: They are not, or the table is not one of this lindiff.
    """
    schema = cell_schema()
    lost = [n for n in (*schema.names, *(c.name for c in OUTCOME)) if n not in row.column_names]
    if lost:
        raise InputError(f"{path}: a table of another lindiff: it has no column {few(lost)}")
    with readable(path):
        cells = row.select(schema.names).cast(schema).combine_chunks()
        own = cell_ids(cells)
    if not own.equals(cells["cell_id"].combine_chunks()):
        raise InputError(f"{path}: damaged: its settings are not those of its ids")
    return cells


def _asked(row: pa.Table, path: Path) -> tuple[str, ...]:
    """The metrics that the config of the table asks of the cell, sorted."""
    try:
        about = json.loads(row.schema.metadata[b"lindiff"])
        config = Config.from_json(json.dumps(about["config"]))
        experiments = [config.experiments[name] for name in row["experiments"][0].as_py()]
    except (KeyError, TypeError, ValueError, InputError):
        raise InputError(
            f"{path}: does not say which config it is of: no table of this lindiff"
        ) from None
    metrics = {metric for experiment in experiments for metric in experiment.metrics}
    return tuple(sorted(metrics & MODELS[row["model"][0].as_py()].metrics))


def _rows(path: Path, name: str, cell_id: str) -> list[dict[str, Any]] | None:
    """The rows of a cell in the table of a nested metric, beside the table of cells."""
    path = path.with_name(f"{name}.parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such table; run the sweep first")
    with readable(path):
        table = pq.read_table(local(path), filters=[("cell_id", "=", cell_id)])
    item = METRIC[name].arrow_type.value_type
    names = [item.field(i).name for i in range(item.num_fields)]
    return table.select(names).to_pylist() or None


def compared(name: str, now: Any, table: Any, tolerance: float) -> Compared:
    """A metric now and in the table, number by number."""
    one, other = dict(_numbers(now)), dict(_numbers(table))
    if one.keys() != other.keys():
        return Compared(name, now, table, math.inf, False)
    pairs = [(one[key], other[key]) for key in one]
    off = max((_difference(*pair) for pair in pairs), default=0.0)
    return Compared(name, now, table, off, off <= tolerance)


def _numbers(value: Any, place: tuple[object, ...] = ()) -> Iterator[tuple[object, Any]]:
    """The numbers of a value with their places in its lists and rows."""
    if isinstance(value, dict | list):
        items: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _numbers(inner, (*place, key))
        yield (*place, "length"), len(value)
    else:
        yield place, value


def _difference(one: float | None, other: float | None) -> float:
    if one == other:
        return 0.0
    if one is None or other is None or not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    return abs(one - other) / max(1.0, abs(one), abs(other))


def _notes(now: dict[str, Any], then: dict[str, Any]) -> Sequence[str]:
    """What is not as it was when the numbers of the table were computed."""
    words = {"fingerprint": "the code of its model", "numpy": "NumPy", "torch": "PyTorch"}
    return [
        f"{what} is another one: {now[name]} now, {then[name]} in the table"
        for name, what in words.items()
        if now[name] != then[name]
    ]
