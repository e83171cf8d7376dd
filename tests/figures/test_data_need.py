"""The needed numbers of samples and their power laws, against planted ones."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import need, tables
from lindiff.figures import data_need
from lindiff.science import laws, scaling
from lindiff.science.filters import Training
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.figures.feeds import data_need as feed

T_2 = 4.302652729911275  # 97.5 % quantile of Student's t with two degrees of freedom


@pytest.fixture(scope="module")
def data() -> pa.Table:
    metrics, levels, _ = feed.sweep()
    return data_need.query(tables.plain(metrics), levels=levels)


def power_law(data: pa.Table, target: str, against: str) -> dict[str, dict[str, Any]]:
    own = tables.keep(tables.keep(data, "target", [target]), "against", [against])
    return {row["quantity"]: row for row in own.to_pylist() if row["x"] is None}


def test_the_levels_are_the_lowest_round_ones_that_every_curve_reaches(data: pa.Table):
    # The highest curve ends at N = 1024 d with 1.1 d/N.
    assert tables.facts(data)["level"]["kl_model_data"] == 0.002
    highest = max(
        feed.trace_ratio(kind, d, t) * 1.1 / (1024 * d)
        for kind in feed.SPECTRA
        for d in (8, 16, 32)
        for t in (32, 178, 562)
    )
    level = tables.facts(data)["level"]["residual_loss"]
    assert level / 2.5 <= highest < level


def test_noise_levels_are_powers_of_the_last(data: pa.Table):
    own = tables.keep(data, "target", ["residual_loss"])
    assert tables.distinct(own, "t") == [32, 178, 562]
    assert tables.distinct(tables.keep(data, "target", ["kl_data_model"]), "t") == [178]


def test_the_needed_number_is_where_the_curve_crosses(data: pa.Table):
    level = tables.facts(data)["level"]["residual_loss"]
    own = {"target": "residual_loss", "against": "d", "spectrum": "power_law", "d": 16, "t": 562}
    point = tables.arrays(data, quantity="needed", **own)
    n = feed.trace_ratio("power_law", 16, 562) / level
    assert point["value"] == pytest.approx(n)
    assert point["x"] == pytest.approx(16)
    half = T_2 * math.log(feed.STEP) / math.sqrt(3)  # the deviation of ln 1.1 times −1, 0, 1
    assert point["high"] / point["value"] == pytest.approx(math.exp(half))
    theory = tables.arrays(data, quantity="needed_theory", **own)["value"]
    assert theory == pytest.approx(n)


def test_the_trace_ratio_collapses_the_loss_and_d_the_divergences(data: pa.Table):
    for target, against in (
        ("residual_loss", "trace_ratio"),
        ("kl_model_data", "d"),
        ("kl_data_model", "d"),
    ):
        law = power_law(data, target, against)
        assert law["exponent"]["value"] == pytest.approx(1)
        # The seeds differ by a factor, which no exponent sees.
        assert law["exponent"]["high"] == pytest.approx(1)
        assert law["exponent"]["seeds"] == 3
        level = tables.facts(data)["level"][target]
        assert law["prefactor"]["value"] == pytest.approx(1 / level)
        assert law["scatter"]["value"] == pytest.approx(1)


def test_what_does_not_rule_the_need_scatters(data: pa.Table):
    for target, against in (("residual_loss", "d"), ("kl_model_data", "participation")):
        assert power_law(data, target, against)["scatter"]["value"] > 1.2
    law = power_law(data, "residual_loss", "d")
    points = tables.arrays(data, target="residual_loss", against="d", quantity="needed")
    slope, constant = np.polyfit(np.log(points["x"]), np.log(points["value"]), 1)
    assert law["exponent"]["value"] == pytest.approx(slope)
    off = np.log(points["value"]) - slope * np.log(points["x"]) - constant
    assert math.log(law["scatter"]["value"]) == pytest.approx(np.sqrt(np.mean(off**2)))


def test_abscissae_by_hand(data: pa.Table):
    own = {"target": "residual_loss", "spectrum": "isotropic", "d": 8, "t": 178}
    x = {name: tables.arrays(data, quantity="needed", against=name, **own)["x"] for name in
         data_need.AGAINST}  # fmt: skip
    # κ = 1/4, so that each mode counts s/(s + κ) = 4/5.
    assert x["d"] == pytest.approx(8)
    assert x["df1"] == pytest.approx(8 * 0.8)
    assert x["df2"] == pytest.approx(8 * 0.64)
    assert x["participation"] == pytest.approx(8)
    assert x["trace_ratio"] == pytest.approx(6.4 * (6.4 - 5.12) / 8)


def test_a_point_that_some_seed_does_not_reach_is_left_out():
    curves: need.Curves = {
        ("reached",): {0: [(1, 4.0), (4, 1.0)], 1: [(1, 8.0), (4, 2.0)]},
        ("not by all",): {0: [(1, 4.0), (4, 1.0)], 1: [(1, 1.0), (4, 0.5)]},
    }
    found = need.needed(curves, 2.5)
    assert set(found) == {("reached",)}
    assert found[("reached",)] == pytest.approx({0: 1.6, 1: 3.2})
    assert need.level_of(curves) == 5.0  # above the largest end, 2


def test_levels_are_round_above_the_ends():
    def level(*ends: float) -> float:
        return need.level_of({("key", i): {0: [(1, end)]} for i, end in enumerate(ends)})

    assert level(0.3, math.inf) == 0.5
    assert level(0.5) == 1.0
    assert level(0.0099) == 0.01
    assert level(7.0) == 10.0
    assert level(math.inf) == 2.0


def test_no_power_law_from_one_abscissa_or_without_a_common_seed():
    assert need.fit([1.0, 1.0], [{0: 1.0}, {0: 2.0}]) == []
    assert need.fit([1.0, 2.0], [{0: 1.0}, {1: 2.0}]) == []
    assert need.fit([], []) == []
    single = need.fit([1.0, 2.0], [{0: 1.0, 1: 9.0}, {0: 4.0}])
    assert [row["value"] for row in single] == pytest.approx([2.0, 1.0, 1.0])
    assert single[0]["low"] is None


@pytest.mark.parametrize(("kind", "params"), [("isotropic", {}), ("power_law", {"exponent": 2.0})])
@pytest.mark.parametrize("t", [178, 562])
def test_the_trace_ratio_is_the_residual_loss_of_many_samples(kind: str, params: Any, t: int):
    """Against the limit at 10⁴ d samples: up to 1/df1 for the variances of squares and the mean."""
    from lindiff.science import theory
    from lindiff.science.filters import Bank
    from lindiff.science.limit import limiting

    d, n = 256, 2_560_000
    s, schedule = make_spectrum(kind, d, **params), make_schedule()
    alpha_bar = float(schedule.alpha_bar[t - 1])
    kappa = (1 - alpha_bar) / alpha_bar
    bank, limit = Bank(schedule, (Training(),)), limiting(s, n)
    at = [bank.losses(nodes, t - 1) for nodes in (limit.nodes, np.zeros(1))]
    _, test = theory.level_losses(limit, at[0], at[1], 1 / n)
    residual = float(test[0]) - float(laws.optimal_loss(alpha_bar, s))
    df1, df2 = scaling.df1(s, kappa), scaling.df2(s, kappa)
    df3 = float(np.sum((s / (s + kappa)) ** 3))
    text = json.dumps(params)
    ratio = data_need._abscissa("trace_ratio", kind, text, d, t, alpha_bar)
    assert ratio == pytest.approx(df1 * (df1 - df2) / d)
    exact = ((df1 + 1) * (df1 - df2) + df2 - df3) / d
    assert n * residual == pytest.approx(exact, rel=5 * d / n)
    assert n * residual == pytest.approx(ratio, rel=2.5 / df1)
    assert laws.gap_tail(alpha_bar, s).mean() == pytest.approx(2 * exact)
