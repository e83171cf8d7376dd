"""Curves over one regularization at a time, and their optima, measured and in theory.

Shared by the figures of ridge, weight decay and stop. What is averaged is the curve, not its
minimum: the theory predicts the mean over training sets (`lindiff.science.optima`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import SETTING
from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import Interval, mean_interval
from lindiff.drawing.needs import FEWEST_STRENGTHS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METRICS = ("residual_loss", "kl_model_data", "kl_data_model")
KEYS = ("regularizer", "strength", "d", "n", "n_over_d")
POINTS = 26  # most points of a curve that are drawn
_ROOM = 30.0  # panels show curves up to this many times their minimum


def curves(metrics: pa.Table, names: Sequence[str]) -> dict[str, tuple[pa.Table, pa.Table]]:
    """Measured and theory rows over N and one regularization, the others off, per name.

    A name is left out where the sweep has fewer than three of its values between 0 and infinity.
    The rows have the columns `KEYS`, the facts are those of `slices.pick`.
    """
    cells = slices.measured(metrics)
    used = np.zeros(cells.num_rows, dtype=int)
    for name in slices.REGULARIZERS:
        used += pc.not_equal(cells[name], SETTING[name].neutral).to_numpy()
    cells = cells.filter(pa.array(used <= 1))
    shown = ("n", *slices.REGULARIZERS)
    cells = tables.with_ratio(slices.pick(cells, shown, slices.POWER_LAW))
    found = {}
    for name in names:
        own = cells
        for other in {*slices.REGULARIZERS} - {name}:
            own = tables.keep(own, other, [SETTING[other].neutral])
        if _enough(tables.distinct(own, name)):
            named = pa.array([name] * own.num_rows, pa.string())
            own = tables.with_columns(own, regularizer=named, strength=own[name])
            found[name] = (own, slices.theory(metrics, own, finer=("n", name)))
    return found


def _enough(strengths: Iterable[float]) -> bool:
    """Whether a least value over strengths says something: of few it is that of the axis."""
    return sum(0 < x < math.inf for x in strengths) >= FEWEST_STRENGTHS


def nothing(metrics: pa.Table) -> pa.Table:
    """What `along` returns where there are no curves: no rows."""
    typed = tables.with_nulls(
        metrics.slice(0, 0), regularizer=pa.string(), strength=pa.float64(), n_over_d=pa.float64()
    )
    return tables.summary_schema(typed, KEYS).empty_table()


def along(cells: pa.Table, theory: pa.Table, sizes: Sequence[float]) -> pa.Table:
    """The curves at the N of `sizes`: means over training sets with intervals, then theory.

    Left out are infinite means, the ends 0 and infinity of the axis, and, where there are more
    points than can be told apart, all but every second (third, …) of them.
    """

    def inside(table: pa.Table) -> pa.Table:
        x = table["strength"]
        return table.filter(pc.and_(pc.greater(x, 0), pc.is_finite(x)))

    cells, theory = (tables.keep(inside(table), "n", sizes) for table in (cells, theory))
    strengths = tables.distinct(cells, "strength")
    few = strengths[:: math.ceil(len(strengths) / POINTS)]
    cells = _without_infinite(tables.keep(cells, "strength", few))
    found = tables.summarise(cells, KEYS, METRICS, mean_interval)
    found = tables.with_theory(found, theory, KEYS, METRICS)
    return found.filter(pc.is_finite(found["value"]))


def _without_infinite(cells: pa.Table) -> pa.Table:
    """The cells with null for the metrics that are infinite in any training set of their group."""
    for name in METRICS:
        infinite = pc.is_inf(cells[name])
        groups = set(tables.keys_of(cells.filter(infinite), KEYS))
        gone = pa.array([key in groups for key in tables.keys_of(cells, KEYS)], pa.bool_())
        column = pc.if_else(gone, pa.scalar(None, pa.float64()), cells[name])
        cells = cells.set_column(cells.column_names.index(name), name, column)
    return cells


def optima(cells: pa.Table, theory: pa.Table) -> list[dict[str, Any]]:
    """Rows of the optima of every metric over N, in the columns of `tables.summarise`.

    Their quantities are ``METRIC_minimum`` (the least value, wherever it is) and ``METRIC_argmin``
    (where it is, if inside the axis), of the theory with ``_theory`` after it.
    """
    rows = []
    for metric in METRICS:
        for row, x, Y in _matrices(cells, metric):
            rows += _measured(row, metric, x, Y)
        for row, x, Y in _matrices(theory, metric):
            rows += _exact(row, metric, x, Y[0])
    return rows


def _matrices(
    table: pa.Table, metric: str
) -> Iterator[tuple[dict[str, Any], NDArray[np.float64], NDArray[np.float64]]]:
    """The keys of every N, its strengths and the whole curves over them, a row per seed.

    Left out are N at which fewer strengths were asked for, as by another experiment.
    """
    for d, n, ratio in tables.distinct_keys(table, ("d", "n", "n_over_d")):
        part = tables.arrays(table, n=n)
        strengths, column = np.unique(part["strength"], return_inverse=True)
        if not _enough(strengths):
            continue
        seeds, row = np.unique(part["seed"].astype(float), return_inverse=True)
        Y = np.full((len(seeds), len(strengths)), np.nan)
        Y[row, column] = part[metric].astype(float)
        Y = Y[~np.isnan(Y).any(axis=1)]
        if len(Y) and np.isfinite(Y.mean(axis=0)).any():
            key = {"regularizer": part["regularizer"][0], "d": d, "n": n, "n_over_d": ratio}
            yield key, strengths, Y


def _measured(
    row: dict[str, Any], metric: str, x: NDArray[np.float64], Y: NDArray[np.float64]
) -> list[dict[str, Any]]:
    from lindiff.science import optima

    best = optima.measured(x, Y)
    row = row | {"seeds": best.count}
    found = {f"{metric}_minimum": (best.value, best.value_low, best.value_high)}
    if best.inside:
        found[f"{metric}_argmin"] = (best.x, best.x_low, best.x_high)
    return [
        row | {"quantity": name} | Interval(*of, best.count).columns() for name, of in found.items()
    ]


def _exact(
    row: dict[str, Any], metric: str, x: NDArray[np.float64], y: NDArray[np.float64]
) -> list[dict[str, Any]]:
    from lindiff.science import optima

    best = optima.minimum(x, y)
    found = {f"{metric}_minimum_theory": best.value}
    if best.inside:
        found[f"{metric}_argmin_theory"] = best.x
    return [row | {"quantity": name, "value": value} for name, value in found.items()]


def sizes(data: pa.Table) -> list[tuple[int, str, str, Any]]:
    """N, colour, marker and legend entry of each N that has a curve."""
    drawn = tables.keep(data, "quantity", METRICS)
    keys = tables.distinct_keys(drawn, ("n", "n_over_d"))
    dash = "-" if tables.has_theory(data) else None
    return [
        (n, colour, marker, style.handle(colour, _size(n, ratio), marker=marker, dash=dash))
        for (n, ratio), colour, marker in zip(keys, style.COLOURS, style.MARKERS, strict=False)
    ]


def _size(n: int, ratio: float) -> str:
    return f"{labels.setting('n', n)} ($N/d={ratio:.3g}$)"


def short(metric: str) -> str:
    """The label of a metric inside a title or a legend: without unit and capital letter."""
    text = labels.label(metric).partition(" [")[0]
    return text[:1].lower() + text[1:]


def at_the_end(data: pa.Table) -> str:
    """How many measured minima are at an end of their axis, where no best value can be drawn."""
    quantities = data["quantity"].to_pylist()
    count = sum(
        quantities.count(f"{metric}_minimum") - quantities.count(f"{metric}_argmin")
        for metric in METRICS
    )
    return f"left out: {count} best values at the end of their axis" if count else ""


def draw_curves(ax: Axes, data: pa.Table, metric: str, series: Sequence[tuple[Any, ...]]) -> None:
    """One metric over the strength of one regularization, with the minimum of every curve."""
    seen = []
    for n, colour, marker, _ in series:
        part = tables.arrays(data, n=n, quantity=metric)
        theory = tables.arrays(data, n=n, quantity=f"{metric}_theory")
        style.points(ax, part["strength"], part, colour, marker)
        style.line(ax, theory["strength"], theory["value"], colour, linewidth=0.8)
        x = tables.arrays(data, n=n, quantity=f"{metric}_argmin")
        y = tables.arrays(data, n=n, quantity=f"{metric}_minimum")["value"]
        if len(x["value"]):
            ax.hlines(y, x["low"], x["high"], colors=style.BLACK, zorder=4)
            ax.scatter(
                x["value"], y, s=28, c=colour, marker=marker, edgecolors=style.BLACK,
                linewidths=0.6, zorder=5,
            )  # fmt: skip
        seen += [part["value"][part["value"] < _ROOM * y.max(initial=0)], y]
    style.fit(ax, np.concatenate(seen), log=True)


def draw_best(ax: Axes, data: pa.Table, metric: str, look: tuple[str, str, Any]) -> None:
    """Where one metric is least over N/d, with its theory; `look`: colour, marker and dash."""
    colour, marker, dash = look
    theory = tables.arrays(data, quantity=f"{metric}_argmin_theory")
    style.line(ax, theory["n_over_d"], theory["value"], colour, dash, linewidth=0.8)
    part = tables.arrays(data, quantity=f"{metric}_argmin")
    style.bars(ax, part["n_over_d"], part, colour, marker)
