"""The figure `stops` and its answer: planted best stops, and a bias that grows by decades."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import stopped, style, tables
from lindiff.figures import stops
from lindiff.report.findings import Missing, Rows
from lindiff.report.questions import best
from tests.figures import synthetic
from tests.figures.feeds import stops as feed

MODELS = ("linear_exact", "mlp")


def query(rows: list[dict]) -> pa.Table:
    return stops.query(tables.plain(synthetic.table(rows)))


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return feed.rows()


@pytest.fixture(scope="module")
def data(rows: list[dict]) -> pa.Table:
    return query(rows)


@pytest.mark.parametrize("model", MODELS)
def test_best_stops_are_those_of_the_mean_curves(data: pa.Table, model: str):
    for metric, factor in feed.BEST.items():
        found = tables.arrays(data, model=model, quantity=f"best_stop_{metric}")
        # At N = 4 the curve of one of them is least at the second stop of all.
        np.testing.assert_allclose(found["value"], [factor * n for n in feed.NS], rtol=1e-3)
        # All training sets have one curve: no width.
        np.testing.assert_allclose(found["high"], found["value"])
    theory = tables.arrays(data, model="linear_exact", quantity="best_stop_test_loss_theory")
    np.testing.assert_allclose(theory["value"], [2 * n for n in feed.NS], rtol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_the_first_bias_is_beyond_that_of_the_first_stop(data: pa.Table, model: str):
    """The mean of the training sets' curves has grown by 0.01 after a decade."""
    found = tables.arrays(data, model=model, quantity="first_bias")
    np.testing.assert_allclose(found["value"], [10.0] * 3)
    without = [np.delete(feed.FACTORS, i).mean() for i in range(3)]
    logs = np.log(10.0) / np.array(without)
    half = 4.302652729749464 * np.sqrt(2 / 3 * np.sum((logs - logs.mean()) ** 2))
    np.testing.assert_allclose(np.log(found["high"] / found["value"]), half, rtol=0.05)


def test_what_does_not_rise_again_or_is_not_beyond_its_error_is_no_stop(rows: list[dict]):
    flat = [row | {"test_loss": 1 - 5e-3 / row["test_loss"]} for row in rows]
    found = set(tables.distinct(query(flat), "quantity"))
    assert "best_stop_test_loss" not in found
    assert "best_stop_kl_model_data" in found
    # Two training sets whose bias goes down, one that outweighs them; then all go down.
    measured = [row for row in rows if row["seed"] is not None]
    signs = {0: -1.0, 1: -1.0, 2: 6.0}
    for factor in (signs, dict.fromkeys(signs, -1.0)):
        other = [
            row | {"proximity_bias": factor[row["seed"]] * row["proximity_bias"]}
            for row in measured
        ]
        assert "first_bias" not in tables.distinct(query(other), "quantity")


def test_every_model_has_a_panel_and_every_stop_an_entry(data: pa.Table):
    with style.applied():
        figure = stops.draw(data)
    assert [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes] == [
        "(a) linear", "(b) MLP",
    ]  # fmt: skip
    assert [ax.get_ylabel() for ax in figure.axes] == [r"Training time $\tau$", "Training step"]
    for ax in figure.axes:
        # Of the exact model each stop has a line of the theory, empty of the bias.
        drawn = [line for line in ax.lines if line.get_marker() not in ("None", "", None)]
        assert len(drawn) == 4
    # Beside lines of the theory the points are at their N, else side by side about it.
    at = [
        [float(x.get_xdata()[0]) for x in ax.lines if x.get_marker() in ("o", "s", "^", "D")]
        for ax in figure.axes
    ]
    assert set(at[0]) == {4}
    assert len(set(at[1])) == 4
    assert math.prod(at[1]) == pytest.approx(4**4)
    assert max(at[1]) < 4 * 1.2


def test_the_answer_says_all_stops_at_one_n_and_their_order(data: pa.Table, rows: list[dict]):
    said = [str(one) for one in best.stops(Rows(data))]
    assert len(said) == 2 * (1 + len(stopped.BEST))
    # Planted is a bias of 0.3 at the first stop, and 0.31 here: "nearer by 0.01" would be false.
    assert (
        "at N = 64 the first bias, samples nearer to their own training set by 0.01 √tr Σ more "
        "than at the first stop of the sweep, is at τ = 10"
    ) in said[0]
    assert "the least test loss at τ = 128" in said[0]
    assert "the least KL(population‖generated) at τ = 64" in said[0]
    # Intervals of the first bias reach from 8 to 13; the best stops are at 8, 32 and 128.
    assert said[1].endswith(
        "the first bias is before the stop with the least test loss at N = 16 and 64, with "
        "intervals that do not meet; undecided at N = 4."
    )
    assert "step 128" in said[4]
    # Without a bias at N = 16 the order there is not known, and that is said.
    fewer = [row | ({"proximity_bias": None} if row["n"] == 16 else {}) for row in rows]
    assert str([*best.stops(Rows(query(fewer)))][1]).endswith(
        "at N = 64, with intervals that do not meet; undecided at N = 4 (at N = 16 the sweep has "
        "not both stops)."
    )
    (none,) = best.stops(
        Rows(query([row | {"proximity_bias": None} for row in rows if row["model"] == "mlp"]))
    )
    assert isinstance(none, Missing)
    assert "extend stop_step" in none.text


def test_one_n_and_many_n_are_said_in_words(rows: list[dict]):
    """No "0 of 1 N"."""
    few = [row for row in rows if row["n"] == 4 and row["model"] == "mlp"]
    one = [str(said) for said in best.stops(Rows(query(few)))]
    assert one[1].endswith(
        "whether the first bias is before or after the stop with the least test loss is undecided "
        "at N = 4: no two intervals there are apart."
    )
    both = best._order("the least test loss", [16, 64], [4], [4, 8, 16, 64])
    assert both == (
        "the first bias is before the stop with the least test loss at N = 16 and 64 and after the "
        "stop with the least test loss at N = 4, with intervals that do not meet; undecided at "
        "N = 8."
    )
    assert best._sizes([4, 8, 1600]) == "N = 4, 8 and 1,600"
    many = best._order("the least test loss", [4, 8, 16, 32, 1024], [], [4, 8, 16, 32, 1024])
    assert "before the stop with the least test loss at 5 values of N from 4 to 1,024, with" in many
