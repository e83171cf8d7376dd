"""A refined axis in a config: its values are known beforehand, and what is wrong is said."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.columns import SETTING
from lindiff.config.refine import lattice
from lindiff.config.resolve import Config, load
from lindiff.sweep.validate import validate
from tests.configs import BASE, Maker, message

NO_N = BASE.replace("    n: 8\n", "")
CROSSING = "n: {refine: test_loss, at: 0.5, within: 50%, between: [4, 64], start: 3}"


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


@settings(max_examples=25, deadline=None)
@given(
    low=st.floats(1e-6, 10),
    factor=st.floats(1.1, 1e5),
    start=st.integers(3, 9),
    within=st.floats(0.02, 1),
    reach=st.sampled_from([1, 2]),
    name=st.sampled_from(["n", "ridge"]),
)
def test_values_are_near_enough_and_few_digits_long(low, factor, start, within, reach, name):
    column = SETTING[name]
    if name == "n":
        low = max(int(100 * low), 2)
        high = low + max(2, int(low * (factor - 1)))
    else:
        low, high = float(f"{low:.3g}"), float(f"{low * factor:.3g}")
    values, step = lattice(column, low, high, start, within, reach)
    assert len(values) == (start - 1) * step + 1
    assert (values[0], values[-1]) == (low, high)
    assert values == sorted(values)
    for a, b in zip(values, values[reach:], strict=False):
        assert b <= a * (1 + within) or (name == "n" and b - a <= reach)
    if name == "n":
        assert all(isinstance(value, int) for value in values)
    else:
        assert all(value == float(f"{value:.4g}") for value in values)
    if step > 1 and name == "ridge":
        wider = (high / low) ** (reach / ((start - 1) * step / 2))
        assert wider > (1 + within) * (1 - 2e-3), "half as many values would do"


def test_whole_numbers_take_no_more_rounds_than_there_are_numbers():
    assert lattice(SETTING["n"], 4, 8, 5, 0.01, 1) == ([4, 5, 6, 7, 8], 1)
    assert lattice(SETTING["n"], 4, 7, 3, 0.01, 1) == ([4, 5, 5, 6, 7], 2)
    values, _ = lattice(SETTING["noises"], 1, 9, 3, 0.05, 1)
    assert sorted(set(values)) == list(range(1, 10))


def test_values_are_the_same_on_every_machine():
    values, step = lattice(SETTING["ridge"], 0.001, 0.1, 3, 0.5, 1)
    assert (values, step) == (
        [0.001, 0.001334, 0.001778, 0.002371, 0.003162, 0.004217, 0.005623, 0.007499, 0.01,
         0.01334, 0.01778, 0.02371, 0.03162, 0.04217, 0.05623, 0.07499, 0.1], 8,
    )  # fmt: skip


def test_a_search_stands_as_the_values_of_its_first_round_and_asks_for_its_metric(make):
    config = load(make(CROSSING + "\nmetrics: {only: [train_loss]}", base=NO_N))
    experiment = config.experiments["a"]
    assert experiment.axes["n"] == [4, 16, 64]
    assert experiment.metrics == ("train_loss", "test_loss")
    assert experiment.refine.values == [4, 6, 8, 11, 16, 23, 32, 45, 64]
    assert (experiment.refine.rounds, experiment.refine.most) == (3, 5)
    assert len(validate(config).cells) == 3
    assert Config.from_json(config.to_json()) == config


def test_a_config_without_a_search_is_named_as_before(make):
    content = json.loads(load(make()).to_json())["experiments"]["a"]
    assert sorted(content) == ["axes", "figures", "metrics", "name", "sizes", "theory"]


def test_what_is_wrong_is_said_with_line_key_value_and_what_is_allowed(make):
    text = "n: {refine: test_los, at: low, within: 0, between: [4], starts: 2}"
    assert message(make(text, base=NO_N)).splitlines() == [
        *[
            line
            for line in message(make(text, base=NO_N)).splitlines()
            if line.startswith("c.yaml:6:17: experiments.a.n.refine = 'test_los': not a known")
            and line.endswith("(did you mean test_loss?)")
        ],
        "c.yaml:6:31: experiments.a.n.at = 'low': must be a number, not text; a level to cross, "
        "or minimum",
        "c.yaml:6:44: experiments.a.n.within = 0: must be a share from 1% to 100%, such as 5% or "
        "0.05",
        "c.yaml:6:56: experiments.a.n.between = [4]: must have at least 2 numbers",
        "c.yaml:6:61: experiments.a.n.starts: unknown key (did you mean start?); allowed: "
        "range, linear, log, log2, also, refine, at, within, between, start",
    ]


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("sampler: {refine: test_loss, at: 1, between: [1, 2]}",
         "is no number: refine searches along settings that are numbers"),
        ("final_noise: {refine: test_loss, at: 1, between: [1, 2]}", "is no number"),
        ("ridge: {refine: test_loss, at: minimum, between: [1, 2], also: [0]}",
         "ridge.also: unknown key beside refine, which takes at, within, between, start"),
        ("ridge: {log: [1, 2, 3], within: 5%}",
         "ridge.within: unknown key here; it belongs beside refine"),
        ("ridge: [1, {refine: test_loss, at: 1, between: [1, 2]}]",
         "refine stands for the whole axis: it is no value of a list"),
        ("ridge: {refine: test_loss, at: 1, between: [0, 2]}",
         "between: both ends must be more than 0: values are in even ratios"),
        ("ridge: {refine: test_loss, at: 1, between: [3, 2]}",
         "between: the first end must be less than the second"),
        ("ridge: {refine: test_loss, at: 1, between: [-1, 2]}", "between: -1 must be at least 0"),
        ("ridge: {refine: test_loss, at: 1, between: [1]}", "must have at least 2 numbers"),
        ("ridge: {refine: test_loss, at: .inf, between: [1, 2]}", "must be finite; a level to"),
        ("ridge: {refine: test_loss, at: 1, within: 5 percent, between: [1, 2]}",
         "must be a share from 1% to 100%, such as 5% or 0.05"),
        ("ridge: {refine: test_loss, at: 1, within: 1%, between: [1.0e-60, 1.0e+60]}",
         "0.01 of the value is too fine for so wide a range: more than 10,000 values"),
        ("ridge: {refine: levels, at: 1, between: [1, 2]}", "not a known value; allowed: train_lo"),
        ("ridge: {refine: test_loss, at: 1, between: [1, 2]}\n"
         "weight_decay: {refine: test_loss, at: 1, between: [1, 2]}",
         "one axis of an experiment can be refined, and ridge is"),
        ("ridge: {refine: memorized_fraction, at: 0.5, between: [1, 2]}",
         "refine: model linear_exact does not give the metric memorized_fraction"),
        ("theory: {ridge: {refine: test_loss, at: 0.5, between: [1, 2]}}",
         "theory is searched along the experiment's own axis; give refine there"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(make, added, told):
    (line,) = [line for line in message(make(added)).splitlines() if told in line]
    assert line.startswith(("c.yaml:7:", "c.yaml:8:"))


def test_seeds_are_not_searched_along(make):
    text = BASE.replace("seed: 0", "seed: {refine: test_loss, at: 1, between: [1, 9]}")
    assert "it numbers repetitions, over which means are taken" in message(make(base=text))


def test_all_that_rounds_may_ask_for_counts_for_the_limit(make):
    path = make(CROSSING, base=NO_N)
    assert "the grid has 5 cells (a 5), more than 4" in message(path, max_cells=4)
    assert len(validate(load(path, ["max_cells=5"])).cells) == 3


def test_theory_with_an_axis_of_its_own_keeps_it(make):
    config = load(make(CROSSING + "\ntheory: {n: [4, 32]}", base=NO_N))
    experiment = config.experiments["a"]
    assert experiment.searched == ["linear_exact"]
    assert experiment.axes_of("linear_theory")["n"] == [4, 32]
    own = load(make(CROSSING + "\ntheory: {}", base=NO_N)).experiments["a"]
    assert own.searched == ["linear_exact", "linear_theory"]
