"""How far single training sets scatter about the theory, and how their mean nears d → ∞.

(a) standard deviation of the draws over their mean at one N/d and strength; dashed is ∝ 1/d through
the points. (b) mean of the draws over the limit (theory at the largest d) minus 1, with its 95 %
t-interval, lines the theory at the same d. (c) draws over the theory at the same d over N/d, at the
d with the most N: medians with the middle 80 % of the draws as bar, crosses means (those of one N
are moved apart). (d) draws of the least regularization about N = d, in nats, with theory as line,
infinite medians and means left out; where their tail is heavy a few draws move the mean away from
the median.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import drawn, labels, scatter, slices, style, tables
from lindiff.drawing.needs import Needs, one_ratio_at_several_d, ratio_between
from lindiff.models import THEORY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = ("test_loss", "kl_model_data", "kl_data_model")
HEAVY = "kl_data_model"
_NEAR = (0.6, 1.8)  # N/d about N = d
# What the panels of the heavy tails take, and those of the moments against d.
NEAR, SEVERAL = ratio_between(*_NEAR), one_ratio_at_several_d()
# Two experiments feed it: many N at one d, and a few N/d at many d.
NEEDS = Needs(axes=("n",), metrics=METRICS, settings=(("model", THEORY),),
              conditions=(NEAR, SEVERAL))  # fmt: skip
CATEGORY = "Theory"
_SLICE = ("n_over_d", "regularizer", "strength")
_KEYS = ("d", "n", *_SLICE)
LOOK = dict(zip(METRICS, zip(style.COLOURS, style.MARKERS, strict=True), strict=False))
_FEW = 3
_SIZES = 11
_APART = (0.92, 1.0, 1.08)
RELATIVE = tuple(f"{name}_relative" for name in METRICS)
LIMIT = tuple(f"{name}_limit" for name in METRICS)


def query(metrics: pa.Table) -> pa.Table:
    """Draws over theory against N/d, in nats about N = d, and their moments against d."""
    cells = slices.measured(metrics)
    cells = slices.regularizations(cells, ("d", "n"), lambda values: slices.spread(values, _FEW))
    cells = tables.with_ratio(cells)
    theory = slices.theory(metrics, cells, finer=("d", "n"))
    cells = scatter.distance(cells, theory, METRICS, _KEYS, "relative")
    found = pa.concat_tables([_against_n(cells, theory), *_against_d(cells, theory)])
    return found.filter(pc.is_finite(found["value"]))


def _against_n(cells: pa.Table, theory: pa.Table) -> pa.Table:
    """Draws over theory, and those of the heavy tails in nats, at the d that has the most N."""
    counts = Counter(d for d, _ in tables.distinct_keys(cells, ("d", "n")))
    dense = sorted(counts, key=lambda d: (counts[d], d))[-1:]
    cells, theory = (tables.keep(table, "d", dense) for table in (cells, theory))
    near, line = (_near(table) for table in (cells, theory))
    few = tables.keep(cells, "n", slices.spread(tables.distinct(cells, "n"), _SIZES))
    parts = [
        scatter.summary(table, _KEYS, names, kind, estimator)
        for table, names in ((few, RELATIVE), (near, [HEAVY]))
        for kind, estimator in (("draws", scatter.band), ("average", scatter.mean))
    ]
    return tables.with_theory(pa.concat_tables(parts), line, _KEYS, [HEAVY])


def _near(table: pa.Table) -> pa.Table:
    x = table["n_over_d"]
    return table.filter(pc.and_(pc.greater(x, _NEAR[0]), pc.less(x, _NEAR[1])))


def _against_d(cells: pa.Table, theory: pa.Table) -> list[pa.Table]:
    """Moments of the draws at a few N/d, of the strength that has the most of several d.

    ``spread`` is the standard deviation over the mean, ``limit_average`` the mean from the limit,
    ``relative_bound`` the farther end of the 95 % interval of the mean from theory at the same d.

    The theory at its largest d stands for the limit d → ∞.
    """
    sizes = tables.distinct_keys(cells, ("strength", "n_over_d", "d"))
    counts = Counter((strength, x) for strength, x, _ in sizes)
    shared = [key for key, count in counts.items() if count > 1]
    if not shared or not theory.num_rows:
        return []
    often = Counter(strength for strength, _ in shared)
    strength = max(often, key=lambda value: (often[value], value))
    ratios = slices.spread(sorted(x for own, x in shared if own == strength), _FEW)
    cells, theory = (
        tables.keep(tables.keep(table, "strength", [strength]), "n_over_d", ratios)
        for table in (cells, theory)
    )
    last = max(tables.distinct(theory, "d"), default=0)
    limit = tables.keep(theory, "d", [last])
    cells, theory = (
        scatter.distance(table, limit, METRICS, _SLICE, "limit") for table in (cells, theory)
    )
    parts = [
        scatter.summary(cells, _KEYS, METRICS, "spread", scatter.spread),
        scatter.summary(cells, _KEYS, RELATIVE, "bound", scatter.bound),
        scatter.summary(cells, _KEYS, LIMIT, "average", scatter.mean),
    ]
    below = theory.filter(pc.less(theory["d"], last))
    return [tables.with_theory(pa.concat_tables(parts), below, _KEYS, LIMIT)]


def draw(data: pa.Table) -> Figure:
    """Against d scatter and mean of the draws; over N/d the draws, and those about N = d."""
    figure, axes = style.panels(2, 2, height=2.1)
    against, draws, near = axes[0], axes[1, 0], axes[1, 1]
    own = _against(data)
    for ax, moment in zip(against, ("spread", "limit_average"), strict=True):
        _moments(ax, data, moment, own)
    strength = own.get("strength", _strongest(data))
    for (name, (colour, marker)), move in zip(LOOK.items(), _APART, strict=True):
        part, means = _draws(data, f"{name}_relative", strength)
        style.bars(draws, part["n_over_d"] * move, part, colour, marker)
        _crosses(draws, means["n_over_d"] * move, means, colour)
    _finish(draws, data, [f"{name}_relative" for name in METRICS], log="x", strength=strength)
    tail = _weakest(data)
    _tail(near, data, tail)
    against[0].set_ylabel("standard deviation over mean")
    against[1].set_ylabel("mean over limit − 1")
    draws.set_ylabel("draw over theory − 1")
    near.set_ylabel(labels.label(HEAVY))
    style.titles(axes, _titles(data, own, strength, tail))
    style.heading(figure, data, without=("d",), note=_agreement(data, own))
    _legend(figure, axes, data)
    return figure


def _legend(figure: Figure, axes: Any, data: pa.Table) -> None:
    entries = [
        style.handle(colour, _short(name), marker=marker) for name, (colour, marker) in LOOK.items()
    ]
    guide = style.handle(style.GREY, r"$\propto 1/d$", dash=style.DASHES[1])
    entries += style.within(axes[0, 0], [guide])
    theory = style.handle(style.GREY, "theory", dash="-")
    entries += style.within([axes[0, 1], axes[1, 1]], [theory])
    entries.append(style.handle(style.BLACK, "mean of the draws", marker="x"))
    intervals = {"95 % interval of the mean": axes[0], "middle 80 % of the draws": axes[1]}
    style.legend(figure, entries, 4, intervals)


def _draws(data: pa.Table, name: str, strength: float | None) -> list[dict[str, Any]]:
    """Medians with their band, and means."""
    kinds = ("draws", "average")
    return [tables.arrays(data, quantity=f"{name}_{kind}", strength=strength) for kind in kinds]


def _crosses(ax: Axes, x: Any, means: dict[str, Any], colour: str) -> None:
    ax.plot(x, means["value"], color=colour, linestyle="none", marker="x")


def _finish(ax: Axes, data: pa.Table, names: Sequence[str], *, log: str, **own: Any) -> None:
    """Axes that hold the bands, and the means too where the ordinate is logarithmic."""
    seen = []
    for name in names:
        draws, means = _draws(data, name, own["strength"])
        seen += [draws[end].astype(float) for end in ("value", "low", "high")]
        seen += [means["value"]] * ("y" in log)
    style.axis(ax, "n_over_d", log=log)
    style.fit(ax, np.concatenate(seen), log="y" in log)


def _moments(ax: Axes, data: pa.Table, moment: str, own: dict[str, float]) -> None:
    """One moment of every metric against d: with the theory, or else with a guide ∝ 1/d."""
    from matplotlib.ticker import NullLocator

    sizes, seen = set[int](), []
    for name, (colour, marker) in LOOK.items():
        part = tables.arrays(data, quantity=f"{name}_{moment}", **own)
        style.bars(ax, part["d"], part, colour, marker)
        line = tables.arrays(data, quantity=f"{name}_limit_theory", **own)
        if moment == "limit_average":
            style.line(ax, line["d"], line["value"], colour)
        elif np.any(part["value"] > 0):
            some = part["value"] > 0
            d, value = part["d"][some].astype(float), part["value"][some]
            guide = np.exp(np.log(d * value).mean()) / d
            style.line(ax, d, guide, colour, style.DASHES[1], linewidth=0.7, zorder=1)
        sizes.update(part["d"].tolist())
        seen += np.abs(part["value"]).tolist()
    style.axis(ax, "d")
    style.fit(ax, np.array(seen), log=True)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(sorted(sizes), [str(d) for d in sorted(sizes)])
    if drawn.empty(ax):
        drawn.nothing(ax, SEVERAL.words)


def _tail(ax: Axes, data: pa.Table, strength: float | None) -> None:
    """The divergence with the heavy tail about N = d."""
    draws, means = _draws(data, HEAVY, strength)
    colour, marker = LOOK[HEAVY]
    style.points(ax, draws["n_over_d"], draws, colour, marker)
    _crosses(ax, means["n_over_d"], means, colour)
    line = tables.arrays(data, quantity=f"{HEAVY}_theory", strength=strength)
    style.line(ax, line["n_over_d"], line["value"], colour)
    _finish(ax, data, [HEAVY], log="y", strength=strength)
    ax.set_xlim(_NEAR)
    if drawn.empty(ax):
        drawn.nothing(ax, NEAR.words)


def _against(data: pa.Table) -> dict[str, float]:
    """The strength and the N/d, of several the middle one, whose moments stand against d."""
    names = [f"{name}_spread" for name in METRICS]
    keys = tables.distinct_keys(tables.keep(data, "quantity", names), ("strength", "n_over_d"))
    if not keys:
        return {}
    strength, ratio = keys[len(keys) // 2]
    return {"strength": strength, "n_over_d": ratio}


def _strongest(data: pa.Table) -> float | None:
    names = [f"{name}_draws" for name in RELATIVE]
    found = slices.strengths(tables.keep(data, "quantity", names))[1]
    return found[-1] if found else None


def _weakest(data: pa.Table) -> float | None:
    """The least regularization that has draws about N = d."""
    found = slices.strengths(tables.keep(data, "quantity", [f"{HEAVY}_draws"]))[1]
    return found[0] if found else None


def _agreement(data: pa.Table, own: dict[str, float]) -> str:
    """How far at most the mean of the draws is from theory at the same d, at the largest d."""
    bounds = tables.keep(data, "quantity", [f"{name}_relative_bound" for name in METRICS])
    part = tables.arrays(bounds, **own) if own else {"d": np.array([])}
    if not len(part["d"]):
        return ""
    last = part["d"].max()
    worst = 100 * part["value"][part["d"] == last].max()
    return (
        f"at $d={last}$ of (b) the mean is within {worst:.2g} % of the theory at the same d, by "
        "the farther end of its 95 % interval and for every metric"
    )


def _short(name: str) -> str:
    return labels.label(name).partition(" [")[0]


def _titles(
    data: pa.Table, own: dict[str, float], strength: float | None, tail: float | None
) -> list[str]:
    """What each panel says, and where."""
    name = slices.strengths(data)[0]
    at = ", ".join(
        [f"$N/d={own['n_over_d']:g}$", labels.setting(name, own["strength"])] if own else []
    )
    draws = tables.keep(data, "quantity", [f"{RELATIVE[0]}_draws", f"{HEAVY}_draws"])
    dense = [labels.setting("d", d) for d in tables.distinct(draws, "d")]
    of, least = (
        [] if value is None else [labels.setting(name, value)] for value in (strength, tail)
    )
    return [
        ", ".join(filter(None, ["scatter of training sets", at])),
        ", ".join(filter(None, ["mean of training sets", at])),
        ", ".join(["training sets", *dense, *of]),
        ", ".join(["heavy tail", *dense, *least]),
    ]
