"""Filters against matrices, loops, real sampling and high precision."""

import itertools
import operator
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.science.filters import Bank, Training
from lindiff.science.named import names
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.tables import FIELDS, FilterTable, node_range
from tests.science.helpers import affine_step, denoiser

SAMPLERS = names("lindiff.science.samplers")
SCHEDULES = names("lindiff.science.schedules")
# With and without the noise of the last step, where there is any.
NOISES = [
    (name, final_noise)
    for name in (None, *SAMPLERS)
    for final_noise in (False, True)
    if not final_noise or (name and make_sampler(name, make_schedule()).variance.any())
]

TRAININGS = [
    Training(),
    Training(ridge=0.1),
    Training(weight_decay=0.05),
    Training(stop=3.0),
    Training(ridge=0.02, weight_decay=0.01, stop=40.0, init_scale=0.7),
    Training(stop=5.0, learning_rate=0.1),
    Training(weight_decay=0.1, stop=6.0, learning_rate=0.6, init_scale=-0.5),
    Training(ridge=0.1, weight_decay=0.05, weighting="min_snr"),
    Training(weight_decay=0.1, stop=6.0, learning_rate=0.1, weighting="edm", rms=2.0),
    Training(ridge=0.02, weight_decay=0.01, stop=4.0, init_scale=0.7, weighting="edm"),
]


@pytest.fixture(scope="module")
def covariance():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((9, 4)) * [1.5, 1.0, 0.5, 0.1]
    return X.T @ X / 9


@pytest.mark.parametrize("training", TRAININGS, ids=str)
@pytest.mark.parametrize("name", SCHEDULES)
def test_weights_and_losses_against_matrices(covariance, training, name):
    schedule = make_schedule(name, 20)
    values, U = np.linalg.eigh(covariance)
    bank = Bank(schedule, [training])
    residual = gain = 0
    for index in range(20):
        W = denoiser(schedule, index, covariance, training)
        w = bank.level(values, index)[3][:, 0]
        np.testing.assert_allclose((U * w) @ U.T, W, atol=1e-11)
        eye = np.eye(4)
        residual += np.linalg.norm(eye - np.sqrt(schedule.q[index]) * W) ** 2 / 20
        gain += schedule.alpha_bar[index] * np.linalg.norm(W) ** 2 / 20
    response = bank.response(values, None)
    assert response.residual.sum() == pytest.approx(residual, rel=1e-10)
    assert response.gain.sum() == pytest.approx(gain, rel=1e-10)


@pytest.mark.parametrize("training", TRAININGS, ids=str)
@pytest.mark.parametrize("steps", [0, 6])
@pytest.mark.parametrize("final_noise", [False, True])
@pytest.mark.parametrize("name", SAMPLERS)
def test_sampling_of_matrices_gives_v_and_P(covariance, training, name, final_noise, steps):
    """Propagates mean and covariance through every step as matrices."""
    schedule = make_schedule("linear", 20)
    values, U = np.linalg.eigh(covariance)
    sampler = make_sampler(name, schedule, final_noise, steps)
    mean, centre = np.zeros(4), np.array([1.0, -2.0, 0.5, 3.0])
    spread = np.eye(4)
    for i in range(len(sampler.levels)):
        step, shift = affine_step(
            sampler, schedule, i, lambda t: denoiser(schedule, t, covariance, training), centre
        )
        mean = step @ mean + shift
        spread = step @ spread @ step.T + sampler.variance[i] * np.eye(4)
    response = Bank(schedule, [training]).response(values, sampler)
    v, P = np.exp(response.log_v[:, 0]), response.P[:, 0]
    np.testing.assert_allclose((U * v) @ U.T, spread, rtol=1e-9, atol=1e-11)
    # The generated mean, μ0 − √ᾱ_T P(Σ0) μ0.
    predicted = centre - np.sqrt(schedule.alpha_bar[-1]) * (U * P) @ U.T @ centre
    np.testing.assert_allclose(predicted, mean, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SAMPLERS)
