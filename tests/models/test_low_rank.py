"""Data on a subspace: losses on all dimensions, divergences infinite, with every model."""

import warnings

import numpy as np
import pytest

from lindiff.models import MODELS
from lindiff.models.linear_cells import groups
from lindiff.models.linear_family import make_family
from lindiff.planning import warn
from lindiff.science.schedule import make_schedule
from tests.science.helpers import denoiser, make_cells

GIVEN = {"spectrum": "low_rank", "spectrum_params": '{"rank":3}', "d": 8, "timesteps": 20}
KL = ("kl_model_data", "kl_data_model")
TRAINED = {"steps": 5, "learning_rate": 0.01, "sampler": "ddim", "draw": "samples"}
OWN = {
    "linear_theory": {"data": None, "draw": None, "seed": None},
    "ledoit_wolf": {"draw": "samples"},
    "empirical": {"draw": "samples"},
    "linear_trained": TRAINED,
    "mlp": TRAINED | {"width": 4},
}


def cells(**given):
    return make_cells(**GIVEN | given)


def rows(table, *wanted):
    return MODELS[table["model"][0].as_py()].load()(table, wanted).to_pylist()


@pytest.mark.parametrize("draw", ["samples", "wishart"])
@pytest.mark.parametrize("n", [3, 5, 40])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_losses_are_those_of_matrices_on_all_dimensions(draw, n, ridge):
    table = cells(n=n, draw=draw, ridge=ridge, sampler="ddpm_beta")
    (row,) = rows(table, "train_loss", "test_loss", "null_loss", "c_mean")
    family, schedule = make_family(table), make_schedule(timesteps=20)
    own, ((_, filters),) = family.draw, groups(table)
    assert len(own.eigenvalues) == min(3, n - 1)
    covariance = (own.vectors * own.eigenvalues) @ own.vectors.T
    test = np.diag(own.spectrum) + np.outer(own.offset, own.offset)
    found = np.zeros(2)
    for index in range(20):
        W = denoiser(schedule, index, covariance, filters.trainings[0])
        left = np.eye(8) - np.sqrt(schedule.q[index]) * W
        for i, C in enumerate((covariance, test)):
            signal = schedule.alpha_bar[index] * np.trace(W @ C @ W.T)
            found[i] += ((left**2).sum() + signal) / 8 / 20
    np.testing.assert_allclose([row["train_loss"], row["test_loss"]], found, rtol=1e-9)
    if n > 3:
        assert row["null_loss"] == 0


def test_the_population_has_its_trace_in_few_directions():
    s = make_family(cells(n=5)).draw.spectrum
    np.testing.assert_allclose(s, [8 / 3] * 3 + [0] * 5)


