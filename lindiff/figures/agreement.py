"""Agreement over N/d of two models trained on disjoint sets of N samples, given the same noise.

Points are means over pairs of training sets with their 95 % t-interval as band, of the correlation
of both models' samples about the population mean, exact for each pair, and of what it lacks of 1;
lines are the large-system theory, the ratio of the averages, above which the mean over pairs lies
where few modes rule (for s ∝ 1/j² by 4 to 6 % of what is lacking, at d = 64).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.drawing import labels, slices, style, tables
from lindiff.drawing.intervals import mean_interval
from lindiff.drawing.needs import Needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("agreement",))
CATEGORY = "Transition"
QUANTITIES = ("agreement", "disagreement")
_KEYS = (*slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d")
_CHOICES: dict[str, slices.Choice] = {
    "d": max,
    "sampler": lambda names: min(names, key=lambda name: name != "ddim"),
}


def query(metrics: pa.Table) -> pa.Table:
    """Agreement over N/d of up to three spectra and five strengths of the regularization."""
    cells = slices.regularizations(
        slices.measured(metrics.filter(pc.is_valid(metrics["agreement"]))),
        ("n", *slices.SPECTRUM),
        lambda values: slices.spread(values, 5),
        _CHOICES,
    )
    cells = tables.with_ratio(slices.spectra(cells, 3))
    theory = _with_disagreement(slices.theory(metrics, cells))
    found = tables.summarise(_with_disagreement(cells), _KEYS, QUANTITIES, mean_interval)
    return tables.with_theory(found, theory, _KEYS, QUANTITIES)


def _with_disagreement(cells: pa.Table) -> pa.Table:
    return tables.with_columns(cells, disagreement=pc.subtract(1.0, cells["agreement"]))


def draw(data: pa.Table) -> Figure:
    """A column per spectrum: above the agreement, below what it lacks of 1."""
    spectra = tables.distinct_keys(data, slices.SPECTRUM)
    series = style.strengths(data)
    figure, axes = style.panels(2, len(spectra), height=1.9, sharex=True, sharey="row")
    for column, (kind, params) in zip(axes.T, spectra, strict=True):
        own = {"spectrum": kind, "spectrum_params": params}
        for ax, quantity in zip(column, QUANTITIES, strict=True):
            for strength, colour, marker, _ in series:
                part = tables.arrays(data, **own, strength=strength, quantity=quantity)
                style.points(ax, part["n_over_d"], part, colour, marker)
                theory = tables.arrays(
                    data, **own, strength=strength, quantity=f"{quantity}_theory"
                )
                style.line(ax, theory["n_over_d"], theory["value"], colour)
            style.axis(ax, "n_over_d", quantity, log="x" if quantity == "agreement" else "xy")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    style.titles(axes, [labels.spectrum(*key) for key in spectra] * 2)
    style.heading(figure, data)
    entries = [entry for *_, entry in series]
    style.legend(figure, [*entries, style.handle(style.GREY, "theory", dash="-")], columns=6)
    return figure
