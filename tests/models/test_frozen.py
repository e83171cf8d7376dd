"""Trained models with `noises`: against the minimiser over the very same pairs, and in law."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lindiff import planning  # noqa: E402
from lindiff.models import MODELS, linear, linear_trained, trained  # noqa: E402
from lindiff.models.linear_family import make_family, training_key  # noqa: E402
from lindiff.models.measured import PROXIMITY  # noqa: E402
from lindiff.planning.linear_trained import check  # noqa: E402
from lindiff.science.denoisers import rounds_of  # noqa: E402
from lindiff.science.schedule import make_schedule  # noqa: E402
from lindiff.training.frozen import frozen_noise  # noqa: E402
from tests.science.helpers import make_cells, sweep_cells  # noqa: E402

SPECTRUM = '{"exponent": 1.0}'
POPULATION = {
    "spectrum": "power_law", "spectrum_params": SPECTRUM, "d": 5, "n": 8, "timesteps": 12,
    "beta_max": 5e-3, "draw": "samples", "seed": 1, "sampler": "ddim",
}  # fmt: skip
LINEAR = POPULATION | {"model": "linear_trained", "precision": "float64"}
DESCENT = LINEAR | {"optimizer": "gradient_descent", "learning_rate": 0.05, "steps": 10_000}
LOSSES = ("train_loss", "test_loss")
SCHEDULE = make_schedule("linear", 12, 1e-4, 5e-3)


def pairs_of(cells, index, copies):
    """Noisy points and noises of all copies of all rows at a level, one by one."""
    family = make_family(cells)
    key = training_key(family.row, family.key)
    inputs, targets = [], []
    for i, x in enumerate(family.draw.centred):
        for j in range(copies):
            at = (torch.tensor(number) for number in (i, index, j))
            noise = frozen_noise(key, *at, family.draw.d).double().numpy()
            targets.append(noise)
            q = SCHEDULE.q[index]
            inputs.append(np.sqrt(SCHEDULE.alpha_bar[index]) * x + np.sqrt(q) * noise)
    return family, np.array(inputs), np.array(targets)


def best(inputs, targets, penalty):
    """The minimiser of the mean of |ε − W y|² plus the penalty."""
    count, d = inputs.shape
    return np.linalg.solve(
        inputs.T @ inputs + count * penalty * np.eye(d), inputs.T @ targets
    ).T  # fmt: skip


@pytest.mark.parametrize("noises", [1, 3])
def test_a_training_on_drawn_pairs_nears_the_minimiser_over_all_of_them(noises):
    """Both losses within 1 %, by the definition of each, pair by pair."""
    given = {"weight_decay": 0.05, "batch_size": 32, "steps": 1500, "learning_rate": 0.15}
    cells = make_cells(
        **LINEAR | given, noises=float(noises), optimizer="sgd", learning_rate_decay="cosine"
    )
    (row,) = linear_trained.run(cells, LOSSES).to_pylist()
    train, test = [], []
    for index in range(12):
        family, inputs, targets = pairs_of(cells, index, noises)
        W = best(inputs, targets, 0.05)
        train.append(np.mean((targets - inputs @ W.T) ** 2))
        q, offset = SCHEDULE.q[index], family.draw.offset
        moment = np.diag(family.draw.spectrum) + np.outer(offset, offset)
        signal = SCHEDULE.alpha_bar[index] * np.trace(W @ moment @ W.T)
        test.append((np.linalg.norm(np.eye(5) - np.sqrt(q) * W) ** 2 + signal) / 5)
    assert row["train_loss"] == pytest.approx(np.mean(train), rel=0.01)
    assert row["test_loss"] == pytest.approx(np.mean(test), rel=0.01)
    average = make_cells(**POPULATION, weight_decay=0.05)
    (other,) = linear.run(average, LOSSES).to_pylist()
    assert abs(other["train_loss"] / row["train_loss"] - 1) > 0.03


def test_the_train_loss_is_over_all_pairs():
    """Of matrices that are far from the minimiser, level by level, to 1e-9."""
    cells = make_cells(**LINEAR, noises=3.0, optimizer="adam", steps=20, learning_rate=0.02)
    (row,) = linear_trained.run(cells, ("train_loss", "levels")).to_pylist()
    family = make_family(cells)
    found = {
        levels[i]: weights.weights[0, i].numpy()
        for levels, weights in linear_trained.trained(
            family.row, family.draw, family.key, SCHEDULE, [20]
        )
        for i in range(len(levels))
    }
    losses = []
    for index in range(12):
        _, inputs, targets = pairs_of(cells, index, 3)
        losses.append(np.mean((targets - inputs @ found[index].T) ** 2))
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-9)
    for level in row["levels"]:
        assert level["train_loss"] == pytest.approx(losses[level["t"] - 1], rel=1e-9)


@pytest.mark.parametrize("noises", [1, 4])
def test_full_descent_ends_at_the_exact_model_on_the_same_noises(noises):
    """Every metric, to 1e-9."""
    own = MODELS["linear_trained"].metrics - PROXIMITY - {"levels", "modes"}
    given = {"noises": float(noises), "weight_decay": 0.1}
    cells = make_cells(**DESCENT | given)
    assert check(cells) == []
    (found,) = linear_trained.run(cells, own).to_pylist()
    (exact,) = linear.run(make_cells(**POPULATION | given), own).to_pylist()
    assert found["status"] == "ok"
    for name in own:
        if exact[name] is None:
            assert (found[name], name) == (None, "pool_fraction")
        else:
            assert found[name] == pytest.approx(exact[name], rel=1e-9), name


def test_descent_on_frozen_noises_has_a_stable_rate_of_its_own():
    """Below it the loss falls, above it the cell has diverged and says where the limit is."""

    def last(rate, steps=4000):
        cells = make_cells(
            **DESCENT | {"learning_rate": rate, "steps": steps, "noises": 1.0, "n": 2}
        )
        return linear_trained.run(cells, LOSSES).to_pylist()[0]

    lost = last(1.5, 10)
    assert (lost["status"], lost["message"][:25]) == ("diverged", "gradient descent diverges")
    stable = float(lost["message"].split()[-4])
    assert last(0.999 * stable)["train_loss"] < 0.1 < 10 < last(1.02 * stable)["train_loss"]


@pytest.mark.slow
def test_in_the_mean_over_training_sets_the_losses_are_those_of_the_exact_model():
    """Noises by index and noises drawn as sums have one law: m = 2, 200 training sets."""
    differences = []
    for seed in range(200):
        cells = make_cells(**LINEAR | {"seed": seed}, noises=2.0, weight_decay=0.05)
        (exact,) = linear.run(
            make_cells(**POPULATION | {"seed": seed}, noises=2.0, weight_decay=0.05), ["levels"]
        ).to_pylist()
        level = exact["levels"][-1]
        family, inputs, targets = pairs_of(cells, level["t"] - 1, 2)
        W = best(inputs, targets, 0.05)
        train = np.mean((targets - inputs @ W.T) ** 2)
        q, offset = SCHEDULE.q[level["t"] - 1], family.draw.offset
        moment = np.diag(family.draw.spectrum) + np.outer(offset, offset)
        signal = SCHEDULE.alpha_bar[level["t"] - 1] * np.trace(W @ moment @ W.T)
        test = (np.linalg.norm(np.eye(5) - np.sqrt(q) * W) ** 2 + signal) / 5
        differences.append([train - level["train_loss"], test - level["test_loss"]])
    mean, error = np.mean(differences, axis=0), np.std(differences, axis=0) / math.sqrt(200)
    assert (np.abs(mean) < 3 * error).all()


NETWORK = POPULATION | {
    "model": "mlp", "width": 24, "steps": 1500, "learning_rate": 6e-3, "n": 4, "d": 3,
    "learning_rate_decay": "cosine",
}  # fmt: skip


def test_a_network_learns_its_noises_by_heart_and_only_those():
    """Of one noise a point and level it knows all; of the average it cannot."""
    cells = sweep_cells(**NETWORK, noises=[1.0, math.inf])
    few, many = trained.run(cells, (*LOSSES, "train_loss_se")).to_pylist()
    assert few["train_loss"] < 0.5 * many["train_loss"]
    # The average is left out of the id.
    (plain,) = sweep_cells(**NETWORK).to_pylist()
    assert cells["cell_id"].to_pylist()[1] == plain["cell_id"]


def test_the_measured_train_loss_is_that_over_the_frozen_noises():
    cells = sweep_cells(**NETWORK | {"steps": 150, "timesteps": 12}, noises=3.0)
    (row,) = trained.run(cells, ("train_loss", "train_loss_se")).to_pylist()
    task = trained._task(cells, pair=False, dtype=torch.float32)
    network = trained._network("mlp", "gaussian", 3, 24, "edm")
    recipe = trained._recipe(trained.common(cells), [150])
    made = trained.train(network, task.runs, recipe, SCHEDULE).parameters[0, 0]
    denoise = trained.as_denoiser(network, made, task.runs[0], SCHEDULE)
    losses = []
    for index in range(12):
        _, inputs, targets = pairs_of(cells, index, 3)
        losses.append(np.mean((targets - denoise(inputs, index)) ** 2))
    assert rounds_of(12) == 533
    assert abs(row["train_loss"] - np.mean(losses)) < 3 * row["train_loss_se"]
    assert row["train_loss_se"] < 0.05 * row["train_loss"]


def digits():
    from lindiff.science.pools import make_pool

    return {"data": "digits", "spectrum": "dataset", "d": make_pool("digits").d, "draw": None,
            "spectrum_params": json.dumps({"name": "digits"}), "population_mean": None}  # fmt: skip


@pytest.mark.parametrize("model", ["unet", "linear_trained"])
def test_real_data_have_frozen_noises(model):
    own = {"width": 2} if model == "unet" else {"batch_size": 4}
    given = {"steps": 3, "learning_rate": 1e-2, "n": 20, "noises": [2.0, math.inf]} | own
    cells = sweep_cells(**POPULATION | digits() | given, model=model)
    rows = MODELS[model].load()(cells.slice(0, 1), LOSSES).to_pylist()
    rows += MODELS[model].load()(cells.slice(1, 1), LOSSES).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert rows[0]["train_loss"] != rows[1]["train_loss"]


@pytest.mark.parametrize("model", ["mlp", "linear_trained"])
def test_frozen_noises_cost_what_they_take_to_make(model):
    own = {"width": 8} if model == "mlp" else {"optimizer": "adam"}
    given = {**POPULATION, "d": 200, "steps": 100, "learning_rate": 0.1} | own

    def of(**more):
        cells = make_cells(model=model, **given | more)
        seconds, size = planning.estimate(
            MODELS[model], cells.append_column("cells", [[1] * len(cells)]), LOSSES
        )
        return float(seconds[0]), float(size[0])

    average, few = of(noises=math.inf), of(noises=2.0)
    levels = 1 if model == "mlp" else 12
    assert few[0] - average[0] > 0.9 * 100 * 64 * 200 * 2e-8 * levels
    assert few[1] > average[1]
    # The trained matrices' loss is over all pairs, a network's over some of them.
    many = of(noises=1e6)
    assert (many[0] > 100 * few[0]) is (model == "linear_trained")
