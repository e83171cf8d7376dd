"""Dropout: its masks one by one, and networks that are trained with them."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff.models import trained  # noqa: E402
from lindiff.science.pictures import Picture  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training import checkpoint  # noqa: E402
from lindiff.training.dropout import masks  # noqa: E402
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.networks.unet import make_unet  # noqa: E402
from lindiff.training.noise import batches  # noqa: E402
from lindiff.training.task import Network, Recipe, Run, initial_parameters, views  # noqa: E402
from tests.science.helpers import make_cells, sweep_cells  # noqa: E402

SCHEDULE = make_schedule("linear", 20)
UNITS = {"one": 30, "two": 7}
LIKE = torch.zeros(1, dtype=torch.float64)
NETWORKS = {
    "mlp": make_mlp(16, 6, 2),
    "unet": make_unet(Picture(4, 4, np.eye(16)), 3),
}


def made(step=3, keys=("a", "b"), rate=0.3, batch=5, units=UNITS):
    return masks(units, keys, rate, step, batch, LIKE)


def runs(count=2, dtype=torch.float64):
    rows = torch.randn((6, 16), generator=torch.Generator().manual_seed(0), dtype=dtype)
    return [Run(rows, f"run {m}", 0.02) for m in range(count)]


def test_a_mask_is_the_same_whoever_asks_for_it():
    whole = made()
    assert list(whole) == ["dropout of one", "dropout of two"]
    for name, mask in whole.items():
        assert torch.equal(made(keys=("b",))[name][0], mask[1])
        # Of fewer rows, and of a smaller layer, the first ones.
        assert torch.equal(made(batch=2)[name], mask[:, :2])
        fewer = made(units={"one": 9, "two": 2})[name]
        assert torch.equal(fewer, mask[..., : fewer.shape[2]])
        assert not torch.equal(mask[0], mask[1])
        assert not torch.equal(made(step=4)[name], mask)


def test_units_are_dropped_independently_at_the_rate():
    """Shares and pair correlations of 240,000 units within five standard errors."""
    for rate in (0.1, 0.5, 0.9):
        kept = torch.cat([
            made(step, ("x", "y"), rate, 40, {"one": 50, "two": 50})[f"dropout of {name}"]
            for step in range(30) for name in UNITS
        ])  # fmt: skip
        assert set(kept.unique().tolist()) == {0.0, 1 / (1 - rate)}
        count, sigma = kept.numel(), math.sqrt(rate / (1 - rate))
        assert abs(kept.mean() - 1) < 5 * sigma / math.sqrt(count)
        centred = (kept - 1) / sigma
        for axis in range(3):
            product = (centred * centred.roll(1, axis)).mean()
            assert abs(product) < 5 / math.sqrt(count)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_with_dropout_is_the_plain_loop_of_torch(name):
    """Of the second of two models; a mask of ones leaves the network as it is evaluated."""
    network, rate, batch = NETWORKS[name], 0.4, 8
    both = runs()
    recipe = Recipe(12, batch_size=batch, optimizer="sgd", dropout=rate)
    found = train(network, both, recipe, SCHEDULE)
    flat = initial_parameters(network, both[1:])
    parameters = {k: v.clone().requires_grad_() for k, v in views(flat, network.shapes).items()}
    scale = torch.ones(1, dtype=torch.float64)
    data = batches([both[1].rows], ["run 1"], batch, SCHEDULE)
    for step, own in zip(range(1, 13), data, strict=False):
        drops = masks(network.droppable, ["run 1"], rate, step, batch, flat)
        loss = (network.predict(parameters | drops, own.x, own.sigma, scale) - own.noise)\
            .square().mean()  # fmt: skip
        slopes = torch.autograd.grad(loss, tuple(parameters.values()))
        with torch.no_grad():
            for parameter, slope in zip(parameters.values(), slopes, strict=True):
                parameter -= 0.02 * slope
    expected = torch.cat([parameters[key].detach().flatten() for key in network.shapes])
    torch.testing.assert_close(found.parameters[-1, 1], expected, rtol=1e-10, atol=1e-12)
    alone = train(network, both[1:], recipe, SCHEDULE)
    torch.testing.assert_close(found.parameters[:, 1:], alone.parameters, rtol=1e-12, atol=1e-14)
    ones = {name: torch.ones_like(mask) for name, mask in drops.items()}
    torch.testing.assert_close(
        network.predict(parameters | ones, own.x, own.sigma, scale),
        network.predict(parameters, own.x, own.sigma, scale),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_mask_takes_units_of_its_own_model_row_and_layer(name):
    network = NETWORKS[name]
    x = torch.randn((2, 3, 16), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigma, scale = torch.ones((2, 3)).double(), torch.ones(2).double()
    p = views(initial_parameters(network, runs()), network.shapes)
    plain = network.predict(p, x, sigma, scale)
    for layer, units in network.droppable.items():
        mask = torch.ones((2, 3, units), dtype=torch.float64)
        mask[1, 2, units // 2] = 0
        changed = network.predict(p | {f"dropout of {layer}": mask}, x, sigma, scale) - plain
        assert changed[1, 2].abs().max() > 1e-9
        changed[1, 2] = 0
        assert changed.abs().max() < 1e-12


def test_a_killed_training_goes_on_with_its_masks(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0.0)
    network = NETWORKS["mlp"]
    recipe = Recipe(40, (20, 40), 8, dropout=0.2)
    calm = train(network, runs(), recipe, SCHEDULE)
    calls = 0

    class Killed(BaseException):
        pass

    def predict(*given):
        nonlocal calls
        calls += 1
        if calls > 25:
            raise Killed
        return network.predict(*given)

    broken = Network(network.shapes, network.initial, predict, droppable=network.droppable)
    with pytest.raises(Killed):
        train(broken, runs(), recipe, SCHEDULE, checkpoints=tmp_path)
    again = train(network, runs(), recipe, SCHEDULE, checkpoints=tmp_path)
    assert torch.equal(again.parameters, calm.parameters)


def test_a_network_without_layers_to_drop_is_refused():
    network = NETWORKS["mlp"]
    bare = Network(network.shapes, network.initial, network.predict)
    with pytest.raises(ValueError, match="no layer that dropout"):
        train(bare, runs(), Recipe(2, dropout=0.1), SCHEDULE)
    with pytest.raises(ValueError, match="dropout = 1 is not"):
        Recipe(2, dropout=1)


@pytest.mark.slow
def test_rows_of_cells_hang_on_the_rate_and_on_no_company():
    """A large rate leaves a few points unlearned by heart; the losses are without dropout."""
    cells = sweep_cells(
        spectrum="power_law", spectrum_params='{"exponent": 1.0}', d=4, n=[5, 6], draw="samples",
        timesteps=20, beta_max=9e-3, model="mlp", width=16, steps=300, learning_rate=0.01,
        dropout=0.5,
    )  # fmt: skip
    wanted = ("train_loss", "test_loss")
    both = trained.run(cells, wanted).to_pylist()
    for place in (0, 1):
        (alone,) = trained.run(cells.slice(place, 1), wanted).to_pylist()
        assert alone["train_loss"] == pytest.approx(both[place]["train_loss"], rel=1e-5)
    (settings,) = cells.slice(0, 1).to_pylist()
    plain = make_cells(**settings | {"dropout": 0.0})
    (row,) = trained.run(plain, wanted).to_pylist()
    assert row["train_loss"] < both[0]["train_loss"]


def test_dropout_of_the_inputs_of_a_linear_denoiser_would_be_a_ridge():
    """Of the loss of one noisy point, by all 2^d masks: p/(1 − p) tr W diag(y²) Wᵀ more."""
    rng = np.random.default_rng(0)
    d, p = 5, 0.3
    W, y, noise = rng.standard_normal((d, d)), rng.standard_normal(d), rng.standard_normal(d)
    total = 0.0
    for kept in np.ndindex(*(2,) * d):
        mask = np.array(kept)
        weight = np.prod(np.where(mask, 1 - p, p))
        total += weight * np.sum((noise - W @ (mask * y) / (1 - p)) ** 2)
    penalty = p / (1 - p) * np.trace(W @ np.diag(y**2) @ W.T)
    assert total == pytest.approx(np.sum((noise - W @ y) ** 2) + penalty, rel=1e-12)
