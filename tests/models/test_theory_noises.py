"""The theory with frozen noises as a model: beside draws, and null with a reason."""

import math

import numpy as np
import pyarrow as pa
import pytest

from lindiff import columns
from lindiff.models import MODELS, theory
from lindiff.models.linear import run as run_draws
from lindiff.planning.theory import estimate
from lindiff.science.noise_limit import level_losses
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import make_cells

ALL = columns.delivered(MODELS["linear_theory"].metrics)
LOSSES = ["train_loss", "test_loss"]
POPULATION = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 60}
OTHERS = {"kl_model_data", "kl_data_model", "c_mean", "null_loss", "agreement"}


def rows(wanted=ALL, **given):
    cells = make_cells(**{"model": "linear_theory", "timesteps": 50} | POPULATION | given)
    return theory.run(cells, wanted).to_pylist()


@pytest.mark.slow  # twenty seconds of draws
@pytest.mark.parametrize("noises", [1, 4])
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_the_limit_meets_seed_means_at_d_200(noises, exponent):
    """To 0.5 %, and what the means of 24 training sets leave open."""
    spectrum = {"spectrum": "isotropic"}
    if exponent:
        spectrum = {"spectrum": "power_law", "spectrum_params": f'{{"exponent": {exponent}}}'}
    given = spectrum | {
        "d": 200, "n": [25, 100, 260, 1000], "timesteps": 6, "schedule": "cosine",
        "ridge": [0.0, 0.1], "noises": float(noises),
    }  # fmt: skip
    limit = theory.run(make_cells(model="linear_theory", **given), LOSSES).to_pylist()
    found = [run_one(given, seed) for seed in range(24)]
    for cell, row in enumerate(limit):
        for name in LOSSES:
            values = np.array([draw[cell][name] for draw in found])
            error = 3 * values.std(ddof=1) / np.sqrt(len(values))
            expected = pytest.approx(values.mean(), abs=error + 0.005 * values.mean() + 1e-12)
            assert row[name] == expected, (cell, name)


def run_one(given, seed):
    """The rows of one training set, by N: a family has one."""
    parts = [make_cells(**given | {"n": n}, seed=seed) for n in given["n"]]
    return [row for part in parts for row in run_draws(part, LOSSES).to_pylist()]


@pytest.mark.parametrize("centre", ["estimated", "known"])
def test_a_family_of_many_n_and_filters_is_the_function(centre):
    found = rows(n=[7, 200], ridge=[0.0, 0.1], weight_decay=0.01, noises=2.0, centre=centre)
    schedule, s = make_schedule("linear", 50), make_spectrum("power_law", 60, exponent=1.0)
    cells = ((n, c) for n in (7, 200) for c in (0.0, 0.1))
    for row, (n, c) in zip(found, cells, strict=True):
        penalty = 0.01 + c * schedule.alpha_bar
        train, test = level_losses(s, n, 2, schedule, penalty, centre == "known")
        assert row["train_loss"] == pytest.approx(train.mean(), rel=1e-12)
        assert row["test_loss"] == pytest.approx(test.mean(), rel=1e-12)
        assert row["residual_loss"] == pytest.approx(test.mean() - row["optimal_loss"], rel=1e-12)
        for level in row["levels"]:
            assert level["test_loss"] == test[level["t"] - 1]


def test_packing_never_changes_a_row():
    cells = make_cells(
        model="linear_theory", timesteps=50, **POPULATION, noises=3.0, n=[7, 20, 200],
        ridge=[0.0, 0.1], sampler=["ddim", "ddpm_beta"],
    )  # fmt: skip
    together = theory.run(cells, ALL).to_pylist()
    order = np.random.default_rng(0).permutation(len(cells))
    shuffled = theory.run(cells.take(pa.array(order)), ALL).to_pylist()
    for i, row in enumerate(together):
        (alone,) = theory.run(cells.slice(i, 1), ALL).to_pylist()
        for again in (alone, shuffled[int(np.flatnonzero(order == i)[0])]):
            for name in ALL:
                if row[name] is None or name == "levels":
                    assert again[name] == row[name], name
                else:
                    assert again[name] == pytest.approx(row[name], rel=1e-11), name


def test_what_does_not_know_m_is_that_of_the_average():
    names = ["optimal_loss", "overlap_1", "kl_model_data_floor", "kl_data_model_floor"]
    frozen, average = (rows(n=[61, 200], noises=m, ridge=0.1)[1] for m in (2.0, math.inf))
    for name in names:
        assert frozen[name] == pytest.approx(average[name], rel=1e-10), name


def test_where_no_limit_exists_a_metric_is_null_and_the_message_says_why():
    (row,) = rows(n=20, noises=3.0)
    assert row["message"].startswith("as many pairs as dimensions")
    assert row["test_loss"] is row["levels"] is None
    assert row["optimal_loss"] > 0
    (row,) = rows(n=20, noises=3.0, ridge=0.1)
    assert row["test_loss"] > 0
    assert row["message"] == "no limit of the divergences with frozen noises"
    assert {name for name in OTHERS if row[name] is None} == OTHERS
    (row,) = rows(LOSSES, n=20, noises=3.0, ridge=0.1)
    assert row["message"] is None
    (row,) = rows(LOSSES, n=20, noises=3.0, stop=5.0)
    assert "after a stop" in row["message"]
    assert row["test_loss"] is None
    # N − 1 = d has a limit here: the pairs are more.
    (row,) = rows(LOSSES, n=61, noises=2.0)
    assert row["test_loss"] > 0


def test_estimates_know_the_levels():
    def seconds(**given):
        table = make_cells(model="linear_theory", **POPULATION | given)
        return estimate(table.append_column("cells", pa.array([100])), LOSSES)[0][0]

    assert seconds(noises=2.0) > 2 * seconds()


@pytest.mark.parametrize("centre", ["estimated", "known"])
def test_the_overlap_does_not_know_m_at_n_equal_d_either(centre):
    given = {
        "spectrum": "two_level", "spectrum_params": '{"ratio": 10, "fraction": 0.25}',
        "d": 32, "n": [30, 32, 33, 40], "centre": centre,
    }  # fmt: skip
    averaged = [row["overlap_1"] for row in rows(["overlap_1"], **given)]
    assert [row["overlap_1"] for row in rows(["overlap_1"], noises=4.0, **given)] == averaged
    assert None not in averaged
