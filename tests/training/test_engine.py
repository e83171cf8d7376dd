"""Training many models as one: against a plain torch loop, alone, and in another order."""

import itertools

import pytest

torch = pytest.importorskip("torch")

from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training import (  # noqa: E402
    sizes,
    watch,
)
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.noise import batches, torch_generator  # noqa: E402
from lindiff.training.optimizers import rate_factor  # noqa: E402
from lindiff.training.sizes import pack_size  # noqa: E402
from lindiff.training.task import Network, Recipe, Run, initial_parameters, views  # noqa: E402

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
    trained = train(network, runs, recipe, SCHEDULE)
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
    torch.testing.assert_close(trained.parameters[-1, 1], expected, rtol=1e-11, atol=1e-12)
    assert float(trained.losses[-1, 1]) == pytest.approx(sum(losses) / 30, rel=1e-12)


def assert_same(one, other, places):
    """The models of `one` are those at `places` of `other`."""
    assert one.stops == other.stops
    torch.testing.assert_close(one.parameters, other.parameters[:, places], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.losses, other.losses[:, places], rtol=1e-6, atol=0)


def test_a_model_does_not_feel_its_company():
    """Alone, in packs of 3, all as one and in reversed order: seen equal to the bit."""
    network, runs = make_mlp(D, 32, 3), make_runs(32)
    recipe = Recipe(20, (1, 7, 20), 16, "adamw", warm_up=5, decay="cosine")
    together = train(network, runs, recipe, SCHEDULE, pack=32)
    assert together.parameters.shape == (3, 32, network.size)
    for pack in (1, 3):
        assert_same(together, train(network, runs, recipe, SCHEDULE, pack=pack), range(32))
    backwards = train(network, runs[::-1], recipe, SCHEDULE, pack=32)
    assert_same(together, backwards, range(31, -1, -1))


def test_a_snapshot_is_a_training_that_ended_there():
    network, runs = make_mlp(D, 16, 2), make_runs(3)
    stops = (3, 16, 17, 40, 48, 50)
    whole = train(network, runs, Recipe(50, stops, 16, "adamw", warm_up=2), SCHEDULE)
    assert whole.stops == stops
    for place, stop in enumerate(whole.stops):
        recipe = Recipe(stop, (), 16, "adamw", warm_up=2)
        short = train(network, runs, recipe, SCHEDULE)
        assert torch.equal(short.parameters[0], whole.parameters[place]), stop


def test_losses_are_means_since_the_stop_before():
    network, runs = make_mlp(D, 16, 2), make_runs(2)
    every = train(network, runs, Recipe(40, tuple(range(1, 41)), 16), SCHEDULE).losses
    some = train(network, runs, Recipe(40, (5, 30, 40), 16), SCHEDULE).losses
    expected = torch.stack([part.mean(dim=0) for part in every.split([5, 25, 10])])
    torch.testing.assert_close(some, expected)


def test_the_loss_falls_on_a_single_row():
    """One training row: x_t determines ε, so the loss can go to 0."""
    runs = [Run(torch.ones((1, D)), "one", 0.01)]
    recipe = Recipe(800, (1, 700, 800), 32, decay="cosine")
    losses = train(make_mlp(D, 16, 2), runs, recipe, SCHEDULE).losses
    assert losses[-1, 0] < 0.1 * losses[0, 0]


def spoilt(network, key_value, calls=None):
    """The network, whose answer is nan for the model of that scale, from a call of predict on."""
    calls = itertools.count(1) if calls is None else calls

    def predict(parameters, x, sigma, scale):
        first = next(calls) >= 21
        bad = (scale == key_value) & first
        return network.predict(parameters, x, sigma, scale).masked_fill(
            bad[:, None, None], torch.nan
        )

    return Network(network.shapes, network.initial, predict)


def counted(network, calls):
    """The network, with its calls counted."""

    def predict(*arguments):
        next(calls)
        return network.predict(*arguments)

    return Network(network.shapes, network.initial, predict)


def test_a_model_that_fails_names_its_step_and_takes_no_other_with_it():
    network, runs = make_mlp(D, 16, 2), make_runs(4)
    recipe = Recipe(40, (7, 20, 30), 16)
    calm = train(network, runs, recipe, SCHEDULE)
    mixed = train(spoilt(network, runs[2].scale), runs, recipe, SCHEDULE)
    assert mixed.failed == {2: "the loss is not finite at step 21"}
    assert calm.failed == {}
    others = [0, 1, 3]
    assert torch.equal(mixed.parameters[:, others], calm.parameters[:, others])
    assert torch.equal(mixed.losses[:, others], calm.losses[:, others])
    assert torch.equal(mixed.parameters[:2, 2], calm.parameters[:2, 2])
    assert mixed.parameters[2:, 2].isnan().all()


def test_a_model_that_diverges_takes_no_other_with_it():
    network, runs = make_mlp(D, 16, 2), make_runs(3)
    wild = Run(runs[1].rows, runs[1].key, 1e30)
    recipe = Recipe(20, (20,), 16, "sgd")
    calm = train(network, runs, recipe, SCHEDULE)
    mixed = train(network, [runs[0], wild, runs[2]], recipe, SCHEDULE)
    assert mixed.failed.keys() == {1}
    assert "not finite at step" in mixed.failed[1]
    assert torch.equal(mixed.parameters[:, [0, 2]], calm.parameters[:, [0, 2]])


