"""The figure `coverage`: planted copies and areas."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import coverage
from tests.figures import synthetic
from tests.figures.feeds import coverage as feed

SPREAD = np.array([0.97, 0.99, 1.01, 1.03])


def query(made: list[dict]) -> pa.Table:
    return coverage.query(tables.plain(synthetic.table(made)), feed.nested(made))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(feed.rows())


@pytest.mark.parametrize("n", feed.NS)
def test_copies_are_means_over_fifths_at_the_end_of_the_run(data: pa.Table, n: int):
    fifths = [[i for i in range(n) if i * 5 // n == k] for k in range(5)]
    planted = [np.mean([feed.copied(i, n, feed.STEPS) for i in part]) for part in fifths]
    times = np.array([np.mean([feed.place(i, n) for i in part]) for part in fifths])
    for place, order in (("own_time", 1), ("log_density", -1)):
        own = {"place": place, "n": n, "step": feed.STEPS}
        found = tables.arrays(data, quantity="copied", **own)
        at = tables.arrays(data, quantity=place, **own)
        assert at["fifth"].tolist() == found["fifth"].tolist() == list(range(5))
        # Of 8 or 32 points fifths are not of one size: from the other end they are others.
        if place == "own_time":
            np.testing.assert_allclose(found["value"], planted)
            np.testing.assert_allclose(at["value"], times)
            half = 3.182446 * np.std(SPREAD, ddof=1) / 2
            np.testing.assert_allclose(at["high"] - at["value"], half * times, rtol=1e-6)
        assert np.all(order * np.diff(found["value"].astype(float)) >= 0)
        assert np.all(np.diff(at["value"].astype(float)) > 0)


def test_areas_are_those_of_three_training_sets_or_more(data: pa.Table):
    for n in feed.NS:
        found = tables.arrays(data, quantity="copied_auc", n=n)
        stops = [*feed.STOPS[:-1], feed.STEPS]
        known = {step: feed.area(n, step) for step in stops if feed.area(n, step) is not None}
        assert dict(zip(found["step"].tolist(), found["value"].tolist(), strict=True)) == known
    few = query(feed.rows(seed=[0, 1]))
    assert tables.arrays(few, quantity="copied_auc")["value"].size == 0
    assert tables.arrays(few, quantity="copied")["value"].size > 0


def test_where_no_set_has_a_copy_there_is_no_band(data: pa.Table):
    found = tables.arrays(data, place="own_time", quantity="copied")
    none = found["value"] == 0
    assert np.isnan(found["high"][none].astype(float)).all()
    value, low, high = (found[name][~none].astype(float) for name in ("value", "low", "high"))
    np.testing.assert_allclose(np.log(high / value), 2 * np.log(value / low))
    assert 0 < none.sum() < none.size


def test_runs_on_other_data_have_their_own_end():
    made = feed.rows() + feed.rows(d=16, steps=2 * feed.STEPS)
    found = tables.keep(query(made), "quantity", ["copied"])
    ends = tables.distinct_keys(found, ("d", "step"))
    assert ends == [(8, feed.STEPS), (16, 2 * feed.STEPS)]


def test_points_without_an_own_time_are_left_out():
    made = feed.rows(n=8)
    nested = feed.nested(made)
    at = nested.column_names.index("own_time")
    times = [None if row["point"] == 7 else row["own_time"] for row in nested.to_pylist()]
    nested = nested.set_column(at, "own_time", pa.array(times, pa.float64()))
    found = coverage.query(tables.plain(synthetic.table(made)), nested)
    last = tables.arrays(found, quantity="copied", place="own_time")["value"][-1]
    assert last == feed.copied(6, 8, feed.STEPS)


def test_each_n_is_named_and_chance_is_marked(data: pa.Table):
    with style.applied():
        figure = coverage.draw(data)
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "chance" in words
    assert sum("8$" in word or "32$" in word for word in words) == 2
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "log", "linear"]


def test_where_no_area_is_drawn_the_panel_says_what_it_takes():
    with style.applied():
        figure = coverage.draw(query(feed.rows(seed=[0, 1])))
    *_, areas = figure.axes
    (said,) = areas.texts
    assert "it takes 3 training sets" in " ".join(said.get_text().split())
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "chance" not in words
