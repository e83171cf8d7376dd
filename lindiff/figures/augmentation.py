"""Test loss of linear denoisers over N for groups of several sizes |G|, and the N that it needs.

First over N/d, then over N |G|/d: the orbit of a training set has N |G| points, as many as
dimensions at the dotted line. Points are geometric means over training sets with their 95 %
t-interval (on logarithms) as band, coloured lines the theory, the black one the population optimum
(of a data set that of its whole pool). Over |G| the N from which on the test loss is below the
level of the title, with its interval over training sets, lines the theory and N ∝ 1/|G| from the
smallest group on; groups that start below it, or never get there, have none. Where the sweep has
networks a last panel has, in the same manner, the N at which half of a network's samples are copies
of a point of the orbit: nearer to it than a third of the distance to the second-nearest one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns.groups import AUGMENTATION
from lindiff.drawing import compare, labels, need, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models import MODELS
from lindiff.models.augmented import size_or_none

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE, HALF = "memorized_fraction", 0.5
NEEDS = Needs(
    axes=("n", "augmentation"), metrics=("test_loss", "optimal_loss"), also=(SHARE,)
)  # fmt: skip
CATEGORY = "Transition"
LOSSES = ("test_loss", "optimal_loss")
_KEYS = ("augmentation", "group_size", "d", "n", "n_over_d")
_NETWORK = ("model", *compare.POPULATION)
_CHOICES: dict[str, slices.Choice] = {"d": max, **slices.POWER_LAW}
_FEW = 6
_GUIDE = style.DASHES[2]


def query(metrics: pa.Table) -> pa.Table:
    """The losses over N of some groups, the needed N of each, and N of the first network's copies.

    `group_size` is |G|. The quantity `copied_until` is the N at which a memorized fraction falls to
    ½, with the `exponent`, `prefactor` and `scatter` of its power law in |G|; these rows alone have
    a model and a population, of which the facts have `training` and, as `network`, what is held.
    """
    cells = slices.pick(slices.measured(metrics), ("n", *AUGMENTATION), _CHOICES)
    theory = _sized(slices.theory(metrics, cells))
    cells, network = _sized(tables.with_ratio(cells)), _network(metrics)
    sizes = {*tables.distinct(cells, "group_size"), *tables.distinct(network, "group_size")}
    few = slices.spread(sorted(sizes), _FEW)
    cells, theory, network = (
        tables.keep(table, "group_size", few) for table in (cells, theory, network)
    )
    cells = slices.with_few(cells, "group_size", len(few), len(sizes))
    found = tables.summarise(cells, _KEYS, LOSSES, geometric_mean_interval)
    found = tables.with_theory(found, theory, _KEYS, LOSSES[:1])
    curves = _curves([cells, theory], LOSSES[0])
    level = need.level_of(curves)
    own = {name: metrics.schema.field(name).type for name in _NETWORK if name not in _KEYS}
    found = tables.with_nulls(found, **own)
    found = tables.curve(found, [*_needed(need.needed(curves, level), cells), *_copied(network)])
    training, held = (tables.facts(network)[key] for key in ("training", "fixed"))
    return tables.with_facts(
        found, **tables.facts(found), level=level, training=training, network={"fixed": held}
    )


def _network(metrics: pa.Table) -> pa.Table:
    """The rows of the first network with memorized fractions, of one population."""
    known = metrics.filter(pc.is_valid(metrics[SHARE]))
    model = next((name for name in compare.TRAINED if name in compare.names(known)), "")
    return _sized(compare.side_by_side(known, (model,), ("n", *AUGMENTATION), count=1))


def _sized(table: pa.Table) -> pa.Table:
    """The table with |G| in the place of the setting, which is null or 0 for the largest."""
    names = ("augmentation", "group_size", "data", "d")
    sizes = [size_or_none(row) for row in table.select(names).to_pylist()]
    at = table.column_names.index("group_size")
    return table.set_column(at, table.schema.field(at), pa.array(sizes, pa.int64()))


def _curves(groups: list[pa.Table], quantity: str) -> need.Curves:
    """A quantity of each group over N by seed, None of the theory."""
    curves: need.Curves = defaultdict(lambda: defaultdict(list))
    names = ("augmentation", "group_size", "seed", "n", quantity)
    for table in groups:
        for kind, size, seed, n, value in tables.keys_of(table.sort_by("n"), names):
            if value is not None:
                curves[kind, size][seed].append((n, value))
    return curves


def _needed(needed: need.Needed, cells: pa.Table) -> list[dict[str, Any]]:
    rows = []
    d = tables.distinct(cells, "d")
    for (kind, size), by_seed in sorted(needed.items()):
        own = {"augmentation": kind, "group_size": size, "d": d[0]}
        measured = [n for seed, n in by_seed.items() if seed is not None]
        if measured:
            found = need.row("needed", geometric_mean_interval(measured))
            rows.append(own | found)
        if None in by_seed:
            rows.append(own | {"quantity": "needed_theory", "value": by_seed[None]})
    return rows


def _copied(network: pa.Table) -> list[dict[str, Any]]:
    """`copied_until` of each group, and its power law in |G|."""
    rows, sizes, points = [], [], []
    own = dict(zip(_NETWORK, next(iter(tables.keys_of(network, _NETWORK)), ()), strict=False))
    for (kind, size), by_seed in sorted(need.until(_curves([network], SHARE), HALF).items()):
        points.append({seed: n for seed, n in by_seed.items() if seed is not None})
        sizes.append(float(size))
        interval = geometric_mean_interval(list(points[-1].values())).of_enough()
        at = {"augmentation": kind, "group_size": size}
        rows.append(own | at | need.row("copied_until", interval))
    return rows + [own | law for law in need.fit(sizes, points)]


def draw(data: pa.Table) -> Figure:
    """Losses over N/d, over N |G|/d, the needed N over |G|, and that of a network's copies."""
    networks = "copied_until" in tables.distinct(data, "quantity")
    figure, axes = style.panels(2, 2) if networks else style.panels(1, 3, height=2.3)
    left, middle, needed, *copied = axes.flat
    for ax, x in ((left, "n_over_d"), (middle, "points_over_d")):
        for kind, size, colour, marker in _series(data):
            own = {"augmentation": kind, "group_size": size}
            factor = size if x == "points_over_d" else 1
            part = tables.arrays(data, **own, quantity="test_loss")
            style.points(ax, part["n_over_d"] * factor, part, colour, marker)
            theory = tables.arrays(data, **own, quantity="test_loss_theory")
            style.line(ax, theory["n_over_d"] * factor, theory["value"], colour, linewidth=0.8)
        _optimum(ax, data, x)
        style.axis(ax, x, "test_loss")
    look: dict[str, Any] = {"color": style.GREY, "linestyle": _GUIDE, "zorder": 0}
    middle.axvline(1, **look, linewidth=style.scaled(0.8))
    middle.set_ylabel("")
    _over_groups(needed, data, "needed")
    needed.set_ylabel("$N$ needed")
    level = labels.number(tables.facts(data).get("level", 1.0))
    texts = ["over samples", "over points of the orbit", f"test loss {level}"]
    style.heading(figure, data, without=AUGMENTATION, note=_note(data) if copied else "")
    for ax in copied:
        _over_groups(ax, data, "copied_until")
        ax.set_ylabel("$N$ at memorized fraction 1/2")
        # The network's data need not be those of the others, so each panel says its own.
        texts = [", ".join(filter(None, (figure.get_suptitle(), text))) for text in texts]
        texts.append(_network_words(data))
        figure.suptitle("")
    style.titles(axes, texts)
    style.legend(figure, _entries(data), columns=4)
    return figure


