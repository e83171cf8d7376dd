"""One trained model from Python: its numbers are those of a cell."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

import lindiff
from lindiff.columns import NESTED
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.models.measured import PAIR
from lindiff.science.pools import make_pool
from tests.configs import values
from tests.sweeps import Sweep

pytest.importorskip("torch")

NETWORK = {"steps": 30, "width": 8, "learning_rate": 6e-3, "timesteps": 20, "beta_max": 9e-3}
LINEAR = {"steps": 30, "learning_rate": 6e-3, "timesteps": 20, "beta_max": 9e-3, "batch_size": 8}
DESCENT = {"steps": 30, "learning_rate": 0.1, "timesteps": 20, "beta_max": 9e-3,
           "optimizer": "gradient_descent"}  # fmt: skip
TRAINED = [name for name, model in MODELS.items() if model.trained]


def cell(folder, data, settings, metrics):
    """The row of a sweep of one cell."""
    sweep = Sweep(folder)
    own = {**settings, "metrics": "{only: [" + ", ".join(metrics) + "]}"}
    text = ", ".join([data, *(f"{key}: {value}" for key, value in own.items())])
    sweep.finish(sweep.config("{" + text + "}", defaults="{}", shard="60"))
    (row,) = pq.read_table(sweep.results / "tiny" / "metrics.parquet").to_pylist()
    assert row["status"] == "ok"
    return row


def same(found, row):
    """Every number is that of the row, to the last digit."""
    assert found
    for name, value in found.items():
        assert value == row[name] or (row[name] is None and np.isnan(value)), name


def asked(name):
    """All numbers of one training."""
    return MODELS[name].metrics - PAIR - set(NESTED)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("mlp", NETWORK), ("linear_trained", LINEAR), ("linear_trained", DESCENT)],
    ids=["mlp", "linear", "descent"],
)
def test_the_numbers_of_a_matrix_are_those_of_its_cell(tmp_path, name, settings):
    rows = 3 + values()
    np.save(tmp_path / "m.npy", rows)
    model = lindiff.train(rows, name, n=20, seed=1, name="m.npy", **settings)
    data = "data: {file: m.npy}, n: 20, seed: 1"
    row = cell(tmp_path, data, {"model": name, **settings}, asked(name))
    found = model.metrics()
    assert set(found) == set(MODELS[name].metrics) - set(NESTED) - PAIR
    same(found, row)


@pytest.mark.slow
def test_the_numbers_of_a_picture_model_are_those_of_its_cell(tmp_path):
    settings = NETWORK | {"width": 2, "timesteps": 10, "beta_max": 5e-3, "steps": 5}
    model = lindiff.train("digits", "unet", n=20, **settings)
    names = ["train_loss", "train_loss_se", "memorized_fraction", "memorized_fraction_se"]
    row = cell(tmp_path, "data: digits, n: 20, seed: 0", {"model": "unet", **settings}, names)
    same(model.metrics(*names), row)
    assert model.sample(0, 2).shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        # A batch of two may round otherwise than a batch of one at such a width.
        ("mlp", NETWORK | {"width": 7}),
        ("linear_trained", LINEAR),
        ("linear_trained", DESCENT | {"learning_rate": 0.05}),
    ],
    ids=["mlp", "linear", "descent"],
)
def test_the_agreement_is_that_of_its_cell(tmp_path, name, settings):
    """With all that a sweep measures of the same pair, to the last digit."""
    settings = settings | {"sampler": "ddim"}
    rows = 3 + values()
    np.save(tmp_path / "m.npy", rows)
    model = lindiff.train(rows, name, n=15, seed=1, name="m.npy", **settings)
    alone = model.metrics()
    assert not PAIR & set(alone)
    there = MODELS[name].metrics - set(NESTED)
    row = cell(tmp_path, "data: {file: m.npy}, n: 15, seed: 1", {"model": name, **settings}, there)
    found = model.metrics(*there)
    assert PAIR & there <= set(found)
    assert 0 < found["agreement"] < 1
    same(found, row)
    assert model.metrics("agreement")["agreement"] == found["agreement"]
    np.testing.assert_allclose([found[key] for key in alone], list(alone.values()), rtol=1e-5)


def test_a_partner_is_trained_once(monkeypatch):
    from lindiff.models import fitting

    settings = NETWORK | {"sampler": "ddim"}
    model = lindiff.train(values(), "mlp", n=15, **settings)
    trainings = []

    def counted(network, runs, *arguments, **more):
        trainings.append([run.key for run in runs])
        return train(network, runs, *arguments, **more)

    train = fitting.train
    monkeypatch.setattr(fitting, "train", counted)
    model.metrics("test_loss")
    assert trainings == []
    for _ in range(2):
        model.metrics("agreement")
    ((own, other),) = trainings
    assert (own != other, '"half": 1' in other) == (True, True)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("mlp", NETWORK), ("linear_trained", DESCENT)],
    ids=["mlp", "descent"],
)
@pytest.mark.parametrize("mean", [0.0, 0.7])
def test_the_agreement_of_a_draw_is_that_of_its_cell(tmp_path, name, settings, mean):
    """The partner is drawn from the population of the draw, with its mean."""
    settings = settings | {"sampler": "ddim"}
    listed = [2.0, 1.0, 0.75, 0.25]
    data = f"spectrum: {{eigenvalues: {listed}}}, d: 4, n: 20, draw: samples, seed: 2"
    data += f", population_mean: {mean}"
    names = MODELS[name].metrics & {"agreement", "agreement_se", "test_loss", "test_loss_se"}
    row = cell(tmp_path, data, {"model": name, **settings}, names)
    key = {"spectrum": row["spectrum"], "params": row["spectrum_params"]}
    s = lindiff.make_spectrum("eigenvalues", 4, values=listed)
    draw = lindiff.make_draw("samples", s, n=20, seed=2, key=key, population_mean=mean)
    model = lindiff.train(draw, name, seed=2, **settings)
    assert model.settings["population_mean"] == mean
    same(model.metrics(*names), row)


def test_a_partner_that_diverges_is_told(monkeypatch):
    """Its model's own numbers stay."""
    settings = DESCENT | {"sampler": "ddim", "optimizer": "sgd", "batch_size": 8}
    model = lindiff.train(values(), "linear_trained", n=15, **settings)
    from lindiff.models import linear_trained

    whole = linear_trained.train_levels

    def train_levels(run, *arguments):
        return replace(whole(run, *arguments), failed=3)

    monkeypatch.setattr(linear_trained, "train_levels", train_levels)
    with pytest.warns(UserWarning, match="ok: the other half: the loss is not finite at step 3"):
        found = model.metrics("agreement", "test_loss")
    assert np.isnan(found["agreement"])
    assert found["test_loss"] == model.metrics("test_loss")["test_loss"]


