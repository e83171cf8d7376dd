"""Random features at one level: moments against integrals and draws, read-outs by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindiff.columns import SETTING
from lindiff.science.activations import ACTIVATIONS
from lindiff.science.filters import Bank, Training
from lindiff.science.random_features import (
    evaluate,
    normal_moments,
    solve_average,
    solve_pairs,
)
from lindiff.science.schedule import make_schedule

SCHEDULE = make_schedule("cosine", 10)


def problem(name="erf", d=6, p=9, K=14, seed=0):
    """Features and noise of K frozen pairs."""
    rng = np.random.default_rng(seed)
    W, noise = rng.standard_normal((p, d)), rng.standard_normal((K, d))
    y = rng.standard_normal((K, d)) + 0.7 * noise
    return evaluate(ACTIVATIONS[name], W, y), noise


def test_activations_are_those_that_a_config_may_name():
    assert tuple(ACTIVATIONS) == SETTING["activation"].choices


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("d", "p"), [(1, 4), (3, 8), (60, 20)])
def test_moments_are_those_of_all_pairs(name, d, p):
    """The series and the integrals meet where each has its share: d = 60 has few near pairs."""
    rng, activation = np.random.default_rng(1), ACTIVATIONS[name]
    W, centres, s = rng.standard_normal((p, d)), rng.standard_normal((5, d)), rng.random(d)
    found = normal_moments(activation, W, centres, s, 0.3)
    covariance = (W * (s + 0.3)) @ W.T / d
    deviation = np.sqrt(covariance.diagonal())
    R = covariance / np.outer(deviation, deviation)
    m = centres @ W.T / np.sqrt(d)
    pairs = activation.pair(m[:, :, None], m[:, None], deviation[:, None], deviation, R)
    assert found.features == pytest.approx(pairs.mean(axis=0) / p, abs=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_moments_are_those_of_draws(name):
    rng, activation = np.random.default_rng(2), ACTIVATIONS[name]
    d, p, K = 4, 5, 60_000
    W, centres, s = rng.standard_normal((p, d)), rng.standard_normal((3, d)), rng.random(d)
    found = normal_moments(activation, W, centres, s, 0.3)
    noise = rng.standard_normal((K, d))
    y = centres[rng.integers(3, size=K)] + np.sqrt(s) * rng.standard_normal((K, d))
    phi = evaluate(activation, W, y + np.sqrt(0.3) * noise)
    assert phi.T @ phi / K == pytest.approx(found.features, abs=0.02)
    assert noise.T @ phi / K == pytest.approx(found.cross, abs=0.02)


@pytest.mark.parametrize("K", [5, 14, 40])
@pytest.mark.parametrize("decay", [0.0, 1e-3, 0.1])
def test_a_read_out_is_ridge_regression(K, decay):
    """Without a penalty the one of least norm, for fewer pairs than features."""
    phi, noise = problem(K=K)
    bank = Bank(SCHEDULE, [Training(weight_decay=decay)])
    p, found = phi.shape[1], solve_pairs(phi, noise)
    A = np.linalg.lstsq(phi, noise, rcond=None)[0].T
    if decay:
        A = np.linalg.solve(phi.T @ phi / K + decay * np.eye(p), phi.T @ noise / K).T
    assert found.read_out(bank, 0, 0) == pytest.approx(A, rel=1e-9, abs=1e-9)
    loss = ((noise - phi @ A.T) ** 2).mean()
    assert found.train_losses(bank, 0)[0] == pytest.approx(loss, abs=1e-12)


def test_a_stop_is_descent_of_many_small_steps():
    phi, noise = problem()
    K, p = phi.shape
    bank = Bank(SCHEDULE, [Training(weight_decay=0.01, stop=30.0)])
    A, step = np.zeros((noise.shape[1], p)), 3e-3
    U, cross = phi.T @ phi / K + 0.01 * np.eye(p), noise.T @ phi / K
    for _ in range(round(30 / step)):
        middle = A + step / 2 * (cross - A @ U)
        A = A + step * (cross - middle @ U)
    assert solve_pairs(phi, noise).read_out(bank, 0, 0) == pytest.approx(A, abs=1e-6)


def test_the_average_over_noise_is_that_over_many_frozen_noises():
    rng, activation = np.random.default_rng(3), ACTIVATIONS["erf"]
    W, x = rng.standard_normal((6, 4)), rng.standard_normal((5, 4))
    bank = Bank(SCHEDULE, [Training(weight_decay=g) for g in (1e-3, 0.1)])
    noise = rng.standard_normal((8000, 5, 4))
    y = (x + 0.7 * noise).reshape(-1, 4)
    many = solve_pairs(evaluate(activation, W, y), noise.reshape(y.shape))
    average = solve_average(normal_moments(activation, W, x, np.zeros(4), 0.49))
    assert many.train_losses(bank, 0) == pytest.approx(average.train_losses(bank, 0), rel=0.03)
    assert many.read_out(bank, 0, 1) == pytest.approx(average.read_out(bank, 0, 1), abs=0.05)


def test_a_test_loss_is_that_of_the_read_out():
    phi, noise = problem("relu")
    rng, d = np.random.default_rng(4), noise.shape[1]
    fresh = normal_moments(
        ACTIVATIONS["relu"], rng.standard_normal((9, d)), np.zeros((1, d)), np.ones(d), 0.5
    )
    bank = Bank(SCHEDULE, [Training(), Training(stop=10.0), Training(weight_decay=0.1)])
    found = solve_pairs(phi, noise)
    for i, loss in enumerate(found.losses(bank, 0, fresh)):
        A = found.read_out(bank, 0, i)
        total = d - 2 * (A * fresh.cross).sum() + ((A @ fresh.features) * A).sum()
        assert loss == pytest.approx(total / d, rel=1e-11)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), K=st.integers(2, 30), p=st.integers(1, 30))
def test_longer_training_and_less_decay_fit_better(seed, K, p):
    phi, noise = problem(K=K, p=p, seed=seed)
    stops = Bank(SCHEDULE, [Training(stop=t) for t in (0.0, 1.0, 30.0, 1e4, np.inf)])
    decays = Bank(SCHEDULE, [Training(weight_decay=g) for g in (1e4, 1.0, 1e-2, 0.0)])
    found = solve_pairs(phi, noise)
    assert found.train_losses(stops, 0)[0] == pytest.approx((noise**2).mean())
    for bank in (stops, decays):
        losses = found.train_losses(bank, 0)
        assert (np.diff(losses) <= 1e-12).all()
        assert (losses >= 0).all()
    if p >= K:
        assert losses[-1] == pytest.approx(0, abs=1e-10)