def _network_words(data: pa.Table) -> str:
    """The network and its population."""
    (population,) = compare.populations(data)
    (model,) = compare.names(data)
    return f"{MODELS[model].look.label}, {compare.population_words(population)}"


def _note(data: pa.Table) -> str:
    """What the panel of the network holds fixed, and the power law through its points."""
    held = labels.held(tables.facts(data)["network"], without=AUGMENTATION)
    population = compare.population_words(compare.populations(data)[0])
    note = f"Last panel: {population}, {'; '.join([held, *compare.budgets(data)])}"
    for law in tables.keep(data, "quantity", ["exponent"]).to_pylist():
        # Of one training set a law has no interval, and is not said.
        if law["low"] is not None:
            note += f"; $N\\propto|G|^{{{law['value']:.2f}}}$, 95 % interval of the exponent "
            note += f"{law['low']:.2f} to {law['high']:.2f}"
    return note


def _series(data: pa.Table) -> list[tuple[str, int, str, str]]:
    """Each group with its colour and marker, the smallest first."""
    shown = tables.keep(data, "quantity", ["test_loss", "copied_until"])
    groups = tables.distinct_keys(shown, ("group_size", "augmentation"))
    looks = zip(groups, style.COLOURS, style.MARKERS, strict=False)
    return [(kind, size, colour, marker) for (size, kind), colour, marker in looks]


def _optimum(ax: Axes, data: pa.Table, x: str) -> None:
    best = tables.arrays(data, quantity="optimal_loss")
    factor = best["group_size"] if x == "points_over_d" else 1
    at = best["n_over_d"] * factor
    order = np.argsort(at)
    style.line(ax, at[order], best["value"][order], dash=style.DASHES[1])


def _over_groups(ax: Axes, data: pa.Table, quantity: str) -> None:
    """An N of each group, in its look, with the theory and N ∝ 1/|G|."""
    for kind, size, colour, marker in _series(data):
        part = tables.arrays(data, augmentation=kind, group_size=size, quantity=quantity)
        style.bars(ax, part["group_size"], part, colour, marker)
    theory = tables.arrays(data, quantity=f"{quantity}_theory")
    order = np.argsort(theory["group_size"])
    style.line(ax, theory["group_size"][order], theory["value"][order], style.GREY)
    points = tables.arrays(data, quantity=quantity)
    if len(points["value"]):
        sizes = points["group_size"]
        first, ends = int(np.argmin(sizes)), np.array([np.min(sizes), np.max(sizes)], float)
        guide = points["value"][first] * ends[0] / ends
        style.line(ax, ends, guide, style.GREY, dash=_GUIDE)
    style.axis(ax, "group_size")


def _entries(data: pa.Table) -> list[Any]:
    """The legend: each group, then the lines."""
    lines = "-" if tables.has_theory(data) else None
    entries = [
        style.handle(colour, _words(kind, size), marker=marker, dash=lines)
        for kind, size, colour, marker in _series(data)
    ]
    if lines:
        entries.append(style.handle(style.GREY, "line: theory", dash="-"))
    optimum = labels.label("optimal_loss").lower()
    entries.append(style.handle(style.BLACK, optimum, dash=style.DASHES[1]))
    return [*entries, style.handle(style.GREY, r"$N|G|=d$, $N\propto1/|G|$", dash=_GUIDE)]


def _words(kind: str, size: int) -> str:
    if kind == "none":
        return "none, $|G|=1$"
    words = {"flip_shift": "flips and shifts", "shift": "shifts", "signs": "sign changes"}
    return f"{words.get(kind, kind)}, $|G|={size}$"
