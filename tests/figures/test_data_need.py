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
    # The highest curve, of d = 8, ends at N = 1024 d with 1.1 times 11/(4N) = 3.7e-4.
    assert tables.facts(data)["level"]["kl_model_data"] == 0.0005
    highest = max(
        feed.coefficient(kind, d, t) * 1.1 / (1024 * d)
        for kind in feed.SPECTRA
        for d in feed.DIMENSIONS
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
    n = feed.coefficient("power_law", 16, 562) / level
    assert point["value"] == pytest.approx(n)
    assert point["x"] == pytest.approx(16)
    half = T_2 * math.log(feed.STEP) / math.sqrt(3)  # the deviation of ln 1.1 times −1, 0, 1
    assert point["high"] / point["value"] == pytest.approx(math.exp(half))
    theory = tables.arrays(data, quantity="needed_theory", **own)["value"]
    assert theory == pytest.approx(n)


@pytest.mark.parametrize("target", data_need.TARGETS)
def test_the_coefficient_of_the_law_collapses_every_target(data: pa.Table, target: str):
    law = power_law(data, target, "coefficient")
    assert law["exponent"]["value"] == pytest.approx(1)
    # The seeds differ by a factor, which no exponent sees.
    assert law["exponent"]["high"] == pytest.approx(1)
    assert law["exponent"]["seeds"] == 3
    assert law["prefactor"]["value"] == pytest.approx(1 / tables.facts(data)["level"][target])
    assert law["scatter"]["value"] == pytest.approx(1)


def test_the_three_of_the_law_is_lack_of_fit_against_d(data: pa.Table):
    """(d+3)/4 is no power of d: the exponent is below 1 and its interval has a width."""
    exponent = power_law(data, "kl_model_data", "d")["exponent"]
    points = np.array(feed.DIMENSIONS, float)
    assert exponent["value"] == pytest.approx(np.polyfit(np.log(points), np.log(points + 3), 1)[0])
    assert exponent["high"] - exponent["low"] > 0.05


def test_fits_are_of_points_far_above_d_only():
    """The planted need d²/3 is above 10 d from d = 32 on; at d = 8 it is three times that."""
    need_of = {8: 64.0, 16: 256.0, 32: 1024.0, 64: 4096.0, 128: 16384.0}
    needed: need.Needed = {
        ("kl_model_data", "isotropic", "{}", d, 178, 0.8): {0: n * (3 if d == 8 else 1) / 3}
        for d, n in need_of.items()
    }
    rows = data_need._rows(needed, {"target": "kl_model_data", "against": "d"}, 1.0)
    assert sum(row["quantity"] == "needed" for row in rows) == 5
    assert not any(row["quantity"] == "exponent" for row in rows), "three are far above d"
    needed |= {("kl_model_data", "isotropic", "{}", 256, 178, 0.8): {0: 65536.0 / 3}}
    rows = data_need._rows(needed, {"target": "kl_model_data", "against": "d"}, 1.0)
    (exponent,) = (row["value"] for row in rows if row["quantity"] == "exponent")
    assert exponent == pytest.approx(2)


def test_what_does_not_rule_the_need_scatters(data: pa.Table):
    for target, against in (("residual_loss", "d"), ("kl_model_data", "participation")):
        assert power_law(data, target, against)["scatter"]["value"] > 1.2
    law = power_law(data, "residual_loss", "d")
    points = tables.arrays(data, target="residual_loss", against="d", quantity="needed")
    far = points["value"] > data_need.FAR * points["d"]
    points = {name: column[far] for name, column in points.items()}
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
    # df1 = 6.4, df2 = 5.12, df3 = 4.096.
    assert x["coefficient"] == pytest.approx((7.4 * 1.28 + 1.024) / 8)
    own["target"] = "kl_model_data"
    kl = tables.arrays(data, quantity="needed", against="coefficient", **own)["x"]
    assert kl == pytest.approx(11 / 4)


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


def test_no_power_law_from_three_abscissae_or_without_a_common_seed():
    x = [1.0, 2.0, 4.0, 8.0]
    assert need.fit([1.0, 1.0, 2.0, 4.0], [{0: 1.0}, {0: 2.0}, {0: 3.0}, {0: 4.0}]) == []
    assert need.fit(x, [{0: 1.0}, {1: 2.0}, {0: 1.0}, {0: 1.0}]) == []
    assert need.fit([], []) == []
    single = need.fit(x, [{0: 1.0, 1: 9.0}, {0: 4.0}, {0: 16.0}, {0: 64.0}])
    assert [row["value"] for row in single] == pytest.approx([2.0, 1.0, 1.0])
    assert single[0]["low"] is None


def test_points_at_one_abscissa_are_one_of_the_law():
    """Six spectra that agree are no six times the evidence."""
    x = [1.0, 2.0, 4.0, 8.0]
    points = [{0: 1.0, 1: 1.1}, {0: 2.5, 1: 2.4}, {0: 3.6, 1: 3.8}, {0: 9.0, 1: 8.0}]
    once, often = need.fit(x, points), need.fit(x * 6, points * 6)
    for one, other in zip(once, often, strict=True):
        assert other == pytest.approx(one)


@pytest.mark.parametrize(("kind", "params"), [("isotropic", {}), ("power_law", {"exponent": 2.0})])
@pytest.mark.parametrize("t", [178, 562])
def test_the_coefficient_is_the_residual_loss_of_many_samples(kind: str, params: Any, t: int):
    """Against the limit at 10⁴ d samples."""
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
    exact = scaling.loss_coefficient(s, kappa)
    assert exact == pytest.approx(((df1 + 1) * (df1 - df2) + df2 - df3) / d)
    assert n * residual == pytest.approx(exact, rel=5 * d / n)
    assert n * residual == pytest.approx(df1 * (df1 - df2) / d, rel=2.5 / df1)
    text = json.dumps(params)
    found = data_need._abscissa("coefficient", "residual_loss", kind, text, d, t, alpha_bar)
    assert found == pytest.approx(exact)
    assert laws.gap_tail(alpha_bar, s).mean() == pytest.approx(2 * exact)
