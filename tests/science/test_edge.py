"""As many degrees of freedom as dimensions: exact means, draws, and the numbers of nearby N."""

import numpy as np
import pytest
from scipy.linalg import eigvalsh_tridiagonal

from lindiff.science import laws
from lindiff.science.agreement import agreement, make_halves
from lindiff.science.draws import make_draw
from lindiff.science.edge import remainders
from lindiff.science.exact import linear_metrics
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limit_range, limiting
from lindiff.science.measure import of_draw
from lindiff.science.prediction import Predictor
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable
from lindiff.science.theory import agreement as agreement_limit
from lindiff.science.theory import linear_theory, on_contour

SPECTRA = [
    ("isotropic", {}),
    ("power_law", {"exponent": 1.0}),
    ("power_law", {"exponent": 3.0}),
    ("two_level", {"ratio": 1e5, "fraction": 0.5}),
]
ZERO = np.zeros((1, 1))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("d", [20, 200, 1024])
@pytest.mark.parametrize(("name", "params"), SPECTRA)
def test_masses_moments_and_the_determinant(name, params, d, known):
    """Rank, E Σ0, E Σ0² and E ln det Σ0 of a Wishart matrix are known at every finite size."""
    s = make_spectrum(name, d, **params)
    n = d if known else d + 1
    limit = limiting(s, n, known)
    assert limit.reaches_zero
    assert not limit.atom.any()
    np.testing.assert_allclose(limit.modes.real.sum(axis=0), 1, rtol=1e-12)
    distinct, nodes = limit.spectrum, limit.nodes[:, None]
    # The quarter of an eigenvalue is not at 0, which is beyond the order 1/n.
    first = limit.diagonal(nodes, ZERO)[:, 0]
    np.testing.assert_allclose(first, distinct * d / n, rtol=1 / d**3)
    second = limit.diagonal(nodes**2, ZERO)[:, 0]
    exact = distinct * (d * (d + 1) * distinct + d * s.sum()) / n**2
    np.testing.assert_allclose(second, exact, rtol=1e-8)
    log_det = limit.trace(np.ones(len(distinct)), np.log(nodes), ZERO)[0]
    white = limiting(np.ones(d), n, known)
    flat = white.trace(np.ones(1), np.log(white.nodes[:, None]), ZERO)[0]
    assert log_det - np.log(s).sum() == pytest.approx(flat, rel=1e-10)
    if not known:
        assert flat == pytest.approx(-2 * d * float(laws.kl_model_data_mean(n, d)), rel=1e-10)


@pytest.mark.parametrize("d", [256, 1024])
def test_isotropic_agreement_at_n_equal_d(d):
    """q(1) = (8/3π)² within 0.1 %, N = d with the mean known; it nears that as 1/d."""
    s, training = np.ones(d), [Training()]
    limit = limiting(s, d, known_centre=True)
    table = FilterTable(Bank(make_schedule(), training), None, limit_range(s, d))
    found = agreement_limit(limit, on_contour(table, 0.0), 0.0, ideal=True)
    assert found[0] == pytest.approx(float(laws.isotropic_agreement(1.0)), rel=1 / d)


