"""The numbers of the phase maps, against a planted best ridge."""

from __future__ import annotations

import pyarrow as pa
import pytest
from matplotlib.collections import QuadMesh

from lindiff.drawing import drawn, style, tables
from lindiff.figures import phase
from tests.figures.feeds import phase as feed


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return phase.query(tables.plain(feed.sweep()[0]))


@pytest.mark.parametrize("name", phase.QUANTITIES)
def test_the_best_ridge_is_found_where_it_was_planted(data: pa.Table, name: str):
    best = tables.arrays(data, quantity=f"{name}_best", spectrum="isotropic")
    assert sorted(best["n"]) == [4, 8, 16, 32, 64]
    assert best["ridge"] == pytest.approx(16 / best["n"], rel=1e-6)
    assert best["value"] == pytest.approx(best["value"][0])


def test_the_best_value_is_the_bottom_of_the_map(data: pa.Table):
    best = tables.arrays(data, quantity="relative_loss_best")
    # The residual loss at the optimum over the optimal loss.
    assert best["value"] == pytest.approx(0.05 / 0.5)


def test_the_line_at_n_equal_to_d_is_not_under_the_map(data: pa.Table):
    with style.applied():
        figure = phase.draw(data)
    maps = [ax for ax in figure.axes if any(line.get_gid() == drawn.DIMENSION for line in ax.lines)]
    assert maps
    for ax in maps:
        (mesh, *_) = (one for one in ax.collections if isinstance(one, QuadMesh))
        (line,) = (one for one in ax.lines if one.get_gid() == drawn.DIMENSION)
        assert line.get_zorder() > mesh.get_zorder()


def test_a_best_ridge_at_the_end_of_the_map_is_not_drawn():
    metrics = tables.plain(feed.sweep()[0])
    few = tables.keep(metrics, "ridge", [r for r in tables.distinct(metrics, "ridge") if r < 2])
    best = tables.arrays(phase.query(few), quantity="kl_model_data_best", spectrum="isotropic")
    # At N = 4 and 8 the best ridge is 4 and 2.
    assert sorted(best["n"]) == [16, 32, 64]


def test_measured_cells_are_means_beside_the_theory(data: pa.Table):
    cell = {"spectrum": "power_law", "n": 16, "ridge": 0.1}
    measured = tables.arrays(data, quantity="kl_model_data", **cell)
    theory = tables.arrays(data, quantity="kl_model_data_theory", **cell)
    assert measured["value"] == pytest.approx(feed.OFF * theory["value"])
    # The mean of 0.9, 1, 1.1 and t of two degrees of freedom.
    half = 4.302652729911275 * 0.1 / 3**0.5
    assert measured["high"] / measured["value"] == pytest.approx(1 + half)
    assert "measured/theory 1.25 to 1.25" in phase._agreement(data)


def test_no_ridge_has_no_place_on_the_map(data: pa.Table):
    assert min(tables.distinct(data, "ridge")) > 0
    assert tables.distinct(data, "value")[-1] < float("inf")
