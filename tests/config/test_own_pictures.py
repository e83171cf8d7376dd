"""Pictures of the user: their height and width from the file to a U-Net, its table and figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lindiff.config.resolve import load
from lindiff.figures import draw_figure
from lindiff.planning.trained import SIDES
from lindiff.science import datasets, pools
from lindiff.sweep.validate import validate
from tests.configs import FREE, Maker, message, values
from tests.sweeps import Sweep

UNET = FREE.replace("linear_exact", "unet") + (
    "    timesteps: 10\n    beta_max: 9.0e-3\n    sampler: ddim\n    width: 2\n    steps: 3\n"
    "    learning_rate: 6.0e-3\n"
)
SETTINGS = {"width": 2, "steps": 3, "learning_rate": 6e-3, "timesteps": 10, "beta_max": 9e-3}
METRICS = "metrics: [memorized_fraction, agreement, pictures]"
NETWORK = ", ".join([*(f"{key}: {value}" for key, value in SETTINGS.items()), "sampler: ddim"])


def pictures(*shape: int, count: int = 40) -> np.ndarray:
    """Blobs, grey levels from 0 to 255."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, shape[0] // 2 + 1, shape[1] // 2 + 1, *shape[2:]))
    return coarse.repeat(2, 1).repeat(2, 2)[:, : shape[0], : shape[1]].astype(np.uint8)


def saved(path: Path, array: np.ndarray) -> str:
    """A file of pictures, or a folder of them, and how a config writes it."""
    if path.suffix:
        np.save(path, array)
    else:
        path.mkdir()
        for i, one in enumerate(array):
            Image.fromarray(one).save(path / f"{i:03}.png")
    return f"{{file: {path.name}}}"


@pytest.fixture
def make(tmp_path):
    return Maker(tmp_path)


def name_of(path: Path) -> str:
    (name,) = load(path).experiments["a"].axes["data"]
    return str(name)


def test_height_and_width_follow_the_hash_of_the_same_matrix(make, tmp_path):
    array = pictures(8, 10)
    key = datasets.digest(array.reshape(40, 80).astype(float))
    for name, own in (("a.npy", array), ("b.npy", array[..., None]), ("folder", array)):
        found = name_of(make(f"data: {saved(tmp_path / name, own)}", FREE))
        assert found == f"{name}@{key}:8x10"
        assert (datasets.identity(found), datasets.title(found)) == (key, name)
        assert datasets.picture(found) == datasets.load(found).picture == (8, 10)
        assert pools.make_pool(found).picture == (8, 10)
    scaled = name_of(make("data: {file: a.npy, standardize: true}", FREE))
    assert datasets.picture(scaled) == (8, 10)


@pytest.mark.parametrize(
    ("array", "drop"),
    [(pictures(8, 8).reshape(40, 64), ""), (pictures(8, 8), ", drop: 3"),
     (pictures(8, 8, 2), ""), (np.moveaxis(pictures(8, 8, 3), 3, 1), ""), (values(), "")],
    ids=["flat", "dropped", "two channels", "channels first", "matrix"],
)  # fmt: skip
def test_what_is_no_picture_is_named_as_before(make, tmp_path, array, drop):
    written = saved(tmp_path / "m.npy", array).replace("}", drop + "}")
    name = name_of(make(f"data: {written}", FREE))
    rows = np.delete(array.reshape(40, -1), 2, axis=1) if drop else array.reshape(40, -1)
    assert name == f"m.npy{' -3' if drop else ''}@{datasets.digest(rows.astype(float))}"
    assert datasets.picture(name) is None
    found = message(make(f"data: {written}", UNET))
    start = "unet needs pictures; allowed: digits, mnist, patches, a file of pictures N×H×W,"
    assert start in found
    assert f"each without drop; {datasets.title(name)} has rows of {rows.shape[1]} numbers" in found
    if drop:
        assert "left out (drop): column 3; rows without some of their pixels are no" in found


def test_coloured_pictures_say_it(make, tmp_path):
    array = pictures(8, 10, 3)
    key = datasets.digest(array.reshape(40, 240).astype(float))
    for name in ("a.npy", "folder"):
        path = make(f"data: {saved(tmp_path / name, array)}", UNET)
        assert name_of(path) == f"{name}@{key}:8x10x3"
        assert datasets.load(name_of(path)).picture == (8, 10, 3)
        assert len(validate(load(path)).cells) == 1
    found = message(make(f"data: {saved(tmp_path / 'odd.npy', pictures(9, 8, 3))}", UNET))
    assert found.endswith("not 9×8; nearest: 8×8 or 10×8")


@pytest.mark.parametrize(
    ("shape", "nearest"),
    [((9, 8), "8×8 or 10×8"), ((9, 11), "8×10 or 10×12"), ((6, 8), "8×8"), ((64, 40), "32×32"),
     ((33, 7), "32×8")],
)  # fmt: skip
def test_sizes_that_are_not_planned_for_name_the_nearest(make, tmp_path, shape, nearest):
    found = message(make(f"data: {saved(tmp_path / 'p.npy', pictures(*shape))}", UNET))
    size = f"{shape[0]}×{shape[1]}"
    assert found.endswith(f"even sides from 8 to 32, not {size}; nearest: {nearest}")
    assert (SIDES[0], SIDES[-1]) == (8, 32)
    # Other models take them.
    assert len(validate(load(make("data: {file: p.npy}", FREE))).cells) == 1


def test_pixels_that_never_vary_stay_pixels(make, tmp_path):
    array = pictures(8, 8)
    array[:, 0] = 7
    path = make(f"data: {saved(tmp_path / 'p.npy', array)}", UNET)
    assert len(validate(load(path)).cells) == 1
    pool = pools.make_pool(name_of(path))
    assert (pool.picture, pool.constant, pool.columns) == ((8, 8), 8, 64)


