"""Weights of the loss over noise levels: by what they are weights of, and where they do nothing."""

import numpy as np
import pytest
from scipy import integrate, stats

from lindiff.models.linear import run
from lindiff.models.theory import run as limit
from lindiff.planning.checks import check
from lindiff.science.draws import make_draw
from lindiff.science.filters import Bank, Training
from lindiff.science.named import names
from lindiff.science.noises import draw_pairs
from lindiff.science.noises import weights as of_pairs
from lindiff.science.schedule import make_schedule
from lindiff.science.weighting import make_weights
from tests.science.helpers import make_cells

WEIGHTINGS = names("lindiff.science.weightings")
SCHEDULES = names("lindiff.science.schedules")


def ratio(one, other):
    """Whether two weightings are the same but for a factor."""
    return np.ptp(np.log(one / other)) < 1e-9


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weights_are_above_zero_and_one_in_the_mean(name, schedule):
    for timesteps in (1, 2, 50, 1000):
        w = make_weights(name, make_schedule(schedule, timesteps, 1e-4, 9e-4), 1.5)
        assert w.shape == (timesteps,)
        assert (w > 0).all()
        assert w.mean() == pytest.approx(1, rel=1e-12)


def test_uniform_is_one_to_the_bit():
    assert (make_weights("uniform", make_schedule()) == 1).all()


def test_weights_are_ratios_of_losses():
    """Of any prediction: squared errors of x_0, v and ε at one level are fixed multiples."""
    schedule, rng = make_schedule("linear", 40), np.random.default_rng(0)
    clean, noise, guess = rng.standard_normal((3, 40, 7))
    a, b = np.sqrt(schedule.alpha_bar)[:, None], np.sqrt(schedule.q)[:, None]
    x = a * clean + b * noise
    # Of the guessed noise, the clean data and the velocity that go with it.
    x0 = (x - b * guess) / a
    velocity = a * guess - b * x0
    of_noise = ((noise - guess) ** 2).sum(axis=1)
    of_x0 = ((clean - x0) ** 2).sum(axis=1)
    of_velocity = ((a * noise - b * clean - velocity) ** 2).sum(axis=1)
    assert ratio(make_weights("x0", schedule), of_x0 / of_noise)
    assert ratio(make_weights("v", schedule), of_velocity / of_noise)
    snr = schedule.alpha_bar / schedule.q
    assert ratio(make_weights("uniform", schedule), snr * of_x0 / of_noise)
    assert ratio(make_weights("min_snr", schedule), np.minimum(snr, 5) * of_x0 / of_noise)


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_edm_is_the_mean_over_log_normal_noise(s):
    """Of losses of a denoiser D as λ(σ) weights them, whose noise is log-normal in units of s."""
    schedule = make_schedule("linear", 4000, 1e-5, 2e-2)
    sigma = np.sqrt(schedule.q / schedule.alpha_bar)
    w = make_weights("edm", schedule, s)

    def of_loss(loss):
        """Of ‖D − x_0‖²/d as a function of σ: by levels, and by the paper's integral."""
        levels = (w * loss(sigma) / sigma**2).mean()

        def integrand(z):
            own = np.exp(1.2 * z - 1.2) * s / 0.5
            return stats.norm.pdf(z) * (own**2 + s**2) / (own * s) ** 2 * loss(own)

        return levels, integrate.quad(integrand, -6, 6)[0]

    # The optimum of N(0, s² I), and one that is wrong at much noise.
    first = of_loss(lambda σ: σ**2 * s**2 / (σ**2 + s**2))
    second = of_loss(lambda σ: σ**2 * s**4 / (σ**2 + s**2) ** 2)
    assert first[1] == pytest.approx(1, rel=1e-8)
    assert first[0] / second[0] == pytest.approx(first[1] / second[1], rel=5e-3)


def test_where_every_level_has_its_own_weights_the_optimum_knows_no_weighting():
    """Without weight decay, at the optimum, ridge or not; of samples too, to the bit."""
    given = {"d": 6, "n": 9, "timesteps": 20, "beta_max": 9e-3, "ridge": [0.0, 0.1]}
    metrics = ("train_loss", "test_loss", "kl_model_data", "kl_data_model")
    for model, own in (("linear_exact", run), ("linear_theory", limit)):
        for ridge in (0, 1):
            found = [
                [row[m] for m in metrics]
                for name in WEIGHTINGS
                for row in own(
                    make_cells(**given, model=model, weighting=name).slice(ridge, 1), metrics
                ).to_pylist()
            ]
            assert all(row == found[0] for row in found)


