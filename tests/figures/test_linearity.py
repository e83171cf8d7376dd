"""Planted nonlinearity and distances are what is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes

from lindiff.drawing import style, tables
from lindiff.figures import linearity
from lindiff.models import MODELS
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


def panels(found: pa.Table) -> list[Axes]:
    with style.applied():
        return linearity.draw(found).axes


def drawn_in(ax: Axes, colour: str, *, filled: bool) -> dict[int, float]:
    """N and value of the markers of one colour."""
    face = colour if filled else "white"
    (line,) = (
        line for line in ax.lines
        if line.get_color() == colour and line.get_markerfacecolor() == face
        and line.get_linestyle() == "None"
    )  # fmt: skip
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_every_network_is_drawn_at_the_level_in_the_middle(data: pa.Table):
    axes = panels(data)
    # A row per population, in ln t between 1 and 100 the level 14 is nearest to 10.
    assert [ax.get_title(loc="left") for ax in axes] == [
        r"(a) Gaussian, power law $s_j\propto j^{-1}$, $d=16$, $t=14$", "(b) ",
        "(c) digits, $d=61$, $t=14$", "(d) ",
    ]  # fmt: skip
    for ax, d in ((axes[0], 16), (axes[2], 61)):
        for model in ("mlp", "empirical"):
            values = drawn_in(ax, MODELS[model].look.colour, filled=True)
            exact = {n: feed.nonlinearity(model, d, n, 14) for n in feed.NS}
            assert values == pytest.approx(exact)
    for ax, d in ((axes[1], 16), (axes[3], 61)):
        for filled, factor in ((True, 1), (False, 4)):
            values = drawn_in(ax, MODELS["mlp"].look.colour, filled=filled)
            assert values == pytest.approx({n: factor * d / n / 15 for n in feed.NS})


def test_the_words_of_the_panels_say_what_is_measured(data: pa.Table):
    nonlinearity, distance = (ax.get_ylabel() for ax in panels(data)[:2])
    assert nonlinearity == "Nonlinearity (affine: 0)"
    assert distance == "Distance from the linear model"
    words = linearity.__doc__.replace("\n", " ")
    assert "the distance from the linear model: the mean square of the difference" in words


def test_the_other_levels_are_in_the_data(data: pa.Table):
    for quantity in ("nonlinearity", "distance_leading", "distance_trailing"):
        rows = tables.keep(data, "quantity", [quantity])
        assert tables.distinct(rows, "t") == list(feed.LEVELS)


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
    axes = panels(query(*feed.tables(feed.cells("empirical", feed.POPULATIONS[0]))))
    assert len(axes) == 2
    values = drawn_in(axes[0], MODELS["empirical"].look.colour, filled=True)
    assert values == pytest.approx({n: feed.nonlinearity("empirical", 16, n, 14) for n in feed.NS})
    assert np.isfinite(axes[0].get_ylim()).all()