def forget(monkeypatch):
    """Of what was read, as another process would not know it."""
    monkeypatch.setattr(datasets, "_known", {})
    pools.make_pool.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape"), [("photos.npy", (8, 12)), ("photos", (8, 12)), ("coloured", (8, 10, 3))]
)
def test_a_sweep_from_the_pictures_to_the_figure(tmp_path, monkeypatch, name, shape):
    """Jobs have the store alone; what is generated is of the size of the pictures."""
    array = pictures(*shape, count=60)
    written = saved(tmp_path / name, array)
    sweep = Sweep(tmp_path)
    config = sweep.config(
        f"{{model: [mlp, unet], data: {written}, n: [4, 12], seed: 0, {NETWORK}, {METRICS},"
        " figures: [memorization, transition_models]}",
        defaults="{}",
        shard="60",
    )
    plan = sweep.write(config)
    forget(monkeypatch)
    sweep.compute(plan)
    (matrix,) = sweep.store.data.iterdir()
    assert matrix.name == f"{datasets.digest(array.reshape(60, -1).astype(float))}.npy"
    np.testing.assert_array_equal(np.load(matrix), array.reshape(60, -1))
    sweep.finish(config)
    rows = sweep.rows().values()
    assert {(row["model"], row["status"]) for row in rows} == {("mlp", "ok"), ("unet", "ok")}
    table = pq.read_table(sweep.results / "tiny" / "pictures.parquet").to_pylist()
    assert len(table) == 4 * 8
    known = array.reshape(60, -1).astype(float)
    for row in table:
        assert (row["height"], len(row["generated"])) == (8, known.shape[1])
        assert np.abs(known - row["nearest"]).max(axis=1).min() < 1e-3
    for figure in config.experiments["one"].figures:
        data = draw_figure(figure, sweep.results / "tiny", ["one"]).data
        quantities = set(pq.read_table(data)["quantity"].to_pylist())
        assert ("picture" in quantities) == (figure == "memorization")


@pytest.mark.slow
def test_the_shape_decides_what_the_network_learns(tmp_path):
    """The same numbers as pictures of another size are another data set, of the same split."""
    pytest.importorskip("torch")
    array, losses = pictures(8, 32), {}
    for height, width in ((8, 32), (16, 16), (32, 8)):
        folder = tmp_path / f"{height}"
        folder.mkdir()
        sweep = Sweep(folder)
        data = saved(folder / "p.npy", array.reshape(40, height, width))
        models = "[linear_exact, unet]"
        sweep.finish(
            sweep.config(
                f"{{model: {models}, data: {data}, n: 10, seed: 0, {NETWORK}}}", defaults="{}"
            )
        )
        for row in sweep.rows().values():
            losses[row["model"], height] = row["train_loss"]
    assert len({losses["linear_exact", height] for height in (8, 16, 32)}) == 1
    assert len({losses["unet", height] for height in (8, 16, 32)}) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shape"), [("unet", (8, 10)), ("mlp", (8, 10)), ("unet", (8, 10, 3))]
)
def test_a_model_from_python_has_the_numbers_of_the_cell_of_the_file(tmp_path, model, shape):
    pytest.importorskip("torch")
    import lindiff

    array = pictures(*shape)
    data, sweep = saved(tmp_path / "p.npy", array), Sweep(tmp_path)
    only = "metrics: {only: [train_loss]}"
    sweep.finish(
        sweep.config(
            f"{{model: {model}, data: {data}, n: 10, seed: 0, {NETWORK}, {only}}}", defaults="{}"
        )
    )
    (row,) = sweep.rows().values()
    found = lindiff.train(array, model, n=10, name="p.npy", **SETTINGS)
    assert found.settings["data"] == row["data"]
    assert found.metrics("train_loss")["train_loss"] == row["train_loss"]
    assert row["status"] == "ok"
    assert found.sample(0, 2).shape == (2, *shape)
    if (model, len(shape)) == ("unet", 2):
        flat = array.reshape(40, 80)
        other = lindiff.train(flat, model, n=10, name="p.npy", picture=(8, 10), **SETTINGS)
        assert other.metrics("train_loss")["train_loss"] == row["train_loss"]


@pytest.mark.slow
def test_what_is_no_model_of_pictures_keeps_its_ids_and_random_numbers(make, tmp_path):
    """As before pictures had sizes: the cells of a flat copy with the same file name."""
    array = pictures(8, 10)
    ids, rows = {}, {}
    for kind, matrix in (("flat", array.reshape(40, 80)), ("shaped", array)):
        folder = tmp_path / kind
        folder.mkdir()
        np.save(folder / "a.npy", matrix)
        config = folder / "c.yaml"
        config.write_text(
            "experiments:\n  a: {model: [linear_exact, mlp], data: [{file: a.npy}, gaussian],"
            f"\n    n: 16, draw: samples, seed: 0, {NETWORK}}}\n"
        )
        sweep = Sweep(folder)
        sweep.finish(load(config))
        table = pq.read_table(sweep.results / "c/metrics.parquet")
        ids[kind] = sorted(table["cell_id"].to_pylist())
        rows[kind] = dict(zip(table["cell_id"].to_pylist(), table["test_loss"].to_pylist(),
                              strict=True))  # fmt: skip
    assert ids["flat"] == ids["shaped"]
    assert rows["flat"] == rows["shaped"]
    assert len(set(rows["flat"].values())) == len(rows["flat"]) == 4