def test_real_sampling_has_the_variance_of_the_filter(name):
    """Draws samples with a linear denoiser, as the papers write the samplers."""
    schedule = make_schedule("linear", 25)
    ab, q, beta = schedule.alpha_bar, schedule.q, schedule.beta
    values = np.array([0.0, 0.3, 2.0])
    bank = Bank(schedule, [Training(ridge=0.05)])
    rng = np.random.default_rng(3)
    count = 200_000
    x = rng.standard_normal((count, 3))
    # β(t) at every level, of a level: central differences of −ln ᾱ.
    rate = -np.gradient(np.log(np.append(1, ab)), edge_order=2)[1:]

    def slope(x, index):
        """Of the probability-flow ODE, towards lower noise (Song et al. 2021, eq. 13)."""
        return rate[index] / 2 * (x - x * bank.level(values, index)[3][:, 0] / np.sqrt(q[index]))

    for index in range(24, -1, -1):
        if name in ("euler", "heun"):
            euler = x + slope(x, index)
            second = name == "heun" and index
            x = x + (slope(x, index) + slope(euler, index - 1)) / 2 if second else euler
            continue
        eps = x * bank.level(values, index)[3][:, 0]
        ab_next = ab[index - 1] if index else 1.0
        if name == "ddim":
            x0 = (x - np.sqrt(q[index]) * eps) / np.sqrt(ab[index])
            x = np.sqrt(ab_next) * x0 + np.sqrt(1 - ab_next) * eps
            continue
        x = (x - beta[index] / np.sqrt(q[index]) * eps) / np.sqrt(1 - beta[index])
        tilde = beta[index] * (1 - ab_next) / q[index]
        if index:
            sigma = np.sqrt(beta[index] if name == "ddpm_beta" else tilde)
            x += sigma * rng.standard_normal(x.shape)
    response = bank.response(values, make_sampler(name, schedule))
    measured, v = x.var(axis=0), np.exp(response.log_v[:, 0])
    # Standard error of a variance: √(2/count) of itself; five of them.
    np.testing.assert_allclose(measured, v, rtol=5 * np.sqrt(2 / count))


@pytest.mark.parametrize("name", SAMPLERS)
def test_small_modes_keep_their_digits(name):
    """Against 40-digit arithmetic at λ = 1e-14, where the textbook form loses all of them."""
    schedule = make_schedule("linear", 50)
    sampler = make_sampler(name, schedule)
    response = Bank(schedule, [Training()]).response(np.array([1e-14]), sampler)
    with localcontext(prec=40):
        alphas = [1 - Decimal(b) for b in schedule.beta.tolist()]
        alpha_bars = list(itertools.accumulate(alphas, operator.mul))
        lam, v = Decimal.from_float(1e-14), Decimal(1)
        minus_log = [-alpha.ln() for alpha in alphas]
        minus_log.append(2 * minus_log[-1] - minus_log[-2])

        def slope(t):
            signal = alpha_bars[t] * lam
            excess = signal - alpha_bars[t]  # M − 1
            return (minus_log[t] + minus_log[t + 1]) / 4 * excess / (1 + excess)

        for t in range(49, -1, -1):
            alpha, alpha_bar = alphas[t], alpha_bars[t]
            alpha_bar_next = alpha_bars[t - 1] if t else Decimal(1)
            q, beta = 1 - alpha_bar, 1 - alpha
            w = q.sqrt() / (alpha_bar * lam + q)
            if name in ("euler", "heun"):
                a, noise = 1 + slope(t), Decimal(0)
                if name == "heun" and t:
                    a = 1 + (slope(t) + a * slope(t - 1)) / 2
            elif name == "ddim":
                a = (1 - q.sqrt() * w) / alpha.sqrt() + (1 - alpha_bar_next).sqrt() * w
                noise = Decimal(0)
            else:
                a = (1 - beta / q.sqrt() * w) / alpha.sqrt()
                noise = beta if name == "ddpm_beta" else beta * (1 - alpha_bar_next) / q
            v = a * a * v + (noise if t else 0)
        assert response.log_v[0, 0] == pytest.approx(float(v.ln()), abs=1e-12)


def test_limits_of_the_filters():
    schedule = make_schedule()
    nodes = np.geomspace(1e-3, 10, 7)
    none = Bank(schedule, [Training(stop=0.0)]).losses(nodes, 10)
    np.testing.assert_array_equal(none[0], 1)
    np.testing.assert_array_equal(none[1], 0)
    heavy = Bank(schedule, [Training(weight_decay=1e12)]).losses(nodes, 10)
    np.testing.assert_allclose(heavy[0], 1, atol=1e-11)
    long, optimum = (Bank(schedule, [Training(stop=s)]) for s in (1e9, np.inf))
    for field in FIELDS:
        a = getattr(long.response(nodes, make_sampler("ddim", schedule)), field)
        b = getattr(optimum.response(nodes, make_sampler("ddim", schedule)), field)
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_small_learning_rates_approach_gradient_flow():
    schedule, nodes = make_schedule("linear", 30), np.geomspace(1e-3, 2, 5)
    flow = Bank(schedule, [Training(stop=2.0)]).level(nodes, 12)[3]
    gaps = []
    for rate in (1e-2, 1e-3, 1e-4):
        descent = Bank(schedule, [Training(stop=2.0, learning_rate=rate)])
        gaps.append(np.abs(descent.level(nodes, 12)[3] - flow).max())
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] > 0


def test_a_null_mode_after_long_training_keeps_its_logarithm():
    """Without final noise a null mode ends with variance a_1² v = exp(−2 τ q_1) v."""
    schedule = make_schedule()
    response = Bank(schedule, [Training(stop=1e6)]).response(
        np.zeros(1), make_sampler("ddpm_beta", schedule)
    )
    before = Bank(schedule, [Training(stop=1e6)]).response(
        np.zeros(1), make_sampler("ddpm_beta", schedule, final_noise=True)
    )
    v = np.exp(before.log_v[0, 0]) - schedule.beta[0]
    assert v < 1e-15
    assert -260 < response.log_v[0, 0] < -2e6 * schedule.q[0]


