"""The table of a page as JSON: what `assets/decode.js` reads.

A setting is a code a row into the list of its values, a metric a number a row: float32, which has
seven digits, or float64 where a value would not survive that. All of them, one after the other,
are a binary text (gzip, base64) that a browser opens as typed arrays.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import METRIC, METRICS, REQUIRED, SETTING
from lindiff.drawing.intervals import LEVEL, order_statistics, t_quantile
from lindiff.models import THEORY
from lindiff.report.page.cells import AXES, RATIO, REPEATED, Cells, most_seeds
from lindiff.report.sections import plain_label

Numbers = NDArray[Any]
_SMALLEST = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max)
_HELP = {RATIO: "Number of training samples over the dimension of the data."}
_GZIP_LEVEL = 6


def payload(cells: Cells, name: str, folder: str) -> str:
    """The JSON of a page's table, in which nothing is left that could end its element.

    Args:
        cells: Its rows.
        name: The name of the config.
        folder: The folder ``results/<config>`` as a shell takes it.
    """
    table, arrays = cells.table, _Arrays()
    count = range(2, most_seeds(table) + 1)
    found = {
        "config": name,
        "folder": folder,
        "rows": len(table),
        "total": cells.total,
        "failed": cells.failed,
        "notes": cells.notes,
        "theory": THEORY,
        "repeated": REPEATED,
        "level": LEVEL,
        # By the number of values: none of 0 and 1.
        "t": [None, None, *map(t_quantile, count)],
        "medians": [None, None, *map(order_statistics, count)],
        "experiments": _experiments(table["experiments"], arrays),
        "settings": [_setting(table[name], name, arrays) for name in AXES],
        "metrics": [_metric(table[name], name, arrays) for name in metric_names(table)],
        "ids": _ids(table["cell_id"], arrays),
    }
    return safe_json(found | {"blob": arrays.packed()})


def safe_json(value: object) -> str:
    """JSON that stands in an element of HTML: it has no ``<``, ``>`` and ``&``.

    >>> safe_json({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class _Arrays:
    """Arrays that become one binary text; each starts at a multiple of eight bytes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def add(self, values: Numbers) -> dict[str, Any]:
        """Take an array, and say where it is: its type, first byte and length."""
        content = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        place = {"type": values.dtype.name, "at": self._length, "length": values.size}
        padding = bytes(-len(content) % 8)
        self._pieces += [content, padding]
        self._length += len(content) + len(padding)
        return place

    def packed(self) -> str:
        """All of them, gzip in base64; the same arrays give the same text."""
        whole = gzip.compress(b"".join(self._pieces), _GZIP_LEVEL, mtime=0)
        return base64.b64encode(whole).decode()


def metric_names(table: pa.Table) -> list[str]:
    """The metrics that some row has."""
    return [c.name for c in METRICS if not c.nested and table[c.name].null_count < len(table)]


def _setting(column: pa.ChunkedArray, name: str, arrays: _Arrays) -> dict[str, Any]:
    """A setting: its values, sorted, null last; and where it has several a code a row."""
    known = SETTING.get(name)
    codes, values = _coded(column)
    neutral = None if known is None or known.neutral is REQUIRED else known.neutral
    return {
        "name": name,
        "label": plain_label(name),
        "help": known.help if known else _HELP[name],
        "numeric": known is None or known.type in ("int", "float"),
        "values": [_plain(value) for value in values],
        "neutral": values.index(neutral) if neutral in values and neutral is not None else None,
        "codes": arrays.add(codes) if len(values) > 1 else None,
    }


def _coded(column: pa.ChunkedArray) -> tuple[Numbers, list[Any]]:
    """The place of each row's value in the list of all, of the smallest type; and the list."""
    values: list[Any] = sorted(pc.unique(column).drop_null().to_pylist())
    at = pc.index_in(column, value_set=pa.array(values, column.type))
    codes = np.asarray(at.combine_chunks().fill_null(len(values)))
    if column.null_count:
        values.append(None)
    return codes.astype(np.min_scalar_type(max(len(values) - 1, 0))), values


def _plain(value: Any) -> Any:
    """A value as JSON has it; an infinity as the word that JavaScript's `Number` reads."""
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _metric(column: pa.ChunkedArray, name: str, arrays: _Arrays) -> dict[str, Any]:
    """A metric: a number a row, nan for null."""
    values = column.to_numpy().astype(np.float64)
    known = METRIC[name]
    return {
        "name": name,
        "label": plain_label(name),
        "unit": known.unit,
        "help": known.help,
        "data": arrays.add(values.astype(np.float32) if _fits(values) else values),
    }


def _fits(values: Numbers) -> bool:
    """Whether float32 has all of the values, with all of its digits."""
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return bool(np.all((size >= _SMALLEST) & (size <= _LARGEST)))


def _experiments(column: pa.ChunkedArray, arrays: _Arrays) -> dict[str, Any]:
    """The experiments that ask for each row: a code into the lists that there are."""
    lists = column.to_pylist()
    distinct = sorted({tuple(names) for names in lists})
    place = {names: i for i, names in enumerate(distinct)}
    codes = np.array([place[tuple(names)] for names in lists], np.uint32)
    return {"values": distinct, "codes": arrays.add(codes)}


def _ids(column: pa.ChunkedArray, arrays: _Arrays) -> dict[str, Any]:
    """The ids, hexadecimal numbers of one length, as bytes."""
    texts = column.to_pylist()
    width = len(texts[0]) // 2 if texts else 0
    place = arrays.add(np.frombuffer(bytes.fromhex("".join(texts)), np.uint8))
    return place | {"width": width}
