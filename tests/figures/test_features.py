"""The figure `features`, against planted losses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import features
from tests.figures import synthetic
from tests.figures.feeds import features as feed


@pytest.fixture(scope="module")
def data():
    metrics, *_ = feed.sweep()
    return features.query(tables.plain(metrics))


@pytest.mark.parametrize(("panel", "decay"), [("least", 0.0), ("best", 0.1)])
@pytest.mark.parametrize("m", [1.0, 4.0, math.inf])
def test_losses_at_the_least_and_at_the_best_weight_decay(data, panel, decay, m):
    for quantity, sizes in (("test_loss", [4, 8, 64]), ("test_loss_theory", [4, 8, 16, 64])):
        found = tables.arrays(data, panel=panel, noises=m, quantity=quantity)
        assert found["features"].tolist() == sizes
        # Two training sets at e^±1: their geometric mean.
        assert found["value"] == pytest.approx([feed.loss(p, m, decay) for p in sizes])
        assert set(found["weight_decay"]) == {decay}


def test_lines_are_where_features_are_as_many_as_pairs(data):
    figure = features.draw(data)
    marks = {
        line.get_color(): line.get_xdata()[0]
        for line in figure.axes[0].lines
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]
    }
    expected = (feed.N, 4 * feed.N, feed.N)
    assert marks == dict(zip(style.COLOURS[:3], expected, strict=True))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:3] == ["$m=1$", "$m=4$", r"$m=\infty$"]
    assert {"line: theory", "optimal loss", "$p=Nm$"} <= set(names)


def test_where_the_theory_has_no_limit_its_line_has_a_gap():
    """At the least weight decay of all, not at the next one there."""
    metrics, *_ = feed.sweep()
    made = metrics.to_pylist()
    for row in made:
        theory = row["model"] == "random_features_theory"
        if theory and row["weight_decay"] == 0 and row["features"] == 8 * row["noises"]:
            row["test_loss"] = None
    found = features.query(tables.plain(synthetic.table(made)))
    least = tables.arrays(found, panel="least", noises=1.0, quantity="test_loss_theory")
    assert least["features"].tolist() == [4, 16, 64]
    figure = features.draw(found)
    (line,) = (
        own
        for own in figure.axes[0].lines
        if own.get_color() == style.COLOURS[0] and own.get_linestyle() == "-"
    )
    assert np.isnan(line.get_ydata()).tolist() == [False, True, False, False]
