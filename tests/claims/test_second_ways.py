"""What the remarks of refuted claims say, computed another way.

That of Wang and Pehlevan is in tests/figures/test_modes_at_256.py.
"""

import math

import numpy as np
import pytest
import yaml
from scipy.optimize import brentq
from scipy.special import digamma

import lindiff
from lindiff.config.resolve import load
from lindiff.drawing.intervals import mean_interval
from lindiff.report.curve import make_curve
from lindiff.science import optima
from tests.claims.test_verdict import CLAIMS
from tests.models.test_bures_floor import by_recursion
from tests.sweeps import Sweep

RATIOS = {  # N/d: best stop of the loss over that of KL(ρ_N‖ρ) and of KL(ρ‖ρ_N), theory at d = 128
    ("isotropic", 1): (0.994, 1.204),
    ("isotropic", 4): (1.047, 1.227),
    ("power_law", 1): (0.750, 1.054),
    ("power_law", 4): (0.770, 0.975),
}


@pytest.mark.parametrize(("kind", "ratio"), RATIOS)
def test_the_theory_of_the_best_stops(kind, ratio):
    spectrum = "{power_law: 1.0}" if kind == "power_law" else kind
    names = ("residual_loss", "kl_model_data", "kl_data_model")
    settings = ("d=128", f"n={128 * ratio}", f"spectrum={spectrum}", "sampler=ddpm_beta",
                "stop={log: [0.1, 1.0e+5, 121]}")  # fmt: skip
    curve = make_curve(settings, names, 1000).table.to_pydict()
    stops = np.array(curve["stop"])
    best = {name: optima.minimum(stops, np.array(curve[name])).x for name in names}
    ratios = [best["residual_loss"] / best[name] for name in ("kl_model_data", "kl_data_model")]
    assert ratios == pytest.approx(RATIOS[kind, ratio], abs=2e-3)


def test_remarks_have_these_numbers():
    text = (CLAIMS / "arxiv2608_23938.yaml").read_text(encoding="utf-8")
    remarks = {name: one.get("remark", "") for name, one in yaml.safe_load(text)["claims"].items()}
    for kind, word in (("isotropic", "isotropic_data"), ("power_law", "a_power_law")):
        for i, metric in enumerate(("kl_model_data", "kl_data_model")):
            remark = remarks[f"loss_best_is_not_{metric}_best_of_{word}"]
            for ratio in (1, 4):
                assert f"{RATIOS[kind, ratio][i]:.3g}" in remark


STEPS = (50, 250, 500, 1000)
EXPONENTS = (1.0, 1.5, 2.0)


def pictures(exponent):
    """The power laws of `sweeps/exact_scores.yaml`."""
    return lindiff.make_spectrum("power_law", 1024, exponent=exponent) / 4


def remarks(file):
    text = (CLAIMS / file).read_text(encoding="utf-8")
    return {name: one.get("remark", "") for name, one in yaml.safe_load(text)["claims"].items()}


def test_a_fixed_sum_over_dimensions_is_no_matter_of_n_over_d():
    """Σ0 of N samples about the known mean: d · KL is −½ E ln det(Σ⁻¹Σ0), of a Wishart matrix."""
    d = np.array([4, 5, 6, 8])

    def needed(size):
        def excess(n):
            return -np.sum(digamma((n - np.arange(size)) / 2) - np.log(n / 2)) / 2 - 0.1

        return brentq(excess, size, 1e4)

    slope = np.polyfit(np.log(d), np.log([needed(size) for size in d]), 1)[0]
    remark = remarks("bardone.yaml")["the_covariance_takes_no_more_than_linearly_many_rows"]
    assert f"d^{slope:.1f} " in remark


@pytest.mark.slow
def test_at_the_step_of_the_least_loss_the_bias_is_near_the_level(tmp_path):
    """16 other training sets: at step 29 the loss is below that at 14 and 59, the bias is 0.046."""
    pytest.importorskip("torch")
    text = (CLAIMS / "sweeps/biased_generalization.yaml").read_text(encoding="utf-8")
    sweep = yaml.safe_load(text)
    stops = sweep["experiments"]["stops"] | {"steps": 60, "stop_step": [14, 29, 59]}
    sweep["experiments"] = {"stops": stops}
    sweep["defaults"]["seed"] = {"range": [700, 716]}
    path = tmp_path / "others.yaml"
    path.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    made = Sweep(tmp_path)
    made.finish(load(path))
    rows = sorted(made.rows("others").values(), key=lambda row: row["seed"])

    def at(name, stop):
        return np.array([row[name] for row in rows if row["stop_step"] == stop])

    for stop in (14, 59):
        assert mean_interval(at("test_loss", stop) - at("test_loss", 29), 0.95).low > 0
    bias = mean_interval(at("proximity_bias", 29), 0.95)
    found = (bias.value, bias.low, bias.high)
    assert found == pytest.approx((0.046, 0.040, 0.052), abs=1.5e-3)
    remark = remarks("garnier_brun.yaml")["bias_comes_before_the_best_stop"]
    assert "0.046 (0.040 to 0.052)" in remark


