"""The table `differences` of models that are measured: another way to the same numbers."""

import numpy as np
import pytest

from lindiff.models import empirical, linear, random_features
from lindiff.models.linear_cells import FEW_LEVELS
from lindiff.models.linear_family import make_family
from lindiff.science.draws import generator
from lindiff.science.empirical import empirical as empirical_score
from lindiff.science.schedule import log_levels, make_schedule
from tests.science.helpers import make_cells

GIVEN = {
    "draw": "samples", "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 5,
    "timesteps": 20, "sampler": "ddim", "seed": 4,
}  # fmt: skip
WANTED = ("differences",)
ROWS = 5 * len(log_levels(20, FEW_LEVELS))


def rows(run, **given):
    (row,) = run(make_cells(**GIVEN | given), WANTED).to_pylist()
    assert row["status"] == "ok"
    assert row["message"] is None
    return row["differences"]


def test_linear_features_are_apart_as_linear_models_are():
    given = {"n": 30, "population_mean": 0.4}
    measured = rows(
        random_features.run, model="random_features", features=10, activation="identity", **given
    )
    exact = rows(linear.run, **given)
    assert len(measured) == len(exact) == ROWS
    for one, other in zip(measured, exact, strict=True):
        assert one["difference"] == pytest.approx(other["difference"], abs=5 * one["difference_se"])
        assert one["difference_se"] < 0.1 * one["difference"]


def test_empirical_scores_of_two_sets():
    """On other noisy points of the population, about each set's own centre or none."""
    given = {"model": "empirical", "n": 12, "population_mean": 0.4}
    found = rows(empirical.run, **given)
    family = make_family(make_cells(**GIVEN | given))
    schedule = make_schedule("linear", 20)
    one, other = family.draw, family.halves.other
    scores = [empirical_score(draw.centred, schedule) for draw in (one, other)]
    rng = generator("another")
    at = 0
    for index in log_levels(20, FEW_LEVELS):
        a, b = np.sqrt(schedule.alpha_bar[index]), np.sqrt(schedule.q[index])
        x = a * np.sqrt(one.spectrum) * rng.standard_normal((20_000, 5))
        x += b * rng.standard_normal((20_000, 5))
        first, second = (
            score(x - a * draw.offset, index)
            for score, draw in zip(scores, (one, other), strict=True)
        )
        squares = (first - second) ** 2
        for mode in range(5):
            row = found[at]
            assert (row["t"], row["mode"]) == (index + 1, mode + 1)
            error = np.hypot(row["difference_se"], squares[:, mode].std() / np.sqrt(20_000))
            assert row["difference"] == pytest.approx(squares[:, mode].mean(), abs=5 * error)
            at += 1


def test_networks_are_trained_on_both_halves():
    trained = pytest.importorskip("lindiff.models.trained")
    given = {
        "model": "mlp", "n": 16, "width": 8, "steps": 30, "learning_rate": 1e-2, "train_seed": 0,
        "batch_size": 16, "optimizer": "adam", "precision": "float32", "preconditioning": "edm",
    }  # fmt: skip
    alone = rows(trained.run, **given)
    (together,) = trained.run(make_cells(**GIVEN | given), ("differences", "agreement")).to_pylist()
    assert together["differences"] == alone
    assert len(alone) == ROWS
    assert all(row["difference"] > 5 * row["difference_se"] > 0 for row in alone)
