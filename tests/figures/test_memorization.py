"""The figure `memorization`: shares over N, and which pictures it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lindiff.drawing import tables
from lindiff.figures import memorization
from tests.figures import synthetic
from tests.figures.feeds import memorization as feed
from tests.figures.feeds import transition_models as models


def query(rows: list[dict[str, Any]], pictures: list[dict[str, Any]]) -> pa.Table:
    metrics = tables.plain(synthetic.table(rows))
    return memorization.query(metrics, pictures=synthetic.nested("pictures", pictures))


@pytest.fixture(scope="module")
def data() -> pa.Table:
    rows = feed.rows()
    return query(rows, feed.pictures(rows))


def at(table: pa.Table, **equal: Any) -> dict[str, Any]:
    return tables.arrays(table, **equal)


def test_memorized_fraction_of_each_model_that_has_one(data: pa.Table):
    for model, ns in (("mlp", models.NS), ("empirical", models.NS)):
        found = at(data, quantity="memorized_fraction", model=model, data="gaussian")
        assert found["n"].tolist() == ns
        assert found["value"] == pytest.approx([feed.memorized(model, 16, n) for n in ns])
        # The deviation of 0.01 (s − 3.5)/3.5 over s = 0 … 7, times Student's quantile over √8.
        half = 2.364624251592785 * 0.01 * np.sqrt(6) / 3.5 / np.sqrt(8)
        assert found["high"] - found["value"] == pytest.approx(np.full(len(ns), half))
    unet = at(data, quantity="memorized_fraction", model="unet")
    exact = [feed.memorized("unet", 61, n) for n in unet["n"]]
    assert unet["value"] == pytest.approx(exact, abs=0.011)  # of the one seed
    assert np.isnan(unet["low"]).all()
    for model in ("linear_exact", "linear_theory", "linear_trained"):
        assert at(data, quantity="memorized_fraction", model=model)["n"].size == 0


def test_agreement_with_theory_and_the_cosine_of_data_sets_alone(data: pa.Table):
    found = at(data, quantity="agreement", model="mlp", data="digits")
    assert found["value"] == pytest.approx([feed.agreement("mlp", 61, n) for n in found["n"]])
    theory = at(data, quantity="agreement_theory", data="gaussian")
    assert theory["value"] == pytest.approx(theory["n"] / (theory["n"] + 16))
    cosine = at(data, quantity="uncentred_cosine", model="mlp")
    assert set(cosine["data"]) == {"digits"}
    assert cosine["value"] == pytest.approx((1 + found["value"]) / 2)
    assert at(data, quantity="agreement", model="empirical")["n"].size == 0


def test_pictures_of_the_first_network_from_small_to_large_sets(data: pa.Table):
    shown = at(data, quantity="picture")
    assert set(shown["model"]) == {"mlp"}
    assert set(shown["data"]) == {"digits"}
    assert set(shown["seed"]) == {0}
    ns = sorted(set(shown["n"]))
    assert (len(ns), ns[0], ns[-1]) == (4, 4, 1024)
    assert shown["n"].tolist() == np.repeat(ns, 4).tolist()
    assert shown["sample"].tolist() == [0, 1, 2, 3] * 4
    # The share of another digit is what is not memorized, in the training set of seed 0.
    memorized = np.array([feed.memorized("mlp", 61, n) for n in shown["n"]])
    assert shown["value"] == pytest.approx(0.05 + 0.9 * (1 - memorized))
    rows = [row for row in feed.rows() if row["model"] == "mlp" and row["n"] == 1024]
    own = [row for row in rows if row["data"] == "digits" and row["seed"] == 0]
    pictures = feed.pictures(own)
    for name in ("generated", "nearest"):
        assert shown[name][-1] == pytest.approx(np.array(pictures[3][name], np.float32))


def test_pictures_of_another_network_and_seed_where_the_first_lacks_them():
    rows = feed.rows()
    pictures = [row for row in feed.pictures(rows) if "unet" in row["cell_id"]]
    shown = at(query(rows, pictures), quantity="picture")
    assert set(shown["model"]) == {"unet"}
    many = [row for row in rows if row["model"] == "mlp" and row["data"] == "digits"]
    some = [row for row in many if row["seed"] == 5 or (row["seed"] == 2 and row["n"] == 4)]
    shown = at(query(rows, feed.pictures(some)), quantity="picture")
    assert set(shown["seed"]) == {5}


def test_without_pictures_there_is_no_strip():
    rows = [row for row in feed.rows() if row["data"] != "digits"]
    data = query(rows, [])
    assert "picture" not in data["quantity"].to_pylist()
    assert "uncentred_cosine" not in data["quantity"].to_pylist()
    assert len(memorization.draw(data).axes) == 2


def test_a_strip_has_a_panel_for_each_size_in_common_greys(data: pa.Table):
    figure = memorization.draw(data)
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert [image.get_array().shape for image in images] == [(17, 35)] * 4
    assert {image.get_clim() for image in images} == {(np.float32(-0.3), np.float32(0.7))}


def test_fewer_sizes_leave_panels_empty():
    rows = feed.rows()
    pictures = [row for row in feed.pictures(rows) if f"|{1024}|" in row["cell_id"]]
    figure = memorization.draw(query(rows, pictures))
    assert [ax.get_visible() for ax in figure.axes] == [True] * 4 + [True] + [False] * 3


def test_a_wall_has_samples_above_their_nearest_points():
    own = {
        "n": np.array([4, 4]),
        "height": np.array([2, 2]),
        "generated": [np.arange(6.0), np.arange(6.0) + 10],
        "nearest": [np.arange(6.0) + 20, np.arange(6.0) + 30],
    }
    wall, width, height = memorization._wall(own)
    assert (width, height) == (3, 2)
    nan = np.nan
    assert wall == pytest.approx(
        np.array(
            [
                [0, 1, 2, nan, 10, 11, 12],
                [3, 4, 5, nan, 13, 14, 15],
                [nan] * 7,
                [20, 21, 22, nan, 30, 31, 32],
                [23, 24, 25, nan, 33, 34, 35],
            ]
        ),
        nan_ok=True,
    )


def test_a_wall_of_coloured_pictures():
    own = {
        "n": np.array([4]),
        "height": np.array([2]),
        "generated": [np.arange(12.0)],
        "nearest": [np.arange(12.0) + 20],
    }
    wall, width, height = memorization._wall(own, 3)
    assert (width, height, wall.shape) == (2, 2, (5, 2, 3))
    assert wall[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert wall[4].tolist() == [[26, 27, 28], [29, 30, 31]]
    assert np.isnan(wall[2]).all()


@pytest.mark.parametrize("spread", [0.0, 100.0])
def test_coloured_pictures_have_the_levels_of_their_training_points(spread):
    """White between them; beyond the levels the nearest one, and one level alone is no error."""
    rows = feed.rows()
    pictures = feed.pictures(rows)
    for row in pictures:
        low, high = 10.0, 10.0 + spread
        row |= {"nearest": [low] * 95 + [high] + [low] * 96, "generated": [low - 5, high + 5] * 96}
    data = query(rows, pictures)
    names = [name if name != "digits" else "x.png@00:8x8x3" for name in data["data"].to_pylist()]
    data = data.set_column(data.schema.get_field_index("data"), "data", pa.array(names))
    figure = memorization.draw(data)
    images = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert [image.shape for image in images] == [(17, 35, 3)] * 4
    for image in images:
        assert image[:8, :8].ravel().tolist() == [0, 1] * 96
        assert (image[8] == 1).all()
        assert sorted(set(image[9:, :8].ravel().tolist())) == ([0, 1] if spread else [0])


def test_the_sampler_is_the_one_without_noise_where_there_is_one():
    rows = feed.rows()
    for row in feed.rows():
        own = {"sampler": "ddpm_beta", "agreement": None, "cell_id": row["cell_id"] + "ddpm"}
        rows.append(row | own | {"memorized_fraction": 0.123, "uncentred_cosine": None})
    data = query(rows, [])
    assert tables.facts(data)["fixed"]["sampler"] == "ddim"
    assert 0.123 not in data["value"].to_pylist()
