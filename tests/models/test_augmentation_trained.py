"""Trained models on the orbit of a training set."""

import json

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")

import lindiff  # noqa: E402
from lindiff.errors import InputError  # noqa: E402
from lindiff.models import linear, linear_trained, trained  # noqa: E402
from lindiff.models.linear_family import make_family, training_key  # noqa: E402
from lindiff.science.augmentation import orbit_of_pictures, orbit_of_signs  # noqa: E402
from lindiff.science.pools import make_pool  # noqa: E402
from tests.science.helpers import make_cells, sweep_cells  # noqa: E402

POWER = {
    "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 5, "n": 6,
    "timesteps": 12, "beta_max": 5e-3, "draw": "samples", "seed": 1, "sampler": "ddim",
}  # fmt: skip
SIGNS = {"augmentation": "signs", "group_size": 2}
METRICS = ("train_loss", "test_loss", "kl_model_data", "kl_data_model", "agreement")


def test_descent_on_an_orbit_meets_the_exact_model():
    given = {"model": "linear_trained", "optimizer": "gradient_descent", "precision": "float64"}
    cells = make_cells(**POWER | SIGNS | given, steps=200, learning_rate=0.05)
    (row,) = linear_trained.run(cells, METRICS).to_pylist()
    (exact,) = linear.run(make_cells(**POWER | SIGNS, stop=10.0, learning_rate=0.05), METRICS)\
        .to_pylist()  # fmt: skip
    for name in METRICS:
        assert row[name] == pytest.approx(exact[name], rel=1e-10), name


def test_every_drawn_example_is_a_random_point_of_the_orbit():
    """Rows by index out of N |G|: a random row and a random element of the group."""
    cells = make_cells(**POWER | SIGNS, model="mlp", steps=5, width=4, learning_rate=0.01)
    task = trained._task(cells, True, torch.float64)
    plain = make_family(make_cells(**POWER)).draw
    orbit = orbit_of_signs(plain.centred + plain.offset, 2)
    expected = orbit - orbit.mean(axis=0)
    np.testing.assert_allclose(task.runs[0].rows.numpy(), expected, atol=1e-12)
    assert task.runs[0].key == training_key(task.row, task.family.key)
    assert task.runs[1].rows.shape == (12, 5)


def test_rows_do_not_hang_on_the_groups_beside_them():
    cells = sweep_cells(
        **POWER, model="mlp", steps=20, width=4, learning_rate=0.01,
        augmentation=["none", "signs"], group_size=2,
    )  # fmt: skip
    both = trained.run(cells, METRICS[:3]).to_pylist()
    for place in (0, 1):
        (alone,) = trained.run(cells.slice(place, 1), METRICS[:3]).to_pylist()
        for name in METRICS[:3]:
            assert alone[name] == pytest.approx(both[place][name], rel=1e-5)
    assert both[0]["train_loss"] != both[1]["train_loss"]


def test_a_network_copies_as_one_on_as_many_points_as_its_orbit_has():
    """About half of its samples at 8 points, few at 16, whatever the group; most at 4."""
    given = {
        "model": "mlp", "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 16,
        "draw": "samples", "timesteps": 50, "sampler": "ddim", "sampling_steps": 50, "width": 64,
        "steps": 400, "learning_rate": 6e-3, "warm_up": 100, "learning_rate_decay": "cosine",
        "seed": [0, 1],
    }  # fmt: skip
    groups = [
        sweep_cells(n=[4, 8, 16], **given),
        sweep_cells(n=[4, 8], **given, **SIGNS),
        sweep_cells(n=[2, 4], **given, **SIGNS | {"group_size": 4}),
    ]
    cells = pa.concat_tables(groups)
    shares = trained.run(cells, ("memorized_fraction",))["memorized_fraction"].to_numpy()
    most, *others = shares.reshape(-1, 2).mean(axis=1)
    assert most > 0.7
    np.testing.assert_array_less(np.abs(np.array(others[::2]) - 0.45), 0.15)
    np.testing.assert_array_less(others[1::2], 0.2)


def test_a_network_is_trained_on_an_array_of_pictures_and_its_mirror_pictures():
    pictures = make_pool("digits").restore(make_pool("digits").rows[:120]).reshape(-1, 8, 8)
    given = {"n": 20, "steps": 3, "width": 4, "learning_rate": 0.01, "timesteps": 20,
             "beta_max": 9e-3, "name": "mirrored"}  # fmt: skip
    found = lindiff.train(pictures, "mlp", augmentation="flip", **given)
    pool = make_pool(json.loads(found._own.cells["spectrum_params"][0].as_py())["name"])
    orbit = orbit_of_pictures(pool, pool.subset(20, 0), "flip", 2)
    draw = found._own.family.draw
    np.testing.assert_allclose(draw.centred + draw.offset, orbit, atol=1e-10)
    with pytest.raises(InputError, match="no group shift of 3 elements; allowed: 0, 4, 16, 64"):
        lindiff.train(pictures, "mlp", augmentation="shift", group_size=3, **given)
    with pytest.raises(InputError, match="no pictures, with height and width; allowed: none"):
        lindiff.train(pictures.reshape(120, 64), "mlp", augmentation="flip", **given)
    draw = lindiff.make_draw("samples", np.ones(4), n=20, seed=0)
    with pytest.raises(InputError, match="augmentation: the draw says it"):
        lindiff.train(draw, "mlp", augmentation="signs", steps=3, width=4, learning_rate=0.01)
