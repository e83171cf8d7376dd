"""What a figure shows of a sweep with more axes than a page."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.drawing import labels, slices, tables
from lindiff.drawing.intervals import mean_interval, median_interval
from tests.figures import synthetic


def cells(**settings: object) -> pa.Table:
    return tables.plain(synthetic.table(synthetic.rows(**settings)))


def test_pick_takes_the_choice_then_the_neutral_then_the_most_frequent_value():
    table = pa.concat_tables(
        [
            cells(n=[8, 16], d=[8, 32], sampler=["ddim", "ddpm_beta"], seed=[0, 1]),
            cells(n=[32], d=[8], sampler="ddim", timesteps=[100, 500]),
        ]
    )
    picked = slices.pick(table, ("n",), {"d": max})
    facts = tables.facts(picked)
    assert facts["fixed"]["d"] == 32
    assert facts["fixed"]["sampler"] == "ddpm_beta"
    assert facts["choice"]["d"] == [8, 32]
    assert "seed" not in facts["fixed"]
    assert picked.num_rows == 4
    other = slices.pick(cells(d=[8, 16], n=[4], sampler=["ddim", "ideal"]), (), {})
    assert other.num_rows == 1
    assert tables.facts(other)["fixed"]["sampler"] == "ddim"


def test_eigenvalues_of_a_figure_are_those_of_the_scale_that_it_holds():
    for scales, held in (([0.5], 0.5), ([0.5, 1.0, 2.0], 1.0)):
        picked = slices.pick(cells(d=4, n=8, scale=scales), ("n",), {})
        assert slices.scale(picked) == held
        s = slices.eigenvalues("power_law", '{"exponent": 1.0}', 4, scale=slices.scale(picked))
        assert s.sum() == pytest.approx(4 * held**2)
        assert s[0] == pytest.approx(4 * s[3])
    assert slices.scale(cells(d=4, n=8)) == 1


def test_pick_never_ends_empty_where_the_neutral_value_of_one_setting_lacks_that_of_another():
    table = pa.concat_tables([cells(ridge=0.0, sampler="ideal"), cells(ridge=0.1)])
    assert slices.pick(table, (), {}).num_rows == 1


@given(
    st.lists(st.floats(1e-6, 1e6), max_size=12, unique=True),
    st.booleans(),
    st.booleans(),
    st.integers(3, 6),
)
def test_spread_keeps_ends_order_and_count(
    positive: list[float], zero: bool, infinity: bool, count: int
):
    values = sorted([*positive, *[0.0] * zero, *[math.inf] * infinity])
    if count - zero - infinity < 2:
        count += 2
    kept = slices.spread(values, count)
    assert len(kept) <= max(count, 2)
    assert kept == [v for v in values if v in kept]
    for end in values[:1] + values[-1:]:
        assert end in kept
    assert slices.spread(values, len(values) + 2) == values


def test_spread_is_even_in_the_logarithm():
    values = [10.0**k for k in range(9)]
    assert slices.spread(values, 3) == [1, 1e4, 1e8]


def test_an_early_stop_is_a_strong_regularization():
    table = slices.regularizations(
        cells(stop=[10.0, 100.0, math.inf], ridge=[0.0, 1.0]), (), lambda values: values[:2]
    )
    assert slices.strengths(table) == ("stop", [math.inf, 100.0])
    assert set(table["ridge"].to_pylist()) == {0.0}


def test_spectra_start_with_the_flat_one_and_exponent_one():
    table = cells(
        spectrum="power_law", spectrum_params=[f'{{"exponent":{k}}}' for k in (2.0, 0.5, 1.0, 0.0)]
    )
    kept = slices.spectra(table, 2)
    assert sorted(kept["spectrum_params"].to_pylist()) == ['{"exponent":0.0}', '{"exponent":1.0}']
    power = slices.pick(pa.concat_tables([table, cells()]), (), slices.POWER_LAW)
    assert power["spectrum_params"].to_pylist() == ['{"exponent":1.0}']


def test_summarise_groups_drops_null_and_leaves_null_where_there_is_no_interval():
    table = pa.table(
        {"k": [2, 1, 1, 1, 2], "x": [5.0, 1.0, 2.0, 3.0, None], "y": pa.nulls(5, pa.float64())}
    )
    found = tables.summarise(table, ["k"], ["x", "y"], mean_interval)
    assert found["k"].to_pylist() == [1, 2]
    assert found["value"].to_pylist() == [2, 5]
    assert found["seeds"].to_pylist() == [3, 1]
    assert found["high"][0].as_py() == pytest.approx(2 + 4.302652729696 / math.sqrt(3))
    assert found["low"][1].as_py() is None


def test_summarise_keeps_facts_and_infinities():
    table = tables.with_facts(pa.table({"k": [1, 1], "x": [math.inf, 1.0]}), note="n")
    found = tables.summarise(table, ["k"], ["x"], median_interval)
    assert tables.facts(found) == {"note": "n"}
    assert found["high"].to_pylist() == [math.inf]


def test_join_gives_each_row_the_columns_of_its_cell():
    left = pa.table({"cell_id": ["b", "a", "x", "b"], "t": [1, 2, 3, 4]})
    right = pa.table({"cell_id": ["a", "b"], "d": [10, 20]})
    assert tables.join(left, right).to_pylist() == [
        {"cell_id": "b", "t": 1, "d": 20},
        {"cell_id": "a", "t": 2, "d": 10},
        {"cell_id": "b", "t": 4, "d": 20},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0$"), (0.5, "$0.5$"), (1e-3, "$10^{-3}$"), (2.5e-4, r"$2.5\times10^{-4}$"),
     (1000, "$1000$"), (1e6, "$10^{6}$"), (math.inf, r"$\infty$"), ("ddpm_beta", "ddpm beta"),
     (True, "True")],
)  # fmt: skip
def test_numbers_in_words(value: object, text: str):
    assert labels.number(value) == text


def test_settings_in_words():
    assert labels.setting("ridge", 0.01) == "ridge $c=0.01$"
    assert labels.spectrum("power_law", '{"exponent":1.0}') == r"power law $s_j\propto j^{-1}$"
    assert labels.spectrum("power_law", '{"exponent":0.0}') == "isotropic"
    assert labels.spectrum("two_level", '{"fraction":0.5,"ratio":4.0}') == (
        "two-level, fraction $0.5$, ratio $4$"
    )
    facts = {
        "fixed": {"sampler": "ddim", "d": 8, "ridge": 0.0, "timesteps": 100, "stop": math.inf},
        "choice": {"ridge": [0.0, 1.0]},
    }
    assert labels.held(facts) == "$d=8$, $T=100$, sampler ddim, ridge $c=0$"
    assert labels.held(facts, without=("sampler", "d", "ridge")) == "$T=100$"
