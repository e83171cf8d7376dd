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

from lindiff.figures import Needs, _slices, _tables, _words
from lindiff.figures import draw as art
from lindiff.intervals import mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDS = Needs(axes=("n",), metrics=("agreement",))
CATEGORY = "Transition"
QUANTITIES = ("agreement", "disagreement")
_KEYS = (*_slices.SPECTRUM, "d", "regularizer", "strength", "n", "n_over_d")
_CHOICES: dict[str, _slices.Choice] = {
    "d": max,
    "sampler": lambda names: min(names, key=lambda name: name != "ddim"),
}


def query(metrics: pa.Table) -> pa.Table:
    """Agreement over N/d of up to three spectra and five strengths of the regularization."""
    cells = _slices.regularizations(
        _slices.measured(metrics.filter(pc.is_valid(metrics["agreement"]))),
        ("n", *_slices.SPECTRUM),
        lambda values: _slices.spread(values, 5),
        _CHOICES,
    )
    cells = _tables.with_ratio(_slices.spectra(cells, 3))
    theory = _with_disagreement(_slices.theory(metrics, cells))
    found = _tables.summarise(_with_disagreement(cells), _KEYS, QUANTITIES, mean_interval)
    return _tables.with_theory(found, theory, _KEYS, QUANTITIES)


def _with_disagreement(cells: pa.Table) -> pa.Table:
    return _tables.with_columns(cells, disagreement=pc.subtract(1.0, cells["agreement"]))


def draw(data: pa.Table) -> Figure:
    """A column per spectrum: above the agreement, below what it lacks of 1."""
    spectra = _tables.distinct_keys(data, _slices.SPECTRUM)
    series = art.strengths(data)
    figure, axes = art.panels(2, len(spectra), height=1.9, sharex=True, sharey="row")
    for column, (kind, params) in zip(axes.T, spectra, strict=True):
        own = {"spectrum": kind, "spectrum_params": params}
        for ax, quantity in zip(column, QUANTITIES, strict=True):
            for strength, colour, marker, _ in series:
                part = _tables.arrays(data, **own, strength=strength, quantity=quantity)
                art.points(ax, part["n_over_d"], part, colour, marker)
                theory = _tables.arrays(
                    data, **own, strength=strength, quantity=f"{quantity}_theory"
                )
                art.line(ax, theory["n_over_d"], theory["value"], colour)
            art.axis(ax, "n_over_d", quantity, log="x" if quantity == "agreement" else "xy")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    art.titles(axes, [_words.spectrum(*key) for key in spectra] * 2)
    art.heading(figure, data)
    entries = [entry for *_, entry in series]
    art.legend(figure, [*entries, art.handle(art.GREY, "theory", dash="-")], columns=6)
    return figure
