"""The figure `overlap`, against planted overlaps of two spikes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from lindiff.drawing import style, tables
from lindiff.figures import overlap
from lindiff.science import laws
from tests.figures.feeds import overlap as feed

T = stats.t.ppf(0.975, 1)


@pytest.fixture(scope="module")
def data():
    return overlap.query(tables.plain(feed.sweep()[0]))


@pytest.mark.parametrize("spike", feed.SPIKES)
def test_overlaps_are_means_at_the_largest_d(data, spike):
    """Whatever the ridge, which no eigenvector knows: it is held at 0."""
    params = json.dumps({"count": 1, "spike": spike})
    found = tables.arrays(data, spectrum_params=params, quantity="overlap_1")
    assert found["n_over_d"].tolist() == [n / feed.D for n in feed.NS]
    assert found["value"] == pytest.approx(laws.spike_overlap(found["n_over_d"], spike))
    # Of the logit of the mean m, whose error is larger by 1/(m (1 − m)); of zeros it is 0.
    seen = found["value"] > 0
    low, centre, high = (logit(found[k][seen].astype(float)) for k in ("low", "value", "high"))
    assert high - centre == pytest.approx(np.full(seen.sum(), 0.08 * T), rel=1e-6)
    assert centre - low == pytest.approx(1.4 * (high - centre), rel=1e-6)
    assert found["high"][~seen].tolist() == [0.0] * np.sum(~seen)
    theory = tables.arrays(data, spectrum_params=params, quantity="overlap_1_theory")
    assert theory["n"].tolist() == [8, 16, 64, 512]


def test_the_limit_leaves_zero_at_the_threshold(data):
    """Isotropic data, which have no overlap, have no line and no entry."""
    with style.applied():
        figure = overlap.draw(data)
    (ax,) = figure.axes
    limits = [line for line in ax.lines if len(line.get_xdata()) == overlap._POINTS]
    assert len(limits) == 2
    for line, spike in zip(limits, feed.SPIKES, strict=True):
        x, y = (np.asarray(a, float) for a in line.get_data())
        assert x[y > 0].min() == pytest.approx(max(1 / (spike - 1) ** 2, x[0]), rel=0.02)
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert [word for word in words if "spike" in word or "infty" in word] == words[:2] + words[3:4]
    assert not any("isotropic" in word for word in words)