def test_weight_decay_and_time_know_it():
    given = {"d": 6, "n": 9, "timesteps": 20, "beta_max": 9e-3}
    for regularized in ({"weight_decay": 0.1}, {"stop": 5.0}):
        cells = make_cells(**given, **regularized, weighting=list(WEIGHTINGS))
        losses = {row["test_loss"] for row in run(cells, ["test_loss"]).to_pylist()}
        assert len(losses) == len(WEIGHTINGS)


@pytest.mark.parametrize("stop", [np.inf, 4.0])
def test_frozen_noises_are_weighted_too(stop):
    """W as the flow of w_t times the mean over pairs, plus γ, as matrices."""
    schedule = make_schedule("linear", 10, 1e-4, 5e-3)
    draw = make_draw("wishart", np.array([2.0, 1.0, 0.5]), 6, 0, {"what": "weighting"})
    training = Training(weight_decay=0.1, ridge=0.05, stop=stop, weighting="x0")
    w = make_weights("x0", schedule)
    for index in (0, 9):
        signal = float(schedule.alpha_bar[index]), float(schedule.q[index])
        pairs = draw_pairs(draw, 2, signal, np.random.default_rng(index))
        G, C = (a @ pairs.inputs.T / pairs.count for a in (pairs.inputs, pairs.targets))
        rate = w[index] * (G + 0.05 * signal[0] * np.eye(3)) + 0.1 * np.eye(3)
        expected = w[index] * C @ np.linalg.inv(rate)
        if np.isfinite(stop):
            values, U = np.linalg.eigh(rate)
            expected = expected - expected @ (U * np.exp(-stop * values)) @ U.T
        found = of_pairs(pairs, Bank(schedule, [training]), index)[0]
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    "more", [{"noises": 2.0, "weight_decay": 0.2}, {"weight_decay": 0.01, "stop": 8.0}]
)
def test_the_limit_knows_the_weights(more):
    """Within 0.5 % of means over eight training sets of d = 60, where a weighting makes 2 %."""
    common = more | {
        "d": 60, "n": 90, "timesteps": 8, "beta_max": 2e-3, "spectrum": "power_law",
        "spectrum_params": '{"exponent": 1.0}', "weighting": ["uniform", "x0"],
    }  # fmt: skip
    names = ["train_loss", "test_loss"]
    theory = limit(make_cells(**common, model="linear_theory"), names).to_pylist()
    rows = [run(make_cells(**common | {"seed": s}), names).to_pylist() for s in range(8)]
    for name in names:
        for i in (0, 1):
            mean = np.mean([row[i][name] for row in rows])
            assert mean == pytest.approx(theory[i][name], rel=5e-3), name
        assert abs(theory[0][name] / theory[1][name] - 1) > 0.02


def test_a_learning_rate_is_stable_for_the_largest_weight():
    schedule, largest = make_schedule("linear", 30), 1.7
    bank = Bank(schedule, [Training(weight_decay=0.1, weighting="x0"), Training(weight_decay=0.1)])
    w = make_weights("x0", schedule)
    M = schedule.alpha_bar * largest + schedule.q
    expected = [2 / (w * M + 0.1).max(), 2 / (M + 0.1).max()]
    np.testing.assert_allclose(bank.largest_stable_rate(largest), expected, rtol=1e-13)


def test_a_level_without_weight_is_refused_before_a_run(monkeypatch):
    def weights(schedule, rms):
        return np.arange(schedule.timesteps) * 1.0

    monkeypatch.setattr("lindiff.science.weightings.v.weights", weights)
    cells = make_cells(weighting=["uniform", "v"])
    message = "weighting v leaves a noise level of this schedule without weight"
    assert check(cells) == [(1, "weighting", message)]
    # Of a schedule that is none that alone is said.
    broken = make_cells(weighting="v", beta_max=0.9, timesteps=10)
    assert [setting for _, setting, _ in check(broken)] == ["schedule"]


def test_an_unknown_weighting_is_refused_by_name():
    with pytest.raises(ValueError, match="did you mean 'min_snr'"):
        Training(weighting="minsnr")
    with pytest.raises(ValueError, match="rms"):
        Training(rms=0.0)
