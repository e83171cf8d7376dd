"""Training many models as one: against a plain torch loop, alone, and in another order."""

import itertools

import pytest

torch = pytest.importorskip("torch")

from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training import engine  # noqa: E402
from lindiff.training.engine import (  # noqa: E402
    Network,
    Recipe,
    Run,
    initial_parameters,
    log_spaced,
    pack_size,
    train,
    views,
)
from lindiff.training.mlp import make_mlp  # noqa: E402
from lindiff.training.noise import batches, torch_generator  # noqa: E402
from lindiff.training.optimizers import rate_factor  # noqa: E402

D = 8
SCHEDULE = make_schedule("linear", 100)
RECIPE = Recipe(steps=40, stops=(1, 7, 40), batch_size=16, warm_up=5, decay="cosine")


def make_runs(count, dtype=torch.float32):
    """Runs that differ in N, data, learning rate, weight decay and scale."""
    runs = []
    for m in range(count):
        generator = torch.Generator().manual_seed(m)
        rows = torch.randn((3 + 5 * m, D), generator=generator).to(dtype)
        runs.append(Run(rows, f"run {m}", 0.001 * (1 + m % 4), 0.01 * (m % 3), 1 + 0.1 * m))
    return runs


def recorded(network, runs, recipe=RECIPE, pack=0):
    """Final parameters, and step, loss and parameters of every model's stops."""
    stops = {}

    def hook(stop):
        for i, m in enumerate(stop.models):
            values = torch.cat([p[i].flatten() for p in stop.parameters.values()])
            stops.setdefault(m, []).append((stop.step, float(stop.loss[i]), values))

    return train(network, runs, recipe, SCHEDULE, hook, pack), stops


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        (
            "sgd",
            lambda p, lr, betas, weight_decay: torch.optim.SGD(p, lr, weight_decay=weight_decay),
        ),
    ],
)
def test_a_training_is_the_plain_loop_of_torch(name, reference):
    """The textbook loop for one model, the second of three, with modules' backward and steps."""
    network, runs = make_mlp(D, 12, 2), make_runs(3, torch.float64)
    recipe = Recipe(30, (30,), 16, name, (0.9, 0.99), 4, "cosine")
    trained, stops = recorded(network, runs, recipe)
    run = runs[1]
    start = network.initial(torch_generator("initial", run=run.key))
    parameters = {k: v.double()[None].clone().requires_grad_() for k, v in start.items()}
    optimizer = reference(
        list(parameters.values()),
        lr=run.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=run.weight_decay,
    )
    factor = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: rate_factor("cosine", min(k + 1, 30), 30, 4)
    )
    losses = []
    data = itertools.islice(batches([run.rows], [run.key], 16, SCHEDULE), 30)
    for batch in data:
        scale = torch.tensor([run.scale], dtype=torch.float64)
        prediction = network.predict(parameters, batch.x, batch.sigma, scale)
        loss = torch.nn.functional.mse_loss(prediction, batch.noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        factor.step()
        losses.append(float(loss.detach()))
    expected = torch.cat([parameters[key].detach().flatten() for key in network.shapes])
    torch.testing.assert_close(trained[1], expected, rtol=1e-11, atol=1e-12)
    assert stops[1][0][1] == pytest.approx(sum(losses) / 30, rel=1e-12)


def test_a_model_does_not_feel_its_company():
    """Alone, among 8, in reversed order, in packs of 3: seen equal to the bit."""
    network, runs = make_mlp(D, 32, 3), make_runs(8)
    together, stops = recorded(network, runs, pack=8)
    order = {
        "loop": (recorded(network, runs, pack=1), range(8)),
        "packs of 3": (recorded(network, runs, pack=3), range(8)),
        "reversed": (recorded(network, runs[::-1], pack=8), range(7, -1, -1)),
    }
    for name, ((parameters, others), places) in order.items():
        torch.testing.assert_close(parameters[list(places)], together, rtol=1e-4, atol=1e-5)
        for m, place in enumerate(places):
            for (step, loss, at), (step_, loss_, at_) in zip(stops[m], others[place], strict=True):
                assert step == step_
                assert loss_ == pytest.approx(loss, rel=1e-6), (name, m, step)
                torch.testing.assert_close(at_, at, rtol=1e-4, atol=1e-5)


def test_a_model_that_diverges_takes_no_other_with_it():
    network, runs = make_mlp(D, 16, 2), make_runs(3)
    wild = Run(runs[1].rows, runs[1].key, 1e30)
    recipe = Recipe(20, (20,), 16, "sgd")
    calm, _ = recorded(network, runs, recipe, pack=3)
    mixed, stops = recorded(network, [runs[0], wild, runs[2]], recipe, pack=3)
    assert not mixed[1].isfinite().all()
    assert not stops[1][0][1] < 1e10
    torch.testing.assert_close(mixed[[0, 2]], calm[[0, 2]], rtol=1e-5, atol=1e-6)


def test_hooks_see_each_model_once_a_stop():
    network, runs = make_mlp(D, 8, 1), make_runs(5)
    trained, stops = recorded(network, runs, pack=2)
    assert sorted(stops) == list(range(5))
    for m, seen in stops.items():
        assert [step for step, *_ in seen] == [1, 7, 40]
        assert torch.equal(seen[-1][2], trained[m])
        assert not torch.equal(seen[0][2], trained[m])


def test_the_loss_falls_on_a_single_row():
    """One training row: x_t determines ε, so the loss can go to 0."""
    runs = [Run(torch.ones((1, D)), "one", 0.01)]
    recipe = Recipe(800, (1, 700, 800), 32, decay="cosine")
    _, stops = recorded(make_mlp(D, 16, 2), runs, recipe)
    assert stops[0][-1][1] < 0.1 * stops[0][0][1]


def test_views_share_the_buffer():
    flat = torch.arange(22.0).reshape(2, 11)
    parts = views(flat, {"a": (2, 3), "b": (5,)})
    assert parts["a"].shape == (2, 2, 3)
    assert torch.equal(parts["b"], flat[:, 6:])
    parts["a"][1, 0, 0] = -1
    assert flat[1, 0] == -1


def test_initial_parameters_hang_on_the_key_alone():
    network, runs = make_mlp(D, 8, 2), make_runs(3)
    flat = initial_parameters(network, runs)
    assert flat.shape == (3, network.size)
    assert torch.equal(flat[2:], initial_parameters(network, runs[2:]))
    assert not torch.equal(flat[0], flat[1])


def test_stops_are_log_spaced():
    assert log_spaced(1000, 4) == (1, 10, 100, 1000)
    assert log_spaced(4, 10) == (1, 2, 3, 4)
    assert log_spaced(50, 1) == (1, 50)


def test_large_models_are_trained_in_a_loop(monkeypatch):
    assert pack_size(engine.LOOP_FROM - 1) == engine.PACK > 1
    assert pack_size(engine.LOOP_FROM) == 1
    monkeypatch.setattr(engine, "LOOP_FROM", 1)
    sizes = []
    train(
        make_mlp(D, 4, 1),
        make_runs(3),
        Recipe(2, (2,)),
        SCHEDULE,
        lambda stop: sizes.append(len(stop.models)),
    )
    assert sizes == [1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamm"}, "optimizer 'adamm' is none of adamw, adam, sgd"),
        ({"decay": "linear"}, "decay 'linear' is none of constant, cosine"),
        ({"warm_up": 10}, "warm_up = 10 is not from 0 to below 10 steps"),
        ({"stops": (0, 4)}, r"stops \(0, 4\) do not ascend from 1 to 10"),
        ({"stops": (4, 11)}, r"stops \(4, 11\) do not ascend from 1 to 10"),
        ({"stops": (4, 4)}, r"stops \(4, 4\) do not ascend from 1 to 10"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(10, **settings)


def test_rows_must_fit_together():
    rows = torch.ones((2, D))
    network = make_mlp(D, 4, 1)
    for runs in ([], [Run(rows, "a", 0.1), Run(rows.double(), "b", 0.1)]):
        with pytest.raises(ValueError, match="one d, dtype and device"):
            train(network, runs, Recipe(1), SCHEDULE)


def test_any_network_fits():
    """A bare matrix without σ: SGD goes to W with ε = W x, x = √q ε."""
    shapes = {"W": (D, D)}
    network = Network(
        shapes,
        lambda generator: {"W": torch.zeros((D, D))},
        lambda parameters, x, sigma, scale: x @ parameters["W"],
    )
    level = make_schedule("constant", 1, beta_max=5e-4)
    rows = torch.zeros((1, D))
    (trained,) = train(network, [Run(rows, "a", 2.0)], Recipe(200, optimizer="sgd"), level)
    torch.testing.assert_close(
        trained.view(D, D), torch.eye(D) / level.q[0] ** 0.5, atol=0.02, rtol=0
    )
