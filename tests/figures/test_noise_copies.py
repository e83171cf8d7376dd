"""The figure `noise_copies`, against a planted 1 + d/(N m)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import drawn, style, tables
from lindiff.drawing.intervals import LONGER
from lindiff.figures import noise_copies
from tests.figures.feeds import noise_copies as feed


def data() -> Any:
    metrics, *_ = feed.sweep()
    return noise_copies.query(tables.plain(metrics))


@pytest.mark.parametrize("m", [1.0, 4.0, math.inf])
def test_losses_of_each_m(m: float):
    found = tables.arrays(data(), noises=m, strength=0.0, quantity="test_loss")
    assert found["n"].tolist() == [4, 8, 64]
    # Two training sets at e^±1: their geometric mean.
    assert found["value"] == pytest.approx(1 + feed.D / (np.array([4, 8, 64]) * m))
    above, below = (np.log(found[end] / found["value"]) for end in ("high", "low"))
    assert above == pytest.approx(-LONGER * below)
    theory = tables.arrays(data(), noises=m, strength=0.0, quantity="test_loss_theory")
    assert theory["n"].tolist() == [4, 8, 16, 32, 64]
    assert theory["value"] == pytest.approx(1 + feed.D / (theory["n"] * m))
    regular = tables.arrays(data(), noises=m, strength=0.1, quantity="test_loss_theory")
    assert regular["value"] == pytest.approx([1.0] * 5)


def test_the_line_of_the_theory_does_not_cross_its_peak():
    """Where N m = d it has no value: a line from one side to the other would be a finite one."""
    kept = [
        row for row in data().to_pylist()
        if row["quantity"] != "test_loss_theory" or row["n"] * row["noises"] != feed.D
    ]  # fmt: skip
    table = pa.Table.from_pylist(kept, schema=data().schema)
    figure = noise_copies.draw(table)
    free, ridge, pairs, _ = figure.axes

    def theory(ax: Any, m: int) -> list[list[float]]:
        own = (line for line in ax.lines if line.get_linestyle() == "-")
        (found,) = (one for one in own if one.get_color() == style.COLOURS[m])
        x, y = found.get_data()
        return x[~np.isfinite(np.asarray(y, float))].tolist()

    # In the order of m = 1, 4, ∞; of m = 4 the peak is at the left of all N.
    assert [theory(free, m) for m in range(3)] == [[1.0], [], []]
    assert theory(pairs, 0) == [1.0]
    assert theory(ridge, 0) == [], "with a penalty there is no peak"


def test_below_the_curves_of_all_m_are_over_the_number_of_pairs():
    figure = noise_copies.draw(data())
    above, below = figure.axes[0], figure.axes[2]

    def curves(ax: Any) -> dict[str, list[float]]:
        found = {}
        for line in ax.lines:
            if line.get_linestyle() == "-" and line.get_color() in style.COLOURS:
                found[line.get_color()] = line.get_xdata().tolist()
        return found

    over_n, over_pairs = curves(above), curves(below)
    assert len(over_n) == 3
    # The average over noise has no number of pairs.
    assert list(over_pairs) == list(style.COLOURS[:2])
    for colour, factor in zip(style.COLOURS, (1.0, 4.0), strict=False):
        assert over_pairs[colour] == [x * factor for x in over_n[colour]]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:3] == ["$m=1$", "$m=4$", r"$m=\infty$"]
    assert {"line: theory", "optimal loss", "$Nm=d$", "$N=d$"} <= set(names)
    # Each line is named where it is drawn: of the panels above alone none is at N m = d.
    for ax in (below, figure.axes[3]):
        figure.delaxes(ax)
    named = [entry.get_label() for entry in drawn.named(figure, noise_copies._entries(data()))]
    assert "$Nm=d$" not in named
    assert "optimal loss" in named
