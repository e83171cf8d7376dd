"""Models of data of several classes: draws, exact losses, what samples say of the classes."""

import json

import numpy as np
import pytest

from lindiff.models import MODELS, measured
from lindiff.models.linear_cells import groups
from lindiff.models.linear_family import make_family, mixture_of
from lindiff.planning import check
from lindiff.science import denoisers
from lindiff.science.mixture import standard
from lindiff.science.spectrum import make_spectrum
from tests.configs import FREE, Maker, message
from tests.science.helpers import make_cells

TWO = json.dumps(standard({"weights": [3, 1], "between": 0.95}))
SIZES = json.dumps(standard({"weights": [1, 1], "between": 0.5, "variances": [1, 4]}))
SPIKED = {"spectrum": "spiked", "spectrum_params": '{"count":1,"spike":20.0}', "d": 8, "n": 40}
GIVEN = {**SPIKED, "mixture": TWO, "draw": "samples", "timesteps": 30, "sampler": "ddim"}


def cells(**given):
    return make_cells(**GIVEN | given)


def rows(table, *wanted):
    return MODELS[table["model"][0].as_py()].load()(table, wanted).to_pylist()


def test_a_draw_is_of_the_classes_and_a_smaller_one_its_prefix():
    few, many = (make_family(cells(n=n)).draw for n in (40, 4000))
    whole, part = (draw.centred + draw.offset for draw in (many, few))
    np.testing.assert_allclose(part, whole[:40], atol=1e-12)
    np.testing.assert_allclose(np.cov(whole.T), np.diag(few.spectrum), atol=0.6)
    # 3/4 at one place along the first eigenvector and 1/4 at another, three times as far.
    first = np.sort(whole[:, 0])
    gap = np.argmax(np.diff(first))
    assert 1 - (gap + 1) / len(first) == pytest.approx(3 / 4, abs=0.03)
    assert first[gap + 1 :].mean() / first[: gap + 1].mean() == pytest.approx(-1 / 3, abs=0.03)


def test_halves_of_a_mixture_share_no_row():
    family = make_family(cells())
    one, other = (half.centred + half.offset for half in (family.halves.one, family.halves.other))
    assert np.abs(one[:, None] - other).sum(axis=2).min() > 0.1


def test_a_linear_model_has_the_losses_of_its_matrix_on_the_mixture():
    """The exact test loss against fresh points of the classes and noises."""
    family = make_family(cells(n=60, seed=3))
    (row,) = rows(cells(n=60, seed=3), "test_loss", "bayes_loss", "excess_loss", "optimal_loss")
    ((_, filters),) = groups(cells(n=60))
    draw, schedule = family.draw, filters.make_schedule()
    denoise = denoisers.linear(draw.vectors, draw.eigenvalues, filters.make_bank())
    fresh = measured.fresh_points(family)
    losses = denoisers.monte_carlo_losses(
        denoise, schedule, (fresh, fresh), np.random.default_rng(0), 3000
    )
    found, error = denoisers.over_rounds(losses[1])
    assert row["test_loss"] == pytest.approx(found, abs=4 * error)
    assert row["excess_loss"] == pytest.approx(row["test_loss"] - row["bayes_loss"], rel=1e-12)
    assert row["bayes_loss"] < row["optimal_loss"] < row["test_loss"]
    # The same number as the distance from the posterior mean, which networks measure.
    best = mixture_of(family.row).denoiser(schedule, draw.offset)
    apart = denoisers.distances(
        denoise, best, schedule, (fresh, fresh), np.random.default_rng(0), 3000
    )
    found, error = denoisers.over_rounds(apart)
    assert row["excess_loss"] == pytest.approx(found, abs=4 * error)


def test_the_theory_of_the_covariance_holds_for_classes():
    """At d = 200, over seeds, to 0.5 %: rows that are not Gaussian have the same limit."""
    given = {"d": 200, "n": 300, "timesteps": 50, "ridge": 0.01}
    of_theory = dict.fromkeys(("draw", "seed", "data"))
    metrics = ("train_loss", "test_loss")
    (theory,) = rows(cells(model="linear_theory", **given, **of_theory), *metrics)
    found = [rows(cells(seed=seed, **given), *metrics)[0] for seed in range(6)]
    for name in metrics:
        mean = np.mean([row[name] for row in found])
        assert mean == pytest.approx(theory[name], rel=5e-3)


