"""Metrics of denoisers that are matrices: against the scalar filters, definitions and samples."""

import math
from functools import lru_cache

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science import matrices, measure, vectors
from lindiff.science.agreement import agreement, make_halves
from lindiff.science.draws import make_draw
from lindiff.science.exact import divergences, linear_metrics
from lindiff.science.filters import Bank, Training
from lindiff.science.matrices import Gaussian, Generation
from lindiff.science.metrics import losses
from lindiff.science.pools import make_pool
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable, node_range
from tests.science.helpers import affine_step, kl

D, T = 6, 30
SCHEDULE = make_schedule("linear", T)
SPECTRUM = make_spectrum("power_law", D, exponent=1.0)
TRAININGS = [
    Training(ridge=0.1),
    Training(weight_decay=0.02),
    Training(stop=30.0, ridge=0.01),
    Training(stop=8.0, learning_rate=0.1, init_scale=0.5),
]
SAMPLERS = [("ddpm_beta", False, 0), ("ddpm_beta_tilde", True, 0), ("ddim", False, 0),
            ("ddpm_beta", True, 7), ("ddim", False, 11), ("heun", False, 7),
            ("heun", False, 7, 3)]  # fmt: skip


def gaussian_draw(n, mean=0.0, known=False, kind="wishart", seed=3):
    return make_draw(kind, SPECTRUM, n, seed, {}, mean, known)


def as_matrices(draw, training, schedule=SCHEDULE):
    """U w_t Uᵀ at every level, shape (T, d, d)."""
    bank, U = Bank(schedule, [training]), vectors._complete(draw)
    nodes = np.concatenate([np.zeros(draw.null), draw.eigenvalues])
    return np.stack([(U * bank.level(nodes, i)[3][:, 0]) @ U.T for i in range(schedule.timesteps)])


def generate(weights, sampler, draw, schedule=SCHEDULE):
    """What one model generates."""
    generation = Generation(sampler, schedule, draw, 1)
    for index in range(schedule.timesteps - 1, -1, -1):
        generation.step(weights[None, index], index)
    return generation.result(0)


@lru_cache
def table_of(training, sampling, n):
    sampler, span = make_sampler(sampling[0], SCHEDULE, *sampling[1:]), node_range(SPECTRUM, n)
    return FilterTable(Bank(SCHEDULE, [training]), sampler, span), sampler


def any_matrices(seed, spread=0.3, count=T, d=D):
    """Matrices that share nothing, near the shape of a denoiser."""
    rng = np.random.default_rng(seed)
    return np.eye(d) * 0.6 + spread * rng.standard_normal((count, d, d)) / np.sqrt(d)


@pytest.mark.parametrize(("mean", "known"), [(0.0, False), (0.7, False), (0.7, True)])
@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("sampling", SAMPLERS, ids=str)
@pytest.mark.parametrize("training", TRAININGS, ids=["ridge", "decay", "flow", "descent"])
def test_matrices_that_share_eigenvectors_are_filters(training, sampling, n, mean, known):
    """To 1e-10."""
    draw, other = (gaussian_draw(n, mean, known, seed=seed) for seed in (3, 4))
    table, sampler = table_of(training, sampling, n)
    mu, root = measure.of_draw(draw), start_factor(SCHEDULE, sampler)
    evaluated = table.at(mu.nodes)
    expected = losses(mu, evaluated) | divergences(draw, mu, evaluated, root)
    weights = as_matrices(draw, training)
    for name, moment in (
        ("train_loss", matrices.training_covariance(draw)),
        ("test_loss", matrices.population_moment(draw)),
    ):
        found = matrices.losses(weights[None], SCHEDULE, range(T), moment)
        assert found.mean() == pytest.approx(expected[name][0], rel=1e-10)
    generated = generate(weights, sampler, draw)
    found = matrices.divergences(generated, draw.spectrum)
    for name, value in zip(("kl_model_data", "kl_data_model"), found, strict=True):
        assert value == pytest.approx(expected[name][0], rel=1e-10)
    distance = matrices.bures(generated, draw.spectrum)
    assert distance == pytest.approx(vectors.bures(draw, evaluated, root)[0], rel=1e-10, abs=1e-13)
    variances = np.exp(evaluated.pointwise("log_v")[:, 0])
    np.testing.assert_allclose(matrices.node_variances(draw, generated), variances, rtol=1e-9)
    if sampling[0] == "ddim":
        of_other = table.at(measure.of_draw(other).nodes)
        maps = (filters.pointwise("P") for filters in (evaluated, of_other))
        value = agreement(make_halves(draw, other), *maps, root)[0]
        pair = generated, generate(as_matrices(other, training), sampler, other)
        assert matrices.agreement(*pair) == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("known", [False, True])
def test_losses_of_a_data_set_are_over_its_held_out_rows(known):
    draw, training = make_pool("digits").draw(40, 2, known), Training(ridge=0.1)
    schedule = make_schedule("linear", 12, beta_max=5e-3)
    expected = linear_metrics(draw, [training], schedule, make_sampler("ddim", schedule))
    weights = as_matrices(draw, training, schedule)[None]
    moment = matrices.population_moment(draw)
    found = matrices.losses(weights, schedule, range(12), moment)
    assert found.mean() == pytest.approx(expected["test_loss"][0], rel=1e-10)
    rows = make_pool("digits").held_out - draw.centre
    np.testing.assert_allclose(moment, rows.T @ rows / len(rows), rtol=1e-9, atol=1e-11)


