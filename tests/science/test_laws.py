"""The closed laws against brute force, draws and each other."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lindiff.science import laws
from lindiff.science.draws import generator, make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.measure import of_draw
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.theory import linear_theory
from tests.science.helpers import kl


def test_reading_a_caption_loads_no_scipy():
    """Figures import laws and intervals; SciPy comes with the first number."""
    code = "import sys, lindiff.drawing.intervals, lindiff.science.laws\n"
    code += "sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tails_by_hand():
    assert laws.kl_tail(100, 50) == pytest.approx(53 / 400)
    assert laws.kl_tail_leading(100, 50) == pytest.approx(0.125)
    # p = d(d+1)/2 + d parameters cost p/(2N) nats in all.
    d, n = 7, 30
    assert d * laws.kl_tail(n, d) == pytest.approx((d * (d + 1) / 2 + d) / (2 * n))
    assert laws.kl_tail(np.array([1, 2]), 5).tolist() == [2, 1]


@pytest.mark.parametrize("law", [laws.kl_model_data_mean, laws.kl_data_model_mean])
@pytest.mark.parametrize("d", [1, 8, 64])
def test_means_approach_the_tail_at_order_one_over_n_squared(law, d: int):
    n = 1000 * d
    error = law(n, d) / laws.kl_tail(n, d) - 1
    assert 0 < error < 1e-2
    assert law(10 * n, d) / laws.kl_tail(10 * n, d) - 1 == pytest.approx(error / 10, rel=0.02)


def log_part(gamma):
    """(1/γ − 1) ln(1 − γ)."""
    return (1 / gamma - 1) * np.log1p(-gamma)


def kl_model_data_limit(gamma):
    """Limit d → ∞ of `kl_model_data_mean` at d/N = γ < 1."""
    return (1 + log_part(gamma)) / 2


def kl_data_model_limit(gamma):
    """Limit d → ∞ of `kl_data_model_mean` at d/N = γ < 1."""
    return (1 / (1 - gamma) - 2 - log_part(gamma)) / 2


@pytest.mark.parametrize(
    ("mean", "limit"),
    [
        (laws.kl_model_data_mean, kl_model_data_limit),
        (laws.kl_data_model_mean, kl_data_model_limit),
    ],
)
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.8])
def test_means_approach_the_limit_at_large_d(mean, limit, ratio: float):
    errors = [abs(mean(round(d / ratio), d) / limit(ratio) - 1) for d in (400, 4000)]
    assert errors[1] < 5e-3
    assert errors[1] < errors[0] / 5


def test_laws_are_infinite_where_no_mean_exists():
    n = np.array([7, 8, 9, 10, 11])
    assert np.isinf(laws.kl_model_data_mean(n, 8)).tolist() == [True, True, False, False, False]
    assert np.isinf(laws.kl_data_model_mean(n, 8)).tolist() == [True, True, True, True, False]
    assert laws.kl_model_data_mean(n.reshape(5, 1), 8).shape == (5, 1)


def test_means_are_those_of_fitted_gaussians():
    """Over 4000 sets of samples of a power law, from the definition of KL."""
    d, n = 4, 16
    spectrum = make_spectrum("power_law", d, exponent=1.0)
    rng = generator("test of laws")
    found = []
    for _ in range(4000):
        x = rng.standard_normal((n, d)) * np.sqrt(spectrum)
        fit = x.mean(axis=0), np.cov(x.T, bias=True)
        truth = np.zeros(d), np.diag(spectrum)
        found.append((kl(*fit, *truth) / d, kl(*truth, *fit) / d))
    mean, se = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    expected = [float(laws.kl_model_data_mean(n, d)), float(laws.kl_data_model_mean(n, d))]
    assert np.all(np.abs(mean - expected) < 4 * se)
    assert np.all(se / mean < 0.02)


def test_optimal_loss_is_the_least_loss():
    spectrum = make_spectrum("power_law", 6, exponent=1.0)
    alpha_bar = np.array([0.999, 0.5, 0.01])
    got = laws.optimal_loss(alpha_bar, spectrum)
    for a, value in zip(alpha_bar, got, strict=True):
        w = np.sqrt(1 - a) / (a * spectrum + 1 - a)
        for factor in (0.99, 1.0, 1.01):
            v = factor * w
            loss = np.mean((1 - np.sqrt(1 - a) * v) ** 2 + a * v**2 * spectrum)
            assert loss == pytest.approx(value) if factor == 1 else loss > value
    assert laws.optimal_loss(0.5, np.ones(3)) == pytest.approx(0.5)


def train_test_gap(alpha_bar, w, population, eigenvalues):
    """(ᾱ/d) Tr W²(Σ − Σ0) from w(λ_ν), Σ_νν and λ_ν of each mode ν of Σ0, shapes (d,)."""
    return float(alpha_bar * np.mean(w**2 * (population - eigenvalues)))


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("training", [Training(ridge=0.1), Training(weight_decay=1.0, stop=3.0)])
def test_the_talks_formula_is_the_gap(n: int, training: Training):
    """With the known mean it is all of the gap, null directions included."""
    d, schedule = 12, make_schedule(timesteps=20)
    spectrum = make_spectrum("power_law", d, exponent=1.0)
    draw = make_draw("samples", spectrum, n, 0, {}, known_centre=True)
    empirical = (draw.vectors * draw.eigenvalues) @ draw.vectors.T
    mu = of_draw(draw)
    repeats = mu.identity.astype(int)
    nodes = np.repeat(mu.nodes, repeats)
    population = np.repeat(mu.sigma / mu.identity, repeats)
    bank = Bank(schedule, (training,))
    for index in (0, 7, 19):
        w = bank.level(nodes, index)[3][:, 0]
        alpha_bar, q = schedule.alpha_bar[index], schedule.q[index]
        null = np.linalg.qr(draw.vectors, mode="complete")[0][:, len(draw.eigenvalues) :]
        U = np.concatenate([null, draw.vectors], axis=1)
        W = U @ np.diag(w) @ U.T
        test, train = (
            np.sum((np.eye(d) - np.sqrt(q) * W) ** 2) + alpha_bar * np.trace(W @ C @ W.T)
            for C in (np.diag(spectrum), empirical)
        )
        gap = train_test_gap(alpha_bar, w, population, nodes)
        assert gap == pytest.approx((test - train) / d, rel=1e-9)


def test_null_directions_cost_their_variance_over_the_squared_ridge_at_low_noise():
    c, alpha_bar = 0.1, 1 - 1e-9
    q = 1 - alpha_bar
    w = np.sqrt(q) / (alpha_bar * (0 + c) + q)
    gap = train_test_gap(alpha_bar, np.full(1, w), np.full(1, 0.7), np.zeros(1))
    assert gap / q == pytest.approx(0.7 / c**2, rel=1e-6)


def test_gap_tail_by_hand():
    # m = 1/2 and v = 1/4 in each of three modes: 3/8 + 3/8 + 1/4 + 1/2.
    assert laws.gap_tail(0.5, np.ones(3)) == pytest.approx([1.5] * 3)
    # Modes far below the noise and far above it have no gap of their own.
    assert laws.gap_tail(0.5, np.array([1e-9])) == pytest.approx([0], abs=1e-8)
    assert laws.gap_tail(0.5, np.array([1e9])) == pytest.approx([0], abs=1e-8)
    assert laws.gap_tail(np.array([0.1, 0.9]), np.ones(5)).shape == (2, 5)


def test_gap_tail_is_that_of_single_training_sets():
    """Along each mode, of the data and of the error, from W, Σ0 and μ0 of 4000 sets of samples."""
    n, alpha_bar, spectrum = 1000, 0.6, np.array([3.0, 0.7, 0.1])
    q, d = 1 - alpha_bar, len(spectrum)
    rng = generator("test of the gap's tail")
    w = np.sqrt(q) / (alpha_bar * spectrum + q)
    found = []
    for _ in range(4000):
        x = rng.standard_normal((n, d)) * np.sqrt(spectrum)
        empirical = np.cov(x.T, bias=True)
        W = np.sqrt(q) * np.linalg.inv(alpha_bar * empirical + q * np.eye(d))
        # Less that of the fixed filter w, whose mean w² s/N is known: it hides the answer.
        lost = np.diag(spectrum) - empirical
        of_data = np.diag((W @ W - np.diag(w**2)) @ lost)
        of_error = np.diag(W @ lost @ W) - w**2 * np.diag(lost)
        mean = (W @ x.mean(axis=0)) ** 2
        common = mean + w**2 * spectrum / n
        found.append(n * alpha_bar * np.array([of_data + common, of_error + common]))
    value, se = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    m = alpha_bar * spectrum / (alpha_bar * spectrum + q)
    law = np.array([laws.gap_tail(alpha_bar, spectrum), 2 * m * (1 - m) * (m.sum() + m + 1)])
    assert law[0].sum() == pytest.approx(law[1].sum(), rel=1e-12)
    assert np.abs(law[0] / law[1] - 1).min() > 0.05
    assert np.all(np.abs(value - law) < 4 * se + law / 100)
    assert np.all(se / value < 0.03)


@pytest.mark.parametrize(("kind", "params"), [("isotropic", {}), ("power_law", {"exponent": 2.0})])
def test_gap_tail_is_the_theory_at_many_samples(kind: str, params: dict[str, float]):
    d, schedule = 32, make_schedule(timesteps=100)
    spectrum = make_spectrum(kind, d, **params)
    tail = laws.gap_tail(schedule.alpha_bar, spectrum).mean()
    errors = []
    for n in (3000 * d, 30000 * d):
        found = linear_theory(spectrum, n, [Training()], schedule)
        errors.append(n * float(found["test_loss"][0] - found["train_loss"][0]) / tail - 1)
    assert 0 < errors[1] < errors[0] / 9
    assert errors[0] < 1e-3


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.9, 1.0, 1.1, 3.0, 50.0])
def test_isotropic_agreement_is_the_integral_over_marchenko_and_pastur(ratio):
    from scipy.integrate import quad

    gamma = 1 / ratio
    low, high = (1 - gamma**0.5) ** 2, (1 + gamma**0.5) ** 2

    def density_times_root(x: float) -> float:
        return float(np.sqrt((high - x) * (x - low) / x) / (2 * np.pi * gamma))

    whole, _ = quad(density_times_root, low, high, epsabs=1e-10, limit=200)
    assert laws.isotropic_agreement(ratio) == pytest.approx(whole**2, abs=1e-8)


def test_isotropic_agreement_at_n_equal_d_and_in_its_limits():
    assert laws.isotropic_agreement(1.0) == pytest.approx((8 / (3 * np.pi)) ** 2, abs=1e-12)
    assert laws.isotropic_agreement(1.0) == pytest.approx(0.7205, abs=5e-5)
    assert laws.isotropic_agreement(1e-6) == pytest.approx(1e-6, rel=1e-5)  # N modes of √(d/N) each
    assert 1 - laws.isotropic_agreement(1e6) == pytest.approx(1 / (4e6), rel=1e-3)  # Var √λ = γ/4


def test_isotropic_agreement_is_that_of_draws():
    d, n, sets = 200, 200, 12
    s = make_spectrum("isotropic", d)
    roots = []
    for seed in range(sets):
        x = np.random.default_rng((1, seed)).standard_normal((n + 1, d)) * np.sqrt(s)
        values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
        roots.append((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
    pairs = zip(roots[::2], roots[1::2], strict=True)
    norm = np.mean([np.sum(root**2) for root in roots])
    found = np.mean([np.sum(a * b) for a, b in pairs]) / norm
    assert found == pytest.approx(float(laws.isotropic_agreement(n / d)), rel=5e-3)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 4.0])
def test_spike_overlap_is_that_of_draws(ratio):
    d, sets = 300, 40
    n = int(ratio * d)
    found = []
    for seed in range(sets):
        x = np.random.default_rng((2, seed)).standard_normal((n, d))
        x[:, 0] *= 3**0.5
        found.append(np.linalg.svd(x, full_matrices=False)[2][0, 0] ** 2)
    assert np.mean(found) == pytest.approx(float(laws.spike_overlap(ratio, 3.0)), abs=0.04)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("noise", [1e-3, 0.1, 10.0])
def test_renormalized_noise_solves_its_equation_and_is_that_of_draws(ratio, noise):
    d = 200
    n = int(ratio * d)
    kappa = float(laws.renormalized_noise(ratio, noise))
    assert kappa == pytest.approx(noise + kappa / (1 + kappa) / ratio, rel=1e-13)
    found = []
    for seed in range(8):
        x = np.random.default_rng((3, seed)).standard_normal((n, d))
        values = np.linalg.svd(x, compute_uv=False) ** 2 / n
        found.append(np.sum(values / (values + noise)) / d)
    assert np.mean(found) == pytest.approx(1 / (1 + kappa), rel=5e-3)


def test_renormalized_noise_of_many_samples_is_the_noise_and_of_few_the_inverse_ratio():
    assert laws.renormalized_noise(1e12, 0.3) == pytest.approx(0.3, rel=1e-11)
    # Without noise κ is d/N − 1 below N = d, whatever digits a difference would lose.
    assert laws.renormalized_noise(1e-3, 1e-12) == pytest.approx(999, rel=1e-12)
    assert laws.renormalized_noise(2.0, 1e-20) == pytest.approx(2e-20, rel=1e-12)
