"""Ridge and weight decay with planted optima."""

from __future__ import annotations

import pyarrow as pa

from tests.figures import synthetic
from tests.figures.feeds import planted


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    made = planted.rows("ridge", 0.0) + planted.rows("weight_decay", 0.0, factor=1.5)
    return synthetic.table(made), synthetic.nested("levels", []), synthetic.nested("modes", [])
