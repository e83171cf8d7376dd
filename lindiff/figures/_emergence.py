"""How modes emerge over training time: rows of `early_stopping` from the modes of each cell.

Quantities: ``generated_variance`` over the stop, per mode of the N whose λ reach lowest, and ``learning_time``
per mode of every N; ``…_filter`` is what the filter makes of the modes' λ, and of any λ; and
``learning_time_law`` and ``unlearned_law`` are the limits of `lindiff.science.emergence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.figures import _slices, _tables
from lindiff.intervals import geometric_mean_interval

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]

_TIMES, _EIGENVALUES = 121, 61  # points of the lines


def rows(cells: pa.Table, modes: pa.Table, ranks: int = 24, followed: int = 5) -> Rows:
    """Variances and learning times of the modes with λ > 0, and their laws.

    Args:
        cells: Cells over the stop, of `_optima.curves`.
        modes: Rows of ``modes.parquet``.
        ranks: Most modes of each N that a learning time is taken of.
        followed: Most modes whose variance is followed over the stop.
    """
    own = _tables.join(modes, cells)
    own = own.filter(pc.greater(own["eigenvalue"], 0))
    sizes = _tables.distinct(own, "n")
    learned = [row for n in sizes for row in _learning_times(own, n, ranks)]
    lowest = own["n"][pc.index(own["eigenvalue"], pc.min(own["eigenvalue"])).as_py()].as_py()
    variances = _variances(own, lowest, followed)
    shown = {row["mode"]: row["mode_eigenvalue"] for row in variances}
    return [*variances, *learned, *_laws(cells, own, shown)]


def _measured(modes: pa.Table, n: int, count: int) -> tuple[list[int], Array, Array, Array]:
    """Ranks (m,), stops (F,), eigenvalues (seeds, m) and variances (seeds, m, F) of one N."""
    ranks = _slices.spread(_tables.distinct(_tables.keep(modes, "n", [n]), "mode"), count)
    part = _tables.arrays(_tables.keep(modes, "mode", ranks), n=n)
    index, values = {}, {}
    for name in ("seed", "mode", "strength"):
        values[name], index[name] = np.unique(part[name], return_inverse=True)
    shape = tuple(len(values[name]) for name in index)
    eigenvalue, variance = np.full(shape[:2], np.nan), np.full(shape, np.nan)
    eigenvalue[index["seed"], index["mode"]] = part["eigenvalue"]
    variance[tuple(index.values())] = part["generated_variance"]
    whole = ~np.isnan(variance).any(axis=(1, 2))
    return values["mode"].tolist(), values["strength"], eigenvalue[whole], variance[whole]


def _variances(modes: pa.Table, n: int, count: int) -> Rows:
    ranks, stops, eigenvalue, variance = _measured(modes, n, count)
    return [
        _row("generated_variance", variance[:, i, k], eigenvalue[:, i])
        | {"n": n, "mode": mode, "strength": stop}
        for i, mode in enumerate(ranks)
        for k, stop in enumerate(stops.tolist())
        if 0 < stop < math.inf
    ]


def _learning_times(modes: pa.Table, n: int, count: int) -> Rows:
    from lindiff.science.emergence import learning_times

    ranks, stops, eigenvalue, variance = _measured(modes, n, count)
    positive = (stops > 0) & np.isfinite(stops)
    time = learning_times(stops[positive], variance[..., positive], variance[..., -1])
    return [
        _row("learning_time", time[:, i], eigenvalue[:, i]) | {"n": n, "mode": mode}
        for i, mode in enumerate(ranks)
        if np.all(np.isfinite(time[:, i]))
    ]


def _row(quantity: str, values: Array, eigenvalues: Array) -> dict[str, Any]:
    """Geometric mean and interval over seeds, and the geometric mean of λ."""
    found = geometric_mean_interval(values)
    low, high = (None if math.isnan(end) else end for end in (found.low, found.high))
    return {
        "quantity": quantity,
        "mode_eigenvalue": geometric_mean_interval(eigenvalues).value,
        "value": found.value,
        "low": low,
        "high": high,
        "seeds": found.count,
    }


def _laws(cells: pa.Table, modes: pa.Table, shown: dict[int, float]) -> Rows:
    """The filter along the modes `shown` and over λ, and its limits at small λ."""
    from lindiff.science import emergence

    ends = [_positive(cells["strength"]), _positive(modes["eigenvalue"])]
    stops, grid = (
        np.geomspace(*span, count) for span, count in zip(ends, (_TIMES, _EIGENVALUES), strict=True)
    )
    nodes = np.concatenate([list(shown.values()), grid])
    variance, final = _filter(cells, nodes, stops)
    along, over = variance[: len(shown)], variance[len(shown) :]
    time = emergence.learning_times(stops, over, final[len(shown) :])
    sampler = cells["sampler"][0].as_py()
    constant = emergence.learning_constant(sampler)
    laws = {"learning_time_filter": time, "learning_time_law": constant / grid}
    found: Rows = [
        {"quantity": name, "mode_eigenvalue": value, "value": t}
        for name, times in laws.items()
        for value, t in zip(grid.tolist(), times.tolist(), strict=True)
        if math.isfinite(t)
    ]
    for (mode, value), v in zip(shown.items(), along.tolist(), strict=True):
        found += [
            {"quantity": "generated_variance_filter", "mode": mode, "mode_eigenvalue": value}
            | {"strength": stop, "value": x}
            for stop, x in zip(stops.tolist(), v, strict=True)
        ]
    level = emergence.unlearned_constant(sampler)
    return found + [
        {"quantity": "unlearned_law", "strength": stop, "value": level / stop}
        for stop in stops.tolist()
    ]


def _positive(column: pa.ChunkedArray) -> tuple[float, float]:
    """The least and the largest value between 0 and infinity."""
    values = column.to_numpy()
    inside = values[(values > 0) & np.isfinite(values)]
    return float(inside.min()), float(inside.max())


def _filter(cells: pa.Table, nodes: Array, stops: Array) -> tuple[Array, Array]:
    """v on nodes λ (K,) at the stops, shape (K, F), and at infinity, (K,), as in `cells`."""
    from lindiff.models.linear_cells import SAMPLING, SCHEDULE, filters
    from lindiff.science.filters import Training

    row = cells.slice(0, 1).to_pylist()[0]
    more = {name: row[name] or 0.0 for name in ("learning_rate", "init_scale")}
    trainings = tuple(Training(stop=stop, **more) for stop in (*stops.tolist(), math.inf))
    made = filters(tuple(row[name] for name in (*SCHEDULE, *SAMPLING)), trainings)
    variance = np.exp(made.make_bank().response(nodes, made.make_sampler()).log_v)
    return variance[:, :-1], variance[:, -1]
