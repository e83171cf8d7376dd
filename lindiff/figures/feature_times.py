"""Eigenvalues of random features over 1/λ, the time that learning along them takes, and test loss.

Above, points are numbers of eigenvalues per unit of ln λ of the features' second moments over the
training noise, in tenths of a decade, means over training sets with their 95 % t-interval as bar
(of the logarithm of the mean, 1.4 times as long above; none where all sets have as many), lines the
limit of a large d; the generalizing bulk has as many as dimensions, the memorizing bulk as many as
samples (Bonnaire et al. 2025), and where the dotted lines are the limit has all others, which are
not in its line. Below, the test loss at the same noise level over training time, points with their
interval as band, lines the limit. Dashed lines are the medians of the limit's bulks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval, positive_mean_interval
from lindiff.drawing.needs import Needs
from lindiff.models import FEATURES, FEATURES_THEORY
from lindiff.science.weighting import UNIFORM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NEEDS = Needs(
    axes=("n", "stop"),
    metrics=("feature_spectrum", "levels"),
    settings=(("model", FEATURES), ("weighting", UNIFORM)),
)
CATEGORY = "Regularization"
BULKS = ("generalizing", "memorizing")
_KEYS = ("n", "t", "alpha_bar", "stop")
_LOSS = "test_loss"
_SIZES = 3
_POINTS = 250
_APART = 0.15  # from the atom in ln λ, where its line at the height off the axis is the limit's
_LEAST = 0.5  # eigenvalue per ln λ, above which they are shown
_SIGNAL = 0.9  # ᾱ of the noise level shown, as near as there is


def query(metrics: pa.Table, feature_spectrum: pa.Table, levels: pa.Table) -> pa.Table:
    """Eigenvalues by bins and in the limit, and test losses over the stop, of three N."""
    # What has the weight w_t in training is learned w_t times as fast as the eigenvalues say.
    plain = pc.fill_null(pc.equal(metrics["weighting"], UNIFORM), True)
    metrics = tables.only(metrics, plain)
    cells = slices.pick(slices.measured(metrics, FEATURES), ("n", "stop"), {"features": max})
    cells = slices.taken(cells, "n", _SIZES)
    theory = slices.theory(metrics, cells, ("stop",), FEATURES_THEORY)
    rows = _at_level(tables.join(levels, cells))
    rows = rows.filter(pc.is_finite(rows["stop"]))
    found = tables.with_facts(rows, **tables.facts(cells))
    found = tables.summarise(found, _KEYS, (_LOSS,), mean_interval)
    limit = _at_level(tables.join(levels, theory))
    limit = limit.filter(pc.is_finite(limit["stop"]))
    found = tables.with_theory(found, limit, _KEYS, (_LOSS,))
    curves, counted = list[dict[str, Any]](), [found]
    own = _at_level(tables.join(feature_spectrum, cells))
    for n in tables.distinct(own, "n"):
        part = tables.keep(own, "n", [n])
        counted.append(_counted(part, n).cast(found.schema))
        curves += _limit(part.slice(0, 1).to_pylist()[0], tables.arrays(part)["eigenvalue"])
    return tables.curve(pa.concat_tables(counted), curves)


def _at_level(rows: pa.Table) -> pa.Table:
    """The rows of the noise level that is nearest to what is shown."""
    levels = tables.distinct_keys(rows, ("t", "alpha_bar"))
    nearest = min(levels, key=lambda own: abs(own[1] - _SIGNAL), default=(0, 0.0))
    return tables.keep(rows, "t", [nearest[0]])


def _counted(rows: pa.Table, n: int) -> pa.Table:
    """Eigenvalues per unit of ln λ in each bin, over training sets; all stops have the same."""
    from lindiff.science.random_features import BINS

    data = tables.arrays(rows)
    number = np.round(BINS * np.log10(data["eigenvalue"]) - 0.5).astype(int)
    repeats, repeat = np.unique(
        np.stack([data["seed"], np.nan_to_num(data["train_seed"].astype(float))]),
        axis=1, return_inverse=True,
    )  # fmt: skip
    first = number.min()
    counts = np.zeros((repeats.shape[1], number.max() - first + 1))
    # Of each training set once, whatever the number of its stops.
    counts[repeat.ravel(), number - first] = data["count"]
    density = counts * BINS / math.log(10)
    stops = 10 ** -((np.arange(counts.shape[1]) + first + 0.5) / BINS)
    table = pa.table(
        {
            "n": pa.array([n] * density.size, rows.schema.field("n").type),
            "t": pa.array(np.full(density.size, data["t"][0]), pa.int32()),
            "alpha_bar": np.full(density.size, data["alpha_bar"][0]),
            "stop": np.tile(stops, len(counts)),
            "feature_spectrum": density.ravel(),
        }
    )
    found = tables.summarise(table, _KEYS, ("feature_spectrum",), positive_mean_interval)
    # Between the bulks there are none.
    return found.filter(pc.greater(found["value"], 0))


def _limit(cell: dict[str, Any], seen: Array) -> list[dict[str, Any]]:
    """Rows of the limit of one cell's features: its density, its atom, its bulks' medians."""
    from lindiff.science.activations import ACTIVATIONS
    from lindiff.science.random_features_equivalent import equivalent
    from lindiff.science.random_features_limit import eigenvalue_density

    kind, params, d = cell["spectrum"], cell["spectrum_params"], cell["d"]
    s = slices.eigenvalues(kind, params, d, scale=cell["scale"])
    n, p, m = cell["n"], cell["features"], cell["noises"]
    m = math.inf if m is None else float(m)
    alpha_bar = cell["alpha_bar"]
    activation, known = ACTIVATIONS[cell["activation"]], cell["centre"] == "known"
    at = np.geomspace(seen.min() / 2, 2 * seen.max(), _POINTS)
    density = eigenvalue_density(activation, s, n, p, m, alpha_bar, 1 - alpha_bar, at, known)
    own = equivalent(activation, alpha_bar * float(s.mean()), 1 - alpha_bar)
    # What is less than the least is no line, on an axis of logarithms.
    shown = np.where(density > _LEAST, density, 0.0)
    found = list[tuple[str, Array, Array]]()
    if math.isinf(m) and p > n + d and own.own > 0:
        near = np.abs(np.log(at * p / own.own)) < _APART
        density, shown = np.where(near, 0.0, density), np.where(near, 0.0, shown)
        found.append(("atom", np.array([p / own.own]), np.array([float(p - n - d)])))
        number = np.concatenate(
            [[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(np.log(at)))]
        )
        # From above, the first d are a bulk and the next N another.
        middles = number[-1] - np.array([d / 2, d + n / 2])
        times = 1 / np.exp(np.interp(middles, number, np.log(at)))
        found += [(name, times[i : i + 1], np.ones(1)) for i, name in enumerate(BULKS)]
    found.append(("feature_spectrum_theory", 1 / at, shown))
    level = {"n": n, "t": cell["t"], "alpha_bar": alpha_bar}
    return [
        level | {"stop": float(x), "quantity": name, "value": float(y)}
        for name, times, values in found
        for x, y in zip(times, values, strict=True)
    ]


def draw(data: pa.Table) -> Figure:
    """The eigenvalues over 1/λ, and below the test loss over the training time."""
    figure, axes = style.panels(2, 1, width=style.ONE_COLUMN, height=2.1)
    above, below = axes[:, 0]
    sizes = list(zip(tables.distinct(data, "n"), style.COLOURS, style.MARKERS, strict=False))
    for n, colour, marker in sizes:
        for ax, quantity in ((above, "feature_spectrum"), (below, _LOSS)):
            part = tables.arrays(data, n=n, quantity=quantity)
            # Between the bulks there is nothing that a band could span.
            mark = style.bars if ax is above else style.points
            mark(ax, part["stop"], part, colour, marker)
            line = tables.arrays(data, n=n, quantity=f"{quantity}_theory")
            order = np.argsort(line["stop"])
            value = np.where(line["value"] > 0, line["value"], np.nan)
            style.line(ax, line["stop"][order], value[order], colour, linewidth=0.8)
        _marks(axes[:, 0], data, n, colour)
    style.axis(above, "stop", "feature_spectrum")
    above.set_ylabel(r"Eigenvalues per $\ln\lambda$")
    above.set_xlabel(r"$1/\lambda$")
    style.axis(below, "stop", _LOSS)
    counts = tables.arrays(data, quantity="feature_spectrum")["value"]
    # Room above for the names of the bulks.
    room = np.array([_LEAST, 4 * counts.max()]) if len(counts) else counts
    style.fit(above, room, log=True)
    losses = [tables.arrays(data, quantity=q)["value"] for q in (_LOSS, f"{_LOSS}_theory")]
    style.fit(below, np.concatenate(losses), log=True)
    # One range: a time above is the same time below.
    (low, high), (first, last) = above.get_xlim(), below.get_xlim()
    if above.get_xscale() == below.get_xscale():
        for ax in (above, below):
            ax.set_xlim(min(low, first), max(high, last))
    _names(above, data, sizes)
    alpha_bar = tables.distinct(data, "alpha_bar")
    noise = f"$\\bar\\alpha_t={alpha_bar[0]:.2g}$" if alpha_bar else ""
    style.titles(axes, [f"eigenvalues of the features, {noise}", "test loss at this level"])
    style.heading(figure, data)
    style.legend(figure, _entries(data, sizes), columns=3)
    return figure


def _marks(axes: Any, data: pa.Table, n: int, colour: str) -> None:
    """Dashed lines at the medians of the bulks, and a dotted one at the atom."""
    atom = tables.arrays(data, n=n, quantity="atom")["stop"]
    for x in atom:
        axes[0].axvline(x, color=colour, linestyle=style.DASHES[2], linewidth=style.scaled(0.8))
    for name in BULKS:
        for x in tables.arrays(data, n=n, quantity=name)["stop"]:
            look = {"linestyle": style.DASHES[1], "linewidth": style.scaled(0.6), "zorder": 0}
            for ax in axes:
                ax.axvline(x, color=colour, **look)


def _names(ax: Axes, data: pa.Table, sizes: list[Any]) -> None:
    """What the bulks are called, above those of the largest N."""
    for name in BULKS:
        x = tables.arrays(data, n=sizes[-1][0], quantity=name)["stop"] if sizes else ()
        for each in x:
            ax.text(
                each, 0.97, name, transform=ax.get_xaxis_transform(), ha="center", va="top",
                fontsize=style.scaled(7),
                bbox={"facecolor": "white", "alpha": 0.8, "pad": 1, "linewidth": 0},
            )  # fmt: skip


def _entries(data: pa.Table, sizes: list[Any]) -> list[Any]:
    """The legend: N by colour and marker, then the lines."""
    entries = [
        style.handle(colour, labels.setting("n", n), marker=marker) for n, colour, marker in sizes
    ]
    entries.append(style.handle(style.GREY, "limit", dash="-"))
    if tables.distinct(tables.keep(data, "quantity", list(BULKS)), "n"):
        entries.append(style.handle(style.GREY, "median of a bulk", dash=style.DASHES[1]))
        entries.append(style.handle(style.GREY, "$p-N-d$ others", dash=style.DASHES[2]))
    return entries
