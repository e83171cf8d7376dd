"""The figure `proximity`: planted biases, and the best stop on their curves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import proximity
from tests.figures import synthetic
from tests.figures.feeds import proximity as feed
from tests.figures.feeds import training_time as runs


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return feed.sweep()[0].to_pylist()


def query(rows: list[dict]) -> pa.Table:
    return proximity.query(tables.plain(synthetic.table(rows)))


def test_curves_are_means_over_training_sets(rows: list[dict]):
    data = query(rows)
    assert tables.distinct(data, "n") == [8, 32, 64, 256, 1024]
    for n in (8, 256):
        found = tables.arrays(data, quantity="proximity_bias", n=n)
        assert found["step"].tolist() == runs.STOPS
        planted = [[feed.bias(n, step, seed) for seed in runs.SEEDS] for step in runs.STOPS]
        np.testing.assert_allclose(found["value"], np.mean(planted, axis=1))
        spread = 2.364624251592785 * np.std(planted, axis=1, ddof=1) / np.sqrt(8)
        np.testing.assert_allclose(found["high"] - found["value"], spread)


def test_the_best_stop_is_on_the_curve(rows: list[dict]):
    """Where all training sets have one, at the height of the mean curve there."""
    data = query(rows)
    best = tables.arrays(data, time="best_stop")
    assert best["n"].tolist() == [8, 32, 64]
    np.testing.assert_allclose(best["value"], [runs.best_stop(n) for n in (8, 32, 64)], rtol=1e-5)
    with style.applied():
        figure = proximity.draw(data)
    marks = [m for m in figure.axes[1].collections if m.get_gid() == "P"]
    places = np.array([mark.get_offsets()[0] for mark in marks])
    np.testing.assert_allclose(places[:, 0], best["value"])
    # The bias at a best stop is planted, between stops a factor of two apart.
    np.testing.assert_allclose(places[:, 1], 0.1 + 0.2 * np.tanh(np.log(0.5)), atol=0.01)
    assert figure.axes[1].get_yscale() == "linear"


def test_a_run_without_a_rising_loss_has_no_best_stop(rows: list[dict]):
    data = query([row for row in rows if row["n"] >= 256])
    assert len(tables.arrays(data, time="best_stop")["n"]) == 0
    assert len(tables.arrays(data, quantity="proximity_bias")["n"]) == 3 * len(runs.STOPS)


def test_a_bias_that_is_lacking_leaves_the_loss(rows: list[dict]):
    data = query([row | {"proximity_bias": None} for row in rows])
    with style.applied():
        figure = proximity.draw(data)
    assert len(figure.axes[0].lines) >= 5
    assert tables.arrays(data, quantity="proximity_bias")["n"].size == 0
