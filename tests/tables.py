"""Whether two results folders hold the same tables: python -m tests.tables FOLDER OTHER

Same columns, rows and order; numbers to 1e-12 (relative, and absolute below 1); times aside.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ("metrics.parquet", "levels.parquet", "modes.parquet")
TIMES = {"seconds"}
TOLERANCE = 1e-12


def _same_numbers(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    null = one.is_null().to_numpy()
    if not np.array_equal(null, other.is_null().to_numpy()):
        return False
    a, b = (np.asarray(x.to_numpy(), dtype=np.float64)[~null] for x in (one, other))
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))


def differences(one: pa.Table, other: pa.Table) -> list[str]:
    """What differs between two tables; empty when they are the same."""
    if one.schema != other.schema:
        return [f"columns: {one.schema.names} and {other.schema.names} (or their types)"]
    if one.num_rows != other.num_rows:
        return [f"rows: {one.num_rows} and {other.num_rows}"]
    found = []
    for name in one.schema.names:
        if name in TIMES:
            continue
        floating = pa.types.is_floating(one.schema.field(name).type)
        if not (
            _same_numbers(one[name], other[name]) if floating else one[name].equals(other[name])
        ):
            found.append(f"column {name}")
    return found


def compare(folder: Path, other: Path) -> list[str]:
    """What differs between the tables of two results folders.

    Raises:
        FileNotFoundError: If `folder` has no ``metrics.parquet``.
    """
    if not (folder / NAMES[0]).exists():
        raise FileNotFoundError(folder / NAMES[0])
    found = []
    for name in NAMES:
        one, two = folder / name, other / name
        if one.exists() != two.exists():
            found.append(f"{name}: only in {folder if one.exists() else other}")
        elif one.exists():
            found += [f"{name}: {d}" for d in differences(pq.read_table(one), pq.read_table(two))]
    return found


def main(arguments: list[str]) -> int:
    """The command line."""
    one, other = map(Path, arguments)
    found = compare(one, other)
    rows = pq.read_metadata(one / NAMES[0]).num_rows
    print("\n".join(found) or f"same tables, {rows} cells: {one} and {other}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
