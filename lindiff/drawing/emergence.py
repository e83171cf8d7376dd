"""How modes emerge over training time: rows of `early_stopping` from the modes of each cell.

Quantities: ``generated_variance`` over the stop, per mode of the N whose λ reach lowest, and
``learning_time`` per mode of every N; ``…_filter`` is what the filter makes of the modes' λ, and
of any λ; ``learning_time_law`` and ``unlearned_law`` are limits of `lindiff.science.emergence`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import tables
from lindiff.drawing.optima import POINTS

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]

_FOLLOWED = 5  # modes whose variance is followed
_TIMES, _EIGENVALUES = 121, 61  # points of the lines


def rows(cells: pa.Table, modes: pa.Table) -> Rows:
    """Variances and learning times of the modes with λ > 0 of one training set, and their laws.

    Args:
        cells: Cells over the stop, of `_optima.curves`, with those at infinity.
        modes: Rows of ``modes.parquet``.
    """
    cells = tables.keep(cells, "seed", tables.distinct(cells, "seed")[:1])
    own = tables.join(modes, cells)
    own = _whole(own.filter(pc.greater(own["eigenvalue"], 0)))
    if own.num_rows == 0:
        return []
    learned = [row for n in tables.distinct(own, "n") for row in _learning_times(own, n)]
    lowest = own["n"][pc.index(own["eigenvalue"], pc.min(own["eigenvalue"])).as_py()].as_py()
    variances = _variances(own, lowest)
    return [*variances, *learned, *_laws(cells, learned, variances)]


def _whole(modes: pa.Table) -> pa.Table:
    """The modes with a positive, finite variance at every stop, of the N that have one at infinity.

    Their last stop is what the others are compared with.
    """
    modes = modes.filter(pc.greater(modes["strength"], 0))
    ended = tables.distinct(modes.filter(pc.is_inf(modes["strength"])), "n")
    modes = tables.keep(modes, "n", ended)
    v, value = modes["generated_variance"], modes["eigenvalue"]
    fine = pc.and_(pc.and_(pc.is_finite(v), pc.greater(v, 0)), pc.is_finite(value))
    keys = tables.keys_of(modes, ("n", "mode"))
    broken = {key for key, good in zip(keys, fine.to_pylist(), strict=True) if not good}
    return modes.filter(pa.array([key not in broken for key in keys], pa.bool_()))


def _of_size(modes: pa.Table, n: int) -> tuple[list[int], Array, Array, Array]:
    """Ranks (m,), λ (m,), positive stops (F,) and ∞, and v over them, (m, F + 1), of one N."""
    part = tables.arrays(modes, n=n)
    ranks, row = np.unique(part["mode"], return_inverse=True)
    stops, column = np.unique(part["strength"], return_inverse=True)
    eigenvalue, variance = np.empty(len(ranks)), np.full((len(ranks), len(stops)), np.nan)
    eigenvalue[row], variance[row, column] = part["eigenvalue"], part["generated_variance"]
    return ranks.tolist(), eigenvalue, stops, variance


def _variances(modes: pa.Table, n: int) -> Rows:
    """v over the stops of a few modes, evenly spread in ln λ."""
    ranks, eigenvalue, stops, variance = _of_size(modes, n)
    step = math.ceil(len(stops) / POINTS)
    targets = np.geomspace(eigenvalue[0], eigenvalue[-1], _FOLLOWED)
    few = {int(np.argmin(np.abs(np.log(eigenvalue / target)))) for target in targets}
    return [
        {"n": n, "mode": ranks[i], "mode_eigenvalue": float(eigenvalue[i])}
        | {"strength": stop, "quantity": "generated_variance", "value": v}
        for i in sorted(few)
        for stop, v in list(zip(stops[:-1].tolist(), variance[i].tolist(), strict=False))[::step]
    ]


def _learning_times(modes: pa.Table, n: int) -> Rows:
    """τ_2 of every mode that is learned within the range of the stops."""
    from lindiff.science.emergence import learning_times

    ranks, eigenvalue, stops, variance = _of_size(modes, n)
    times = learning_times(stops[:-1], variance[:, :-1], variance[:, -1])
    return [
        {"n": n, "mode": mode, "mode_eigenvalue": value}
        | {"quantity": "learning_time", "value": time}
        for mode, value, time in zip(ranks, eigenvalue.tolist(), times.tolist(), strict=True)
        if math.isfinite(time)
    ]


def _laws(cells: pa.Table, learned: Rows, variances: Rows) -> Rows:
    """The filter along the modes of `variances` and over the λ of `learned`, and its limits."""
    from lindiff.science import emergence

    stops = np.geomspace(*_ends([row["strength"] for row in variances]), _TIMES)
    shown = {row["mode"]: row["mode_eigenvalue"] for row in variances}
    grid = np.geomspace(*_ends([row["mode_eigenvalue"] for row in learned]), _EIGENVALUES)
    variance, final = _filter(cells, np.concatenate([list(shown.values()), grid]), stops)
    along, over = variance[: len(shown)], variance[len(shown) :]
    time = emergence.learning_times(stops, over, final[len(shown) :])
    sampler = cells["sampler"][0].as_py()
    law = emergence.learning_constant(sampler) / grid
    found: Rows = [
        {"quantity": f"learning_time_{name}", "mode_eigenvalue": value, "value": t}
        for name, times in (("filter", time), ("law", law))
        for value, t in zip(grid.tolist(), times.tolist(), strict=True)
        if math.isfinite(t)
    ]
    found += [
        {"quantity": "generated_variance_filter", "mode": mode, "mode_eigenvalue": value}
        | {"strength": stop, "value": v}
        for (mode, value), row in zip(shown.items(), along.tolist(), strict=True)
        for stop, v in zip(stops.tolist(), row, strict=True)
    ]
    level = emergence.unlearned_constant(sampler)
    return found + [
        {"quantity": "unlearned_law", "strength": stop, "value": level / stop}
        for stop in stops.tolist()
    ]


def _ends(values: list[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (1.0, 1.0)


def _filter(cells: pa.Table, nodes: Array, stops: Array) -> tuple[Array, Array]:
    """v on nodes λ (K,) at the stops, shape (K, F), and at infinity, (K,), as in `cells`."""
    from lindiff.models.linear_cells import make_filters, training_of

    row = cells.slice(0, 1).to_pylist()[0]
    own = replace(training_of(row), ridge=0.0, weight_decay=0.0)
    trainings = tuple(replace(own, stop=stop) for stop in (*stops.tolist(), math.inf))
    made = make_filters(row, trainings)
    variance = np.exp(made.make_bank().response(nodes, made.make_sampler()).log_v)
    return variance[:, :-1], variance[:, -1]