def test_where_no_partner_can_be_is_told():
    for data, n, sampler, words in (
        (values(), 15, "ddpm_beta", "metrics: sampler = 'ddpm_beta': agreement needs a sampler"),
        (values(), 17, "ddim", "metrics: n = 17: agreement needs two disjoint sets; the pool of"),
        (values(), None, "ddim", "has 32 rows, so n is at most 16"),
        (replace(DRAW, mean=np.arange(4.0)), None, "ddim", "agreement needs a second training set"),
    ):
        model = lindiff.train(data, "mlp", n=n, **NETWORK, sampler=sampler)
        for name in ("agreement", "agreement_se"):
            with pytest.raises(InputError) as caught:
                model.metrics(name)
            assert words in str(caught.value)
        assert model.metrics("test_loss")


def test_the_numbers_of_a_draw_are_those_of_its_cell(tmp_path):
    """Where the spectrum is one of listed eigenvalues, as that of a draw is."""
    listed = [2.0, 1.0, 0.75, 0.25]
    data = f"spectrum: {{eigenvalues: {listed}}}, d: 4, n: 20, draw: samples, seed: 2"
    row = cell(tmp_path, data, {"model": "mlp", **NETWORK}, asked("mlp"))
    key = {"spectrum": row["spectrum"], "params": row["spectrum_params"]}
    s = lindiff.make_spectrum("eigenvalues", 4, values=listed)
    draw = lindiff.make_draw("samples", s, n=20, seed=2, key=key)
    same(lindiff.train(draw, "mlp", seed=2, **NETWORK).metrics(), row)


@pytest.mark.slow
def test_the_numbers_of_gaussian_data_are_those_of_their_cell(tmp_path):
    own = {"d": 4, "n": 20, "draw": "samples", "seed": 2, **NETWORK}
    data = "spectrum: {power_law: 1}"
    row = cell(tmp_path, data, {"model": "mlp", **own}, asked("mlp"))
    same(lindiff.train("gaussian", "mlp", spectrum={"power_law": 1}, **own).metrics(), row)


def test_the_settings_are_those_of_the_cell(tmp_path):
    rows = values()
    np.save(tmp_path / "m.npy", rows)
    row = cell(tmp_path, "data: {file: m.npy}, n: 20, seed: 1", {"model": "mlp", **NETWORK},
               ["test_loss"])  # fmt: skip
    for data, more in ((rows, {"name": "m.npy"}), ({"file": str(tmp_path / "m.npy")}, {})):
        model = lindiff.train(data, "mlp", n=20, seed=1, **NETWORK, **more)
        assert model.settings == {name: row[name] for name in model.settings}


