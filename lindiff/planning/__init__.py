"""What the models cost and what they refuse, before a run; nothing here changes a number.

Each model names the module of this room that has its `estimate`. What is checked of every model is
in `lindiff.planning.linear`; a module whose models refuse more has a `check` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

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

    asked = [metric for metric in metrics if metric in model.metrics]
    seconds, size = import_module(model.planning).estimate(families, metrics)
    return seconds, size + column(families, "cells") * rows.objects(families, asked)


def kept(model: Model, families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of a finished cell of each family until its shard is written: `rows.kept`."""
    from lindiff.planning import rows

    return rows.kept(families, [metric for metric in metrics if metric in model.metrics])


def together(model: Model, families: pa.Table) -> Array | None:
    """Bytes that families hold besides, each its own, where one call computes many; else None.

    The call itself keeps their sum below the module's `MOST_TOGETHER`.
    """
    own = getattr(import_module(model.planning), "together", None)
    found: Array | None = own(families) if own else None
    return found


def most_together(model: Model) -> float:
    """The most that `together` comes to in all."""
    return float(getattr(import_module(model.planning), "MOST_TOGETHER", 0))


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, over all models, as ``(row, setting, message)``.

    Metrics that a model does not give demand nothing of its cells.
    """
    from lindiff.planning import linear

    def look(model: Model, own: pa.Table) -> list[Finding]:
        asked = [metric for metric in metrics if metric in model.metrics]
        own_check = getattr(import_module(model.planning), "check", linear.check)
        found: list[Finding] = own_check(own, asked)
        return found

    return _over_models(cells, look)


def warn(cells: pa.Table) -> list[Finding]:
    """What is allowed but should be known, over all models, in the form of `check`."""
    from lindiff.planning import linear

    return _over_models(cells, lambda _, own: linear.warn(own))


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