def test_heun_s_error_and_that_of_its_start_have_opposite_signs():
    """By the source's recursion from both starts: of second order from the exact one."""
    s = np.full(1, 0.25)
    found = {
        exact: [by_recursion("heun", steps, s, exact) for steps in STEPS] for exact in (False, True)
    }
    slopes = {
        exact: np.polyfit(np.log(STEPS), np.log(values) / 2, 1)[0]
        for exact, values in found.items()
    }
    assert slopes[True] == pytest.approx(-2, abs=0.05)
    assert slopes[False] < -2.2
    start = 0.25 / (1 + math.exp(-10.05) * (0.25 - 1))
    cost = math.sqrt(start) - 0.5
    assert f"{cost:.0e}".replace("e-0", "e-") == "8e-6"
    assert math.sqrt(found[True][-1]) < cost < math.sqrt(found[True][-2])
    remark = remarks("pierret_galerne.yaml")["heun_is_of_second_order"]
    assert f"−{-slopes[True]:.2f}" in remark


@pytest.mark.slow
def test_what_ddpm_overtakes_is_the_start_of_the_ode():
    """From the exact start Euler's method is nearer at every number of steps."""
    lost = []
    for steps in STEPS:
        schedule = lindiff.make_schedule("linear_sde", steps, 1e-4, 2e-2)
        bank = lindiff.Bank(schedule, [lindiff.Training()])
        for exponent in EXPONENTS:
            s, found = pictures(exponent), {}
            start = schedule.alpha_bar[-1] * s + schedule.q[-1]
            for name in ("euler", "ddpm_beta"):
                sampler = lindiff.make_sampler(name, schedule, name == "ddpm_beta")
                response = bank.response(s, sampler)
                v = np.exp(response.log_v[:, 0]) + response.P[:, 0] ** 2 * (start - 1)
                found[name] = np.linalg.norm(np.sqrt(v) - np.sqrt(s))
            lost.append(found["euler"] / found["ddpm_beta"])
            theirs = by_recursion("ddpm", steps, s)
            assert by_recursion("euler", steps, s) < theirs
    remark = remarks("pierret_galerne.yaml")["euler_is_nearer_than_ddpm"]
    assert f"{min(lost):.2f} to {max(lost):.2f}" in remark
    assert max(lost) < 1


def test_heun_with_25_steps_by_its_source():
    ratios = [
        np.sqrt(by_recursion("heun", 25, pictures(x)) / by_recursion("euler", 50, pictures(x)))
        for x in EXPONENTS
    ]
    remark = remarks("pierret_galerne.yaml")["heun_is_nearer_than_euler_with_50_evaluations"]
    assert ", ".join(f"{ratio:.2f}" for ratio in ratios[:2]) in remark
    assert f"and {ratios[2]:.2f}" in remark


def test_heun_stopped_at_a_ten_thousandth_by_its_source():
    """Nearer than Euler's method where no variance is below the noise at the end, else farther."""
    names = ("heun", "euler")
    whole = [np.sqrt(by_recursion(name, 50, pictures(2.0), end=1e-4)) for name in names]
    remark = remarks("pierret_galerne.yaml")["heun_stopped_too_late_is_farther_than_euler"]
    assert f"{whole[0] / whole[1]:.2f} times" in remark
    flat = lindiff.make_spectrum("two_level", 1024, ratio=1e6, fraction=0.5) / 4
    assert f"{flat[0]:.1f} {flat[-1]:.0e}" == "0.5 5e-07"
    late, soon = ([by_recursion(name, 50, flat, end=end) for name in names] for end in (1e-4, 1e-3))
    assert late[0] > late[1]
    remark = remarks("pierret_galerne.yaml")[
        "heun_stopped_in_time_is_nearer_than_euler_on_a_subspace"
    ]
    assert f"{np.sqrt(soon[0] / soon[1]):.2f} times" in remark
