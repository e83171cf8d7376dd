"""Real data beside Gaussian data of the same covariance and theory: eigenvalues, losses, both KL.

Points are geometric means (losses, and eigenvalues of Σ0 at ranks that no training set lacks) with
95 % t-intervals on logarithms and medians (KL) with 95 % intervals of the median as bands, lines
the eigenvalues of the whole pool and the large-system theory for them; training sets are drawn from
the pool, the test loss is on rows held out, and sets of more than a tenth of the pool are grey:
drawn without replacement, the KL of Gaussian rows falls below theory by a share of about N/M, N
rows of M.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SETTINGS
from lindiff.columns.groups import GAUSSIAN
from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import geometric_mean_interval, median_interval
from lindiff.drawing.needs import Needs
from lindiff.science.pools import INDEPENDENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = ("train_loss", "test_loss")
DIRECTIONS = ("kl_model_data", "kl_data_model")
NEEDS = Needs(
    axes=("n", "data"),
    metrics=(*LOSSES, *DIRECTIONS, "pool_fraction", "modes"),
    settings=(("data", GAUSSIAN),),
)
CATEGORY = "Real data"
_SPECTRUM = (*slices.SPECTRUM, "d")
# What data and surrogate share: all settings but these.
_HELD = {c.name for c in SETTINGS} - {"model", "data", "draw", "n", "seed"}
# Source, whether theory applies, colour, marker, words.
_SERIES = (
    ("surrogate", True, style.COLOURS[0], style.MARKERS[1], "Gaussian surrogate"),
    ("data", True, style.COLOURS[1], style.MARKERS[0], "data"),
    (
        "data",
        False,
        style.GREY,
        style.MARKERS[0],
        f"data, $N>M/{1 / INDEPENDENT:g}$, $M$ rows in the pool",
    ),
)
_KEYS = (
    "spectrum_params", "d", "regularizer", "strength", "n", "n_over_d", "source", "comparable",
)  # fmt: skip
_MODES = 16
# Characters of a name that a panel's title has room for, with d beside it and below it.
_SHORT, _LONG = 12, 20


def query(metrics: pa.Table, modes: pa.Table) -> pa.Table:
    """Eigenvalues by rank, losses and KL of up to two data sets, their surrogates and theory."""
    measured = slices.measured(metrics)
    real = slices.regularizations(
        measured.filter(pc.not_equal(measured["data"], GAUSSIAN)),
        ("n", "data", "d", *slices.SPECTRUM),
        lambda values: [next((v for v in values if 0 < v < np.inf), values[0])],
        slices.NO_SAMPLER,
    )
    names = tables.distinct(real, "data")[:2]
    real = tables.keep(real, "data", names)
    theory = slices.theory(metrics, real)
    cells = slices.within(tables.keep(measured, "data", [*names, GAUSSIAN]), real, _HELD)
    cells = _with_source(tables.with_ratio(cells), real)
    losses = tables.summarise(cells, _KEYS, LOSSES, geometric_mean_interval)
    divergences = tables.summarise(cells, _KEYS, DIRECTIONS, median_interval)
    found = pa.concat_tables([losses, divergences])
    found = found.filter(pc.is_finite(found["value"]))
    source = pa.array(["theory"] * theory.num_rows, pa.string())
    theory = tables.with_nulls(tables.with_columns(theory, source=source), comparable=pa.bool_())
    found = tables.with_theory(found, theory, _KEYS, (*LOSSES, *DIRECTIONS))
    found = tables.with_nulls(found, mode=modes.schema.field("mode").type)
    found = pa.concat_tables([found, _eigenvalues(cells, modes).select(found.column_names)])
    pools = tables.distinct_keys(real, _SPECTRUM)
    scale = slices.scale(real)
    return tables.curve(found, [row for pool in pools for row in _population(*pool, scale=scale)])


def _with_source(cells: pa.Table, real: pa.Table) -> pa.Table:
    """The cells with their regularization, where their rows come from, and whether theory holds."""
    name = slices.strengths(real)[0]
    named = pa.array([name] * cells.num_rows, pa.string())
    source = pc.if_else(pc.equal(cells["data"], GAUSSIAN), "surrogate", "data")
    small = pc.fill_null(pc.less_equal(cells["pool_fraction"], INDEPENDENT), True)
    cells = tables.with_columns(
        cells, regularizer=named, strength=cells[name], source=source, comparable=small
    )
    return tables.with_facts(cells, **tables.facts(real))


def _eigenvalues(cells: pa.Table, modes: pa.Table) -> pa.Table:
    """Eigenvalues of some ranks for the two N of each data set that are nearest to d/2 and 2d."""
    names = ("spectrum_params", "d", "n")
    sizes: dict[tuple[str, int], list[int]] = {}
    for params, d, n in tables.distinct_keys(cells, names):
        sizes.setdefault((params, d), []).append(n)
    chosen = {
        (*key, min(ns, key=lambda n: abs(np.log(n / (ratio * key[1])))))
        for key, ns in sizes.items()
        for ratio in (0.5, 2)
    }
    keys = tables.keys_of(cells, names)
    cells = cells.filter(pa.array([key in chosen for key in keys], pa.bool_()))
    rows = tables.join(modes, cells)
    rows = rows.filter(pc.greater(rows["eigenvalue"], 0))
    ranks = slices.spread(tables.distinct(rows, "mode"), _MODES)
    rows = tables.with_facts(tables.keep(rows, "mode", ranks), **tables.facts(cells))
    found = tables.summarise(rows, (*_KEYS, "mode"), ("eigenvalue",), geometric_mean_interval)
    # A pixel that is blank in a training set is one mode less: only ranks that every set has.
    groups = list(
        zip(tables.keys_of(found, (*names, "source")), found["seeds"].to_pylist(), strict=True)
    )
    sets: dict[Any, int] = {}
    for group, seeds in groups:
        sets[group] = max(seeds, sets.get(group, 0))
    return found.filter(pa.array([seeds == sets[group] for group, seeds in groups], pa.bool_()))


def _population(kind: str, params: str, d: int, *, scale: float) -> list[dict[str, Any]]:
    """The eigenvalues of the pool's covariance."""
    return [
        {"spectrum_params": params, "d": d, "quantity": "population", "mode": j + 1, "value": value}
        for j, value in enumerate(slices.eigenvalues(kind, params, d, scale=scale).tolist())
    ]