SAMPLED = [
    Training(),
    Training(ridge=0.01),
    Training(ridge=0.3),
    Training(weight_decay=0.01),
    Training(stop=20.0),
    Training(stop=20.0, learning_rate=0.01),
]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("name", "params"), SPECTRA[:2])
@pytest.mark.parametrize("sampler_name", [None, "ddim"])
def test_theory_meets_seed_means_at_200(name, params, known, sampler_name):
    d, schedule = 200, make_schedule("linear", 40)
    n = d if known else d + 1
    s = make_spectrum(name, d, **params)
    sampler = make_sampler(sampler_name, schedule) if sampler_name else None
    theory = linear_theory(s, n, SAMPLED, schedule, sampler, known)
    draws = [make_draw("wishart", s, n, seed, known_centre=known) for seed in range(40)]
    rows = [linear_metrics(draw, SAMPLED, schedule, sampler) for draw in draws]
    for metric, limit in theory.items():
        values = np.array([row[metric] for row in rows])
        some = np.isfinite(limit)
        mean = values.mean(axis=0)[some]
        error = values.std(axis=0, ddof=1)[some] / np.sqrt(len(draws))
        off = np.abs(mean - limit[some])
        assert np.all(off <= 4 * error + 3e-3 * np.abs(mean) + 1e-8), (metric, mean, limit)
        if metric.endswith("_loss"):
            assert np.all(off <= np.maximum(5e-3 * mean, 4 * error)), metric
    # What generates variance 0 of λ = 0 has no mean over draws: all that the ideal sampler has
    # without ridge, and of DDIM the optimum.
    least = Bank(schedule, SAMPLED).response(np.zeros(1), sampler).log_v[0]
    np.testing.assert_array_equal(np.isinf(theory["kl_data_model"]), np.isneginf(least))
    assert np.isneginf(least).sum() == (4 if sampler is None else 1)
    assert all(np.isfinite(v).all() for k, v in theory.items() if "kl_data_model" not in k)
    assert np.all(theory["null_loss"] == 0)


@pytest.mark.parametrize("ideal", [True, False])
def test_agreement_meets_seed_means_at_200(ideal):
    d, n, schedule = 200, 201, make_schedule("linear", 40)
    s = make_spectrum("power_law", d, exponent=1.0)
    sampler = None if ideal else make_sampler("ddim", schedule)
    table = FilterTable(Bank(schedule, SAMPLED), sampler, limit_range(s, d, tight=True))
    root = 0.0 if ideal else float(np.sqrt(schedule.alpha_bar[-1]))
    limit = limiting(s, n, tight=True)
    theory = agreement_limit(limit, on_contour(table, root), 1 / n, ideal)
    values = []
    for seed in range(0, 40, 2):
        halves = [make_draw("wishart", s, n, seed + i) for i in (0, 1)]
        at = [table.at(of_draw(half).nodes) for half in halves]
        F = [np.exp(e.pointwise("log_v") / 2) if ideal else e.pointwise("P") for e in at]
        values.append(agreement(make_halves(*halves), *F, root))
    mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(np.abs(mean - theory) <= np.maximum(5e-3 * mean, 4 * error)), (mean, theory)
    assert np.all(error < 5e-3 * mean)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("name", "params"), SPECTRA[:2])
def test_nearby_n_join_smoothly(name, params, known):
    """Each number is that of the cubic through N two and one below and above, within 0.1 %."""
    d, schedule = 200, make_schedule("linear", 40)
    s = make_spectrum(name, d, **params)
    own = d if known else d + 1
    ns = [own - 2, own - 1, own, own + 1, own + 2]
    sampler = make_sampler("ddim", schedule)
    found = linear_theory(s, ns, SAMPLED[1:5], schedule, sampler, known)
    for metric in ("train_loss", "test_loss", "kl_model_data", "kl_data_model", "c_mean"):
        y = found[metric].reshape(5, -1)
        cubic = (-y[0] + 4 * y[1] + 4 * y[3] - y[4]) / 6
        np.testing.assert_allclose(y[2], cubic, rtol=1e-3, err_msg=metric)


def test_no_other_n_notices():
    s, schedule = make_spectrum("power_law", 60, exponent=1.0), make_schedule("linear", 40)
    trainings = [Training(ridge=0.01), Training(stop=5.0, learning_rate=0.01)]
    ns = [40, 60, 61, 62, 200]
    found = linear_theory(s, ns, trainings, schedule)
    without = linear_theory(s, [n for n in ns if n != 61], trainings, schedule)
    others = found["n"] != 61
    for name, values in without.items():
        np.testing.assert_array_equal(found[name][others], values, err_msg=name)


def test_a_ridge_below_the_edge_has_the_leading_order():
    """tr (Σ0 + c)⁻¹/d = κ/(c (1 + κ)), κ² = c (1 + κ), for white data and c far below 1/d²."""
    d, ridges = 200, np.array([1e-9, 1e-10])
    trainings = [Training(ridge=c) for c in ridges]
    found = linear_theory(np.ones(d), d, trainings, known_centre=True)
    kappa = (ridges + np.sqrt(ridges**2 + 4 * ridges)) / 2
    # ln det and d are next to nothing beside it.
    trace = 2 * found["kl_data_model"]
    np.testing.assert_allclose(trace, kappa / (ridges * (1 + kappa)), rtol=0.012)


