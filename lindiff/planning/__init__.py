"""What the models cost and what they refuse, before a run; nothing here changes a number.

Each model names the module of this room that has its `estimate`. What is checked of every model is
in `lindiff.planning.linear`; a module whose models refuse more has a `check` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lindiff.columns.groups import NOT_AUGMENTED
from lindiff.models import MODELS, Model

if TYPE_CHECKING:
    import pyarrow as pa

    from lindiff.planning.cells import Array, Finding


def estimate(model: Model, families: pa.Table, metrics: Sequence[str]) -> tuple[Array, Array]:
    """Seconds on one core and bytes of each family of `model`, shape (families,) each.

    The bytes are the peak of a process that computes this family alone, rows of finished cells
    (`rows.kept`) not counted.

    Args:
        model: The model.
        families: The settings of one cell of each family, and `cells`, their number.
        metrics: Metrics asked for.
    """
    from lindiff.planning import rows
    from lindiff.planning.cells import column

    families = _of_points(model, families)
    asked = [metric for metric in metrics if metric in model.metrics]
    seconds, size = import_module(model.planning).estimate(families, metrics)
    return seconds, size + column(families, "cells") * rows.objects(families, asked)


def kept(model: Model, families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of a finished cell of each family until its shard is written: `rows.kept`."""
    from lindiff.planning import rows

    families = _of_points(model, families)
    return rows.kept(families, [metric for metric in metrics if metric in model.metrics])


def together(model: Model, families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of each family that add up where one call computes many, shape (families, parts).

    Models that compute families one by one have no parts.
    """
    import numpy as np

    own = getattr(import_module(model.planning), "together", None)
    families = _of_points(model, families)
    found: Array = own(families, metrics) if own else np.zeros((len(families), 0))
    return found


def _of_points(model: Model, families: pa.Table) -> pa.Table:
    """The families with the points that they are trained on; a limit has none."""
    from lindiff.planning.cells import with_points

    return with_points(families) if "seed" in model.settings else families


def of_call(model: Model, parts: Array) -> float:
    """Bytes that a call of families takes beside the largest of them, from their `together`."""
    if not parts.shape[1]:
        return 0.0
    return float(import_module(model.planning).of_call(parts))


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, over all models, as ``(row, setting, message)``.

    Metrics that a model does not give demand nothing of its cells.
    """
    from lindiff.planning import checks

    def look(model: Model, own: pa.Table) -> list[Finding]:
        asked = [metric for metric in metrics if metric in model.metrics]
        own_check = getattr(import_module(model.planning), "check", checks.check)
        found: list[Finding] = own_check(own, asked)
        return found

    return _over_models(cells, look)


def too_large(cells: pa.Table, metrics: Sequence[str], available: float) -> list[Finding]:
    """Cells of which one alone takes more memory than there is, in the form of `check`.

    Asked before `check`, which looks at spectra and would run out of memory itself.

    Args:
        cells: The cells.
        metrics: Metrics asked for.
        available: Bytes that a process may take.
    """
    import numpy as np
    import pyarrow as pa

    from lindiff.columns.arrays import combinations

    def look(model: Model, own: pa.Table) -> list[Finding]:
        names = [name for name in model.settings if name not in model.within | {"seed"}]
        _, rows = combinations(own, names)
        families = own.take(pa.array(rows)).append_column("cells", pa.array(np.ones(len(rows))))
        _, size = estimate(model, families, metrics)
        size = size + together(model, families, metrics).sum(axis=1)
        return [
            (int(rows[i]), *_too_large(families.slice(i, 1).to_pylist()[0], float(size[i])))
            for i in np.flatnonzero(size > available).tolist()
        ]

    return _over_models(cells, look)


def _too_large(cell: dict[str, Any], size: float) -> tuple[str, str]:
    names = [
        name for name in ("d", "n", "width", "features", "batch_size") if cell[name] is not None
    ]
    largest = max(names, key=lambda name: int(cell[name]))
    said = ", ".join(f"{name} = {cell[name]:,}" for name in names)
    if cell["augmentation"] not in (None, NOT_AUGMENTED):
        said += f", augmentation = {cell['augmentation']}"
    return largest, f"a cell of {said} needs {size / 1e9:,.3g} GB"


def warn(cells: pa.Table) -> list[Finding]:
    """What is allowed but should be known, over all models, in the form of `check`."""
    from lindiff.planning import checks

    return _over_models(cells, lambda _, own: checks.warn(own))


def _over_models(
    cells: pa.Table, look: Callable[[Model, pa.Table], list[Finding]]
) -> list[Finding]:
    import numpy as np

    names = np.asarray(cells["model"].cast("string"))
    findings = []
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        # Not where there is one model: of a million cells a copy is large.
        own = cells if len(rows) == len(cells) else cells.take(rows)
        found = look(MODELS[name], own)
        findings += [(int(rows[row]), setting, message) for row, setting, message in found]
    return findings