def draw(data: pa.Table) -> Figure:
    """A row per data set: eigenvalues by rank, losses, and both KL."""
    sets = tables.distinct_keys(data, ("spectrum_params", "d"))
    name, strengths = slices.strengths(data)
    figure, axes = style.panels(len(sets), 4, height=2.0)
    for row, (params, _) in zip(axes, sets, strict=True):
        part = tables.keep(data, "spectrum_params", [params])
        _spectrum(row[0], part)
        _losses(row[1], part)
        for ax, direction in zip(row[2:], DIRECTIONS, strict=True):
            _curves(ax, part, direction, filled=False)
            style.axis(ax, "n_over_d", direction)
    first = [_title(json.loads(params)["name"], d) for params, d in sets]
    others = ("losses (full, solid: test)", "generated from data", "data from generated")
    style.titles(axes, [text for start in first for text in (start, *others)])
    style.heading(
        figure,
        data,
        without=("d", "pool_fraction"),
        note=", ".join(labels.setting(name, c) for c in strengths),
    )
    entries = [
        style.handle(colour, text, marker=marker)
        for source, comparable, colour, marker, text in _SERIES
        if len(tables.arrays(data, source=source, comparable=comparable)["value"])
    ]
    style.legend(figure, [*entries, style.handle(style.BLACK, "pool, theory", dash="-")])
    return figure


def _title(name: str, d: int) -> str:
    """Data set and d, below each other where a panel has no room for both in a line."""
    word = labels.data_set(name, _LONG)
    gap = "\n" if len(word) > _SHORT else " "
    return f"{word},{gap}{labels.setting('d', d)}"


def _curves(ax: Axes, data: pa.Table, quantity: str, *, filled: bool, dash: Any = "-") -> None:
    """Data, surrogate and theory over N/d; grey where the data are not comparable."""
    for source, comparable, colour, marker, _ in _SERIES:
        part = tables.arrays(data, quantity=quantity, source=source, comparable=comparable)
        style.points(ax, part["n_over_d"], part, colour, marker, filled=filled)
    theory = tables.arrays(data, quantity=f"{quantity}_theory")
    style.line(ax, theory["n_over_d"], theory["value"], dash=dash)


def _losses(ax: Axes, data: pa.Table) -> None:
    for loss, dash in zip(LOSSES, style.DASHES[1::-1], strict=True):
        _curves(ax, data, loss, filled=loss == "test_loss", dash=dash)
    style.axis(ax, "n_over_d")
    ax.set_ylabel("Loss per dimension")


def _spectrum(ax: Axes, data: pa.Table) -> None:
    """Eigenvalues over rank: the pool's as line, those of Σ0 at the larger N full."""
    sizes = tables.distinct(tables.keep(data, "quantity", ["eigenvalue"]), "n")
    for n in sizes:
        for source, comparable, colour, marker, _ in _SERIES:
            part = tables.arrays(
                data, quantity="eigenvalue", source=source, comparable=comparable, n=n
            )
            style.points(ax, part["mode"], part, colour, marker, filled=n != sizes[0])
    pool = tables.arrays(data, quantity="population")
    style.line(ax, pool["mode"], pool["value"])
    style.axis(ax, "mode", "mode_eigenvalue")
    words = [f"{face} $N={n}$" for face, n in zip(("open", "full"), sizes, strict=False)]
    ax.set_xlabel(f"{labels.label('mode')}\n{', '.join(words)}")