def test_parameters_that_no_loss_shows_are_looked_at_too():
    """A parameter without a part in the prediction, infinite from the first step on."""
    network = Network(
        {"w": (D,), "idle": (1,)},
        lambda generator: {"w": torch.zeros(D), "idle": torch.full((1,), 3e38)},
        lambda parameters, x, sigma, scale: (
            x * parameters["w"][:, None] + 0 * parameters["idle"].nan_to_num()[:, None]
        ),
    )
    run = Run(torch.ones((1, D)), "a", 1.0, weight_decay=-1e3)
    trained = train(network, [run], Recipe(3, (), 4, "sgd"), SCHEDULE)
    assert trained.failed == {0: "the parameters are not finite at step 3"}


def test_nothing_is_trained_once_all_models_failed():
    network, runs, calls = make_mlp(D, 8, 1), make_runs(1), itertools.count(1)
    trained = train(spoilt(network, 1.0, calls), runs, Recipe(1000, (5, 1000), 4), SCHEDULE)
    assert trained.failed == {0: "the loss is not finite at step 21"}
    assert next(calls) < 50
    assert trained.parameters[0].isfinite().all()


def narrow(network, most, error):
    """The network with memory for so many models."""

    def predict(parameters, x, sigma, scale):
        if len(x) > most:
            raise error
        return network.predict(parameters, x, sigma, scale)

    return Network(network.shapes, network.initial, predict)


CPU_ALLOCATOR = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), CPU_ALLOCATOR, MemoryError()]
)
def test_a_pack_that_does_not_fit_is_halved(error, capsys):
    network, runs = make_mlp(D, 16, 2), make_runs(7)
    whole = train(network, runs, RECIPE, SCHEDULE, pack=7)
    halved = train(narrow(network, 2, error), runs, RECIPE, SCHEDULE, pack=7)
    assert halved.failed == {}
    assert_same(whole, halved, range(7))
    assert capsys.readouterr().err.splitlines() == [
        "out of memory with 7 models as one; going on with 3 and 4",
        "out of memory with 3 models as one; going on with 1 and 2",
        "out of memory with 4 models as one; going on with 2 and 2",
    ]


def test_one_model_that_does_not_fit_is_no_result():
    network, runs = make_mlp(D, 8, 1), make_runs(2)
    with pytest.raises(MemoryError, match="out of memory on cpu"):
        train(narrow(network, 0, MemoryError()), runs, Recipe(2), SCHEDULE)


def test_other_errors_are_not_taken_for_a_full_memory():
    network = narrow(
        make_mlp(D, 8, 1), 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    )
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train(network, make_runs(2), Recipe(2), SCHEDULE)


def test_watches_hear_of_every_pack(monkeypatch):
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0)
    network, runs = make_mlp(D, 8, 1), make_runs(5)
    heard = []
    train(network, runs, RECIPE, SCHEDULE, pack=2, watch=heard.append)
    assert [(w.step, w.models, w.pack) for w in heard] == [
        (step, models, pack)
        for pack, models in ((1, 2), (2, 2), (3, 1))
        for step in (1, 7, 16, 32, 40)
    ]
    assert {(w.steps, w.packs) for w in heard} == {(40, 3)}
    assert all(0 < w.low <= w.high < 10 and w.rate > 0 for w in heard)
    assert [w.left == 0 for w in heard] == [w.step == 40 for w in heard]


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


@pytest.mark.parametrize("decay", ["constant", "cosine"])
def test_training_ends_at_the_last_stop(decay):
    """The learning rate is that of the whole run."""
    assert Recipe(10).stops == (10,)
    network, runs, calls = make_mlp(D, 8, 1), make_runs(2), itertools.count(1)
    whole = train(network, runs, Recipe(40, (5, 9, 40), 4, decay=decay), SCHEDULE)
    recipe = Recipe(40, (5, 9), 4, decay=decay)
    short = train(counted(network, calls), runs, recipe, SCHEDULE)
    assert torch.equal(short.parameters, whole.parameters[:2])
    assert torch.equal(short.losses, whole.losses[:2])
    assert next(calls) == 10


def test_large_models_are_trained_in_a_loop(monkeypatch):
    assert pack_size(sizes.LOOP_FROM - 1) == sizes.PACK > 1
    assert pack_size(sizes.LOOP_FROM) == 1
    monkeypatch.setattr(sizes, "LOOP_FROM", 1)
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0)
    heard = []
    train(make_mlp(D, 4, 1), make_runs(3), Recipe(2), SCHEDULE, watch=heard.append)
    assert [w.models for w in heard] == [1, 1, 1]


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
    trained = train(network, [Run(rows, "a", 2.0)], Recipe(200, optimizer="sgd"), level)
    torch.testing.assert_close(
        trained.parameters.view(D, D), torch.eye(D) / level.q[0] ** 0.5, atol=0.02, rtol=0
    )
