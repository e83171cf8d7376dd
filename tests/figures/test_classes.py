"""The figure `classes`: planted shares over training steps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import classes
from tests.figures import synthetic
from tests.figures.feeds import classes as feed

STEPS = [*feed.STOPS[:-1], feed.STEPS]


def query(metrics: pa.Table, nested: pa.Table) -> pa.Table:
    return classes.query(tables.plain(metrics), nested)


@pytest.fixture(scope="module")
def data() -> pa.Table:
    metrics, nested = feed.sweep()
    return query(metrics, nested["classes"])


def test_shares_are_means_over_training_sets(data: pa.Table):
    assert tables.distinct(data, "n") == [8, 512]
    for k, weight in enumerate(feed.WEIGHTS, 1):
        for n in (8, 512):
            own = {"n": n, "class": k}
            found = tables.arrays(data, quantity="class_ratio", **own)
            assert found["step"].tolist() == STEPS
            planted = [feed.ratio(weight, step) for step in STEPS]
            np.testing.assert_allclose(found["value"], planted)
            spread = 3.182446 * np.std([0.97, 0.99, 1.01, 1.03], ddof=1) / 2
            np.testing.assert_allclose(found["high"] - found["value"], spread * np.array(planted))
            copies = tables.arrays(data, quantity="class_memorized", **own)["value"]
            np.testing.assert_allclose(copies, [feed.memorized(weight, n, s) for s in STEPS])


def test_each_class_is_told_by_its_weight(data: pa.Table):
    with style.applied():
        figure = classes.draw(data)
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"class 1, weight 0.75", "class 2, weight 0.25", "the population"} <= set(words)
    assert [ax.get_ylim()[1] > 1 for ax in figure.axes] == [True] * 4


def test_data_of_one_class_have_nothing_to_draw():
    made = feed.rows(mixture="none")
    found = query(synthetic.table(made), synthetic.nested("classes", []))
    assert found.num_rows == 0
    with style.applied():
        classes.draw(found)