@pytest.mark.parametrize("name", [*OWN, "linear_exact", "linear_exact noises", "theory noises"])
def test_every_model_takes_them_and_says_that_both_kl_are_infinite(name):
    model = {"theory noises": "linear_theory"}.get(name, name.split()[0])
    if MODELS[model].trained:
        pytest.importorskip("torch")
    given = OWN.get(model, {}) | ({"noises": 2.0} if "noises" in name else {})
    table = cells(model=model, n=12, **given)
    wanted = [*KL, "test_loss", "train_loss", "optimal_loss"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = rows(table, *wanted)
    assert row["status"] == "ok", row["message"]
    if name != "theory noises":
        assert [row[kl] for kl in KL] == [np.inf, np.inf]
    assert np.isfinite([row[loss] for loss in wanted[2:]]).all()
    schedule = make_schedule(timesteps=20)
    signal = schedule.alpha_bar * 8 / 3
    # A direction without variance costs the optimum nothing.
    assert row["optimal_loss"] == pytest.approx(np.mean(signal / (signal + schedule.q)) * 3 / 8)


def test_parts_and_floors_are_infinite_too():
    parts = [f"{kl}_{part}" for kl in KL for part in ("mean", "spectrum", "eigenvectors", "floor")]
    for model in ("linear_exact", "linear_theory"):
        (row,) = rows(cells(model=model, n=12, **OWN.get(model, {})), *KL, *parts)
        assert {row[name] for name in (*KL, *parts)} == {np.inf}


@pytest.mark.parametrize("wanted", ["agreement", "bures", "overlap_1"])
def test_the_other_metrics_are_finite(wanted):
    (row,) = rows(cells(n=12, sampler="ddim"), wanted)
    assert 0 <= row[wanted] < 1.001


@pytest.mark.parametrize("params", ['{"rank":3}', '{"values":[4,3,2,0,0,0,0,0]}'])
@pytest.mark.parametrize("n", [3, 30])
def test_the_overlap_has_its_limit(params, n):
    """Of the space that holds all variance it is min(1, (N − 1)/k), in theory and in every draw."""
    kind = "low_rank" if "rank" in params else "eigenvalues"
    given = {"n": n, "spectrum": kind, "spectrum_params": params}
    (theory,) = rows(cells(model="linear_theory", **given, **OWN["linear_theory"]), "overlap_1")
    found = [rows(cells(seed=seed, **given), "overlap_1")[0]["overlap_1"] for seed in range(20)]
    if kind == "low_rank":
        assert theory["overlap_1"] == min(1, (n - 1) / 3)
        np.testing.assert_allclose(found, theory["overlap_1"], rtol=1e-12)
    elif theory["overlap_1"] is not None:
        assert np.mean(found) == pytest.approx(theory["overlap_1"], abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ridge"), [(40, 0.1), (130, 0.0), (130, 0.1), (400, 0.0)])
def test_the_limit_is_the_mean_over_training_sets(n, ridge):
    """d = 200, 80 directions with variance: N below, between and above, to 0.5 %."""
    given = {"d": 200, "spectrum_params": '{"rank":80}', "n": n, "ridge": ridge, "timesteps": 50}
    names = ("train_loss", "test_loss", "c_mean")
    (theory,) = rows(cells(model="linear_theory", **given, **OWN["linear_theory"]), *names)
    found = [rows(cells(seed=seed, **given), *names)[0] for seed in range(10)]
    for name in names:
        mean = np.mean([row[name] for row in found])
        # Of c_mean, a small difference of variances, in units of these.
        assert mean == pytest.approx(theory[name], rel=5e-3, abs=1e-3 * (name == "c_mean"))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "noises"), [(130, 1.0), (60, 4.0)])
def test_the_limit_with_frozen_noises_is_the_mean_over_training_sets(n, noises):
    given = {"d": 100, "spectrum_params": '{"rank":40}', "n": n, "noises": noises, "timesteps": 20}
    given |= {"ridge": 0.05}
    names = ("train_loss", "test_loss")
    (theory,) = rows(cells(model="linear_theory", **given, **OWN["linear_theory"]), *names)
    found = [rows(cells(seed=seed, **given), *names)[0] for seed in range(10)]
    for name in names:
        mean = np.mean([row[name] for row in found])
        assert mean == pytest.approx(theory[name], rel=0.01)


def test_of_a_subspace_the_limit_is_that_of_its_own_dimensions():
    """loss_d = (k loss_k + (d − k) residual(0))/d, whatever k, to rounding."""
    alone = {"spectrum": "isotropic", "spectrum_params": "{}", "scale": (8 / 3) ** 0.5}
    given = {"n": 20, "ridge": 0.1, **OWN["linear_theory"], "model": "linear_theory"}
    (whole,) = rows(cells(**given), "train_loss", "test_loss")
    (part,) = rows(cells(**given | alone | {"d": 3}), "train_loss", "test_loss")
    schedule = make_schedule(timesteps=20)
    # W at λ = 0 under ridge c is √q/(q + ᾱ c).
    left = 1 - schedule.q / (schedule.q + schedule.alpha_bar * 0.1)
    for name in ("train_loss", "test_loss"):
        expected = (3 * part[name] + 5 * np.mean(left**2)) / 8
        assert whole[name] == pytest.approx(expected, rel=1e-8)


def test_the_user_is_told():
    found = warn(cells(n=12))
    assert [(setting, text[:36]) for _, setting, text in found if setting == "spectrum"] == [
        ("spectrum", "5 of 8 directions have no variance: ")
    ]
