"""The numbers that the figures draw, against sums done by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import caption, style, tables
from lindiff.figures import kl, learned_covariance, null_directions, transition
from lindiff.science import laws
from tests.figures import synthetic

T_1 = 12.706204736432095  # 97.5 % quantile of Student's t with one degree of freedom


def one(table: pa.Table, **equal: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [r for r in table.to_pylist() if all(r[k] == v for k, v in equal.items())]
    assert len(found) == 1
    return found[0]


def with_values(rows: list[dict[str, Any]], **values: list[Any]) -> pa.Table:
    """The rows as a table, each with its values."""
    for name, column in values.items():
        for row, value in zip(rows, column, strict=True):
            row[name] = value
    return tables.plain(synthetic.table(rows))


def test_transition():
    rows = synthetic.rows(d=[8], n=[4, 16], seed=[0, 1])
    metrics = with_values(
        rows, test_loss=[1.0, 4.0, 0.5, 0.5], train_loss=[0.1] * 4, optimal_loss=[0.4] * 4
    )
    levels = synthetic.nested(
        "levels",
        [
            {
                "cell_id": row["cell_id"],
                "t": t,
                "alpha_bar": 0.5,
                "train_loss": 0.2,
                "test_loss": 3.0,
            }
            for row in rows
            for t in (1, 5, 6, 31, 170, 1000)
        ],
    )
    data = transition.query(metrics, levels=levels)
    mean = one(data, quantity="test_loss", n=4, t=None)
    assert mean["value"] == pytest.approx(2)
    assert mean["high"] == pytest.approx(2 * math.exp(T_1 * math.log(2) / math.sqrt(2) * 2**0.5))
    assert mean["low"] * mean["high"] == pytest.approx(4)
    assert mean["n_over_d"] == 0.5
    assert mean["seeds"] == 2
    assert one(data, quantity="optimal_loss", n=4, t=None)["value"] == pytest.approx(0.4)
    # ln t in four equal parts from 1 to 1000: 5.6, 31.6, 177.8.
    assert tables.distinct(data, "t") == [6, 31, 170]
    # Isotropic at ᾱ = 1/2: ½ · 1/(½ + ½).
    assert one(data, quantity="optimal_loss", n=16, t=31)["value"] == pytest.approx(0.5)


def test_transition_takes_two_spectra_two_sizes_and_the_weakest_regularization():
    metrics, levels, _ = synthetic.sweep()
    data = transition.query(tables.plain(metrics), levels=levels)
    assert tables.distinct(data, "strength") == [0, 0.01]
    assert set(data["regularizer"].to_pylist()) == {"ridge"}
    assert len(tables.distinct_keys(data, ("spectrum", "spectrum_params"))) == 2


def test_kl():
    rows = synthetic.rows(d=[8], n=[4, 80], seed=[0, 1, 2])
    finite = [0.9, 0.2, 0.1]
    metrics = with_values(
        rows,
        kl_model_data=[math.inf, math.inf, 1.0, *finite],
        kl_data_model=[math.inf, 5.0, 4.0, *finite],
        kl_model_data_floor=[0.01] * 6,
        kl_data_model_floor=[0.02] * 6,
    )
    data = kl.query(metrics)
    point = one(data, quantity="kl_model_data", unit="nats")
    assert (point["n"], point["value"], point["low"], point["high"]) == (80, 0.2, 0.1, 0.9)
    tail = (8 + 3) / (4 * 80)
    scaled = one(data, quantity="kl_model_data", unit="tail")
    assert scaled["value"] == pytest.approx(0.2 / tail)
    assert scaled["high"] == pytest.approx(0.9 / tail)
    # A finite median with an infinite upper end is drawn, an infinite one is noted.
    half = one(data, quantity="kl_data_model", unit="nats", n=4)
    assert (half["value"], half["low"], half["high"]) == (5, 4, math.inf)
    facts = tables.facts(data)
    assert (facts["infinite"], facts["infinite_up_to"]) == ([0.0], 0.5)
    law = one(data, quantity="kl_model_data_tail", unit="nats", n=80)
    assert law["value"] == pytest.approx(tail)
    assert law["low"] is None
    assert one(data, quantity="kl_model_data_leading", unit="tail", n=80)["value"] == (
        pytest.approx(8 / 11)
    )
    mean = one(data, quantity="kl_data_model_mean", unit="nats", n=80)["value"]
    assert mean == float(laws.kl_data_model_mean(80, 8))
    assert min(r["n"] for r in data.to_pylist() if r["quantity"] == "kl_data_model_mean") == 11
    assert one(data, quantity="kl_data_model_floor", unit="nats", n=4)["value"] == 0.02


@pytest.mark.parametrize(("floor", "seen"), [(0.1, True), (1e-9, False)])
def test_a_caption_speaks_of_crosses_where_there_are_some(floor: float, seen: bool):
    finite = [1.0, 2.0, 3.0]
    data = kl.query(
        with_values(
            synthetic.rows(n=[80], d=8, seed=[0, 1, 2]),
            kl_model_data=finite,
            kl_data_model=finite,
            kl_model_data_floor=[floor] * 3,
            kl_data_model_floor=[floor] * 3,
        )
    )
    with style.applied():
        words = caption.words(kl.draw(data), data)
    assert ("crosses are the KL less its floor, where that is above 1 % of it" in words) == seen


def test_learned_covariance():
    rows = synthetic.rows(d=[4], n=[2, 8], ridge=[0.0, 0.5], seed=[0, 1])
    modes = []
    for row in rows:
        values = [3.0, 0.0] if row["n"] == 2 else [2.0, 1.5, 1.0, 0.5]
        factor = 2.0 if row["seed"] == 0 else 8.0
        modes += [
            {
                "cell_id": row["cell_id"],
                "mode": i + 1,
                "eigenvalue": value,
                "multiplicity": 1 if value else 3,
                "generated_variance": factor * (value + row["ridge"]),
            }
            for i, value in enumerate(values)
        ]
    data = learned_covariance.query(with_values(rows), modes=synthetic.nested("modes", modes))
    leading = {"n": 2, "strength": 0.5, "mode": 1}
    assert one(data, quantity="expected_variance", **leading)["value"] == pytest.approx(3.5)
    assert one(data, quantity="generated_variance", **leading)["value"] == pytest.approx(14)
    assert one(data, quantity="ratio", **leading)["value"] == pytest.approx(4)
    null = one(data, quantity="expected_variance", n=2, strength=0.5, mode=2)
    assert null["value"] == pytest.approx(0.5)
    assert one(data, quantity="mode_eigenvalue", n=2, strength=0.5, mode=2)["value"] == 0
    assert one(data, quantity="mode_eigenvalue", **leading)["value"] == pytest.approx(3)
    # Without ridge the null space is generated without variance and left out.
    unregularized = [r for r in data.to_pylist() if r["n"] == 2 and r["strength"] == 0]
    assert {r["mode"] for r in unregularized} == {1}


def test_learned_covariance_shows_every_ridge_once():
    """Of all N together: v over λ with λ + c as line, the null space at the edge."""
    metrics, nested = synthetic.feed("learned_covariance")
    data = learned_covariance.query(tables.plain(metrics), modes=nested["modes"])
    with style.applied():
        variance, ratio = learned_covariance.draw(data).axes
    for strength, colour, marker, _ in style.strengths(data):
        (line,) = (one for one in variance.lines if one.get_linestyle() == "-"
                   and one.get_color() == colour)  # fmt: skip
        assert line.get_ydata() == pytest.approx(line.get_xdata() + strength)
        points = [one for one in variance.lines if one.get_marker() == marker
                  and one.get_color() == colour]  # fmt: skip
        rows = tables.arrays(data, strength=strength, quantity="mode_eigenvalue")["value"]
        assert sum(len(one.get_xdata()) for one in points) == np.count_nonzero(rows)
        (null,) = (one for one in variance.lines if one.get_marker() == "_"
                   and one.get_color() == colour)  # fmt: skip
        assert len(null.get_xdata()) == np.count_nonzero(rows == 0)
    # The least regularization lies above the others.
    first, *_ = style.strengths(data)
    last = [one for one in ratio.lines if one.get_marker() in style.MARKERS][-1]
    assert last.get_color() == first[1]


def test_null_directions():
    rows = synthetic.rows(d=[8], n=[4, 16], seed=[0, 1], draw="samples")
    metrics = with_values(
        rows,
        train_loss=[1.0] * 4,
        test_loss=[3.0, 5.0, 1.5, 1.5],
        null_loss=[1.0, 3.0, 0.0, 0.0],
        monte_carlo_gap=[2.1, 4.1, 0.5, 0.5],
        monte_carlo_gap_se=[0.3, 0.4, 0.1, 0.1],
    )
    data = null_directions.query(metrics)
    gap = one(data, quantity="monte_carlo_gap", n=4)
    se = 0.5 / 2  # √(0.3² + 0.4²)/2
    assert gap["value"] == pytest.approx(3.1)
    assert gap["high"] - gap["value"] == pytest.approx(1.96 * se)
    assert one(data, quantity="exact_gap", n=4)["value"] == pytest.approx(3)
    assert one(data, quantity="difference", n=4)["value"] == pytest.approx(0.1 / se)
    share = one(data, quantity="null_share", n=4)
    assert (share["value"], share["low"], share["high"]) == (0.625, 0.5, 0.75)
    assert one(data, quantity="null_share", n=16)["value"] == 0


def test_null_directions_drop_what_has_no_noise():
    rows = synthetic.rows(n=[4, 16], stop=[0.0, math.inf], draw="samples")
    metrics = with_values(
        rows,
        train_loss=[1.0] * 4,
        test_loss=[1.0, 2.0] * 2,
        null_loss=[0.0, 0.5] * 2,
        monte_carlo_gap=[0.0, 1.0] * 2,
        monte_carlo_gap_se=[0.0, 0.1] * 2,
    )
    data = null_directions.query(metrics)
    # What is left varies no regularization: one series, of no ridge.
    assert tables.distinct_keys(data, ("regularizer", "strength")) == [("ridge", 0.0)]
    assert one(data, quantity="null_share", n=4)["value"] == 0.5
