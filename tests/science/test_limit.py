"""The large-system limit against exact traces, closed forms and means over draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science.draws import make_draw
from lindiff.science.exact import linear_metrics
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limit_range, limiting
from lindiff.science.measure import of_population
from lindiff.science.metrics import covariance_metrics
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable
from lindiff.science.theory import linear_theory, on_contour

SPECTRA = [
    ("isotropic", {}),
    ("power_law", {"exponent": 1.0}),
    ("power_law", {"exponent": 2.0}),
    ("spiked", {"spike": 30.0, "count": 3}),
    ("two_level", {"ratio": 20.0}),
]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SPECTRA),
    st.integers(2, 120),
    st.floats(-2, 3),
    st.booleans(),
)
def test_masses_and_moments_are_exact(spectrum, d, decades, known):
    """Rank, tr Σ0, tr ΣΣ0 and tr Σ0² of a Wishart matrix are known at every finite size."""
    name, params = spectrum
    s = make_spectrum(name, max(d, params.get("count", 1)), **params)
    d = len(s)
    n = max(3, round(d * 10**decades))
    freedom = n if known else n - 1
    if freedom == d:
        return  # tests/science/test_edge.py
    limit = limiting(s, n, known)
    mass = limit.modes.real.sum(axis=0) + limit.atom
    np.testing.assert_allclose(mass, 1, rtol=1e-10)
    assert limit.counts.sum() == d
    rank = (limit.modes.real @ limit.counts).sum()
    assert rank == pytest.approx(min(d, freedom), rel=1e-10)
    s, total = limit.spectrum, s.sum()
    zero = np.zeros((1, 1))
    first = limit.diagonal(limit.nodes[:, None], zero)[:, 0]
    np.testing.assert_allclose(first, s * freedom / n, rtol=1e-9)
    # E (Σ0²)_jj = s_j (freedom (freedom+1) s_j + freedom tr Σ)/n², the +1 being the correction.
    second = limit.diagonal(limit.nodes[:, None] ** 2, zero)[:, 0]
    exact = s * (freedom * (freedom + 1) * s + freedom * total) / n**2
    np.testing.assert_allclose(second, exact, rtol=1e-8)


TRAININGS = [
    Training(ridge=0.01),
    Training(ridge=0.3),
    Training(weight_decay=0.01),
    Training(stop=100.0),
    Training(stop=5.0, learning_rate=0.01),
]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "n", [30, 101, 600, *(pytest.param(n, marks=pytest.mark.slow) for n in (90, 130))]
)
@pytest.mark.parametrize(("name", "params"), [SPECTRA[1], SPECTRA[3]], ids=["power", "spiked"])
def test_theory_meets_seed_means(name, params, n, known):
    s, schedule = make_spectrum(name, 100, **params), make_schedule("linear", 40)
    sampler = make_sampler("ddim", schedule)
    theory = linear_theory(s, n, TRAININGS, schedule, sampler, known)
    draws = [make_draw("wishart", s, n, seed, known_centre=known) for seed in range(60)]
    rows = [linear_metrics(draw, TRAININGS, schedule, sampler) for draw in draws]
    for metric, limit in theory.items():
        values = np.array([row[metric] for row in rows])
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(draws))
        # Five standard errors, and 0.3 % for the orders beyond 1/n at d = 100.
        assert np.all(np.abs(mean - limit) <= 5 * error + 3e-3 * np.abs(limit)), metric


@pytest.mark.parametrize("n", [5, 30, 50, 300, 10**6])
def test_elements_off_the_diagonal_scatter_as_those_of_a_wishart_matrix(n):
    """E (Σ0)_ij² = s_i s_j (N − 1)/N² for i ≠ j, exactly."""
    s = make_spectrum("power_law", 40, exponent=1.0)
    limit = limiting(s, n)
    left, right = np.sqrt(limit.spectrum), 1 / limit.spectrum
    found = limit.scatter(left, right, limit.nodes[:, None] * [1.0, 3.0], np.zeros((1, 2)))
    exact = np.sum(s**1.5) * len(s) * (n - 1) / n**2
    np.testing.assert_allclose(found, [exact, 9 * exact], rtol=1e-8)


@pytest.mark.parametrize("n", [16, 60, 300])
@pytest.mark.parametrize(("name", "params"), [*SPECTRA[:3], SPECTRA[4]])
def test_mean_part_of_the_divergence_meets_the_draws(name, params, n):
    """⟨δᵀ(1 − √ᾱP)Σ⁻¹(1 − √ᾱP)δ⟩ with P(Σ0) as it is, of which the diagonal is not all."""
    s, schedule = make_spectrum(name, 48, **params), make_schedule()
    sampler, trainings = make_sampler("ddim", schedule), [Training(), Training(ridge=0.1)]
    table = FilterTable(Bank(schedule, trainings), sampler, (1e-9, 1e3))
    root = start_factor(schedule, sampler)
    values = []
    for seed in range(40):
        draw = make_draw("wishart", s, n, seed)
        P = table.at(draw.eigenvalues).pointwise("P")
        row = []
        for modes, null in zip(P.T, table.at_zero.P[0], strict=True):
            left = (1 - root * null) * np.eye(48)
            left -= root * (draw.vectors * (modes - null)) @ draw.vectors.T
            row.append(np.sum(s[:, None] / s * left**2) / (2 * 48 * n))
        values.append(row)
    mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(40)
    found = linear_theory(s, n, trainings, schedule, sampler)["kl_model_data_mean"]
    assert np.all(np.abs(found - mean) <= 5 * error + 1e-3 * mean)
    if n == 16:
        limit = limiting(s, n)
        F = on_contour(FilterTable(table.bank, sampler, limit_range(s, n - 1)), root)
        diagonal = limit.counts @ limit.diagonal(F.nodes["left"], F.zero["left"]) ** 2
        share = 1 - diagonal / (2 * 48 * n) / found
        assert np.all((share > 0.003) & (share < 0.02))


@pytest.mark.parametrize("n", [400, 1000])
def test_closed_forms_of_the_divergences(n):
    """c = 0, N > d, known centre, ideal sampler, leading order; Merger & Goldt, γ = d/N."""
    d = 300
    gamma = d / n
    theory = linear_theory(np.ones(d), n, [Training()], known_centre=True)
    entropy = (1 / gamma - 1) * np.log1p(-gamma)
    forward, backward = (1 + entropy) / 2, (1 / (1 - gamma) - 2 - entropy) / 2
    assert theory["kl_model_data"][0] == pytest.approx(forward, rel=2 / d / (1 - gamma))
    assert theory["kl_data_model"][0] == pytest.approx(backward, rel=4 / d / (1 - gamma))


@pytest.mark.parametrize("n", [70, 300, 30_000])
@pytest.mark.parametrize(
    ("name", "params"),
    [("power_law", {"exponent": 3.0}), ("two_level", {"ratio": 1e5, "fraction": 0.5})],
    ids=["steep", "two_level"],
)
def test_without_ridge_the_divergences_do_not_know_the_spectrum(name, params, n):
    """Both are invariant under Σ: a check of every digit where filters are as large as 1/λ."""
    steep = linear_theory(make_spectrum(name, 60, **params), n)
    flat = linear_theory(np.ones(60), n)
    for metric in ("kl_model_data", "kl_data_model"):
        assert steep[metric][0] == pytest.approx(flat[metric][0], rel=1e-9)


def test_many_samples_reach_the_floor():
    s, schedule = make_spectrum("power_law", 40, exponent=1.0), make_schedule()
    sampler = make_sampler("ddpm_beta", schedule)
    trainings = [Training(ridge=0.01)]
    theory = linear_theory(s, 10**9, trainings, schedule, sampler)
    mu = of_population(s)
    filters = FilterTable(Bank(schedule, trainings), sampler, (1e-6, 100.0)).at(mu.nodes)
    floor, _ = covariance_metrics(mu, s, filters)
    total = floor["kl_model_data_spectrum"] + floor["kl_model_data_eigenvectors"]
    assert theory["kl_model_data"] == pytest.approx(total, rel=1e-3, abs=1e-7)
    assert theory["train_loss"] == pytest.approx(theory["test_loss"], rel=1e-6)


def test_a_null_space_without_variance_is_infinitely_far():
    theory = linear_theory(np.ones(50), 20, [Training(), Training(ridge=0.1)])
    assert np.isinf([theory["kl_model_data"][0], theory["kl_data_model"][0]]).all()
    assert np.isfinite([theory["kl_model_data"][1], theory["kl_data_model"][1]]).all()
    assert theory["null_loss"][1] > 0


def test_directions_without_variance_are_null_directions():
    """Losses of a population with a null space, against draws; both divergences are infinite."""
    s = np.concatenate([make_spectrum("power_law", 50, exponent=1.0), np.zeros(30)])
    for n in (20, 51, 60, 400):
        theory = linear_theory(s, n, [Training(ridge=0.05)], make_schedule("linear", 50))
        assert np.isinf([theory["kl_model_data"], theory["kl_data_model"]]).all()
        embedded = linear_theory(s[:50], n, [Training(ridge=0.05)], make_schedule("linear", 50))
        zero = Bank(make_schedule("linear", 50), [Training(ridge=0.05)]).response(np.zeros(1), None)
        for loss in ("train_loss", "test_loss"):
            expected = (50 * embedded[loss] + 30 * zero.residual[0]) / 80
            np.testing.assert_allclose(theory[loss], expected, rtol=1e-10)