def test_the_exact_score_generates_the_classes():
    """What samples say of the classes, under a denoiser that is known to be right."""
    family = make_family(cells(n=200, timesteps=100))
    ((_, filters),) = groups(cells(timesteps=100))
    denoise = mixture_of(family.row).denoiser(filters.make_schedule(), family.draw.offset)
    wanted = ("classes", "excess_kurtosis", "excess_loss", "test_loss", "bayes_loss")
    found = measured.measure(family, filters, denoise, wanted)
    (one, two) = found["classes"][0]
    assert [one["class"], two["class"], one["weight"], two["weight"]] == [1, 2, 0.75, 0.25]
    assert one["fraction"] + two["fraction"] == pytest.approx(1, abs=1e-12)
    assert abs(one["fraction"] - 0.75) < 4 * one["fraction_se"] < 0.08
    assert one["memorized_fraction"] == two["memorized_fraction"] == 0
    # Of a sign with probabilities p and 1 − p: 1/(p(1 − p)) − 6, times the square of its share.
    expected = 0.95**2 * (1 / (0.75 * 0.25) - 6)
    assert abs(found["excess_kurtosis"][0] - expected) < 4 * found["excess_kurtosis_se"][0] < 1
    assert found["excess_loss"][0] == found["excess_loss_se"][0] == 0
    assert found["bayes_loss"][0] == pytest.approx(found["test_loss"][0], rel=0.05)


def test_the_kurtosis_is_that_along_the_planted_direction():
    """The second eigenvector of an isotropic covariance, which shows no direction at all."""
    planted = json.dumps(standard({"weights": [1, 1], "means": [[0, 0.95], [0, -0.95]]}))
    given = {"spectrum": "isotropic", "spectrum_params": "{}", "mixture": planted}
    family = make_family(cells(n=30, **given))
    ((_, filters),) = groups(cells(timesteps=100, **given))
    denoise = mixture_of(family.row).denoiser(filters.make_schedule(), family.draw.offset)
    found = measured.measure(family, filters, denoise, ("excess_kurtosis",))
    error = found["excess_kurtosis_se"][0]
    assert abs(found["excess_kurtosis"][0] + 2 * 0.95**4) < 4 * error < 0.5


def test_the_empirical_score_memorizes_the_classes_of_its_training_set():
    (row,) = rows(cells(model="empirical", n=30), "classes", "memorized_fraction")
    one, two = row["classes"]
    assert row["memorized_fraction"] == 1
    assert one["memorized_fraction"] == two["memorized_fraction"] == 1
    for own in (one, two):
        error = 4 * own["fraction_se"]
        assert own["fraction"] == pytest.approx(own["training_fraction"], abs=error)
    assert one["training_fraction"] * 30 == pytest.approx(
        np.round(one["training_fraction"] * 30), abs=0.01
    )


def test_speciation_is_that_of_the_population():
    wanted = ("speciation_time", "speciation_time_se")
    found = [rows(cells(model="empirical", n=n, seed=n), *wanted)[0] for n in (10, 30)]
    assert found[0]["speciation_time"] == found[1]["speciation_time"] > 0
    (row,) = rows(cells(model="empirical", mixture="none"), *wanted, "classes")
    assert row["speciation_time"] is row["speciation_time_se"] is row["classes"] is None


def test_gaussian_data_have_the_excess_of_the_linear_optimum():
    (row,) = rows(cells(mixture="none"), "residual_loss", "excess_loss", "bayes_loss")
    assert row["excess_loss"] == row["residual_loss"]
    s = make_spectrum("spiked", 8, spike=20.0, count=1)
    assert row["bayes_loss"] < len(s)


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"draw": "wishart"}, "draw", "a mixture is drawn as samples"),
        ({"d": 1, "spectrum": "isotropic", "spectrum_params": "{}",
          "mixture": json.dumps(standard({"weights": [1, 1, 1], "between": 0.5}))},
         "mixture", "the means lie in 2 directions, but d = 1"),
        ({"model": "linear_theory", "draw": None, "seed": None, "data": None, "mixture": SIZES},
         "mixture", "rows whose size differs from class to class"),
    ],
)  # fmt: skip
def test_what_does_not_hold_of_a_mixture_is_refused(given, key, words):
    ((_, setting, text),) = check(cells(**given))
    assert setting == key
    assert words in text


def test_a_gap_of_gaussian_samples_is_refused():
    found = check(cells(), ["monte_carlo_gap"])
    assert [(setting, text[:34]) for _, setting, text in found] == [
        ("mixture", "monte_carlo_gap draws Gaussian sam")
    ]


def test_a_data_set_has_no_mixture(tmp_path):
    given = "data: digits\nmixture: {weights: [1, 1], between: 0.5}"
    text = message(Maker(tmp_path)(given, base=FREE))
    assert "mixture" in text
    assert "cannot be combined with data = 'digits'" in text
