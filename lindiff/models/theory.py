"""The large-system limit of the linear model: a family is a spectrum with all its N and filters."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lindiff.models import theory_blocks, theory_noises
from lindiff.models.augmented import is_augmented
from lindiff.models.linear_cells import are_frozen
from lindiff.models.linear_family import to_table
from lindiff.models.theory_limits import limits_of, make_population


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`. Metrics
        without a limit are null, and the message says why.
    """
    row = cells.slice(0, 1).to_pylist()[0]
    if is_augmented(row):
        return theory_blocks.run(cells, wanted)
    if are_frozen(row):
        return theory_noises.run(cells, wanted)
    results, reasons = limits_of(cells, make_population(row), wanted)
    return to_table(cells, wanted, results, ["ok"] * len(cells), reasons)
