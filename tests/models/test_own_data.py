"""Matrices as users have them, through the models: repeated rows, few rows, offsets."""

import json

import numpy as np
import pytest

from lindiff import columns
from lindiff.models import MODELS
from lindiff.models.linear_family import OF_HELD_OUT, make_family
from lindiff.models.measured import _distinct, training_points
from lindiff.planning import check
from lindiff.science.datasets import remember
from lindiff.science.pools import make_pool
from tests.science.helpers import make_cells

UNIQUE = np.random.default_rng(0).standard_normal((200, 8)) * np.linspace(3, 0.5, 8)
GIVEN = {
    "timesteps": 50, "sampler": "ddim", "ridge": 0.01, "steps": 4, "width": 4,
    "learning_rate": 0.01,
}  # fmt: skip


def cell(model, name, **given):
    """A cell of a model on a matrix."""
    settings = {key: value for key, value in GIVEN.items() if key in MODELS[model].settings}
    if model == "linear_exact":
        del settings["learning_rate"]
    return make_cells(
        model=model, data=name, spectrum="dataset", spectrum_params=json.dumps({"name": name}),
        d=make_pool(name).d, draw=None, population_mean=None, **settings | given,
    )  # fmt: skip


def row_of(table):
    """Every metric that its model gives."""
    model = MODELS[table["model"][0].as_py()]
    (row,) = model.load()(table, columns.delivered(model.metrics - {"monte_carlo_gap"})).to_pylist()
    return row


@pytest.mark.parametrize("jitter", [0.0, 1e-9])
@pytest.mark.parametrize("n", [8, 32, 80])
def test_copies_of_repeated_rows_are_memorized(n, jitter):
    """The empirical score generates its training rows, whether or not they are there twice."""
    values = np.repeat(UNIQUE, 4, axis=0)
    values += jitter * np.random.default_rng(1).standard_normal(values.shape)
    table = cell("empirical", remember(values, "r.npy"), n=n)
    family = make_family(table)
    assert n < 80 or _distinct(family) < n
    found = MODELS["empirical"].load()(table, ("memorized_fraction", "agreement"))
    assert found["memorized_fraction"][0].as_py() > 0.99
    one, other = family.draw.centred + family.draw.centre, family.halves.other
    apart = np.abs(one[:, None] - (other.centred + other.centre)[None]).max(axis=2)
    assert apart.min() > 1e-3


def test_fewer_than_three_distinct_rows_have_no_ratio():
    name = remember(np.repeat(UNIQUE[:12], 40, axis=0), "few.npy")
    for seed in range(200):
        table = cell("empirical", name, n=3, seed=seed)
        if _distinct(make_family(table)) == 2:
            break
    assert len(training_points(make_family(table))) == 3
    (row,) = MODELS["empirical"].load()(table, ("memorized_fraction",)).to_pylist()
    assert row["memorized_fraction"] is None
    assert row["message"].startswith("memorized_fraction needs 3 distinct training points")


def test_halves_of_repeated_rows_must_fit():
    name = remember(np.repeat(UNIQUE, 4, axis=0), "r.npy")
    table = cell("linear_exact", name, n=128)
    assert check(table, ["agreement"]) == []
    (found,) = check(cell("linear_exact", name, n=129), ["agreement"])
    assert found[2] == (
        f"agreement needs two disjoint sets; the pool of {name} has 640 rows, of which some repeat "
        "each other, so n is at most 128"
    )


WIDE = np.random.default_rng(1).standard_normal((60, 200))


@pytest.mark.parametrize("model", ["linear_exact", "ledoit_wolf", "linear_trained", "empirical",
                                   "mlp"])  # fmt: skip
def test_what_is_measured_on_rows_outside_the_support_is_null_with_its_reason(model):
    row = row_of(cell(model, remember(WIDE, "wide.npy"), n=16))
    assert row["status"] == "ok"
    assert {row[name] for name in OF_HELD_OUT if name in row} == {None}
    assert row["test_loss"] is None
    assert row["train_loss"] > 0
    share = 100 * make_pool(remember(WIDE, "wide.npy")).lost
    assert (
        f"no metrics of held-out rows: {share:.0f} % of their mean square is outside the 47 "
        "directions with variance in the pool, more than 1 %"
    ) in row["message"]
    if "levels" in row:
        assert {level["test_loss"] for level in row["levels"]} == {None}
        assert all(level["train_loss"] > 0 for level in row["levels"])


def test_the_surrogate_of_few_rows_is_tested_on_itself():
    """It is a population of as many dimensions as the pool has directions."""
    name = remember(WIDE, "wide.npy")
    table = make_cells(model="linear_exact", data="gaussian", spectrum="dataset",
                       spectrum_params=json.dumps({"name": name}), d=47, n=16, ridge=0.01,
                       timesteps=50)  # fmt: skip
    row = row_of(table)
    assert row["test_loss"] > row["train_loss"]
    assert row["message"] is None
