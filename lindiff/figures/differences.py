"""How far models of disjoint training sets are apart along each mode of Σ, over its variance s.

Points are the mean square of what two models' ε̂ differ by along an eigenvector of Σ (the mean over
those of one variance), at noisy points of the population, of a data set at its held-out rows: means
over pairs of training sets of N samples each, counted below as one, with their 95 % t-interval as
band from 8 pairs on, of the logarithm of the mean and 1.4 times as long above, for a few pairs are
far further apart.
Solid lines are the large-system limit of linear models. To leading order those without
regularization are apart the most at s = κ (dotted), κ = σ² + κ tr[Σ(Σ+κ)⁻¹]/n the renormalized
noise of n degrees of freedom: modes of more variance are known, those of less are left to the
noise. Of the noise levels measured t is the one whose σ² = (1−ᾱ)/ᾱ is nearest, on logarithms, to
the middle of the variances; of more than 24 of these some are drawn, evenly spaced on logarithms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import SETTING
from lindiff.drawing import compare, labels, slices, style, tables
from lindiff.drawing.intervals import positive_mean_interval
from lindiff.drawing.needs import Condition, Needs
from lindiff.models import EXACT, MODELS, THEORY
from lindiff.science import laws
from lindiff.science.limit import degrees_of_freedom

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _with_several_variances(cells: pa.Table) -> bool:
    return any(kind != "isotropic" for kind in tables.distinct(cells, "spectrum"))


NEEDS = Needs(
    axes=("n",),
    metrics=("differences",),
    conditions=(
        Condition("a spectrum of several variances: any but isotropic", _with_several_variances),
    ),
)
CATEGORY = "Transition"
_OF_CELL = ("model", *compare.POPULATION, "n")
_OF_LEVEL = ("t", "alpha_bar")
_KEYS = (*_OF_CELL, *_OF_LEVEL, "population_variance")
_UNREGULARIZED = {name: SETTING[name].neutral for name in slices.REGULARIZERS}
_FEW, _COLUMNS, _VARIANCES = 4, 3, 24


def query(metrics: pa.Table, differences: pa.Table) -> pa.Table:
    """The difference over s at one level and a few N, of each model at one kind of data."""
    cells = compare.side_by_side(metrics, compare.giving("differences"), count=1)
    measured = cells.filter(pc.invert(compare.limits(cells)))
    cells = slices.taken(cells, "n", _FEW, measured)
    rows = _at_one_level(tables.join(differences, cells))
    few = slices.spread(tables.distinct(rows, "population_variance"), _VARIANCES)
    means = _of_variances(tables.keep(rows, "population_variance", few))
    means = tables.with_facts(means, **tables.facts(cells))
    found = compare.summary(means, _KEYS, ("difference",), positive_mean_interval)
    return tables.curve(found, _renormalized_noises(tables.where(rows, model=THEORY)))


def _at_one_level(rows: pa.Table) -> pa.Table:
    """The rows of modes with variance at the level whose noise is in the middle of them."""
    rows = rows.filter(pc.greater(rows["population_variance"], 0))
    levels = tables.distinct_keys(rows, _OF_LEVEL)
    if not levels:
        return rows
    s = tables.distinct(rows, "population_variance")
    middle = math.log(s[0] * s[-1]) / 2
    t, _ = min(levels, key=lambda level: abs(math.log(_noise(level[1])) - middle))
    return tables.where(rows, t=t)


def _noise(alpha_bar: float) -> float:
    return (1 - alpha_bar) / alpha_bar


def _of_variances(rows: pa.Table) -> pa.Table:
    """One row of each cell and variance: the mean over the modes that have it."""
    means = rows.group_by(["cell_id", *_KEYS], use_threads=False).aggregate(
        [("difference", "mean")]
    )
    return means.rename_columns([*means.column_names[:-1], "difference"])


def _renormalized_noises(theory: pa.Table) -> list[dict[str, Any]]:
    """κ of each N of linear models without regularization."""
    rows = []
    for n, alpha_bar, centre in tables.distinct_keys(theory, ("n", "alpha_bar", "centre")):
        own = tables.where(theory, n=n, alpha_bar=alpha_bar, centre=centre, **_UNREGULARIZED)
        if own.num_rows:
            s = own["population_variance"].to_numpy()
            freedom = degrees_of_freedom(n, centre == "known")
            kappa = laws.renormalized_noise_of(s, freedom, _noise(alpha_bar))
            rows.append({"n": n, "quantity": "renormalized_noise", "value": kappa})
    return rows


def draw(data: pa.Table) -> Figure:
    """A panel of each model, all with the limit of the linear ones."""
    models = [name for name in compare.names(data) if name != THEORY][:_COLUMNS] or [EXACT]
    width = style.TWO_COLUMNS if len(models) > 1 else style.ONE_COLUMN
    figure, axes = style.panels(1, len(models), width=width, height=2.6, sharex=True, sharey=True)
    sizes = list(zip(tables.distinct(data, "n"), style.COLOURS, style.MARKERS, strict=False))
    for ax, model in zip(axes.flat, models, strict=True):
        _panel(ax, data, model, sizes)
    for ax in axes.flat[1:]:
        ax.set_ylabel("")
    style.titles(axes, [MODELS[name].look.label for name in models])
    levels = tables.distinct_keys(tables.where(data, quantity="difference"), _OF_LEVEL)
    said = [f"noise level $t={t}$, $\\sigma^2={_noise(alpha_bar):.3g}$" for t, alpha_bar in levels]
    compare.heading(figure, data, note=", ".join(said))
    compare.title(figure, data)
    entries = [
        style.handle(colour, labels.setting("n", n), marker=marker) for n, colour, marker in sizes
    ]
    limit = style.handle(style.GREY, MODELS[THEORY].look.label, dash="-")
    kappa = style.handle(style.GREY, r"$s=\kappa$", dash=style.DASHES[2])
    style.legend(figure, [*entries, limit, kappa], columns=7 if len(models) > 1 else 4)
    return figure


def _panel(ax: Axes, data: pa.Table, model: str, sizes: list[tuple[int, str, str]]) -> None:
    for n, colour, marker in sizes:
        part = tables.arrays(data, quantity="difference", model=model, n=n)
        style.points(ax, part["population_variance"], part, colour, marker)
        limit = tables.arrays(data, quantity="difference_theory", n=n)
        style.line(ax, limit["population_variance"], limit["value"], colour)
        for kappa in tables.arrays(data, quantity="renormalized_noise", n=n)["value"]:
            ax.axvline(kappa, color=colour, linestyle=style.DASHES[2], zorder=0)
    style.axis(ax, "population_variance", "difference")
