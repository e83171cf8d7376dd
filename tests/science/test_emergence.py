"""When modes are learned: by hand, by the recursion over many levels, by limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lindiff.science.emergence import (
    learning_constant,
    learning_times,
    scaled_variance,
    unlearned_constant,
)
from lindiff.science.filters import Bank, Training
from lindiff.science.named import names
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule

SAMPLERS = names("lindiff.science.samplers")


def test_learning_times_by_hand():
    stops = np.array([1.0, 10.0, 100.0])
    # v = 16, 4, 1 of a final 1: 2 is half way, in logarithms, from 4 to 1.
    found = learning_times(
        stops, np.array([[16.0, 4.0, 1.0], [1.0, 1.0, 1.0], [9.0, 9.0, 9.0]]), np.ones(3)
    )
    assert found[0] == pytest.approx(10**1.5)
    assert np.isnan(found[1:]).all()
    # The last crossing counts.
    assert learning_times(stops, np.array([1.0, 4.0, 1.0]), np.array(1.0)) == pytest.approx(10**1.5)
    assert learning_times(stops, np.array([4.0, 2.0, 1.0]), np.array(1.0)) == pytest.approx(10)


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("euler", "heun")))
        for name in SAMPLERS
    ],
)
def test_the_law_is_the_limit_of_the_recursion(sampler: str):
    """λ between β_1 and 1, many levels: what is left is the λ of order 1 and the first step."""
    schedule = make_schedule("linear", 20_000)
    nodes = np.array([1e-3, 3e-3])
    stops = np.geomspace(30, 3000, 81)
    bank = Bank(schedule, [*(Training(stop=stop) for stop in stops), Training()])
    v = np.exp(bank.response(nodes, make_sampler(sampler, schedule)).log_v)
    found = learning_times(stops, v[:, :-1], v[:, -1]) * nodes
    assert found == pytest.approx(learning_constant(sampler), rel=0.03)


@pytest.mark.parametrize("sampler", ["ddpm_beta", "ddim"])
@pytest.mark.parametrize("time", [0.1, 0.5, 2.0])
def test_scaled_variance_solves_its_equation(sampler: str, time: float):
    # In u = ln y, with v = y of the optimum far out, where the exponential is gone.
    rate, noise = (2, 1) if sampler == "ddpm_beta" else (1, 0)

    def slope(u, v):
        y = np.exp(u)
        return v * rate * -np.expm1(-time * y) - noise * y

    start = np.log(60 / time)
    found = solve_ivp(slope, (start, 0), [np.exp(start)], rtol=1e-10, atol=1e-12)
    assert found.y[0, -1] == pytest.approx(scaled_variance(time, sampler), rel=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_scaled_variance_between_its_limits(sampler: str):
    assert scaled_variance(50.0, sampler) == pytest.approx(1)
    assert scaled_variance(learning_constant(sampler), sampler) == pytest.approx(2)
    early = 1e-8
    assert early * scaled_variance(early, sampler) == pytest.approx(
        unlearned_constant(sampler), rel=1e-6
    )


def test_numbers_of_the_page():
    """docs/theory.md, "Emergence": variances before training, and where the law ends."""
    page = (Path(__file__).parents[2] / "docs/theory.md").read_text(encoding="utf-8")
    schedule, nodes = make_schedule(), np.array([1.0, 10.0])
    stops = np.geomspace(1e-2, 1e4, 481)
    bank = Bank(schedule, [Training(stop=0.0), *(Training(stop=x) for x in stops), Training()])
    before = {}
    for sampler in ("ddpm_beta", "ddim"):
        v = np.exp(bank.response(nodes, make_sampler(sampler, schedule)).log_v)
        before[sampler] = f"{v[0, 0]:.0f}"
        if sampler == "ddpm_beta":
            one, ten = learning_times(stops, v[:, 1:-1], v[:, -1])
    assert f"({before['ddpm_beta']} for DDPM, {before['ddim']}\nfor DDIM" in page
    law = learning_constant("ddpm_beta")
    assert f"τ₂ = {law:.3f}/λ and {learning_constant('ddim'):.3f}/λ" in page
    assert f"e^{{−2E₁(z)}} dz = {unlearned_constant('ddpm_beta'):.3f} and" in page
    assert f"e^{{−γ}} = {unlearned_constant('ddim'):.3f}" in page
    assert f"τ₂ = {one:.2f} at λ = 1, where the law has {law:.3f}" in page
    assert f"{ten:.3f} at λ = 10, where it has {law / 10:.3f}" in page
    assert one > law
    assert ten > law / 10
