"""Weighted losses of trained models, against the exact ones and the plain loop of torch."""

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from lindiff.models import linear, linear_trained, trained  # noqa: E402
from lindiff.planning.linear_trained import check  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.science.weighting import make_weights  # noqa: E402
from lindiff.training.engine import train  # noqa: E402
from lindiff.training.networks.mlp import make_mlp  # noqa: E402
from lindiff.training.noise import batches  # noqa: E402
from lindiff.training.task import Recipe, Run, initial_parameters, views  # noqa: E402
from tests.science.helpers import make_cells, sweep_cells  # noqa: E402

POPULATION = {
    "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 5, "n": 12,
    "timesteps": 15, "beta_max": 5e-3, "draw": "samples", "seed": 1, "sampler": "ddim",
    "scale": 1.5,
}  # fmt: skip
METRICS = ("train_loss", "test_loss", "kl_model_data", "kl_data_model", "agreement")
DESCENT = {"model": "linear_trained", "optimizer": "gradient_descent", "precision": "float64"}


@pytest.mark.parametrize("weighting", ["min_snr", "edm"])
def test_weighted_descent_meets_the_exact_model_at_every_stop(weighting):
    """To 1e-10: in the loop the gradient has the weight, in the formula time and weight decay."""
    common = POPULATION | {"weighting": weighting, "weight_decay": 0.05, "learning_rate": 0.02}
    cells = make_cells(**common | DESCENT, steps=300, stop_step=[1, 20, 0])
    assert check(cells) == []
    found = linear_trained.run(cells, METRICS).to_pylist()
    exact = make_cells(**common, stop=[0.02, 0.4, 6.0])
    for row, other in zip(found, linear.run(exact, METRICS).to_pylist(), strict=True):
        assert row["status"] == other["status"] == "ok"
        for name in METRICS:
            assert row[name] == pytest.approx(other[name], rel=1e-10), name


def test_weighted_descent_on_frozen_noises_ends_at_the_exact_model():
    common = POPULATION | {"weighting": "min_snr", "weight_decay": 0.1, "noises": 2.0}
    cells = make_cells(**common | DESCENT, steps=4000, learning_rate=0.05)
    (row,) = linear_trained.run(cells, METRICS).to_pylist()
    (exact,) = linear.run(make_cells(**common), METRICS).to_pylist()
    for name in METRICS:
        assert row[name] == pytest.approx(exact[name], rel=1e-9), name


def test_a_rate_that_only_the_weights_make_unstable_is_refused_and_seen():
    white = {"spectrum": "isotropic", "spectrum_params": "{}", "scale": 1.0, "n": 1000}
    given = POPULATION | white | DESCENT | {"steps": 50, "learning_rate": 1.0}
    assert check(make_cells(**given)) == []
    cells = make_cells(**given, weighting="x0")
    assert [setting for _, setting, _ in check(cells)] == ["learning_rate"]
    (row,) = linear_trained.run(cells, METRICS).to_pylist()
    assert (row["status"], row["message"][:25]) == ("diverged", "gradient descent diverges")


def test_weighted_sgd_on_drawn_noise_nears_the_exact_optimum():
    """Within 0.2 %, with a weight decay whose effect hangs on the weights."""
    common = POPULATION | {"weight_decay": 0.2, "n": 40, "weighting": "x0"}
    cells = make_cells(
        **common, model="linear_trained", optimizer="sgd", steps=1500, learning_rate=0.06,
        learning_rate_decay="cosine",
    )  # fmt: skip
    (row,) = linear_trained.run(cells, METRICS[:2]).to_pylist()
    (exact,) = linear.run(make_cells(**common), METRICS[:2]).to_pylist()
    (plain,) = linear.run(make_cells(**common | {"weighting": "uniform"}), METRICS[:2]).to_pylist()
    for name in METRICS[:2]:
        assert row[name] == pytest.approx(exact[name], rel=2e-3), name
        assert abs(plain[name] / exact[name] - 1) > 0.02, name


def test_adam_knows_no_weight_of_a_level():
    """Without weight decay; with it the gradient has a second part, which has no weight."""
    given = POPULATION | {"model": "linear_trained", "steps": 60, "learning_rate": 0.02}
    cells = make_cells(**given, weight_decay=[0.0, 0.2], weighting=["uniform", "x0"])
    plain, weighted, decayed, both = (
        linear_trained.run(cells.slice(i, 1), ["train_loss"]).to_pylist()[0]["train_loss"]
        for i in range(4)
    )
    assert weighted == pytest.approx(plain, rel=1e-4)
    assert abs(both / decayed - 1) > 1e-2


def test_a_weighted_training_is_the_plain_loop_of_torch():
    """Of the second of two models, whose company has no weights."""
    d, schedule = 4, make_schedule("linear", 30)
    network = make_mlp(d, 8, 2)
    rows = torch.randn((6, d), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w = torch.tensor(make_weights("edm", schedule, 0.7))
    runs = [Run(rows, "first", 0.01), Run(rows, "second", 0.01, scale=0.7, weights=w)]
    found = train(network, runs, Recipe(20, batch_size=8, optimizer="sgd"), schedule)
    flat = initial_parameters(network, runs[1:])
    parameters = {k: v.clone().requires_grad_() for k, v in views(flat, network.shapes).items()}
    sigma = torch.tensor((schedule.q / schedule.alpha_bar) ** 0.5)
    scale = torch.tensor([0.7], dtype=torch.float64)
    for batch in itertools.islice(batches([rows], ["second"], 8, schedule), 20):
        assert batch.weight is None
        loss = 0
        for i in range(8):
            x, own, noise = (part[:, i : i + 1] for part in (batch.x, batch.sigma, batch.noise))
            t = int((sigma / own).log().abs().argmin())
            loss += w[t] * (network.predict(parameters, x, own, scale) - noise).square().mean() / 8
        slopes = torch.autograd.grad(loss, tuple(parameters.values()))
        with torch.no_grad():
            for parameter, slope in zip(parameters.values(), slopes, strict=True):
                parameter -= 0.01 * slope
    expected = torch.cat([parameters[key].detach().flatten() for key in network.shapes])
    torch.testing.assert_close(found.parameters[-1, 1], expected, rtol=1e-10, atol=1e-12)
    alone = train(network, runs[:1], Recipe(20, batch_size=8, optimizer="sgd"), schedule)
    torch.testing.assert_close(found.parameters[:, :1], alone.parameters, rtol=1e-12, atol=1e-14)


def test_networks_have_the_plain_losses_of_another_training():
    """Weight on the high levels lowers the loss there, and raises it at the low ones."""
    cells = sweep_cells(
        **POPULATION | {"timesteps": 100, "n": 100, "beta_max": 9e-3, "d": 3}, model="mlp",
        width=16, steps=400, learning_rate=1e-2, weighting=["uniform", "x0"],
        learning_rate_decay="cosine",
    )  # fmt: skip
    plain, weighted = (
        trained.run(cells.slice(i, 1), ("train_loss", "levels")).to_pylist()[0] for i in (0, 1)
    )
    assert plain["train_loss"] < weighted["train_loss"]
    first, last = (
        [row["levels"][place]["train_loss"] for row in (plain, weighted)] for place in (0, -1)
    )
    assert first[0] < first[1]
    assert last[0] > last[1]
    (row,) = sweep_cells(
        **POPULATION, model="mlp", width=16, steps=400, learning_rate=1e-2, noises=math.inf
    ).to_pylist()
    assert row["weighting"] == "uniform"