def test_divergence_of_small_ridges_at_200():
    """How far the limit of KL(ρ‖ρ_N) is above its mean over draws: white data, ideal sampler.

    The draws are those of the bidiagonal factor (Dumitriu & Edelman 2002). At c → 0 the smallest
    eigenvalue rules; its density is π/2 of the limit's (Edelman 1988).
    """
    d, rng = 200, np.random.default_rng(0)
    ridges = np.array([1e-2, 1e-3, 1e-4, 1e-6])
    values = []
    for _ in range(3000):
        own, next_to = (np.sqrt(rng.chisquare(np.arange(k, 0, -1))) for k in (d, d - 1))
        main = own**2 + np.append(0, next_to**2)
        eigenvalues = np.abs(eigvalsh_tridiagonal(main / d, own[:-1] * next_to / d))
        v = eigenvalues[:, None] + ridges
        values.append((1 / v + np.log(v) - 1).mean(axis=0) / 2)
    mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
    trainings = [Training(ridge=c) for c in ridges]
    limit = linear_theory(np.ones(d), d, trainings, known_centre=True)["kl_data_model"]
    above, width = limit / mean - 1, 4 * error / mean
    expected = np.array([0.0, 0.002, 0.014, -0.10])
    assert np.all(np.abs(above - expected) <= width + 5e-4), (above, width)
    assert np.all(above >= -0.36 - width)
    assert 1 - 2 / np.pi == pytest.approx(0.36, abs=0.005)


def test_what_is_not_known_is_nan_and_what_diverges_is_infinite():
    trainings = [Training(), Training(ridge=1e-13), Training(ridge=1e-6)]
    found = linear_theory(np.ones(50), 51, trainings)
    for name in ("kl_data_model", "kl_data_model_mean"):
        none, least, small = found[name]
        assert np.isinf(none)
        assert np.isnan(least)
        assert 0 < small < np.inf
    assert np.isfinite(found["kl_model_data"]).all()
    known = linear_theory(np.ones(50), 50, trainings, known_centre=True)
    assert np.all(known["kl_data_model_mean"] == 0)


def test_remainders_are_what_is_left_of_one():
    s, counts = np.array([3.0, 0.5, 0.0]), np.array([2.0, 6.0, 4.0])
    kappa = np.array([[0.3 + 0.2j], [2.0 - 1.0j]])
    S = s / (s + kappa)
    first, second = remainders(kappa, s, counts)
    np.testing.assert_allclose(first, 1 - S @ counts / 8, rtol=1e-13)
    np.testing.assert_allclose(second, 1 - S**2 @ counts / 8, rtol=1e-13)
    # Where 1 − S is below the last digit of 1 it still has all of its own.
    first, second = remainders(1e-20 * kappa, s, counts)
    np.testing.assert_allclose(first, 1e-20 * kappa[:, 0] * (2 / 3 + 6 / 0.5) / 8, rtol=1e-13)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-13)


@pytest.mark.parametrize("least", [1e-3, 1e-9])
def test_one_small_mode_of_many(least):
    """κ is found where 1 − df2/n is below the digits of df2/n."""
    s = np.append(np.ones(16_383), least)
    limit = limiting(s, len(s), known_centre=True)
    first = limit.diagonal(limit.nodes[:, None], ZERO)[:, 0]
    np.testing.assert_allclose(first, limit.spectrum, rtol=1e-5)


def test_many_spectra_at_once_are_the_theory():
    s = make_spectrum("power_law", 50, exponent=1.0)
    trainings, ns = [Training(ridge=0.01)], [40, 51, 80]
    found = Predictor(trainings, s, ns)(s, ns, divergences=True)
    for name in ("test_loss", "kl_model_data", "kl_data_model"):
        expected = linear_theory(s, ns, trainings)[name]
        np.testing.assert_allclose(found[name][:, 0], expected, rtol=1e-5)