def test_descent_from_python_meets_the_exact_model():
    """The denoiser that comes back is the one that is measured: of full descent it is known."""
    s = lindiff.make_spectrum("power_law", 4, exponent=1.0)
    draw = lindiff.make_draw("samples", s, n=50, seed=0, population_mean=2.0)
    model = lindiff.train(draw, "linear_trained", **DESCENT | {"precision": "float64"})
    stop = DESCENT["steps"] * DESCENT["learning_rate"]
    training = lindiff.Training(stop=stop, learning_rate=DESCENT["learning_rate"])
    exact = lindiff.linear_metrics(draw, [training], model.schedule)
    found = model.metrics("test_loss")
    np.testing.assert_allclose(found["test_loss"], exact["test_loss"][0], rtol=1e-9)
    t, rng = 7, np.random.default_rng(0)
    alpha_bar, q = model.schedule.alpha_bar[t - 1], model.schedule.q[t - 1]
    x, noise = rng.standard_normal((2, 5, 4))
    y = np.sqrt(alpha_bar) * x + np.sqrt(q) * noise
    bank = lindiff.Bank(model.schedule, [training])
    w = bank.level(draw.eigenvalues, t - 1)[3][:, 0]
    relative = y - np.sqrt(alpha_bar) * draw.centre
    guess = (relative @ draw.vectors * w) @ draw.vectors.T
    clean = (relative - np.sqrt(q) * guess) / np.sqrt(alpha_bar) + draw.centre
    np.testing.assert_allclose(model.denoise(y, t), clean, rtol=1e-9)