def test_ideal_is_the_covariance_plus_ridge():
    response = Bank(make_schedule(), [Training(ridge=0.3)]).response(np.array([0.0, 2.0]), None)
    np.testing.assert_allclose(np.exp(response.log_v[:, 0]), [0.3, 2.3], rtol=1e-15)
    assert not response.P.any()


def test_generated_variance_approaches_lambda_plus_ridge():
    """v → λ + c needs max β → 0 and Σβ → ∞ together (shared theory; Merger & Goldt, sec. 2)."""
    nodes = np.array([0.1, 1.0, 3.0])
    gaps = []
    for timesteps in (100, 1000, 10000):
        grow = 1 + np.log10(timesteps) / 2
        schedule = make_schedule("linear", timesteps, 1e-4, 1e-2 * grow)
        bank = Bank(schedule, [Training(ridge=0.2)])
        v = np.exp(bank.response(nodes, make_sampler("ddpm_beta", schedule)).log_v[:, 0])
        gaps.append(np.abs(v - nodes - 0.2).max())
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 2e-3


@pytest.mark.parametrize(("name", "final_noise"), NOISES)
def test_tables_reproduce_the_recursion(name, final_noise):
    schedule = make_schedule()
    bank = Bank(
        schedule,
        [
            Training(**dict([pair]), stop=stop)
            for pair in itertools.product(("ridge", "weight_decay"), (0.0, 1e-4, 0.1))
            for stop in (1.0, 1e3, 1e6, np.inf)
        ],
    )
    sampler = None if name is None else make_sampler(name, schedule, final_noise)
    table = FilterTable(bank, sampler, (1e-9, 1e3))
    nodes = np.concatenate([[0.0, 1e-13], np.geomspace(1e-9, 1e3, 201), [5e3]])
    exact, tabulated = bank.response(nodes, sampler), table.at(nodes)
    weights = np.random.default_rng(0).random((2, len(nodes)))
    for field in FIELDS:
        reference = getattr(exact, field)
        scale = 1e-11 if field == "gain" else 3e-12
        np.testing.assert_allclose(tabulated.pointwise(field), reference, rtol=scale, atol=scale)
        if field != "log_v":
            direct = weights @ reference
            got = tabulated.functional(field, weights)
            np.testing.assert_allclose(got, direct, rtol=1e-11, atol=1e-11)


def test_a_filter_whose_series_does_not_converge_is_still_exact():
    """A large initial scale overshoots: a changes sign, v passes through zero, ln v has a pole."""
    schedule = make_schedule("linear", 30)
    bank = Bank(schedule, [Training(), Training(stop=0.5, init_scale=40.0)])
    sampler = make_sampler("ddim", schedule)
    table = FilterTable(bank, sampler, (1e-6, 10.0))
    nodes = np.concatenate([[0.0], np.geomspace(1e-6, 10, 50)])
    assert table.unresolved.tolist() == [False, True]
    np.testing.assert_allclose(
        table.at(nodes).pointwise("log_v"), bank.response(nodes, sampler).log_v, atol=1e-11
    )
    weights = np.ones((1, 51))
    np.testing.assert_allclose(
        table.at(nodes).functional("gain", weights)[0],
        bank.response(nodes, sampler).gain.sum(axis=0),
        rtol=1e-11,
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(TRAININGS[:5]), min_size=1, max_size=5),
    st.sampled_from(["ddpm_beta", "ddim"]),
)
def test_a_filter_does_not_depend_on_its_company(company, name):
    schedule = make_schedule("linear", 60)
    sampler, span, nodes = make_sampler(name, schedule), (1e-6, 10.0), np.geomspace(1e-6, 9, 20)
    together = FilterTable(Bank(schedule, company), sampler, span).at(nodes)
    for i, training in enumerate(company):
        alone = FilterTable(Bank(schedule, [training]), sampler, span).at(nodes)
        for field in FIELDS:
            a, b = together.pointwise(field)[:, i], alone.pointwise(field)[:, 0]
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_range_is_of_the_spectrum_and_in_whole_decades():
    low, high = node_range(np.array([10.0, 0.5]), 100)
    assert (low, high) == (1e-7, 100.0)
    assert node_range(np.array([10.0, 0.5]), 101) == (low, high)


def test_largest_stable_rate_is_where_descent_turns():
    schedule = make_schedule("linear", 30)
    rate = Bank(schedule, [Training(ridge=0.1)]).largest_stable_rate(3.0)[0]
    for factor, grows in ((0.99, False), (1.01, True)):
        training = Training(ridge=0.1, stop=2000 * factor * rate, learning_rate=factor * rate)
        bank = Bank(schedule, [training])
        w = [bank.level(np.array([3.0]), i)[3][0, 0] for i in range(30)]
        assert bool(np.abs(w).max() > 10) is grows
