"""Errors with the exact score: against the recursion of their source, and as a limit."""

from __future__ import annotations

import numpy as np
import pytest

from lindiff.models import linear
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import make_cells

SOURCE = {"schedule": "linear_sde", "beta_min": 1e-4, "beta_max": 2e-2}
POPULATION = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 12, "n": 40}


def by_recursion(
    name: str, steps: int, s: np.ndarray, exact_start: bool = False, end: float = 0.0
) -> float:
    """W₂² from N(0, diag(s)) by eqs. 15, 17 and 19 of Pierret and Galerne's code, T = 1, ε = `end`.

    Their β(t), half of Song et al.'s, is linear from 0.05 to 10. To ε = 0 Heun's last step is
    Euler's; of another ε the sample is divided by √ᾱ there, which theirs is not.
    """
    times = np.linspace(1, end, steps + 1)
    rate = (0.05 + 9.95 * times)[:, None] * (1 - end) / steps
    left = np.exp(-2 * (0.05 * times + 9.95 * times**2 / 2))[:, None]
    variance = left * s + 1 - left
    slope = rate * (1 - 1 / variance)
    v = variance[0] if exact_start else np.ones_like(s)
    for k in range(steps):
        if name == "ddpm":
            beta = 2 * rate[k]
            v = (1 - beta / variance[k]) ** 2 / (1 - beta) * v + beta
            continue
        step = 1 + slope[k]
        if name == "heun" and (k < steps - 1 or end):
            step = 1 + slope[k] / 2 + slope[k + 1] / 2 * step
        v = step**2 * v
    return float(np.sum((np.sqrt(v / left[-1]) - np.sqrt(s)) ** 2))


@pytest.mark.parametrize("scale", [0.5, 20.0])
@pytest.mark.parametrize("name", ["euler", "heun"])
def test_the_error_of_the_sampler_is_that_of_its_source(name, scale):
    """At all levels and at every fourth of four times as many."""
    s = make_spectrum("power_law", 12, exponent=1.0) * scale**2
    cells = make_cells(
        sampler=name, timesteps=[50, 200], sampling_steps=50, scale=scale,
        **SOURCE, **POPULATION,
    )  # fmt: skip
    expected = by_recursion(name, 50, s) / 12
    for row in linear.run(cells, ["bures_floor"]).to_pylist():
        assert row["bures_floor"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["euler", "heun"])
def test_the_error_of_a_truncated_sampler_is_that_of_its_source(name):
    """Stopped at t/T = 2/202, with fewer levels than there are and with all."""
    s = make_spectrum("power_law", 12, exponent=1.0)
    given = {"sampler": name, "timesteps": 202, "truncation": 2}
    cells = make_cells(sampling_steps=[50, 0], **given, **SOURCE, **POPULATION)
    rows = linear.run(cells, ["bures_floor"]).to_pylist()
    for steps, row in zip((50, 200), rows, strict=True):
        expected = by_recursion(name, steps, s, end=2 / 202) / 12
        assert row["bures_floor"] == pytest.approx(expected, rel=1e-9)


def test_many_samples_reach_the_floors_of_a_population_with_a_mean():
    """Which the start of the sampler misses; with a ridge."""
    given = {"population_mean": 0.7, "ridge": 0.05, "sampler": ["ddpm_beta", "heun"]}
    cells = make_cells(**POPULATION | {"n": 10**12}, timesteps=25, **given)
    names = ("bures", "kl_model_data", "kl_data_model")
    floors = tuple(f"{name}_floor" for name in names)
    for row in linear.run(cells, names + floors).to_pylist():
        for name in names:
            assert row[name] == pytest.approx(row[f"{name}_floor"], rel=1e-4)
    (ideal,) = linear.run(
        make_cells(**POPULATION, sampler="ideal", ridge=0.05), ["bures_floor"]
    ).to_pylist()
    s = make_spectrum("power_law", 12, exponent=1.0)
    expected = np.mean((np.sqrt(s + 0.05) - np.sqrt(s)) ** 2)
    assert ideal["bures_floor"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("timesteps", [40, 1000])
def test_the_schedule_is_that_of_the_continuous_process(timesteps):
    """ᾱ = exp(−∫ β) at every level, and its rate β(t): Pierret and Galerne's 2β from 0.1 to 20."""
    schedule = make_schedule("linear_sde", timesteps, 1e-4, 2e-2)
    t = np.arange(1, timesteps + 1) / timesteps
    np.testing.assert_allclose(schedule.log_alpha_bar, -(0.1 * t + 9.95 * t**2), rtol=1e-12)
    np.testing.assert_allclose(schedule.rate * timesteps, 0.1 + 19.9 * t, rtol=1e-11)
    sampler = make_sampler("euler", schedule)
    np.testing.assert_allclose(sampler.A[0], 1 + 10 / timesteps, rtol=1e-12)
