"""Planted optima over training time, and modes that are learned at times known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lindiff.drawing import style, tables
from lindiff.figures import early_stopping
from lindiff.science.emergence import learning_constant, unlearned_constant
from tests.figures import synthetic
from tests.figures.feeds import planted
from tests.figures.feeds.early_stopping import EIGENVALUES, sweep


@pytest.fixture(scope="module")
def data():
    metrics, _, modes = sweep()
    return early_stopping.query(tables.plain(metrics), modes=modes)


@pytest.mark.parametrize("metric", planted.METRICS)
def test_the_best_stop_is_the_planted_one(data, metric: str):
    found = tables.arrays(data, quantity=f"{metric}_argmin_theory")
    assert found["n"].tolist() == planted.NS
    assert found["value"] == pytest.approx(np.array(planted.NS) / 4, rel=1e-5)
    assert np.isnan(found["low"]).all()
    measured = tables.arrays(data, quantity=f"{metric}_argmin")
    assert measured["value"] == pytest.approx(np.array(planted.NS) / 4, rel=1e-2)
    assert (measured["low"] < measured["value"]).all()


def test_a_mode_is_learned_where_its_variance_is_twice_the_final_one(data):
    # v = λ + 1/τ is 2 λ at τ = 1/λ, of every N; the null space is no mode to learn.
    for n in planted.NS:
        found = tables.arrays(data, quantity="learning_time", n=n)
        assert found["mode_eigenvalue"].tolist() == list(EIGENVALUES)
        assert found["value"] == pytest.approx(1 / np.array(EIGENVALUES), rel=1e-2)


def test_the_lines_are_the_filter_and_its_limits(data):
    line = tables.arrays(data, quantity="learning_time_filter")
    law = tables.arrays(data, quantity="learning_time_law")
    assert law["value"] * law["mode_eigenvalue"] == pytest.approx(learning_constant("ddpm_beta"))
    # From λ = 0.01 (the smallest mode here) on the law is near, at λ = 10 far.
    assert line["mode_eigenvalue"][[0, -1]] == pytest.approx([0.01, 10])
    assert line["value"][0] == pytest.approx(law["value"][0], rel=0.02)
    assert line["value"][-1] > 5 * law["value"][-1]
    unlearned = tables.arrays(data, quantity="unlearned_law")
    assert unlearned["value"] * unlearned["strength"] == pytest.approx(
        unlearned_constant("ddpm_beta")
    )


def test_the_filter_along_a_mode_is_the_recursion_of_ddpm(data):
    row = tables.arrays(data, quantity="generated_variance_filter", mode_eigenvalue=0.1)
    k = len(row["value"]) // 2
    tau, value, v = row["strength"][k], 0.1, 1.0
    beta = np.linspace(1e-4, 1e-2, 1000)
    alpha_bar = np.cumprod(1 - beta)
    for b, a in zip(beta[::-1], alpha_bar[::-1], strict=True):
        M = a * value + 1 - a
        w = math.sqrt(1 - a) * (1 - math.exp(-tau * M)) / M
        factor = (1 - b / math.sqrt(1 - a) * w) / math.sqrt(1 - b)
        v = factor**2 * v + (b if b > beta[0] else 0)
    assert row["value"][k] == pytest.approx(v, rel=1e-6)


def test_variances_are_those_of_the_first_training_set(data):
    found = tables.arrays(data, quantity="generated_variance", mode=3)
    assert found["value"] == pytest.approx(0.1 + 1 / found["strength"])
    assert len(set(found["strength"])) == len(found["strength"]) == len(planted.GRID)
    assert np.isnan(found["seeds"]).all()


def test_without_modes_that_vary_only_the_curves_are_left():
    metrics, _, _ = sweep()
    none = synthetic.nested("modes", [])
    rows = early_stopping.query(tables.plain(metrics), modes=none)
    assert "learning_time" not in set(rows["quantity"].to_pylist())
    assert rows.num_rows > 0


@pytest.mark.parametrize(
    "eigenvalues", [EIGENVALUES, (4.9, 1.4, 0.43, 0.2, 0.051), (1e3, 1, 1e-3), (1.2, 1, 0.8)]
)
def test_the_legend_of_the_modes_is_not_over_them(eigenvalues):
    metrics, _, modes = sweep(eigenvalues)
    found = early_stopping.query(tables.plain(metrics), modes=modes)
    with style.applied():
        figure = early_stopping.draw(found)
        figure.draw_without_rendering()
        (ax,) = (ax for ax in figure.axes if ax.get_legend() is not None)
        box = ax.get_legend().get_window_extent()
        assert len(ax.lines) > len(eigenvalues)
        for line in ax.lines:
            points = ax.transData.transform(line.get_xydata())
            inside = [box.contains(*point) for point in points if np.isfinite(point).all()]
            assert not any(inside)
