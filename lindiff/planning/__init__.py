"""What the models cost and what they refuse, before a run; nothing here changes a number.

Each model names the module of this room that has its `estimate`, `check` and `warn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lindiff.models import MODELS, Model

if TYPE_CHECKING:
    import pyarrow as pa

    from lindiff.models import Finding


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, over all models, as ``(row, setting, message)``."""
    return _over_models(cells, lambda model, own: model.check(own, metrics))


def warn(cells: pa.Table) -> list[Finding]:
    """What is allowed but should be known, over all models, in the form of `check`."""
    return _over_models(cells, lambda model, own: model.warn(own))


def _over_models(
    cells: pa.Table, look: Callable[[Model, pa.Table], list[Finding]]
) -> list[Finding]:
    import numpy as np

    names = np.asarray(cells["model"].cast("string"))
    findings = []
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        found = look(MODELS[name], cells.take(rows))
        findings += [(int(rows[row]), setting, message) for row, setting, message in found]
    return findings
