"""The proximity bias of exact linear models: against samples made step by step, and the trained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lindiff.models import linear
from lindiff.models.linear_family import make_family
from lindiff.models.proximity import white_noise
from lindiff.planning.checks import check
from lindiff.planning.linear import estimate
from lindiff.science import measure, vectors
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable, node_range
from tests.science.helpers import denoiser, make_cells

NAMES = ("proximity_bias", "proximity_bias_se")
POPULATION = {
    "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 6, "n": 5, "seed": 2,
    "draw": "samples", "timesteps": 25,
}  # fmt: skip
TRAINED = {"ridge": 0.01, "stop": 30.0}


def rows(wanted=NAMES, **given):
    return linear.run(make_cells(**POPULATION | given), wanted).to_pylist()


def step_by_step(draw, sampler, noise, schedule):
    """Samples less μ, each step of the sampler as a matrix, with noise of its own where it adds."""
    x, rng = noise + 0.0, np.random.default_rng(0)
    covariance = draw.centred.T @ draw.centred / draw.n
    for i, index in enumerate(sampler.levels):
        W = denoiser(schedule, index, covariance, Training(**TRAINED))
        known = np.sqrt(schedule.alpha_bar[index]) * draw.centre
        x = sampler.A[i] * x - sampler.B[i] * (x - known) @ W.T
        x += np.sqrt(sampler.variance[i]) * rng.standard_normal(x.shape)
    return x - draw.mean


@pytest.mark.parametrize("centre", ["known", "estimated"])
@pytest.mark.parametrize("name", ["ddim", "ddpm_beta"])
def test_proximity_bias_of_linear_models_is_that_of_samples_made_step_by_step(name, centre):
    """Of a sampler without noise to 1e-9, as samples are functions of the starting noise."""
    given = {"sampler": name, "population_mean": 0.3, "centre": centre}
    (row,) = rows(**given, **TRAINED)
    family = make_family(make_cells(**POPULATION | given))
    schedule = make_schedule("linear", 25)
    sampler = make_sampler(name, schedule)
    noise = white_noise(family)
    made = [
        step_by_step(draw, sampler, noise, schedule) for draw in (family.draw, family.halves.other)
    ]
    points = [draw.centred + draw.offset for draw in (family.draw, family.halves.other)]
    near = [[np.linalg.norm(x[:, None] - p, axis=2).min(axis=1) for p in points] for x in made]
    each = (near[0][1] - near[0][0] + near[1][0] - near[1][1]) / 2
    value = each.mean() / np.sqrt(family.draw.spectrum.sum())
    exact = {"rel": 1e-9} if name == "ddim" else {"abs": 5 * row["proximity_bias_se"]}
    assert row["proximity_bias"] == pytest.approx(value, **exact)
    assert row["proximity_bias"] > 5 * row["proximity_bias_se"] > 0


@pytest.mark.parametrize("n", [4, 12])
@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_generated_samples_have_the_generated_mean_and_covariance(n, mean):
    """Unit vectors as noise give the columns of the root: what it squares to is v(Σ0)."""
    s, schedule = make_spectrum("power_law", 6, exponent=1.0), make_schedule("linear", 25)
    draw = make_draw("samples", s, n, 3, population_mean=mean)
    sampler = make_sampler("ddpm_beta", schedule)
    trainings = (Training(ridge=0.05), Training(stop=3.0))
    table = FilterTable(Bank(schedule, trainings), sampler, node_range(s, n))
    found = table.at(measure.of_draw(draw).nodes)
    root, start = np.exp(found.pointwise("log_v") / 2), start_factor(schedule, sampler)
    noise = np.concatenate([np.zeros((1, 6)), np.eye(6)])
    made = list(vectors.generated_samples(draw, found, root, start, noise))
    U = np.linalg.qr(draw.vectors, mode="complete")[0]
    full = np.concatenate([draw.vectors, U[:, len(draw.eigenvalues) :]], axis=1)
    for i, x in enumerate(made):
        null, modes = vectors.split_null(draw, root**2)
        v = np.concatenate([modes[:, i], np.repeat(null[i], draw.null)])
        map_, shift = x[1:] - x[0], vectors.mean_shift(draw, found.pointwise("P"), start)[:, i]
        np.testing.assert_allclose(map_.T @ map_, (full * v) @ full.T, atol=1e-12)
        np.testing.assert_allclose(x[0], shift, atol=1e-12)


def test_an_untrained_model_has_no_proximity_bias_and_training_adds_to_it():
    """From W = 0 samples know nothing, whatever the centre; many points have no bias."""
    for centre in ("known", "estimated"):
        found = rows(stop=[0.0, 1.0, math.inf], centre=centre, sampler="ddpm_beta", d=16, n=24)
        start, early, late = ((row["proximity_bias"], row["proximity_bias_se"]) for row in found)
        assert abs(start[0]) < 1e-12
        assert 5 * early[1] < early[0] < late[0] - 3 * late[1]
    (many,) = rows(d=16, n=4000, sampler="ideal")
    assert abs(many["proximity_bias"]) < 4 * many["proximity_bias_se"]


def test_proximity_bias_of_linear_models_hangs_on_nothing_else():
    given = {"sampler": ["ddim", "ideal"], "ridge": [0.0, 0.1]}
    cells = make_cells(**POPULATION | given)
    together = linear.run(cells, (*NAMES, "agreement", "bures", "test_loss")).to_pylist()
    for i, row in enumerate(together):
        (alone,) = linear.run(cells.slice(i, 1), NAMES).to_pylist()
        for name in NAMES:
            assert row[name] == pytest.approx(alone[name], rel=1e-12)
    # A training set without samples has none, and neither have samples that are not finite.
    assert [row["proximity_bias"] for row in rows(draw="wishart")] == [None]
    wild = {"stop": 1e5, "learning_rate": 1.9, "sampler": "ddpm_beta", "init_scale": 1e60}
    assert rows(**wild)[0]["proximity_bias"] is None


def test_proximity_bias_of_the_multiplied_data_is_the_same():
    """It is in units of √tr Σ: of `ideal` no number changes, with the ridge in the data's unit."""
    one, other = rows(sampler="ideal", ridge=0.1) + rows(sampler="ideal", ridge=0.9, scale=3.0)
    for name in NAMES:
        assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_many_frozen_noises_have_the_proximity_bias_of_the_average():
    given = {"n": 12, "sampler": "ddim", "ridge": 0.1}
    frozen, mean = rows(noises=[1e9, math.inf], **given)
    few = rows(noises=2.0, **given)[0]
    for name in NAMES:
        assert frozen[name] == pytest.approx(mean[name], rel=1e-2)
    assert few["proximity_bias"] > 3 * few["proximity_bias_se"]


def test_the_proximity_bias_needs_samples_and_costs_their_distances():
    cells = make_cells(**POPULATION | {"draw": ["samples", "wishart"]})
    assert check(cells, ["test_loss"]) == []
    assert check(cells, NAMES[:1]) == [
        (1, "draw", "proximity_bias needs the training samples; allowed: samples")
    ]
    families = make_cells(**POPULATION | {"n": [20, 2000]}).append_column("cells", [[5, 5]])
    (base, most), (small, _) = estimate(families, ())
    (few, many), (large, _) = estimate(families, NAMES[:1])
    assert few > 1.2 * base
    assert many > 5 * most
    assert large > small
