"""The figure `real_data`, against digits at twice the theory."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.text import Text

from lindiff.drawing import style, tables
from lindiff.figures import real_data
from lindiff.science.pools import make_pool
from tests.figures import synthetic
from tests.figures.feeds import real_data as feed


@pytest.fixture(scope="module")
def data() -> pa.Table:
    metrics, _, modes = feed.sweep()
    return real_data.query(tables.plain(metrics), modes=modes)


def at(data: pa.Table, **equal: Any) -> dict[str, Any]:
    return tables.arrays(data, **equal)


def test_the_weakest_ridge_above_zero_is_shown(data: pa.Table):
    assert tables.distinct(data, "strength") == [1e-3]
    assert tables.distinct(data, "regularizer") == ["ridge"]


@pytest.mark.parametrize("quantity", ["test_loss", "kl_model_data", "kl_data_model"])
def test_data_beside_surrogate_and_theory(data: pa.Table, quantity: str):
    theory = at(data, quantity=f"{quantity}_theory")
    surrogate = at(data, quantity=quantity, source="surrogate")
    real = at(data, quantity=quantity, source="data")
    assert theory["n"].tolist() == surrogate["n"].tolist() == real["n"].tolist() == feed.NS
    assert surrogate["value"] == pytest.approx(theory["value"])
    assert real["value"] == pytest.approx(2 * theory["value"])
    assert np.all(real["seeds"] == 4)


def test_what_takes_more_than_a_tenth_of_the_pool_is_told_apart(data: pa.Table):
    assert set(at(data, quantity="test_loss", source="data", comparable=True)["n"]) == {30, 122}
    assert at(data, quantity="test_loss", source="data", comparable=False)["n"].tolist() == [1220]
    assert at(data, source="surrogate", comparable=False)["n"].size == 0


def test_eigenvalues_at_half_and_twice_d_for_ranks_that_all_sets_have(data: pa.Table):
    for source, ends in (("surrogate", {30: 29, 122: 61}), ("data", {30: 19, 122: 51})):
        found = at(data, quantity="eigenvalue", source=source)
        assert set(found["n"]) == set(ends)
        assert found["value"] == pytest.approx(4 / found["mode"])
        for n, last in ends.items():
            ranks = found["mode"][found["n"] == n]
            assert ranks.min() == 1
            assert ranks.max() <= last
            assert ranks.max() > last / 2
    pool = at(data, quantity="population")
    assert pool["value"] == pytest.approx(make_pool("digits").spectrum)


def test_a_surrogate_with_another_mean_or_spectrum_is_none():
    metrics, _, modes = feed.sweep()
    rows = metrics.to_pylist()
    for row in rows:
        if row["data"] == "gaussian":
            row["population_mean"] = 1.0
    other = synthetic.rows(d=feed.D, n=feed.NS, ridge=1e-3, test_loss=1.0, train_loss=1.0)
    table = tables.plain(synthetic.table(rows + other))
    found = real_data.query(table, modes=modes)
    assert at(found, quantity="test_loss", source="surrogate")["n"].size == 0
    assert at(found, quantity="test_loss", source="data")["n"].tolist() == feed.NS


@pytest.mark.parametrize("name", ["digits", f"a_long_name_of_a_file_of_mine.npy@{'0' * 32}"])
def test_the_name_of_the_data_is_not_written_over_the_next_panel(data: pa.Table, name: str):
    at = data.column_names.index("spectrum_params")
    params = pa.array([json.dumps({"name": name})] * data.num_rows, data.schema.field(at).type)
    with style.applied():
        figure = real_data.draw(data.set_column(at, data.schema.field(at), params))
        figure.draw_without_rendering()
    titles = [
        one.get_window_extent()
        for ax in figure.axes[:2]
        for one in ax.findobj(Text)
        if one.get_text() and one.get_text() == ax.get_title(loc="left")
    ]
    assert len(titles) == 2
    assert titles[0].x1 < titles[1].x0
