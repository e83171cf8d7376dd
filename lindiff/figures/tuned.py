"""The least loss and KL that ridge, weight decay, early stopping and Ledoit–Wolf reach, over N/d.

Points are minima of the means over training sets with a 95 % jackknife interval (Ledoit–Wolf,
which has nothing to tune: the mean with its t-interval), coloured lines the large-system theory,
solid black lines what no regularization costs; below, all are divided by the theory of the best
ridge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.figures import Needs, _optima, _slices, _tables, _words
from lindiff.figures import draw as art
from lindiff.intervals import mean_interval
from lindiff.science import laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KL = ("kl_model_data", "kl_data_model")
FLOORS = tuple(f"{name}_floor" for name in KL)
NEEDS = Needs(axes=("n",), metrics=(*_optima.METRICS, *FLOORS))
CATEGORY = "Regularization"
LOOK = {  # colour, marker and dash
    "ridge": (art.COLOURS[0], "o", art.DASHES[0]),
    "weight_decay": (art.COLOURS[1], "s", art.DASHES[1]),
    "stop": (art.COLOURS[2], "^", art.DASHES[3]),
    "ledoit_wolf": (art.COLOURS[3], "D", None),
}
_NAMES = {"stop": "early stopping", "ledoit_wolf": "Ledoit–Wolf"}


def query(metrics: pa.Table) -> pa.Table:
    """The minima of every regularization over N, Ledoit–Wolf, and what bounds them."""
    parts = _optima.curves(metrics, _slices.REGULARIZERS)
    if not parts:
        return metrics.slice(0, 0)
    rows = [row for cells, theory in parts.values() for row in _optima.optima(cells, theory)]
    rows = [row for row in rows if "minimum" in row["quantity"]]
    cells, theory = next(iter(parts.values()))
    empty = _tables.summarise(cells.slice(0, 0), _optima.KEYS, (), mean_interval)
    found = _tables.curve(empty, [*rows, *_unregularized(theory), *_laws(cells)])
    return pa.concat_tables([found, _ledoit_wolf(metrics, cells)])


def _ledoit_wolf(metrics: pa.Table, cells: pa.Table) -> pa.Table:
    """Means over training sets of the model `ledoit_wolf` in the slice of `cells`."""
    own = _slices.alike(metrics, cells, "ledoit_wolf", finer=("n", "draw", "seed"))