@pytest.mark.slow
def test_samples_and_estimates_are_in_the_units_of_the_data():
    """Where the noise is nothing, the estimate is what came in; samples scatter as the data do."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([1000 + 5 * rng.standard_normal(400), np.full(400, 7.0),
                            0.1 * rng.standard_normal(400)])  # fmt: skip
    model = lindiff.train(rows, "mlp", steps=400, width=16, learning_rate=6e-3, timesteps=100,
                          beta_max=1e-2)  # fmt: skip
    assert model.settings["d"] == 2
    estimate = model.denoise(np.sqrt(model.schedule.alpha_bar[0]) * rows, 1)
    np.testing.assert_allclose(estimate, rows, atol=0.3 * model.unit)
    made = model.sample(0, 500)
    np.testing.assert_allclose(made.mean(axis=0), rows.mean(axis=0), atol=3)
    assert 2.5 < made[:, 0].std() < 10
    assert (made[:, 1] == 7).all() or np.allclose(made[:, 1], 7)
    assert np.array_equal(model.sample(0, 3), model.sample(0, 3))
    assert not np.array_equal(model.sample(0, 3), model.sample(1, 3))


@pytest.mark.slow
def test_pictures_of_ones_own():
    digits = lindiff.science.datasets.load("digits").values
    settings = NETWORK | {"width": 2, "steps": 5}
    for data, more in ((digits.reshape(-1, 8, 8), {}), (digits, {"picture": (8, 8)}),
                       (digits.reshape(-1, 8, 8, 1), {})):  # fmt: skip
        model = lindiff.train(data, "unet", n=20, **settings, **more)
        assert model.sample(0, 2).shape == (2, *data.shape[1:])
        assert model.denoise(data[:3], 5).shape == data[:3].shape
        assert model.settings["model"] == "unet"
    loss = model.metrics("test_loss")["test_loss"]
    assert 0 < loss < 2
    flat = lindiff.train(digits.reshape(-1, 8, 8), "mlp", n=20, **settings)
    assert flat.sample(0, 2).shape == (2, 8, 8)


def test_all_rows_that_are_not_held_out_are_taken():
    model = lindiff.train(values(), "mlp", **NETWORK)
    name = model.settings["data"]
    assert model.settings["n"] == make_pool(name).size == 32
    with pytest.warns(UserWarning, match="ok: linearity needs more than"):
        found = model.metrics("linearity", "levels")
    assert found["linearity"] is None
    assert found["levels"][0]["t"] == 1


def test_torch_keeps_the_threads_that_it_had():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        lindiff.train(values(), "mlp", **NETWORK).sample(0, 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


S = lindiff.make_spectrum("isotropic", 4)
DRAW = lindiff.make_draw("samples", S, n=9, seed=0)
BAD = [
    ((values(), "mpl"), {}, "model = 'mpl': trained are linear_trained, mlp, unet (did you mea"),
    ((values(), "linear_exact"), {}, "model = 'linear_exact': trained are"),
    ((values(),), {"widths": 3}, "widths: unknown key (did you mean width?)"),
    ((values(),), {"optimizer": "adan"}, "optimizer = 'adan': not a known value; allowed: adam"),
    ((values(),), {"width": 0}, "width = 0: must be at least 1"),
    ((values(),), {"width": [8, 16]}, "width = [8, 16]: one value is needed; a sweep"),
    ((values(),), {"learning_rate": None}, "needs a learning rate above 0"),
    ((values(),), {"steps": None}, "the key steps is missing"),
    ((values(),), {"n": 33}, "n = 33: of 40 rows 32 are to train on"),
    ((values(),), {"sampler": "ideal"}, "cannot be combined with sampler = 'ideal'"),
    ((values(),), {"metrics": ["agreement"]}, "metrics: ask for them by .metrics"),
    ((values(),), {"spectrum": "isotropic"}, "spectrum: the data say it"),
    ((values(),), {"device": "gpu"}, "device = 'gpu': not a known value; allowed: auto, cpu, cuda"),
    ((values()[:5],), {}, "data: has 5 rows; a pool and held-out rows need 10"),
    ((values() * np.nan,), {}, "data: a value is NaN or infinite"),
    ((np.ma.masked_greater(values(), 1),), {}, "data: values are masked; leave them out"),
    ((values()[:, 0],), {}, "data of shape (40,): one sample a row"),
    ((values().astype(str),), {}, "data: real numbers are needed, not <U"),
    ((values(), "unet"), {}, "data of samples of shape (4,): pictures are needed"),
    ((values(columns=32).reshape(-1, 4, 4, 2), "unet"), {}, "pictures are needed"),
    ((values(columns=15), "unet"), {"picture": (3, 5)}, "a U-Net halves both sides"),
    ((values(columns=16), "unet"), {"picture": (3, 5)}, "with picture = (3, 5): pictures"),
    (("digit",), {}, "did you mean digits?"),
    (("digits",), {"n": 10**6}, "n = 1000000"),
    (("digits",), {"picture": (8, 8)}, "picture is for an array"),
    ((values(columns=16), "unet"), {"picture": 4}, "picture = 4: (height, width) are needed"),
    ((values(),), {"name": 4}, "name = 4: a text is needed"),
    ((values(),), {"n": "many"}, "n = 'many': must be a whole number"),
    ((DRAW,), {"n": 8}, "n = 8: the draw has 9"),
    ((DRAW,), {"scale": 2.0}, "scale: the draw says it"),
    ((DRAW, "unet"), {}, "a draw of Gaussian samples has no pictures"),
    ((lindiff.make_draw("wishart", S, n=9, seed=0),), {}, "the draw has no samples"),
    ((make_pool("digits").draw(9, 0),), {}, "a draw of rows: give the rows themselves"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "more", "words"), BAD, ids=lambda v: str(v)[:30])
def test_what_cannot_be_trained_is_told(given, more, words):
    with pytest.raises(InputError) as caught:
        lindiff.train(*given[:1], *(given[1:] or ("mlp",)), **{**NETWORK, **more})
    assert words in str(caught.value)
    assert "experiments" not in str(caught.value)
    assert str(caught.value).startswith("lindiff.train: ")


def test_what_a_model_cannot_be_asked_is_told():
    model = lindiff.train(values(), "mlp", **NETWORK)
    for call, words in (
        (lambda: model.denoise(np.ones((2, 3)), 1), "y of shape (2, 3): the model takes (K, 4)"),
        (lambda: model.denoise(np.ones((2, 4)), 0), "t = 0 must be at least 1"),
        (lambda: model.denoise(np.ones((2, 4)), 21), "t = 21 must be at most 20"),
        (lambda: model.sample(-1), "seed = -1 must be at least 0"),
        (lambda: model.sample(0, 2.5), "count = 2.5 is not a whole number"),
        (lambda: model.metrics("test_los"), "'test_los': no such metric (did you mean test_loss?)"),
        (lambda: model.metrics("shrinkage"), "'shrinkage': mlp does not give it"),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert words in str(caught.value)


def test_a_training_that_diverges_is_told():
    with pytest.raises(FloatingPointError, match="the training diverged: "):
        lindiff.train(values(), "mlp", **NETWORK | {"learning_rate": 1e30, "optimizer": "sgd"})


def test_without_torch_the_extra_is_named():
    code = (
        "import importlib.util, lindiff\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'torch' else find(name)\n"
        "lindiff.train('digits', 'mlp', steps=1, width=1, learning_rate=1)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lindiff[train]'" in run.stderr.splitlines()[-1]


def test_the_models_are_those_that_are_trained():
    assert TRAINED == ["linear_trained", "mlp", "unet"]
    assert all(name in (lindiff.train.__doc__ or "") for name in TRAINED)
