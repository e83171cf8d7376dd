"""Every setting and metric of the one table, each defined once.

Configuration keys, Arrow schemas, cell ids, axis labels, the JSON schema and ``config/README.md``
all come from `SETTINGS` and `METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from lindiff.columns.column import REQUIRED, SAMPLERS_WITH_NETWORK, Column
from lindiff.columns.metrics import METRICS
from lindiff.columns.settings import EXACT_DESCENT, SETTINGS

__all__ = [
    "DEFAULT_METRICS", "EXACT_DESCENT", "LABELS", "METRIC", "METRICS", "NESTED", "OUTCOME",
    "REQUESTABLE",
    "REQUIRED", "SAMPLERS_WITH_NETWORK", "SECONDS", "SETTING", "SETTINGS", "Column", "cell_schema",
    "delivered", "part_schema", "result_schema", "with_standard_errors",
]  # fmt: skip

OUTCOME: tuple[Column, ...] = (
    Column("status", "str", "status", "`ok`, `diverged` or `failed`."),
    Column("message", "str", "message", "Why the cell is not ok, or has metrics that are null."),
    Column("fingerprint", "str", "fingerprint", "Hash of the model's code."),
    Column("numpy", "str", "NumPy", "Version of NumPy that computed the row."),
    Column("torch", "str", "PyTorch", "Version of torch that trained the model; else null."),
)
SECONDS = Column(
    "seconds", "float", "time", "Time of the cell's family divided by its cells.", unit="s"
)

SETTING: dict[str, Column] = {column.name: column for column in SETTINGS}
METRIC: dict[str, Column] = {column.name: column for column in METRICS}
LABELS: dict[str, str] = {
    column.name: column.axis_label for column in (*SETTINGS, *METRICS, SECONDS)
} | {"n_over_d": "$N/d$"}
REQUESTABLE: tuple[str, ...] = tuple(column.name for column in METRICS if not column.part_of)
DEFAULT_METRICS: tuple[str, ...] = tuple(name for name in REQUESTABLE if METRIC[name].default)
# Metrics whose values are lists of rows, each unfolded into ``NAME.parquet``.
NESTED: tuple[str, ...] = tuple(column.name for column in METRICS if column.nested)


def with_standard_errors(metrics: Iterable[str]) -> tuple[str, ...]:
    """Requestable metrics in order, each with its standard error where there is one."""
    asked = set(metrics)
    asked |= {f"{name}_se" for name in asked}
    return tuple(name for name in REQUESTABLE if name in asked)


def delivered(metrics: Iterable[str]) -> tuple[str, ...]:
    """The metric columns that a request yields: those asked for and their parts, in order."""
    asked = set(metrics)
    return tuple(c.name for c in METRICS if c.name in asked or c.part_of in asked)


def _field(column: Column) -> pa.Field:
    metadata = {"label": column.label, "unit": column.unit, "help": column.help}
    return pa.field(column.name, column.arrow_type, metadata=metadata)


def cell_schema() -> pa.Schema:
    """Schema of a table of cells: ``cell_id``, ``family_id`` and every setting."""
    ids = [pa.field("cell_id", pa.string()), pa.field("family_id", pa.string())]
    return pa.schema([*ids, *(_field(column) for column in SETTINGS)])


def result_schema(metrics: Iterable[str]) -> pa.Schema:
    """Schema of what a model returns: ``cell_id``, metric columns, status and message."""
    fields = [_field(METRIC[name]) for name in delivered(metrics)]
    outcome = [_field(column) for column in OUTCOME[:2]]
    return pa.schema([pa.field("cell_id", pa.string()), *fields, *outcome])


def part_schema(metrics: Iterable[str]) -> pa.Schema:
    """Schema of a part: the cells with their settings, the metrics asked for and the outcome."""
    result = result_schema(metrics)
    metric_fields = [field for field in result if field.name in METRIC]
    return pa.schema([*cell_schema(), *metric_fields, *(_field(c) for c in OUTCOME)])
