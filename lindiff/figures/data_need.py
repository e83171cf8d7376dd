"""N needed for a residual loss or a KL against what might rule it, for several spectra and d.

N is where a curve last falls below the level written at its row (one that starts below is left
out), with df_k = Σ_j (s_j/(s_j+κ))^k at κ = (1−ᾱ_t)/ᾱ_t, for the KL at the middle t. At large N,
for Gaussian data without regularization and without a sampler's floor, a target is a/N: dash-dotted
in the first column. Points are geometric means over training sets with 95 % t-intervals, coloured
lines theory; titles give the exponent of the black fit, to four or more abscissae with N > 10 d
(full markers), with its 95 % interval over seeds and lack of fit, and the factor that those points
scatter by.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import METRIC
from lindiff.drawing import labels, need, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Condition, Needs
from lindiff.science import scaling
from lindiff.science.laws import kl_tail, optimal_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGETS = ("residual_loss", "kl_model_data", "kl_data_model")
AGAINST = ("d", "df1", "df2", "participation", "coefficient")
DRAWN = ("coefficient", "d", "df1")  # what collapses them, and two that do not
FAR = 10  # times d: the law of large N holds above
FALL = Condition("curves that fall over n: n from below d to several d, with finite KL")
NEEDS = Needs(axes=("d", "n"), metrics=(*TARGETS, "levels"), conditions=(FALL,))
CATEGORY = "Data need"
_POWERS = (1 / 2, 3 / 4, 9 / 10)  # the noise levels t = T^p: little noise, some, as much as signal
_CURVE = ("target", *slices.SPECTRUM, "d", "t", "alpha_bar")
_TYPES = {"d": pa.int64(), "t": pa.int64(), "seeds": pa.int64()} | {
    name: pa.float64() for name in ("alpha_bar", "x", "value", "low", "high")
}
_COLUMNS = (*_CURVE, "against", "x", "quantity", "value", "low", "high", "seeds")
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _COLUMNS])


def query(metrics: pa.Table, levels: pa.Table) -> pa.Table:
    """The needed N of each target, spectrum, d and noise level against each of `AGAINST`.

    Quantities: `needed`, `needed_theory`, and per target the `exponent`, `prefactor` and `scatter`
    of all its points. The levels that define N are in the facts.
    """
    cells = slices.pick(slices.measured(metrics), ("d", "n", *slices.SPECTRUM), {})
    cells = slices.spectra(cells, len(style.COLOURS))
    curves = _curves([cells, slices.theory(metrics, cells)], _few(levels))
    rows: list[dict[str, Any]] = []
    level = {}
    for target in TARGETS:
        own = {key: by_seed for key, by_seed in curves.items() if key[0] == target}
        level[target] = need.level_of(own)
        needed = need.needed(own, level[target])
        for against in AGAINST:
            where = {"target": target, "against": against}
            rows += _rows(needed, where, slices.scale(cells))
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    return tables.with_facts(table, **tables.facts(cells), level=level)


def _few(levels: pa.Table) -> pa.Table:
    """The rows of the noise levels nearest to T to the `_POWERS`."""
    levels = levels.filter(pc.is_valid(levels["test_loss"]))
    times = np.array(tables.distinct(levels, "t"), float)
    if not len(times):
        return levels
    near = {int(times[np.argmin(np.abs(np.log(times / times[-1] ** p)))]) for p in _POWERS}
    return tables.keep(levels, "t", sorted(near))


def _curves(groups: list[pa.Table], levels: pa.Table) -> need.Curves:
    """The curves of each target over N, by `_CURVE` and seed."""
    times = tables.distinct_keys(levels, ("t", "alpha_bar"))
    middle = times[len(times) // 2] if times else (None, None)
    where, scale = (*slices.SPECTRUM, "d", "seed", "n"), slices.scale(groups[0])
    curves: need.Curves = defaultdict(lambda: defaultdict(list))
    for cells in groups:
        cells = cells.sort_by("n")
        single = tables.join(levels, cells)
        names = (*where, "t", "alpha_bar", "test_loss")
        for *population, seed, n, t, alpha_bar, loss in tables.keys_of(single.sort_by("n"), names):
            spectrum = slices.eigenvalues(*population, scale=scale)
            residual = loss - float(optimal_loss(alpha_bar, spectrum))
            curves[(TARGETS[0], *population, t, alpha_bar)][seed].append((n, residual))
        for target in TARGETS[1:]:
            rows = cells.filter(pc.is_valid(cells[target]))
            for *population, seed, n, kl in tables.keys_of(rows, (*where, target)):
                curves[(target, *population, *middle)][seed].append((n, kl))
    return curves


def _rows(needed: need.Needed, own: dict[str, str], scale: float) -> list[dict[str, Any]]:
    """The points of one target against one abscissa, those of the theory, and the power law."""
    rows, x, points = [], [], []
    for key, by_seed in needed.items():
        point = own | dict(zip(_CURVE, key, strict=True))
        point["x"] = _abscissa(own["against"], *key, scale=scale)
        seeds = {seed: n for seed, n in by_seed.items() if seed is not None}
        if None in by_seed:
            rows.append(point | {"quantity": "needed_theory", "value": by_seed[None]})
        if seeds:
            interval = geometric_mean_interval(list(seeds.values()))
            rows.append(point | need.row("needed", interval))
        if seeds and interval.value > FAR * point["d"]:
            x.append(point["x"])
            points.append(seeds)
    return [*rows, *(own | row for row in need.fit(x, points))]


def _abscissa(
    name: str,
    target: str,
    kind: str,
    params: str,
    d: int,
    _: int,
    alpha_bar: float,
    *,
    scale: float = 1.0,
) -> float:
    s, kappa = slices.eigenvalues(kind, params, d, scale=scale), (1 - alpha_bar) / alpha_bar
    loss = target == TARGETS[0]
    return {
        "d": float(d),
        "df1": scaling.df1(s, kappa),
        "df2": scaling.df2(s, kappa),
        "participation": scaling.participation(s),
        "coefficient": scaling.loss_coefficient(s, kappa) if loss else float(kl_tail(1, d)),
    }[name]


def draw(data: pa.Table) -> Figure:
    """A row of panels per target, a column per abscissa of `DRAWN`, the first one wider."""
    figure, axes = style.panels(
        len(TARGETS), len(DRAWN), height=1.65, sharex="col", sharey="row",
        width_ratios=[1.6, *[1] * (len(DRAWN) - 1)],
    )  # fmt: skip
    pairs = list(itertools.product(TARGETS, DRAWN))
    for ax, (target, against) in zip(axes.flat, pairs, strict=True):
        _panel(ax, data.sort_by("x"), target, against)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    level = tables.facts(data)["level"]
    for ax, target in zip(axes[:, 0], TARGETS, strict=True):
        ax.set_ylabel(f"$N$ needed for\n{METRIC[target].label} = {labels.number(level[target])}")
    style.titles(axes, [_title(_fit(data, *pair)) for pair in pairs])
    style.heading(figure, data, without=("spectrum", "d"))
    style.legend(figure, _entries(data), columns=3)
    return figure


def _spectra(data: pa.Table) -> list[tuple[tuple[str, str], str, str]]:
    """Each spectrum with its colour and marker."""
    keys = [key for key in tables.distinct_keys(data, slices.SPECTRUM) if key[0] is not None]
    return list(zip(keys, style.COLOURS, style.MARKERS, strict=False))


def _times(data: pa.Table, target: str) -> list[tuple[tuple[int, float], Any]]:
    """t and ᾱ of each noise level of a target with its dash."""
    rows = tables.keep(data, "target", [target])
    keys = [key for key in tables.distinct_keys(rows, ("t", "alpha_bar")) if key[0] is not None]
    return list(zip(keys, style.DASHES, strict=False))


def _panel(ax: Axes, data: pa.Table, target: str, against: str) -> None:
    own = {"target": target, "against": against}
    series = itertools.product(_spectra(data), _times(data, target))
    for ((kind, params), colour, marker), ((t, _), dash) in series:
        curve = own | {"spectrum": kind, "spectrum_params": params, "t": t}
        part = tables.arrays(data, quantity="needed", **curve)
        far = part["value"] > FAR * part["d"]
        for chosen, filled in ((far, True), (~far, False)):
            few = {name: column[chosen] for name, column in part.items()}
            style.bars(ax, few["x"], few, colour, marker, filled=filled)
        line = tables.arrays(data, quantity="needed_theory", **curve)
        style.line(ax, line["x"], line["value"], colour, dash, linewidth=0.7)
    part = tables.arrays(data, quantity="needed", **own)
    if fit := _fit(data, target, against):
        far = part["x"][part["value"] > FAR * part["d"]]
        ends = np.array([far.min(), far.max()])
        law = fit["prefactor"]["value"] * ends ** fit["exponent"]["value"]
        style.line(ax, ends, law, linewidth=0.6)
    if against == "coefficient":
        law = part["x"] / tables.facts(data)["level"][target]
        style.line(ax, part["x"], law, style.GREY, style.DASHES[3], linewidth=0.7)
    style.axis(ax, against)
    if against == "d":
        sizes = tables.distinct(data, "d")
        ax.set_xticks(sizes, [str(d) for d in sizes])
        ax.set_xticks([], minor=True)


def _fit(data: pa.Table, target: str, against: str) -> dict[str, dict[str, Any]]:
    """Exponent, prefactor and scatter of a panel; empty where there is no power law."""
    rows = tables.keep(tables.keep(data, "target", [target]), "against", [against])
    return {row["quantity"]: row for row in rows.filter(pc.is_null(rows["x"])).to_pylist()}


def _title(fit: dict[str, dict[str, Any]]) -> str:
    if not fit:
        return ""
    exponent, scatter = fit["exponent"], fit["scatter"]["value"]
    if exponent["low"] is None:
        return f"exponent ${exponent['value']:.2f}$,\nscatter $\\times{scatter:.2f}$"
    half = (exponent["high"] - exponent["low"]) / 2
    digits = 2 if half >= 0.01 else 3
    value = rf"${exponent['value']:.{digits}f}\pm{half:.{digits}f}$"
    return f"exponent {value},\nscatter $\\times{scatter:.2f}$"


def _entries(data: pa.Table) -> list[Any]:
    entries = [
        style.handle(colour, labels.spectrum(*key), marker=marker)
        for key, colour, marker in _spectra(data)
    ]
    for (t, alpha_bar), dash in _times(data, TARGETS[0]):
        text = rf"theory, $t={t}$, $\kappa={(1 - alpha_bar) / alpha_bar:.2g}$"
        entries.append(style.handle(style.GREY, text, dash=dash))
    fit = style.handle(style.BLACK, "fitted power law", dash="-")
    terms = r"(\mathrm{df}_1+1)(\mathrm{df}_1-\mathrm{df}_2)+\mathrm{df}_2-\mathrm{df}_3"
    text = rf"$a/N$; loss: $a=[{terms}]/d$, KL: $a=(d+3)/4$"
    return [*entries, fit, style.handle(style.GREY, text, dash=style.DASHES[3])]
