"""How single training sets scatter about theory: relative distances, and estimators over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from lindiff.drawing import tables
from lindiff.drawing.intervals import Estimator, Interval, mean_interval, quantile_band


def distance(
    table: pa.Table, exact: pa.Table, names: Sequence[str], keys: Sequence[str], suffix: str
) -> pa.Table:
    """The table with ``NAME_SUFFIX``: NAME / (NAME of `exact` at the same `keys`) − 1.

    It is null where `exact` has no such row, or no finite value there.
    """
    row_of = {key: i for i, key in enumerate(tables.keys_of(exact, keys))}
    at = pa.array([row_of.get(key) for key in tables.keys_of(table, keys)], pa.int64())
    found = {}
    for name in names:
        value = exact[name].take(at)
        relative = pc.subtract(pc.divide(table[name], value), 1.0)
        found[f"{name}_{suffix}"] = pc.if_else(pc.is_finite(value), relative, None)
    return tables.with_columns(table, **found)


def summary(
    table: pa.Table, keys: Sequence[str], names: Sequence[str], kind: str, estimator: Estimator
) -> pa.Table:
    """`tables.summarise` with the quantities called ``NAME_KIND``."""
    own = {f"{name}_{kind}": table[name] for name in names}
    return tables.summarise(tables.with_columns(table, **own), keys, list(own), estimator)


def band(values: ArrayLike) -> Interval:
    """The median and, of several draws, the middle 80 % of them."""
    found = quantile_band(values)
    return found if found.count > 1 else Interval(found.value, math.nan, math.nan, 1)


def mean(values: ArrayLike) -> Interval:
    """The mean with its 95 % interval; infinite, without one, where a draw is."""
    return mean_interval(values)


def bound(values: ArrayLike) -> Interval:
    """The end of the 95 % interval of the mean that is farthest from 0; nan of a single draw."""
    found = mean(values)
    return Interval(max(abs(found.low), abs(found.high)), math.nan, math.nan, found.count)


def spread(values: ArrayLike) -> Interval:
    """Standard deviation over mean; nan of a single draw, of an infinite one and of a mean of 0."""
    x = np.asarray(values, np.float64)
    several = x.size > 1 and bool(np.isfinite(x).all()) and np.mean(x) != 0
    value = float(np.std(x, ddof=1) / np.mean(x)) if several else math.nan
    return Interval(value, math.nan, math.nan, x.size)
