"""The mean of the parameters over steps: against the sum that it is, in every kind of training."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff.models import linear_trained  # noqa: E402
from lindiff.models.linear_cells import groups  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training import checkpoint  # noqa: E402
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.linear import descend  # noqa: E402
from lindiff.training.linear_noise import train_levels  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.optimizers import mean_factor  # noqa: E402
from lindiff.training.task import Recipe, Run  # noqa: E402
from tests.science.helpers import make_cells  # noqa: E402

D, STEPS = 4, 40
NETWORK, SCHEDULE = make_mlp(D, 8, 2), make_schedule("linear", 20)
EVERY = Recipe(STEPS, tuple(range(1, STEPS + 1)), 8, "adam")


def make_runs():
    return [
        Run(torch.randn((5 + m, D), generator=torch.Generator().manual_seed(m)), f"run {m}", 0.01)
        for m in range(2)
    ]


def expected(parameters, beta, stop):
    """Σ β^(k−i) θ_i over the steps 1..k, normalized."""
    share = torch.tensor([beta ** (stop - i) for i in range(1, stop + 1)], dtype=torch.float64)
    return torch.einsum("s,s...->...", share / share.sum(), parameters[:stop].double())


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.9999])
def test_a_network_is_taken_with_the_mean_over_its_steps(beta):
    each = train(NETWORK, make_runs(), EVERY, SCHEDULE).parameters
    stops = (1, 17, STEPS)
    found = train(NETWORK, make_runs(), replace(EVERY, stops=stops, ema=beta), SCHEDULE)
    for place, stop in enumerate(stops):
        mean = expected(each, beta, stop).float()
        torch.testing.assert_close(found.parameters[place], mean, rtol=1e-5, atol=1e-6)
    # The steps themselves do not know it.
    assert torch.equal(found.parameters[0], each[0])


def test_neutral_is_the_last_step_and_a_large_decay_the_mean_of_all():
    assert [mean_factor(0.0, step) for step in (1, 2, 100)] == [1.0, 1.0, 1.0]
    assert mean_factor(1 - 1e-15, 100) == pytest.approx(1 / 100, rel=1e-9)
    for beta in (0.3, 0.999):
        for step in (1, 2, 50):
            factor = (1 - beta) / (1 - beta**step)
            assert mean_factor(beta, step) == pytest.approx(factor, rel=1e-12)
    with pytest.raises(ValueError, match="ema = 1"):
        Recipe(10, ema=1.0)


def test_a_killed_training_goes_on_with_its_mean(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    recipe = replace(EVERY, stops=(10, STEPS), ema=0.9)
    calm = train(NETWORK, make_runs(), recipe, SCHEDULE)
    calls = 0

    class Killed(BaseException):
        pass

    def predict(*given):
        nonlocal calls
        calls += 1
        if calls > 30:
            raise Killed
        return NETWORK.predict(*given)

    with pytest.raises(Killed):
        train(replace(NETWORK, predict=predict), make_runs(), recipe, SCHEDULE,
              checkpoints=tmp_path)  # fmt: skip
    assert list(tmp_path.iterdir())
    late = train(NETWORK, make_runs(), recipe, SCHEDULE, checkpoints=tmp_path)
    assert torch.equal(late.parameters, calm.parameters)


def test_a_model_that_fails_has_no_mean_either():
    runs = make_runs()
    runs[1] = replace(runs[1], learning_rate=1e30)
    found = train(NETWORK, runs, replace(EVERY, stops=(STEPS,), ema=0.9), SCHEDULE)
    assert found.failed.keys() == {1}
    assert found.parameters[0, 1].isnan().all()
    assert found.parameters[0, 0].isfinite().all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_linear_denoisers_on_drawn_noise_are_averaged(optimizer):
    run, levels = make_runs()[0], range(3, 6)
    run = replace(run, rows=run.rows.double())
    recipe = replace(EVERY, optimizer=optimizer)
    each = train_levels(run, recipe, SCHEDULE, levels).weights
    found = train_levels(run, replace(recipe, stops=(7, STEPS), ema=0.8), SCHEDULE, levels).weights
    for place, stop in enumerate((7, STEPS)):
        torch.testing.assert_close(found[place], expected(each, 0.8, stop), rtol=1e-12, atol=1e-13)


def test_descent_has_the_closed_form_of_a_geometric_sum():
    """Along a mode the mean of x^i over steps is (1−β) x (x^k − β^k)/((1−β^k)(x − β))."""
    values, beta, rate = np.array([2.0, 0.5, 0.0]), 0.95, 0.3
    alpha_bar, q = 0.7, 0.3
    given = [torch.tensor(np.diag(values))[None], *(torch.tensor([x]) for x in (alpha_bar, q))]
    given = [x.double() for x in given]
    g, eta = torch.full((1, 1), 0.05).double(), torch.tensor([rate]).double()
    for stop, W in descend(*given, g, eta, (1, 3, 200), ema=beta):
        M = alpha_bar * values + q + float(g)
        x = 1 - rate * M
        left = (1 - beta) * x * (x**stop - beta**stop) / ((1 - beta**stop) * (x - beta))
        w = math.sqrt(q) / M * (1 - left)
        np.testing.assert_allclose(W[0, 0].diagonal().numpy(), w, rtol=1e-7)


def test_the_mean_of_noisy_steps_is_nearer_to_the_optimum():
    """Of SGD at a constant rate, whose steps scatter about it (Polyak & Juditsky 1992)."""
    common = {
        "model": "linear_trained", "d": 4, "n": 30, "draw": "samples", "timesteps": 10,
        "beta_max": 5e-3, "sampler": "ddim", "optimizer": "sgd", "batch_size": 4, "steps": 600,
        "learning_rate": 0.1,
    }  # fmt: skip
    cells = make_cells(**common, ema=[0.0, 0.99])
    assert len(groups(cells)[0][0]) == 2
    last, mean = (
        linear_trained.run(cells.slice(i, 1), ["train_loss", "test_loss"]).to_pylist()[0]
        for i in (0, 1)
    )
    exact = make_cells(**{k: common[k] for k in ("d", "n", "draw", "timesteps", "beta_max")})
    from lindiff.models import linear

    (best,) = linear.run(exact, ["train_loss"]).to_pylist()
    excess = [row["train_loss"] - best["train_loss"] for row in (last, mean)]
    assert 0 < excess[1] < 0.2 * excess[0]