def test_losses_of_any_matrices_are_means_over_noise():
    """40,000 noisy points, five errors; a range of levels is a part of all of them."""
    draw, weights = gaussian_draw(9, 0.7), any_matrices(1)
    rng, count = np.random.default_rng(0), 40_000
    found = matrices.losses(weights[None], SCHEDULE, range(T), matrices.population_moment(draw))
    for index in (0, 12, T - 1):
        x = draw.mean - draw.centre + rng.standard_normal((count, D)) * np.sqrt(draw.spectrum)
        noise = rng.standard_normal((count, D))
        noisy = np.sqrt(SCHEDULE.alpha_bar[index]) * x + np.sqrt(SCHEDULE.q[index]) * noise
        errors = ((noise - noisy @ weights[index].T) ** 2).mean(axis=1)
        assert abs(errors.mean() - found[0, index]) < 5 * errors.std() / np.sqrt(count)
    part = matrices.losses(
        weights[None, 4:9], SCHEDULE, range(4, 9), matrices.population_moment(draw)
    )
    np.testing.assert_allclose(part, found[:, 4:9], rtol=1e-13)


@pytest.mark.parametrize("sampling", SAMPLERS, ids=str)
def test_what_any_matrices_generate(sampling):
    """Mean and covariance by the sampler's own steps; KL from the definition; Bures from POT."""
    draw, weights = gaussian_draw(9, 0.7), any_matrices(2)
    sampler = make_sampler(sampling[0], SCHEDULE, *sampling[1:])
    generated = generate(weights, sampler, draw)
    mean, covariance = np.zeros(D), np.eye(D)
    for i in range(len(sampler.levels)):
        a, shift = affine_step(sampler, SCHEDULE, i, weights.__getitem__, draw.centre)
        mean = a @ mean + shift
        covariance = a @ covariance @ a.T + sampler.variance[i] * np.eye(D)
    np.testing.assert_allclose(draw.mean + generated.shift, mean, rtol=1e-10)
    np.testing.assert_allclose(generated.root @ generated.root.T, covariance, rtol=1e-10)
    population = draw.mean, np.diag(draw.spectrum)
    found = matrices.divergences(generated, draw.spectrum)
    assert found[0] == pytest.approx(kl(mean, covariance, *population) / D, rel=1e-9)
    assert found[1] == pytest.approx(kl(*population, mean, covariance) / D, rel=1e-9)
    reference = ot.gaussian.bures_wasserstein_distance(mean, population[0], covariance,
                                                       population[1]) ** 2 / D  # fmt: skip
    assert matrices.bures(generated, draw.spectrum) == pytest.approx(reference, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(-1, 1))
def test_distances_are_positive_and_agreement_is_a_correlation(seed, d, shift):
    rng = np.random.default_rng(seed)
    spectrum = np.sort(rng.uniform(0.1, 3, d))[::-1]
    one, other = (
        Gaussian(rng.standard_normal(d) * shift, rng.standard_normal((d, d))) for _ in range(2)
    )
    assert all(value >= -1e-12 for value in matrices.divergences(one, spectrum))
    assert matrices.bures(one, spectrum) >= -1e-12
    value = matrices.agreement(one, other)
    assert abs(value) <= 1 + 1e-12
    assert matrices.agreement(other, one) == pytest.approx(value, rel=1e-12)
    assert matrices.agreement(one, one) == pytest.approx(1)
    itself = Gaussian(np.zeros(d), np.diag(np.sqrt(spectrum)))
    np.testing.assert_allclose(matrices.divergences(itself, spectrum), 0, atol=1e-14)
    assert matrices.bures(itself, spectrum) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("name", ["ddpm_beta", "ddim"])
def test_a_direction_without_variance_makes_both_divergences_infinite(name):
    """The unregularized optimum for N < d, as the scalar path has it."""
    draw, sampler = gaussian_draw(4), make_sampler(name, SCHEDULE)
    expected = linear_metrics(draw, [Training()], SCHEDULE, sampler)
    generated = generate(as_matrices(draw, Training()), sampler, draw)
    found = matrices.divergences(generated, draw.spectrum)
    assert found == (expected["kl_model_data"][0], expected["kl_data_model"][0]) == (
        math.inf, math.inf
    )  # fmt: skip
    assert math.isfinite(matrices.bures(generated, draw.spectrum))


@pytest.mark.parametrize("name", ["ddpm_beta", "ddim"])
@pytest.mark.parametrize("size", [1e30, 1e160, np.nan])
def test_what_is_not_finite_is_nan_and_no_exception(size, name):
    draw = gaussian_draw(9)
    weights = size * any_matrices(3)
    generated = generate(weights, make_sampler(name, SCHEDULE), draw)
    loss = matrices.losses(weights[None], SCHEDULE, range(T), np.eye(D))
    assert not np.isfinite(loss).all() or size == 1e30
    assert np.isnan(matrices.divergences(generated, draw.spectrum)).all()
    assert np.isnan(matrices.bures(generated, draw.spectrum))
    assert np.isnan(matrices.agreement(generated, generated))


def test_models_do_not_touch_each_other():
    draw, sampler = gaussian_draw(9, 0.7), make_sampler("ddpm_beta", SCHEDULE)
    weights = np.stack([any_matrices(seed) for seed in range(3)])
    together = Generation(sampler, SCHEDULE, draw, 3)
    for index in range(T - 1, -1, -1):
        together.step(weights[:, index], index)
    for m in range(3):
        alone, one = generate(weights[m], sampler, draw), together.result(m)
        np.testing.assert_allclose(one.shift, alone.shift, rtol=1e-13)
        np.testing.assert_allclose(one.root, alone.root, rtol=1e-12, atol=1e-15)
