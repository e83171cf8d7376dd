"""Descent on the exact loss against autograd and the closed form; on drawn noise against that."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff.science import noises as frozen  # noqa: E402
from lindiff.science.draws import make_draw  # noqa: E402
from lindiff.science.filters import Bank, Training  # noqa: E402
from lindiff.science.named import names  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.linear import descend, descend_on_pairs, gradient  # noqa: E402
from lindiff.training.linear_noise import batches, train_levels  # noqa: E402
from lindiff.training.noise import BLOCK  # noqa: E402
from lindiff.training.task import Recipe, Run  # noqa: E402

SCHEDULES = names("lindiff.science.schedules")

D = 6
STOPS = (0, 1, 2, 5, 17, 100, 1000)
LEVELS = [0, 3, 40, 99]


def setting(name="linear", dtype=torch.float64):
    """Two covariances, of rank D and of rank 3, and what the descent takes of a schedule."""
    rng = np.random.default_rng(8)
    spread = np.linspace(0.2, 1.6, D)
    covariances = []
    for n in (40, 3):
        X = rng.standard_normal((n, D)) * spread
        covariances.append(X.T @ X / n)
    schedule = make_schedule(name, 100)
    levels = [torch.tensor(a[LEVELS]).to(dtype) for a in (schedule.alpha_bar, schedule.q)]
    return schedule, np.array(covariances), levels


@pytest.mark.parametrize("init_scale", [0.0, 0.7])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_stop_meets_the_closed_form(name, init_scale):
    """To 1e-10 relative, each matrix; seen: 3e-14."""
    schedule, covariances, (alpha_bar, q) = setting(name)
    settings = [(0.0, 0.05, 0.2), (0.02, 0.0, 0.3)]
    penalty = np.array([gamma + schedule.alpha_bar[LEVELS] * c for c, gamma, _ in settings])
    rates = torch.tensor([rate for *_, rate in settings], dtype=torch.float64)
    descent = descend(
        torch.tensor(covariances), alpha_bar, q, torch.tensor(penalty), rates, STOPS, init_scale
    )
    seen = []
    for stop, weights in descent:
        seen.append(stop)
        for m, (c, gamma, rate) in enumerate(settings):
            values, U = np.linalg.eigh(covariances[m])
            bank = Bank(schedule, [Training(c, gamma, stop * rate, rate, init_scale)])
            for i, index in enumerate(LEVELS):
                w = bank.level(np.maximum(values, 0), index)[3][:, 0]
                expected = (U * w) @ U.T
                error = np.linalg.norm(weights[m, i].numpy() - expected)
                assert error <= 1e-10 * np.linalg.norm(expected), (stop, m, index)
    assert tuple(seen) == STOPS


def test_null_modes_are_followed_through_thirty_thousand_steps():
    """One mode with λ = 0 at t = 1: its rate is q_1, the slowest there is."""
    schedule = make_schedule("linear", 1000)
    alpha_bar, q = (torch.tensor(a[:1]) for a in (schedule.alpha_bar, schedule.q))
    covariance = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))[None]
    stops = (100, 3000, 30_000)
    rate = torch.tensor([0.9], dtype=torch.float64)
    zero = torch.zeros((1, 1), dtype=torch.float64)
    for stop, weights in descend(covariance, alpha_bar, q, zero, rate, stops):
        bank = Bank(schedule, [Training(stop=stop * 0.9, learning_rate=0.9)])
        w = bank.level(np.array([1.0, 0.0]), 0)[3][:, 0]
        np.testing.assert_allclose(weights[0, 0].diagonal().numpy(), w, rtol=1e-10)


def test_float32_is_good_to_its_digits():
    """Seen: 7e-8, 2e-7 and 4e-6 of a matrix after 1, 30 and 1000 steps; it grows on null modes."""
    _, covariances, (alpha_bar, q) = setting()
    found = {}
    for dtype in (torch.float64, torch.float32):
        g = torch.zeros((2, len(q)), dtype=dtype)
        rates = torch.full((2,), 0.3, dtype=dtype)
        arguments = torch.tensor(covariances).to(dtype), alpha_bar.to(dtype), q.to(dtype), g, rates
        found[dtype] = dict(descend(*arguments, stops=(1, 30, 1000)))
    for stop, exact in found[torch.float64].items():
        error = torch.linalg.norm(found[torch.float32][stop].double() - exact, dim=(-2, -1))
        assert float((error / torch.linalg.norm(exact, dim=(-2, -1))).max()) < 1e-5


def objective(weights, covariance, alpha_bar, q, g):
    """ℓ_t d + g ‖W_t‖², shape (models, levels); arguments as of `gradient`."""
    eye = torch.eye(D).to(weights)
    noise = (eye - q.sqrt()[:, None, None] * weights).square().sum(dim=(-2, -1))
    signal = (weights @ covariance[:, None] * weights).sum(dim=(-2, -1))
    return noise + alpha_bar * signal + g * weights.square().sum(dim=(-2, -1))


def test_the_gradient_is_that_of_half_the_objective():
    _, covariances, (alpha_bar, q) = setting()
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((2, len(q), D, D), generator=generator, dtype=torch.float64)
    g = torch.rand((2, len(q)), generator=generator, dtype=torch.float64)
    arguments = torch.tensor(covariances), alpha_bar, q, g
    weights.requires_grad_()
    (expected,) = torch.autograd.grad(objective(weights, *arguments).sum() / 2, weights)
    found = gradient(weights.detach(), *arguments)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_objective_is_the_loss_of_drawn_noise():
    """Without penalty it is ⟨|ε − W x_t|²⟩ over rows and noise: 40,000 draws, five errors."""
    schedule = make_schedule("linear", 100)
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((50, D)) * np.linspace(0.2, 1.6, D)
    rows -= rows.mean(axis=0)
    index = 40
    alpha_bar, q = schedule.alpha_bar[index], schedule.q[index]
    W = rng.standard_normal((D, D)) / 3
    noise = rng.standard_normal((40_000, D))
    x = np.sqrt(alpha_bar) * rows[rng.integers(50, size=40_000)] + np.sqrt(q) * noise
    losses = ((noise - x @ W.T) ** 2).sum(axis=1)
    exact = objective(
        torch.tensor(W)[None, None],
        torch.tensor(rows.T @ rows / 50)[None],
        torch.tensor([alpha_bar]),
        torch.tensor([q]),
        torch.zeros((1, 1), dtype=torch.float64),
    )
    assert abs(losses.mean() - float(exact)) < 5 * losses.std() / 200


@pytest.mark.parametrize("stops", [(3, 3), (5, 2), (-1, 4)])
def test_stops_must_ascend(stops):
    one = torch.ones((1, 1), dtype=torch.float64)
    with pytest.raises(ValueError, match="do not ascend from 0"):
        next(descend(one[None], one[0], one[0], one, one[0], stops))


NOISE = make_schedule("cosine", 12)
ALL = range(12)


def run_of(n=5, d=3, dtype=torch.float64, key="a", rate=0.05, decay=0.0):
    rows = torch.randn((n, d), generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return Run((rows - rows.mean(dim=0)).to(dtype), key, rate, decay)


def train(run, levels=ALL, stops=(20,), steps=20, **recipe):
    return train_levels(run, Recipe(steps=steps, stops=stops, **recipe), NOISE, levels)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_in_the_mean_sgd_follows_the_exact_descent(decay):
    """Batches are independent of W_t, so at every step: 100 runs, of 54 numbers each within 5."""
    levels, stops = range(4, 10), (1, 7)
    found = torch.stack(
        [
            train(run_of(key=str(k), rate=0.2, decay=decay), levels, stops, optimizer="sgd",
                  batch_size=2).weights
            for k in range(100)
        ]
    )  # fmt: skip
    rows = run_of().rows
    alpha_bar, q = (torch.tensor(a[4:10]) for a in (NOISE.alpha_bar, NOISE.q))
    penalty, rate = torch.full((1, 6), decay, dtype=torch.float64), torch.tensor([0.2]).double()
    exact = descend((rows.T @ rows / len(rows))[None], alpha_bar, q, penalty, rate, stops)
    for place, (_, expected) in enumerate(exact):
        error = found[:, place].std(dim=0) / 10
        assert float(((found[:, place].mean(dim=0) - expected[0]).abs() / error).max()) < 5


def test_levels_meet_rows_with_their_own_noise():
    """Each draw of a level is one of its rows; noise is normal, and new at every level and step."""
    run, count = run_of(7), 2 * BLOCK + 3
    drawn = [torch.stack(pair) for pair in itertools.islice(batches(run, NOISE, ALL, 32), count)]
    x, noise = torch.stack(drawn, dim=1).numpy()
    assert noise.shape == (count, len(ALL), 32, 3)
    root_q, root_alpha = (np.sqrt(a)[:, None, None] for a in (NOISE.q, NOISE.alpha_bar))
    clean = (x - root_q * noise) / root_alpha
    distance = np.abs(clean[..., None, :] - run.rows.numpy()).max(axis=-1)
    assert distance.min(axis=-1).max() < 1e-9
    times = np.bincount(distance.argmin(axis=-1).ravel(), minlength=7)
    assert np.abs(times - times.mean()).max() < 5 * np.sqrt(times.mean())
    assert abs(noise.mean()) < 5 / math.sqrt(noise.size)
    assert abs(noise.var() - 1) < 5 * math.sqrt(2 / noise.size)
    assert len(np.unique(noise[:, :, 0, 0])) == count * len(ALL)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_level_is_the_same_in_any_company(optimizer):
    """Numbers are; products of other shapes may differ in the last bits."""
    run = run_of(d=6, decay=0.1)
    whole = train(run, optimizer=optimizer, stops=(3, 20)).weights
    for levels in (range(1), range(5, 9), range(11, 12)):
        part = train(run, levels, optimizer=optimizer, stops=(3, 20)).weights
        torch.testing.assert_close(whole[:, levels.start : levels.stop], part, rtol=1e-11, atol=0)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_stops_are_states_of_one_run(optimizer):
    run = run_of(decay=0.1)
    recipe = {"optimizer": optimizer, "warm_up": 4, "decay": "cosine", "steps": 40}
    together = train(run, stops=(2, 11, 40), **recipe).weights
    for place, stop in enumerate((2, 11, 40)):
        assert torch.equal(train(run, stops=(stop,), **recipe).weights[0], together[place])
    assert not torch.equal(together[0], together[1])


def test_weight_decay_is_coupled_or_not():
    """First step from 0 the same; then SGD adds γ W to the gradient, AdamW shrinks W by η γ."""
    plain, decayed = run_of(), run_of(decay=0.4)
    for optimizer in ("sgd", "adamw"):
        (a1, a2), (b1, b2) = (
            train(run, stops=(1, 2), steps=2, optimizer=optimizer).weights
            for run in (plain, decayed)
        )
        torch.testing.assert_close(a1, b1)
        torch.testing.assert_close(b2, a2 - 0.05 * 0.4 * a1)
    adam, other = (train(run, stops=(2,), optimizer="adam").weights for run in (plain, decayed))
    assert not torch.allclose(adam, other)


def test_random_numbers_do_not_hang_on_the_rate_and_do_on_the_key():
    one, other, third = (
        next(batches(run, NOISE, ALL, 4))[1]
        for run in (run_of(), run_of(rate=0.3, decay=1.0), run_of(key="b"))
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


@pytest.mark.parametrize(("rate", "stops"), [(1e30, (1, 5, 400)), (30.0, (1, 5, 400))])
def test_a_loss_that_is_not_finite_ends_the_training(rate, stops):
    found = train(run_of(rate=rate, dtype=torch.float32), stops=stops, steps=400, optimizer="sgd")
    assert 1 < found.failed <= 400
    for stop, weights in zip(stops, found.weights, strict=True):
        assert torch.isfinite(weights).all() == (stop < found.failed)
        assert torch.isnan(weights).all() == (stop >= found.failed)


@pytest.mark.parametrize(("n", "noises"), [(2, 1), (9, 3)])
def test_descent_on_frozen_noises_meets_the_closed_form(n, noises):
    """Every stop, of fewer pairs than dimensions too, to 1e-10."""
    schedule, _, _ = setting()
    draw = make_draw("wishart", np.linspace(1.6, 0.2, D), n, 0, {"what": "descent"})
    gamma, rate = 0.03, 0.2
    pairs = [
        frozen.draw_pairs(
            draw, noises, (schedule.alpha_bar[i], schedule.q[i]), np.random.default_rng(i)
        )
        for i in LEVELS
    ]  # fmt: skip
    inputs, cross = (
        torch.tensor(np.array([getattr(p, a) @ p.inputs.T / p.count for p in pairs]))
        for a in ("inputs", "targets")
    )
    penalty = torch.full((len(LEVELS),), gamma, dtype=torch.float64)
    descent = descend_on_pairs(inputs, cross, penalty, torch.full_like(penalty, rate), STOPS)
    for stop, found in descent:
        bank = Bank(schedule, [Training(weight_decay=gamma, stop=stop * rate, learning_rate=rate)])
        for i, index in enumerate(LEVELS):
            expected = frozen.weights(pairs[i], bank, index)[0]
            assert np.linalg.norm(found[i].numpy() - expected) <= 1e-10 * D, (stop, index)
