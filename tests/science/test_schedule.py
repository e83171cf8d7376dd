import numpy as np
import pytest

from lindiff.science.filters import Bank, Training
from lindiff.science.named import names
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import Schedule, make_schedule

SAMPLERS = names("lindiff.science.samplers")
SCHEDULES = names("lindiff.science.schedules")


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("timesteps", [40, 1000])
def test_alpha_bar_is_the_running_product(name, timesteps):
    schedule = make_schedule(name, timesteps)
    product = np.cumprod(1 - schedule.beta)
    np.testing.assert_allclose(schedule.alpha_bar, product, rtol=1e-11)
    np.testing.assert_allclose(schedule.q, 1 - product, rtol=1e-9, atol=1e-14)
    assert np.all((schedule.beta > 0) & (schedule.beta < 1))


def test_linear_schedule_scales_with_the_number_of_levels():
    base, coarse = make_schedule("linear", 1000), make_schedule("linear", 100)
    assert base.beta[[0, -1]].tolist() == [1e-4, 1e-2]
    np.testing.assert_allclose(coarse.beta[[0, -1]], [1e-3, 1e-1], rtol=1e-15)
    # Origin: exp(Σ ln(1 − β_t)) = 0.0063 at T = 1000 (docs/theory.md, "Forward process").
    assert base.alpha_bar[-1] == pytest.approx(0.0063, abs=5e-5)


def test_cosine_is_the_squared_cosine():
    schedule = make_schedule("cosine", 100)
    f = np.cos((np.arange(101) / 100 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(schedule.alpha_bar[:-1], (f / f[0])[1:-1], rtol=1e-11)
    assert schedule.beta[-1] == 0.999


def test_a_schedule_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match=r"is not inside \(0, 1\)"):
        make_schedule("linear", 5)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [0, 1, 7, 50])
def test_sampler_coefficients_against_their_papers(name, steps):
    schedule = make_schedule("linear", 50)
    sampler = make_sampler(name, schedule, True, steps)
    levels = sampler.levels
    assert levels[0] == 49
    assert len(levels) == (steps or 50)
    ab = schedule.alpha_bar[levels]
    ab_next = np.append(schedule.alpha_bar[levels[1:]], 1.0)
    alpha = ab / ab_next
    ddpm = (1 - alpha) / np.sqrt(1 - ab) / np.sqrt(alpha)
    ddim = np.sqrt(1 - ab) / np.sqrt(alpha) - np.sqrt(1 - ab_next)
    tilde = (1 - alpha) * (1 - ab_next) / (1 - ab)
    papers = {
        "ddpm_beta": (ddpm, 1 - alpha),
        "ddpm_beta_tilde": (ddpm, tilde),
        "ddim": (ddim, np.zeros_like(ab)),
    }
    if name in papers:  # one that is new here has its own paper
        B, noise = papers[name]
        np.testing.assert_allclose(sampler.A, 1 / np.sqrt(alpha), rtol=1e-12)
        np.testing.assert_allclose(sampler.B, B, rtol=1e-10)
        np.testing.assert_allclose(sampler.variance, noise, rtol=1e-10, atol=1e-15)
        assert not sampler.drift.any()
    difference = sampler.A * (1 - ab) - sampler.B * np.sqrt(1 - ab)
    np.testing.assert_allclose(sampler.C, difference, atol=1e-13)
    drift = np.sqrt(ab_next) - sampler.A * np.sqrt(ab)
    np.testing.assert_allclose(sampler.drift, drift, atol=1e-13)
    if sampler.corrector is not None:
        c, left = sampler.corrector, (1 - ab)[1:]
        assert sampler.evaluations == 2 * len(levels) - 1
        np.testing.assert_allclose(c.C, c.A * left - c.B * np.sqrt(left), atol=1e-13)
    quiet = make_sampler(name, schedule, False, steps)
    assert quiet.variance[-1] == 0
    np.testing.assert_array_equal(quiet.variance[:-1], sampler.variance[:-1])


def test_the_rate_is_the_slope_of_a_parabola():
    """ln ᾱ = −(t² + t)/100 at T levels, whose slope at t is (2t + 1)/100; of one level its step."""
    t = np.arange(1, 21)
    schedule = Schedule(-np.expm1(-2 * t / 100))
    np.testing.assert_allclose(schedule.log_alpha_bar, -(t**2 + t) / 100, rtol=1e-12)
    np.testing.assert_allclose(schedule.rate, (2 * t + 1) / 100, rtol=1e-12)
    np.testing.assert_allclose(make_schedule("constant", 1, beta_max=1e-4).rate, -np.log(0.9))


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("heun", 2)])
def test_orders_of_the_samplers_of_the_probability_flow(name, order):
    """Errors of the variance of modes over 40 and 80 steps of 1,600 levels."""
    schedule, s = make_schedule("linear", 1600, beta_max=2e-2), np.array([0.3, 3.0])
    exact = s / (schedule.alpha_bar[-1] * s + schedule.q[-1])
    bank = Bank(schedule, [Training()])
    few, many = (
        np.exp(bank.response(s, make_sampler(name, schedule, False, steps)).log_v[:, 0]) - exact
        for steps in (40, 80)
    )
    np.testing.assert_allclose(np.log2(few / many), order, atol=0.1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_truncated_sampler_stops_at_its_level(name):
    """Its steps are those of the whole one, then x is divided by √ᾱ of the level."""
    schedule = make_schedule("linear", 50)
    for steps in (0, 7):
        sampler = make_sampler(name, schedule, True, steps, 5)
        assert sampler.levels[[0, -1]].tolist() == [49, 4]
        assert len(sampler.levels) == 1 + (steps or 45)
        assert sampler.A[-1] == pytest.approx(1 / np.sqrt(schedule.alpha_bar[4]))
        assert sampler.B[-1] == sampler.variance[-1] == sampler.drift[-1] == 0
        assert sampler.C[-1] == pytest.approx(sampler.A[-1] * schedule.q[4])
    whole, cut = make_sampler(name, schedule, True), make_sampler(name, schedule, True, 0, 5)
    for field in ("levels", "A", "B", "C", "variance", "drift"):
        np.testing.assert_array_equal(getattr(whole, field)[:45], getattr(cut, field)[:45])
    quiet = make_sampler(name, schedule, False, 0, 5)
    assert quiet.variance[-2] == 0
    np.testing.assert_array_equal(quiet.variance[:-2], cut.variance[:-2])


@pytest.mark.parametrize("truncation", [10, 11])
def test_a_truncation_without_levels_above_is_refused(truncation):
    with pytest.raises(ValueError, match=f"truncation = {truncation}"):
        make_sampler("ddim", make_schedule("cosine", 10), truncation=truncation)
    with pytest.raises(ValueError, match="= 7 levels above the truncation"):
        make_sampler("ddim", make_schedule("cosine", 10), False, 8, 3)


def test_more_sampling_steps_than_levels_is_refused():
    with pytest.raises(ValueError, match="sampling_steps = 11"):
        make_sampler("ddim", make_schedule("cosine", 10), False, 11)
