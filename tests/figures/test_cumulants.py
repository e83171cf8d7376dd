"""The figure `cumulants`: planted divergences and kurtosis, and the population's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.drawing.intervals import LONGER
from lindiff.figures import cumulants
from tests.figures import synthetic
from tests.figures.feeds import cumulants as feed


def query(rows: list[dict]) -> pa.Table:
    return cumulants.query(tables.plain(synthetic.table(rows)))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(feed.sweep()[0].to_pylist())


@pytest.mark.parametrize("mixture", feed.MIXTURES)
def test_points_are_means_over_training_sets(data: pa.Table, mixture: str):
    for model in ("mlp", "empirical"):
        own = {"model": model, "mixture": mixture}
        found = tables.arrays(data, quantity="excess_kurtosis", **own)
        planted = [[feed.kurtosis(mixture, n, seed) for seed in range(4)] for n in feed.NS]
        np.testing.assert_allclose(found["value"], np.mean(planted, axis=1))
        least, low, high = (found[name].astype(float) + 2 for name in ("value", "low", "high"))
        np.testing.assert_allclose(np.log(high / least), LONGER * np.log(least / low))
        found = tables.arrays(data, quantity="kl_model_data", **own)
        np.testing.assert_allclose(found["value"], [feed.D / (2 * n) for n in feed.NS])


def test_the_line_is_the_population(data: pa.Table):
    with style.applied():
        figure = cumulants.draw(data)
    heights = [
        {round(float(line.get_ydata()[0]), 9) for line in ax.lines if len(line.get_xdata()) == 2}
        for ax in figure.axes[1::2]
    ]
    for true, found in zip(feed.TRUE, heights, strict=True):
        assert round(true, 9) in found


def test_of_other_data_there_is_nothing_to_draw():
    sizes = '{"variances":[0.5,1.5],"weights":[0.5,0.5]}'
    rows = feed.rows(mixture=feed.MIXTURES[0])
    for row in rows:
        row["mixture"] = sizes if row["seed"] % 2 else "none"
    found = query(rows)
    assert found.num_rows == 0
    with style.applied():
        cumulants.draw(found)
