"""What the spectrum of the data does to the gap and to both KL divergences, and why.

Points are means (gap) with 95 % t-intervals and medians (KL) with 95 % intervals of the median as
bands, those of one N moved apart, infinite KL left out; lines are the large-system theory. Below
are, exactly, the spectra, what a mode adds to the gap at large N without ridge (little once its
variance is below the noise's, where KL counts all modes alike) and what a ridge c costs it in KL at
N = ∞ without sampling error; thin grey lines are where the variance of a mode is c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import drawn, labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval, median_interval
from lindiff.drawing.needs import Needs, finite_kl
from lindiff.science.laws import gap_tail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIRECTIONS = ("kl_model_data", "kl_data_model")
FINITE = finite_kl(least="ridge")
NEEDS = Needs(
    axes=("n", "spectrum", "ridge"),
    metrics=("train_loss", "test_loss", *DIRECTIONS),
    conditions=(FINITE,),
)
CATEGORY = "Transition"
QUANTITIES = ("exact_gap", *DIRECTIONS)
_EXPLAINED = (
    ("rank", "eigenvalue", "y"), ("eigenvalue", "mode_gap", "xy"), ("eigenvalue", "mode_kl", "xy"),
)  # fmt: skip
_KEYS = (*slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d")
_SPECTRUM_D = (*slices.SPECTRUM, "d")
_SPECTRA = 6
_APART = 1.07  # factor on N/d from the points of one spectrum to those of the next


def query(metrics: pa.Table) -> pa.Table:
    """Gap and KL over N/d per spectrum at the least and a middle ridge; what each mode adds."""
    cells = slices.regularizations(
        slices.measured(metrics),
        ("n", *slices.SPECTRUM),
        slices.two,
        # Without ridge KL knows no Σ: what a sampler adds of its own would hide that.
        {"d": max, **slices.NO_SAMPLER},
        of=("ridge",),
    )
    cells = tables.with_gap(tables.with_ratio(slices.spectra(cells, _SPECTRA)))
    theory = tables.with_gap(slices.theory(metrics, cells))
    found = tables.summarise(cells, _KEYS, QUANTITIES[:1], mean_interval)
    divergences = tables.summarise(cells, _KEYS, DIRECTIONS, median_interval)
    found = pa.concat_tables([found, divergences])
    found = tables.with_theory(found, theory, _KEYS, QUANTITIES)
    found = tables.with_nulls(
        found.filter(pc.is_finite(found["value"])), mode=pa.int64(), eigenvalue=pa.float64()
    )
    rows = [row for key in tables.distinct_keys(cells, _SPECTRUM_D) for row in _modes(cells, *key)]
    return tables.curve(found, rows)


def _modes(cells: pa.Table, kind: str, params: str, d: int) -> list[dict[str, Any]]:
    """For each mode of a spectrum: its part of the gap at large N and of both KL at N = ∞."""
    ridge = slices.strengths(cells)[1][-1]
    alpha_bar = slices.schedule(cells).alpha_bar
    s = slices.eigenvalues(kind, params, d, scale=slices.scale(cells))
    ratio = ridge / s
    modes = {
        "mode_gap": (None, gap_tail(alpha_bar, s).mean(axis=0) / d),
        "mode_kl_model_data": (ridge, (ratio - np.log1p(ratio)) / 2),
        "mode_kl_data_model": (ridge, (np.log1p(ratio) - ratio / (1 + ratio)) / 2),
    }
    common = {"spectrum": kind, "spectrum_params": params, "d": d, "regularizer": "ridge"}
    return [
        common | {"quantity": name, "strength": c, "mode": j + 1, "eigenvalue": s[j], "value": v}
        for name, (c, values) in modes.items()
        for j, v in enumerate(values.tolist())
    ]


def draw(data: pa.Table) -> Figure:
    """A row of gap and both KL per ridge, then the spectra and what each of their modes adds."""
    name, strengths = slices.strengths(data)
    figure, axes = style.panels(len(strengths) + 1, 3, height=1.8)
    spectra = style.spectra(data)
    for row, strength in zip(axes, strengths, strict=False):
        for ax, quantity in zip(row, QUANTITIES, strict=True):
            _panel(ax, data, strength, quantity, spectra)
    _explain(axes[-1], data, spectra)
    for row in axes[: len(strengths) - 1].flat:
        row.set_xlabel("")
    above = [labels.setting(name, strength) for strength in strengths for _ in QUANTITIES]
    style.titles(
        axes,
        [*above, "spectra", f"{labels.setting(name, 0)}, large $N$", f"{above[-1]}, $N=\\infty$"],
    )
    style.heading(figure, data, without=("ridge",))
    entries = [entry for *_, entry in spectra]
    theory = style.handle(style.GREY, "theory", dash="-")
    entries += style.within([*axes[:-1].flat, axes[-1, 1]], [theory])
    letter = "fi"[len(strengths) - 1]
    entries += [
        style.handle(
            style.BLACK,
            f"({letter}) {labels.label(direction).replace('/d$ [nats]', '$')}",
            dash=dash,
        )
        for direction, dash in zip(DIRECTIONS, style.DASHES, strict=False)
    ]
    style.legend(figure, entries)
    return figure


def _panel(ax: Axes, data: pa.Table, strength: float, quantity: str, spectra: list[Any]) -> None:
    for i, ((kind, params), colour, marker, _) in enumerate(spectra):
        own = {"spectrum": kind, "spectrum_params": params, "strength": strength}
        part = tables.arrays(data, **own, quantity=quantity)
        # Those of one N would hide each other, as without regularization all KL are alike.
        apart = _APART ** (i - (len(spectra) - 1) / 2)
        style.points(ax, part["n_over_d"] * apart, part, colour, marker)
        theory = tables.arrays(data, **own, quantity=f"{quantity}_theory")
        style.line(ax, theory["n_over_d"], theory["value"], colour)
    style.axis(ax, "n_over_d", quantity)
    if drawn.empty(ax) and quantity in DIRECTIONS:
        drawn.nothing(ax, FINITE.words)
    # All panels over the N of the gap, also where KL is infinite.
    ends = tables.arrays(data, quantity=QUANTITIES[0])["n_over_d"]
    if len(ends):
        ax.set_xlim(0.8 * ends.min(), 1.25 * ends.max())
    style.fit(ax, tables.arrays(data, strength=strength, quantity=quantity)["value"], log=True)


def _explain(axes: Any, data: pa.Table, spectra: list[Any]) -> None:
    """Eigenvalues over rank, the gap and both KL of a mode over its variance."""
    ridge = slices.strengths(data)[1][-1]
    for (kind, params), colour, marker, _ in spectra:
        own = {"spectrum": kind, "spectrum_params": params}
        gap, *divergences = (
            tables.arrays(data, **own, quantity=f"mode_{name}") for name in ("gap", *DIRECTIONS)
        )
        # Between two levels there are no modes: a line would claim some.
        joined = "none" if len(set(gap["eigenvalue"])) <= 2 else "-"
        for ax, x, y, joint in (
            (axes[0], gap["mode"] / gap["d"], gap["eigenvalue"], "-"),
            (axes[1], gap["eigenvalue"], gap["value"], joined),
            (axes[2], divergences[0]["eigenvalue"], divergences[0]["value"], "none"),
        ):
            few = {"marker": marker, "markevery": _few(gap["eigenvalue"]), "markeredgewidth": 0.7}
            style.line(ax, x, y, colour, joint, markerfacecolor="white", **few)
    for name, dash in zip(DIRECTIONS, style.DASHES, strict=False):
        every = tables.arrays(data.sort_by("eigenvalue"), quantity=f"mode_{name}")
        style.line(axes[2], every["eigenvalue"], every["value"], dash=dash, zorder=1)
    for ax, (abscissa, ordinate, log) in zip(axes, _EXPLAINED, strict=True):
        style.axis(ax, abscissa, ordinate, log=log)
    axes[0].axhline(ridge, color=style.GREY, linewidth=0.5, zorder=0)
    axes[2].axvline(ridge, color=style.GREY, linewidth=0.5, zorder=0)


def _few(eigenvalues: Any) -> list[int]:
    """Indices of a few modes, the outer ones and some evenly between in the logarithm."""
    chosen = slices.spread(sorted(set(eigenvalues.tolist())), 7)
    return [int(np.argmax(eigenvalues == value)) for value in chosen]
