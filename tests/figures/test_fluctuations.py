"""The numbers of the scatter over draws, against planted ones."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes

from lindiff.drawing import caption, markup, scatter, style, tables
from lindiff.figures import fluctuations
from tests.figures import synthetic
from tests.figures.feeds import fluctuations as feed

T_4 = 2.7764451051977987  # 97.5 % quantile of Student's t with four degrees of freedom
STEPS = np.arange(-2, 3)  # d times how far the five draws are off


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return fluctuations.query(tables.plain(feed.sweep()[0]))


def test_draws_are_shown_of_the_d_that_has_the_most_samples(data: pa.Table):
    draws = tables.arrays(data, quantity="test_loss_relative_draws", strength=0.1)
    assert set(draws["d"]) == {16}
    assert draws["n"].tolist() == [8, 12, 16, 20, 24, 32, 64]
    assert draws["value"] == pytest.approx(0)
    # Four of five draws: the band that holds 80 % of them has the outer two as its ends.
    assert draws["low"] == pytest.approx(-2 / 16)
    assert draws["high"] == pytest.approx(2 / 16)
    assert set(draws["seeds"]) == {5}


def test_the_median_stays_where_the_mean_leaves_with_the_tail(data: pa.Table):
    own = {"strength": 0.0, "n": 20}
    exact = feed.exact(16)
    median = tables.arrays(data, quantity="kl_data_model_draws", **own)["value"]
    mean = tables.arrays(data, quantity="kl_data_model_average", **own)["value"]
    theory = tables.arrays(data, quantity="kl_data_model_theory", **own)["value"]
    assert median == pytest.approx(exact)
    assert theory == pytest.approx(exact)
    assert mean == pytest.approx((1000 + exact * (4 - 2 / 16)) / 5)


def test_the_panels_about_n_equal_to_d_hold_only_that(data: pa.Table):
    draws = tables.arrays(data, quantity="kl_data_model_draws", strength=0.1)
    assert draws["n_over_d"].tolist() == [0.75, 1, 1.25, 1.5]
    # Infinite up to N = d without ridge, and left out there.
    draws = tables.arrays(data, quantity="kl_data_model_draws", strength=0.0)
    assert draws["n_over_d"].tolist() == [1.25, 1.5]


def test_moments_against_d(data: pa.Table):
    own = {"n_over_d": 4.0, "strength": 0.1}
    d = np.array(feed.SIZES)
    spread = tables.arrays(data, quantity="kl_model_data_spread", **own)
    assert spread["d"].tolist() == d.tolist()
    assert spread["value"] == pytest.approx(np.std(STEPS, ddof=1) / d)
    bound = tables.arrays(data, quantity="kl_model_data_relative_bound", **own)
    assert bound["value"] == pytest.approx(T_4 * np.std(STEPS, ddof=1) / np.sqrt(5) / d)
    mean = tables.arrays(data, quantity="kl_model_data_limit_average", **own)
    distance = (1 + 1 / d) / feed.exact(feed.LAST) - 1
    assert mean["value"] == pytest.approx(distance)
    assert (mean["high"] - mean["value"])[0] == pytest.approx(bound["value"][0] * (1 + distance[0]))
    theory = tables.arrays(data, quantity="kl_model_data_limit_theory", **own)
    assert theory["d"].tolist() == d.tolist()
    assert theory["value"] == pytest.approx(distance)


def test_moments_are_shown_at_three_ratios_of_the_strongest_that_ties(data: pa.Table):
    spread = tables.keep(data, "quantity", ["test_loss_spread"])
    assert tables.distinct(spread, "strength") == [0.1]
    assert tables.distinct(spread, "n_over_d") == [0.5, 1, 4]


def test_without_theory_of_a_larger_d_there_is_no_limit_but_all_else():
    metrics = tables.plain(feed.sweep()[0])
    few = tables.keep(metrics, "d", [16])
    found = fluctuations.query(few)
    quantities = set(tables.distinct(found, "quantity"))
    assert "test_loss_relative_draws" in quantities
    assert not any("limit" in quantity for quantity in quantities)


def test_distance_is_null_where_theory_is_not_finite_or_missing():
    table = pa.table({"n": [1, 2, 3, 4], "y": [2.0, 2.0, math.inf, 2.0]})
    exact = pa.table({"n": [1, 2, 3], "y": [4.0, math.inf, 1.0]})
    found = scatter.distance(table, exact, ["y"], ["n"], "relative")
    assert found["y_relative"].to_pylist() == [-0.5, None, math.inf, None]


def test_a_single_draw_has_neither_band_nor_spread():
    assert math.isnan(scatter.band([2.0]).low)
    assert math.isnan(scatter.spread([2.0]).value)
    assert math.isnan(scatter.bound([2.0]).value)
    assert scatter.spread([1.0, 3.0]).value == pytest.approx(math.sqrt(2) / 2)
    assert scatter.bound([-3.0, -1.0]).value == pytest.approx(2 + 12.706204736432095)
    assert math.isinf(scatter.mean([1.0, math.inf]).value)


def test_draws_need_no_theory_to_be_drawn():
    metrics = tables.plain(synthetic.table(synthetic.rows(
        d=[8, 16], n=[8, 16, 32], seed=[0, 1], test_loss=1.0, kl_model_data=1.0, kl_data_model=2.0
    )))  # fmt: skip
    found = fluctuations.query(metrics)
    assert tables.distinct(found, "quantity") == ["kl_data_model_average", "kl_data_model_draws"]


def drawn_in(ax: Axes, colour: str, marker: str) -> dict[float, float]:
    """Abscissae and values of the markers of one colour."""
    found: dict[float, float] = {}
    for line in ax.lines:
        if line.get_color() == colour and line.get_marker() == marker:
            found |= dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    return found


def test_four_panels_of_the_middle_ratio_and_of_the_least_regularization(data: pa.Table):
    with style.applied():
        spread, limit, draws, tail = fluctuations.draw(data).axes
    d = np.array(feed.SIZES)
    for name, (colour, marker) in fluctuations.LOOK.items():
        values = drawn_in(spread, colour, marker)
        assert values == pytest.approx(dict(zip(d, np.std(STEPS, ddof=1) / d, strict=True)))
        expected = (1 + 1 / d) / feed.exact(feed.LAST) - 1
        assert drawn_in(limit, colour, marker) == pytest.approx(dict(zip(d, expected, strict=True)))
        assert len(drawn_in(draws, colour, marker)) == 7, name
        # The guide goes through the points, which fall as it does.
        (guide,) = (line for line in spread.lines if line.get_color() == colour
                    and line.get_linestyle() == "--")  # fmt: skip
        assert guide.get_ydata() == pytest.approx(np.std(STEPS, ddof=1) / d)
    colour, marker = fluctuations.LOOK[fluctuations.HEAVY]
    assert list(drawn_in(tail, colour, marker)) == [1.25, 1.5]
    titles = [ax.get_title(loc="left") for ax in (spread, limit, draws, tail)]
    assert titles == [
        "(a) scatter of training sets, $N/d=1$, ridge $c=0.1$",
        "(b) mean of training sets, $N/d=1$, ridge $c=0.1$",
        "(c) training sets, $d=16$, ridge $c=0.1$",
        "(d) heavy tail, $d=16$, ridge $c=0$",
    ]


def test_the_caption_says_how_near_the_mean_is_to_theory(data: pa.Table):
    with style.applied():
        words = markup.plain(caption.words(fluctuations.draw(data), data))
    bound = 100 * T_4 * np.std(STEPS, ddof=1) / math.sqrt(5) / 32
    assert f"At d=32 of (b) the mean is within {bound:.2g} % of the theory" in words


def test_intervals_of_the_mean_and_bands_of_the_draws_have_entries_of_their_own(data: pa.Table):
    with style.applied():
        figure = fluctuations.draw(data)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "(b) 95 % interval of the mean" in texts
    assert "(c), (d) middle 80 % of the draws" in texts
    assert "95 % interval" not in texts
