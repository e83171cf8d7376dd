"""Optima of planted curves, as the figure of ridge and weight decay takes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff import figures
from lindiff.drawing import drawn, optima, style, tables
from lindiff.figures import regularization
from lindiff.science.ridge import best_ridge
from tests.figures import synthetic
from tests.figures.feeds import planted

T_1 = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom


def query(made: list[dict[str, Any]]) -> pa.Table:
    return regularization.query(tables.plain(synthetic.table(made)))


def one(data: pa.Table, **equal: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [r for r in data.to_pylist() if all(r[k] == v for k, v in equal.items())]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("metric", planted.METRICS)
@pytest.mark.parametrize("n", planted.NS)
def test_the_planted_optimum_is_found_with_its_interval(metric: str, n: int):
    delta = 0.05
    data = query(planted.rows("ridge", 0.0, seeds=2, shift=delta))
    best = one(data, quantity=f"{metric}_argmin", n=n)
    # The mean of two curves that lie δ to the left and to the right is least in their middle.
    assert best["value"] == pytest.approx(4 / n, rel=1e-3)
    # Without one of them the other's: the jackknife's error is δ.
    assert best["high"] / best["value"] == pytest.approx(math.exp(T_1 * delta), rel=1e-4)
    assert best["high"] * best["low"] == pytest.approx(best["value"] ** 2)
    assert best["seeds"] == 2
    least = one(data, quantity=f"{metric}_minimum", n=n)["value"]
    assert least == pytest.approx(math.exp(delta**2 / 2) / n, rel=1e-3)
    exact = one(data, quantity=f"{metric}_argmin_theory", n=n)
    assert (exact["value"], exact["low"]) == (pytest.approx(4 / n, rel=1e-5), None)
    assert one(data, quantity=f"{metric}_minimum_theory", n=n)["value"] == pytest.approx(1 / n)


def test_the_law_of_large_n_is_dotted_as_the_caption_says():
    data = query(planted.rows("ridge", 0.0))
    with style.applied():
        figure = regularization.draw(data)
    tail = tables.arrays(data, quantity="kl_model_data_argmin_tail")
    (line,) = (
        one for one in figure.axes[-2].lines
        if np.array_equal(one.get_ydata(), tail["value"])
    )  # fmt: skip
    assert line.get_gid() == drawn.dash_id(style.DASHES[2])
    assert style.DASHES[2][1][0] < style.DASHES[1][1][0], "a dot is shorter than a dash"
    assert "the dotted line is the ridge that is best" in figures.caption("regularization")


def test_the_law_of_large_n_is_that_of_the_spectrum():
    data = query(planted.rows("ridge", 0.0))
    # Isotropic: tr Σ⁻¹/tr Σ⁻² = 1, so (d+2)/N and twice that; from √(2·128) = 16 on.
    assert one(data, quantity="kl_model_data_argmin_tail", n=128)["value"] == 10 / 128
    assert one(data, quantity="kl_data_model_argmin_tail", n=128)["value"] == 20 / 128
    tails = [r["n"] for r in data.to_pylist() if r["quantity"] == "kl_data_model_argmin_tail"]
    assert tails == [32, 128]
    exact = best_ridge(np.ones(8), 100_000, "kl_model_data")
    assert exact == pytest.approx(10 / 100_000, rel=1e-3)


def test_curves_are_means_without_the_ends_and_the_infinite_ones():
    made = planted.rows("ridge", 0.0, seeds=2, shift=0.0)
    for row in made:
        if row["ridge"] == 1.0 and row["n"] == 2 and row["model"] == "linear_exact":
            row["residual_loss"] = (1.0, 3.0)[row["seed"]]
            row["kl_model_data"] = (1.0, math.inf)[row["seed"]]
    data = query(made)
    point = one(data, quantity="residual_loss", n=2, strength=1.0)
    assert point["value"] == pytest.approx(2)
    assert point["high"] == pytest.approx(2 + T_1)
    drawn = [r for r in data.to_pylist() if r["strength"] is not None]
    assert {r["strength"] for r in drawn} == set(planted.GRID)
    infinite = [r for r in drawn if r["quantity"] == "kl_model_data" and r["n"] == 2]
    assert {r["strength"] for r in infinite} == set(planted.GRID) - {1.0}
    assert one(data, quantity="kl_model_data_theory", n=2, strength=1.0)["value"] > 0


def test_an_optimum_at_the_end_of_the_axis_is_left_out_and_counted():
    made = [
        row
        for row in planted.rows("ridge", 0.0, seeds=2, theory=False)
        if row["n"] != 128 or row["ridge"] >= 1
    ]
    data = query(made)
    argmin = [r["n"] for r in data.to_pylist() if r["quantity"] == "residual_loss_argmin"]
    assert argmin == [2, 8, 32]
    assert len([r for r in data.to_pylist() if r["quantity"] == "residual_loss_minimum"]) == 4
    assert optima.at_the_end(data) == "left out: 3 best values at the end of their axis"
    assert optima.at_the_end(query(planted.rows("ridge", 0.0))) == ""


def test_one_regularization_at_a_time():
    both = synthetic.rows(d=8, n=planted.NS, ridge=[0.01, 0.1], weight_decay=[0.01, 0.1])
    made = planted.rows("ridge", 0.0) + planted.rows("weight_decay", 0.0, factor=1.5)
    data = query(made + both)
    assert tables.distinct(data, "regularizer") == ["ridge", "weight_decay"]
    for name, least in (("ridge", 1.0), ("weight_decay", 1.5)):
        row = one(data, regularizer=name, quantity="residual_loss_minimum_theory", n=8)
        assert row["value"] == pytest.approx(least / 8)
    few = synthetic.rows(d=8, n=planted.NS, ridge=[0.0, 0.01, 0.1], residual_loss=1.0)
    assert query(few).num_rows == 0


def test_a_training_set_that_lacks_a_strength_is_left_out_of_the_optimum():
    made = planted.rows("ridge", 0.0, seeds=3, shift=0.3, theory=False)
    gone = [r for r in made if (r["seed"], r["ridge"], r["n"]) == (2, planted.GRID[3], 32)]
    assert len(gone) == 1
    data = query([row for row in made if row is not gone[0]])
    best = one(data, quantity="residual_loss_argmin", n=32)
    assert best["seeds"] == 2
    # What is left lies at -0.3 and 0: the mean curve is least between them.
    assert 4 / 32 * math.exp(-0.3) < best["value"] < 4 / 32
    assert one(data, quantity="residual_loss_argmin", n=8)["seeds"] == 3
