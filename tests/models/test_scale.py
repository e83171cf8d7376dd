"""Data that are multiplied by `scale`: definitions, invariances, real data, the ends of its range.

What the data are measured in is no physics: what is compared with them scales along.
"""

import json

import numpy as np
import pytest

from lindiff import columns
from lindiff.models import MODELS
from lindiff.models.linear_family import make_family, scaled_pool
from lindiff.planning import check
from lindiff.science.draws import make_draw
from lindiff.science.filters import Training
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import denoiser, kl, make_cells

POWER = {"spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 6, "n": 20}
DIGITS = {
    "data": "digits", "spectrum": "dataset", "spectrum_params": json.dumps({"name": "digits"}),
    "d": 61, "n": 200, "draw": None, "population_mean": None,
}  # fmt: skip
LOSSES = ("train_loss", "test_loss", "optimal_loss", "residual_loss")
KL = ("kl_model_data", "kl_data_model")
EXACT = ("linear_exact", "linear_theory", "ledoit_wolf")


def one(wanted, **given):
    model = given.get("model", "linear_exact")
    base = POWER if given.get("data", "gaussian") == "gaussian" else DIGITS
    cells = make_cells(**({"draw": "samples"} | base | {"model": model} | given))
    (row,) = MODELS[model].load()(cells, wanted).to_pylist()
    assert row["status"] == "ok", row["message"]
    return row


@pytest.mark.parametrize("centre", ["estimated", "known"])
@pytest.mark.parametrize("scale", [0.05, 3.0])
@pytest.mark.parametrize("sampler", ["ddpm_beta", "ddim", "ideal"])
def test_metrics_are_those_of_matrices_of_the_multiplied_data(sampler, scale, centre):
    """x ↦ scale·x before any noise, μ with it; ridge as it is given."""
    training = Training(ridge=0.02)
    row = one(
        (*LOSSES, *KL, "bures", "c_mean"), scale=scale, sampler=sampler, ridge=0.02, seed=2,
        population_mean=0.5, centre=centre, timesteps=25,
    )  # fmt: skip
    s, n = make_spectrum("power_law", 6, exponent=1.0), 20
    key = {"spectrum": "power_law", "params": POWER["spectrum_params"]}
    draw = make_draw("samples", s, n, 2, key, 0.5, centre == "known")
    X, m0, mu = draw.centred * scale, draw.centre * scale, np.full(6, 0.5 * scale)
    S0, S, schedule = X.T @ X / n, np.diag(s) * scale**2, make_schedule("linear", 25)
    weights = [denoiser(schedule, i, S0, training) for i in range(25)]
    best = [denoiser(schedule, i, S, Training()) for i in range(25)]
    losses = dict.fromkeys(LOSSES[:3], 0.0)
    for i, (ab, q) in enumerate(zip(schedule.alpha_bar, schedule.q, strict=True)):
        for name, W, C, off in (
            ("train_loss", weights[i], S0, 0 * mu),
            ("test_loss", weights[i], S, mu - m0),
            ("optimal_loss", best[i], S, 0 * mu),
        ):
            loss = np.linalg.norm(np.eye(6) - np.sqrt(q) * W) ** 2
            losses[name] += (loss + ab * np.trace(W @ C @ W.T) + ab * np.sum((W @ off) ** 2)) / 150
    for name, loss in losses.items():
        assert row[name] == pytest.approx(loss, rel=1e-9)
    m_N, S_N = m0, S0 + 0.02 * np.eye(6)
    if sampler != "ideal":
        steps = make_sampler(sampler, schedule)
        m_N, S_N = np.zeros(6), np.eye(6)
        for i, index in enumerate(steps.levels):
            W, root = weights[index], np.sqrt(schedule.alpha_bar[index])
            m_N = steps.A[i] * m_N - steps.B[i] * W @ (m_N - root * m0)
            a = steps.A[i] * np.eye(6) - steps.B[i] * W
            S_N = a @ S_N @ a.T + steps.variance[i] * np.eye(6)
    assert row["kl_model_data"] == pytest.approx(kl(m_N, S_N, mu, S) / 6, rel=1e-9)
    assert row["kl_data_model"] == pytest.approx(kl(mu, S, m_N, S_N) / 6, rel=1e-9)
    assert row["c_mean"] == pytest.approx(np.trace(S_N - S0) / 6, rel=1e-9)


@pytest.mark.parametrize("data", ["gaussian", "digits"])
@pytest.mark.parametrize("model", EXACT)
@pytest.mark.parametrize("scale", [1e-3, 0.3, 1e3])
def test_what_the_ideal_sampler_generates_is_multiplied_with_the_data(scale, model, data):
    """Both KL with their parts, overlap and agreement do not change; variances do, by scale²."""
    if model == "linear_theory":
        data = None
    own = {} if model == "ledoit_wolf" else {"ridge": [0.04]}
    wanted = columns.delivered(
        tuple({*KL, *(f"{name}_floor" for name in KL), "overlap_1", "agreement", "bures", "c_mean"}
              & MODELS[model].metrics)
    )  # fmt: skip
    rows = []
    for factor in (1.0, scale):
        ridge = {name: [value * factor**2 for value in values] for name, values in own.items()}
        given = {"data": data} if data else {}
        rows.append(one(wanted, model=model, scale=factor, sampler="ideal", **ridge, **given))
    plain, scaled = rows
    for name in wanted:
        factor = scale**2 if name in ("bures", "c_mean") else 1
        assert plain[name] is not None or name == "overlap_1"
        if plain[name] is not None:
            expected = pytest.approx(plain[name] * factor, rel=1e-9, abs=1e-12 * factor)
            assert scaled[name] == expected, name


@pytest.mark.parametrize("model", [*EXACT, "empirical"])
@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_a_noise_level_is_its_ratio_of_signal_to_noise(scale, model):
    """The loss at one level is that of unscaled data where ᾱ/(1 − ᾱ) is scale² as large."""
    ridge = {} if model in ("ledoit_wolf", "empirical") else {"ridge": 0.05}
    snr = 0.6
    rows = []
    for factor in (1.0, scale):
        # One level of β = 1 − ᾱ: at T = 1 the setting is a thousandth of it.
        beta = 1 / (1 + snr * scale**2 / factor**2)
        own = {name: value * factor**2 for name, value in ridge.items()}
        rows.append(
            one(
                LOSSES, model=model, scale=factor, schedule="constant", beta_min=None,
                beta_max=beta / 1000, timesteps=1, population_mean=0.4, n=12, **own,
            )
        )  # fmt: skip
    for name in LOSSES:
        assert rows[1][name] == pytest.approx(rows[0][name], rel=1e-7, abs=1e-10), name


@pytest.mark.parametrize("given", [POWER, DIGITS], ids=["gaussian", "digits"])
def test_training_sets_of_all_scales_are_the_same_rows(given):
    """So that what a scale changes is no chance; and a pool knows the data's own units."""
    plain, scaled = (
        make_family(make_cells(**({"draw": "samples"} | given | {"scale": scale})))
        for scale in (1.0, 4.0)
    )
    for one_half, other in (
        (plain.draw, scaled.draw),
        (plain.halves.other, scaled.halves.other),
    ):
        np.testing.assert_allclose(other.centred, 4 * one_half.centred, rtol=1e-12)
        np.testing.assert_allclose(other.spectrum, 16 * one_half.spectrum, rtol=1e-12)
    assert scaled.draw.spectrum.sum() == pytest.approx(16 * plain.draw.d)
    if given is DIGITS:
        pool, large = scaled_pool("digits", 1.0), scaled_pool("digits", 4.0)
        np.testing.assert_allclose(large.restore(large.rows), pool.restore(pool.rows), atol=1e-9)
        rows = large.restore(large.held_out)
        np.testing.assert_allclose(rows, pool.restore(pool.held_out), atol=1e-9)
        np.testing.assert_allclose(large.moments.covariance, 16 * pool.moments.covariance)


@pytest.mark.parametrize("scale", [0.2, 3.0])
def test_descent_on_multiplied_data_meets_the_exact_model(scale):
    pytest.importorskip("torch")
    given = {"scale": scale, "timesteps": 20, "beta_max": 9e-3, "sampler": "ddim"}
    rate = 0.02 / max(1, scale**2)
    trained = one(
        (*LOSSES, *KL), model="linear_trained", optimizer="gradient_descent", steps=40,
        learning_rate=rate, precision="float64", **given,
    )  # fmt: skip
    exact = one((*LOSSES, *KL), stop=40 * rate, learning_rate=rate, **given)
    for name in (*LOSSES, *KL):
        assert trained[name] == pytest.approx(exact[name], rel=1e-9), name


def test_a_large_scale_asks_for_a_small_learning_rate():
    given = {"stop": 10.0, "learning_rate": 0.05}
    assert check(make_cells(**POWER, **given)) == []
    ((_, setting, message),) = check(make_cells(**POWER, **given, scale=3.0))
    assert setting == "learning_rate"
    assert "largest stable" in message


def test_schedules_of_the_literature_can_be_written():
    """β from 1e-4 to 0.02 (Ho et al. 2020; Song et al. 2021, β(t) from 0.1 to 20 over T = 1000)."""
    for scale in (0.25, 0.5, 1.0):
        row = one(LOSSES, scale=scale, beta_min=1e-4, beta_max=0.02)
        assert 0 < row["optimal_loss"] < row["test_loss"] < 1
