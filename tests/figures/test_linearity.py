"""Planted nonlinearity and distances are what is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import linearity
from tests.figures import synthetic
from tests.figures.feeds import linearity as feed


def query(metrics: pa.Table, nested: dict[str, pa.Table]) -> pa.Table:
    return linearity.query(tables.plain(metrics), **nested)


def one(table: pa.Table, **equal: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [r for r in table.to_pylist() if all(r[k] == v for k, v in equal.items())]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return query(*feed.sweep())


@pytest.mark.parametrize(("name", "d"), [("gaussian", 16), ("digits", 61)])
@pytest.mark.parametrize("model", ["mlp", "empirical"])
def test_nonlinearity_is_the_mean_over_training_sets(data: pa.Table, model: str, name: str, d: int):
    for n in feed.NS:
        for t in feed.LEVELS:
            own = {"model": model, "data": name, "n": n, "t": t}
            row = one(data, **own, quantity="nonlinearity")
            assert row["value"] == pytest.approx(feed.nonlinearity(model, d, n, t))
            assert (row["seeds"], row["low"]) == (3, None)
            error = one(data, **own, quantity="nonlinearity_se")
            assert error["value"] == pytest.approx(feed.ERROR / math.sqrt(3))


@pytest.mark.parametrize(("name", "d"), [("gaussian", 16), ("digits", 61)])
def test_distances_are_means_of_a_quarter_of_the_modes_that_the_data_span(
    data: pa.Table, name: str, d: int
):
    # The planted distance is larger by 10⁶ and more in the null space, which must not enter.
    for n in feed.NS:
        own = {"model": "mlp", "data": name, "n": n, "t": 14}
        row = one(data, **own, quantity="distance_leading")
        assert row["value"] == pytest.approx(d / n / 15)
        row = one(data, **own, quantity="distance_trailing")
        assert row["value"] == pytest.approx(4 * d / n / 15)
        # Of modes measured on the same rows the errors may go together: not less of many.
        error = one(data, **own, quantity="distance_trailing_se")["value"]
        assert error == pytest.approx(feed.ERROR / n / math.sqrt(3))


def test_a_band_from_eight_training_sets_on():
    population = feed.POPULATIONS[0]
    for seeds, banded in ((7, False), (8, True)):
        found = query(*feed.tables(feed.cells("mlp", population, seeds)))
        row = one(found, n=32, t=14, quantity="nonlinearity")
        assert (row["low"] is not None) == banded
        row = one(found, n=32, t=14, quantity="distance_leading")
        assert (row["low"] is not None) == banded


def test_a_single_training_set_has_the_error_of_its_measurement():
    found = query(*feed.tables(feed.cells("mlp", feed.POPULATIONS[0], 1)))
    assert one(found, n=32, t=14, quantity="nonlinearity_se")["value"] == feed.ERROR
    assert found["low"].null_count == found.num_rows
    with style.applied():
        linearity.draw(found)


def test_levels_and_sizes_are_few_and_not_the_ends(data: pa.Table):
    assert list(linearity._levels(data)) == [2, 14, 52]
    assert list(linearity._sizes(data)) == [8, 32, 128, 1024]


def test_three_modes_have_no_quarters():
    found = query(*feed.tables(feed.cells("mlp", feed.POPULATIONS[0], 1, n=[4, 8])))
    sizes = {r["n"] for r in found.to_pylist() if r["quantity"] == "distance_leading"}
    assert sizes == {8}


def test_what_is_null_is_left_out():
    metrics, nested = feed.tables(feed.cells("mlp", feed.POPULATIONS[0]))
    rows = nested["linearity"].to_pylist()
    for row in rows:
        row["nonlinearity_se"] = None
        if row["t"] == 14:
            row["nonlinearity"] = None
        if row["t"] == 52:
            row["nonlinearity"] = math.nan
    nothing = synthetic.nested("directions", [])
    found = query(
        metrics, {"linearity": synthetic.nested("linearity", rows), "directions": nothing}
    )
    assert tables.distinct(found, "t") == [1, 2, 4, 7, 27, 100]
    assert set(found["quantity"].to_pylist()) == {"nonlinearity"}
    with style.applied():
        linearity.draw(found)


def test_without_rows_there_is_nothing_to_draw():
    metrics, _ = feed.tables(feed.cells("mlp", feed.POPULATIONS[0]))
    nothing = {name: synthetic.nested(name, []) for name in ("linearity", "directions")}
    assert query(metrics, nothing).num_rows == 0


def test_the_empirical_score_alone_has_a_row_of_its_own():
    found = query(*feed.tables(feed.cells("empirical", feed.POPULATIONS[0])))
    ((population, model),) = linearity._rows(found)
    assert (population["d"], model) == (16, "empirical")
    with style.applied():
        figure = linearity.draw(found)
    assert np.isfinite(figure.axes[0].get_ylim()).all()
