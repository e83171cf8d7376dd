"""The least of planted curves, Ledoit–Wolf and what bounds them."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from lindiff.drawing import caption, labels, markup, optima, style, tables
from lindiff.figures import tuned
from tests.figures import synthetic
from tests.figures.feeds import planted
from tests.figures.feeds.tuned import sweep


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return tuned.query(tables.plain(sweep()[0]))


def one(data: pa.Table, **equal: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [r for r in data.to_pylist() if all(r[k] == v for k, v in equal.items())]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("metric", planted.METRICS)
@pytest.mark.parametrize(
    ("name", "factor"), [("ridge", 1.0), ("weight_decay", 1.5), ("stop", 0.75)]
)
def test_the_least_of_each_regularization(data: pa.Table, metric: str, name: str, factor: float):
    for n in planted.NS:
        own = {"regularizer": name, "n": n}
        theory = f"{metric}_minimum_theory"
        exact = one(data, **own, unit="absolute", quantity=theory)
        assert exact["value"] == pytest.approx(factor / n)
        assert one(data, **own, unit="ridge", quantity=theory)["value"] == pytest.approx(factor)
        # Three curves at -0.2, 0 and 0.2: their mean is higher by (1 + 2 e^0.02)/3 in the middle.
        measured = one(data, **own, unit="ridge", quantity=f"{metric}_minimum")
        assert measured["value"] == pytest.approx(factor * (1 + 2 * math.exp(0.02)) / 3, rel=1e-3)
        assert measured["low"] < measured["value"] < measured["high"]


def test_ledoit_wolf_is_a_mean_over_its_own_training_sets(data: pa.Table):
    row = one(data, regularizer="ledoit_wolf", n=32, unit="ridge", quantity="kl_data_model_minimum")
    assert row["value"] == pytest.approx(1.25)
    # 1.25 times 0.9, 1, 1.1: standard deviation 0.125, t with 2 degrees of freedom 4.3027.
    assert row["high"] - row["value"] == pytest.approx(4.302652729696 * 0.125 / math.sqrt(3))
    assert row["seeds"] == 3


def test_what_bounds_them(data: pa.Table):
    # Not regularized: infinite up to N = d = 8, twice the minimum above.
    rows = [r for r in data.to_pylist() if r["unit"] == "absolute"]
    free = {r["n"]: r["value"] for r in rows if r["quantity"] == "kl_model_data_unregularized"}
    assert free == {32: pytest.approx(2 / 32), 128: pytest.approx(2 / 128)}
    tail = {r["n"]: r["value"] for r in rows if r["quantity"] == "kl_data_model_tail"}
    assert tail == {n: 11 / (4 * n) for n in (8, 32, 128)}
    assert one(data, quantity="kl_model_data_tail", n=8, unit="ridge")["value"] == pytest.approx(
        11 / 32 / (1 / 8)
    )
    assert {r["value"] for r in rows if r["quantity"] == "kl_model_data_floor"} == {1e-4}


def test_a_floor_is_drawn_where_it_is_near_and_named_anyway(data: pa.Table):
    # The lowest minimum is 0.75/128 = 0.006: a floor of 1e-4 is within 1/100 of it.
    assert len(tuned._floor(data, "kl_model_data", near=True)) == len(planted.NS)
    assert "the KL are $10^{-4}$ and" in tuned._floors(data)
    far = planted.rows("ridge", 0.0)
    for row in far:
        row["kl_model_data_floor"] = 2e-6
    found = tuned.query(tables.plain(synthetic.table(far)))
    assert len(tuned._floor(found, "kl_model_data", near=True)) == 0
    assert r"the KL are $2\times10^{-6}$ and" in tuned._floors(found)
    with style.applied():
        figure = tuned.draw(found)
        words = markup.plain(caption.words(figure, found))
    assert "not regularized, at N=∞ the KL are 2×10^-6 and" in words
    # Which quantity a panel of ratios is of stands at it.
    above = [ax.get_ylabel() for ax in figure.axes if "over best ridge" in ax.get_ylabel()]
    assert [words.partition("\n")[0] for words in above] == [
        labels.label(metric).partition(" [")[0] for metric in optima.METRICS
    ]


def test_without_theory_there_are_minima_but_no_ratios():
    made = planted.rows("stop", math.inf, theory=False)
    found = tuned.query(tables.plain(synthetic.table(made)))
    assert tables.distinct(found, "unit") == ["absolute"]
    assert one(found, quantity="kl_data_model_tail", n=8)["value"] == 11 / 32


def test_an_n_with_few_strengths_has_no_optimum():
    """The finer N of another experiment's theory have the neutral stop alone."""
    x = [0.1, 1.0, 10.0, math.inf]
    rows = [{"n": n, "strength": s} for n in (8, 32) for s in x] + [{"n": 16, "strength": math.inf}]
    table = pa.table(
        {
            "regularizer": ["stop"] * len(rows), "d": [16] * len(rows), "seed": [0] * len(rows),
            "n": [row["n"] for row in rows], "strength": [row["strength"] for row in rows],
            "n_over_d": [row["n"] / 16 for row in rows],
            **{metric: [1.0 + i % 3 for i in range(len(rows))] for metric in optima.METRICS},
        }
    )  # fmt: skip
    assert {row["n"] for row in optima.optima(table, table)} == {8, 32}
