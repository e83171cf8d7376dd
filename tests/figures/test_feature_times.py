"""The figure `feature_times`, against planted eigenvalues and losses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import feature_times
from lindiff.science.activations import ACTIVATIONS
from lindiff.science.random_features_equivalent import equivalent
from lindiff.science.random_features_limit import eigenvalue_density
from tests.figures.feeds import feature_times as feed


@pytest.fixture(scope="module")
def data():
    metrics, nested = feed.sweep()
    return feature_times.query(tables.plain(metrics), **nested)


@pytest.mark.parametrize(("n", "low"), [(16, -2.25), (32, -3.25)])
def test_eigenvalues_are_counted_once_a_training_set_and_unit_of_ln(data, n, low):
    found = tables.arrays(data, n=n, quantity="feature_spectrum")
    at = dict(zip(np.round(np.log10(found["stop"]), 6), found["value"], strict=True))
    # Two training sets, N and N + 2; between the bulks there is nothing.
    width = math.log(10) / 10
    # Both have all of the first bulk: that tells no scatter.
    for end in ("low", "high"):
        assert np.isnan(found[end].astype(float)).tolist() == [abs(x - 1.25) < 0.1 for x in at]
    assert at == pytest.approx({1.25: feed.D / width, -low: (n + 1) / width})
    assert set(found["seeds"]) == {2}
    assert set(found["t"]) == {2}


def test_losses_are_those_of_the_level_shown(data):
    for quantity in ("test_loss", "test_loss_theory"):
        for n in feed.SIZES:
            found = tables.arrays(data, n=n, quantity=quantity)
            assert found["stop"].tolist() == list(feed.STOPS)
            assert found["value"] == pytest.approx([feed.loss(n, x, 2) for x in feed.STOPS])


@pytest.mark.parametrize("n", feed.SIZES)
def test_lines_are_the_limit_of_these_settings(data, n):
    erf = ACTIVATIONS["erf"]
    line = tables.arrays(data, n=n, quantity="feature_spectrum_theory")
    some = line["value"] > 0
    at = 1 / line["stop"][some]
    expected = eigenvalue_density(erf, np.ones(feed.D), n, 64, np.inf, 0.91, 1 - 0.91, at)
    assert line["value"][some] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    (atom,) = tables.arrays(data, n=n, quantity="atom")["stop"]
    assert atom == pytest.approx(64 / equivalent(erf, 0.91, 1 - 0.91).own)
    times = [tables.arrays(data, n=n, quantity=name)["stop"][0] for name in feature_times.BULKS]
    assert times[0] < times[1] < atom


def test_bulks_are_named_and_marked(data):
    figure = feature_times.draw(data)
    above, below = figure.axes
    assert [text.get_text() for text in above.texts] == list(feature_times.BULKS)
    for ax, count in ((above, 6), (below, 4)):
        marks = [line for line in ax.lines if len(set(line.get_xdata())) == 1]
        assert len(marks) == count
        assert {line.get_color() for line in marks} == set(style.COLOURS[:2])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"$N=16$", "$N=32$", "limit", "median of a bulk"} <= set(names)
