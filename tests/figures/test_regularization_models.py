"""Planted optima of a network and of the linear model are found."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from lindiff.drawing import caption, style, tables
from lindiff.figures import regularization_models
from tests.figures import synthetic
from tests.figures.feeds import regularization_models as feed

T_2 = 4.302652729696  # 97.5 % quantile of Student's t with two degrees of freedom


def query(made: list[dict[str, Any]]) -> pa.Table:
    return regularization_models.query(tables.plain(synthetic.table(made)))


def one(table: pa.Table, **equal: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [r for r in table.to_pylist() if all(r[k] == v for k, v in equal.items())]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return regularization_models.query(tables.plain(feed.sweep()[0]))


@pytest.mark.parametrize("model", feed.GRIDS)
def test_the_best_weight_decay_and_its_gain(data: pa.Table, model: str):
    end = "_theory" if model == "linear_theory" else ""
    for n in feed.NS:
        own = {"model": model, "n": n}
        row = one(data, **own, quantity=f"best_decay{end}")
        assert row["value"] == pytest.approx(feed.best(model, n), rel=1e-3)
        row = one(data, **own, quantity=f"decay_gain{end}")
        assert row["value"] == pytest.approx(feed.GAIN[model])
        least = one(data, **own, quantity=f"test_loss_minimum{end}")
        assert least["value"] == pytest.approx(feed.least(n))
        assert least["weight_decay"] == pytest.approx(feed.best(model, n), rel=1e-3)


def test_intervals_are_those_of_a_jackknife_over_training_sets():
    made = feed.cells("mlp")
    for row in made:  # of seeds 0, 1, 2 the gain is 0.7, 0.8, 0.9, and the best value the same
        if row["weight_decay"] == 0:
            row["test_loss"] *= 0.8 / (0.7 + 0.1 * row["seed"])
    row = one(query(made), n=16, quantity="decay_gain")
    assert row["value"] == pytest.approx(0.8)
    # The jackknife of a mean is Student's t on it.
    assert row["high"] - row["value"] == pytest.approx(T_2 * 0.1 / math.sqrt(3))
    assert row["seeds"] == 3


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_training_sets_have_no_interval(seeds: int):
    found = query(feed.cells("mlp", seeds))
    assert found["low"].null_count == found.num_rows
    assert one(found, n=16, quantity="best_decay")["seeds"] == seeds
    with style.applied():
        regularization_models.draw(found)


def test_curves_have_a_band_from_eight_training_sets_on():
    row = one(query(feed.cells("mlp", 8)), n=16, weight_decay=0.0, quantity="test_loss")
    # 0.9, 1.0 … 1.6: mean 1.25.
    assert row["value"] == pytest.approx(1.25 * feed.least(16) / 0.8)
    assert row["low"] < row["value"] < row["high"]
    row = one(query(feed.cells("mlp", 7)), n=16, weight_decay=0.0, quantity="test_loss")
    assert row["low"] is None


def test_what_is_best_at_an_end_is_left_out_and_counted():
    # Up to 3.2e-4: past the best value of N = 256, just at that of N = 64.
    made = [row for row in feed.cells("mlp") if row["weight_decay"] < 4e-4]
    found = query(made)
    best = {r["n"] for r in found.to_pylist() if r["quantity"] == "best_decay"}
    assert best == {256}
    with style.applied():
        words = caption.words(regularization_models.draw(found), found)
    assert "left out: 3 best values" in words


def test_without_none_there_is_no_gain():
    found = query([row for row in feed.cells("mlp") if row["weight_decay"] > 0])
    quantities = set(found["quantity"].to_pylist())
    assert "decay_gain" not in quantities
    assert "best_decay" in quantities
    with style.applied():
        regularization_models.draw(found)


def test_decoupled_decay_is_not_compared():
    other = feed.cells("mlp", optimizer="adamw")
    for row in other:
        row["test_loss"] *= 2
    (held,) = tables.facts(query(feed.cells("mlp") + other))["training"]
    assert held["optimizer"] == "adam"


def test_what_is_null_is_left_out():
    made = feed.cells("mlp")
    for row in made:
        if row["n"] == 4:
            row["test_loss"] = None
        if row["n"] == 16 and row["weight_decay"] > 1e-2:
            row["test_loss"] = math.inf
        if row["n"] == 64 and row["seed"] == 1 and row["weight_decay"] == 0:
            row["test_loss"] = row["train_loss"] = None
    found = query(made)
    assert tables.distinct(found, "n") == [16, 64, 256]
    assert one(found, n=16, quantity="best_decay")["seeds"] == 3
    assert one(found, n=64, quantity="best_decay")["seeds"] == 2
    for row in made:
        row["test_loss"] = None
    assert query(made).num_rows == 0
