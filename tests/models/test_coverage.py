"""The metrics `coverage` and `copied_auc` of models, from their samples to a table."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from lindiff.models import coverage, empirical
from lindiff.models.linear_family import make_family
from lindiff.models.proximity import SAMPLES, training_points
from lindiff.planning.empirical import estimate
from lindiff.science.coverage import copied_auc
from lindiff.science.pools import make_pool
from tests.science.helpers import make_cells
from tests.sweeps import Sweep

NAMES = ("coverage", "copied_auc", "copied_auc_se", "memorized_fraction")
GAUSSIAN = {
    "model": "empirical", "draw": "samples", "spectrum": "power_law", "d": 6, "timesteps": 50,
    "spectrum_params": '{"exponent": 1.0}', "sampler": "ddim", "sampling_steps": 8,
}  # fmt: skip


def rows(**given):
    return empirical.run(make_cells(**GAUSSIAN | given), NAMES).to_pylist()


def test_a_row_a_training_point_with_its_neighbours_and_copies():
    (row,) = rows(n=60, seed=1, sampling_steps=3)
    family = make_family(make_cells(**GAUSSIAN | {"n": 60, "seed": 1}))
    found, x = row["coverage"], training_points(family)
    assert [point["point"] for point in found] == list(range(60))
    assert sum(point["copied"] for point in found) == round(SAMPLES * row["memorized_fraction"])
    away = np.sort(np.linalg.norm(x[:, None] - x, axis=2), axis=1)[:, 1:3]
    unit = np.sqrt(family.draw.spectrum.sum())
    for place, name in enumerate(("nearest", "second")):
        assert [point[name] for point in found] == pytest.approx(away[:, place] / unit)
    columns = {name: np.array([point[name] for point in found]) for name in ("own_time", "copied")}
    auc = copied_auc(columns["own_time"], columns["copied"], np.arange(60))
    assert (row["copied_auc"], row["copied_auc_se"]) == pytest.approx(auc, rel=1e-12)


def test_coarse_samplers_of_the_empirical_score_copy_points_that_lie_apart():
    """Over training sets: an own time later than others' goes with copies, few as there are."""
    found = [row["copied_auc"] for row in rows(n=64, seed=list(range(4)), sampling_steps=4)]
    assert np.mean(found) > 0.6


def test_the_places_are_those_of_the_training_set(monkeypatch):
    """One computation for all samplers; a copy of a row has what that row has."""
    calls = []
    places = coverage.coverage.places
    monkeypatch.setattr(
        coverage.coverage, "places", lambda *given: calls.append(1) or places(*given)
    )
    pool = make_pool("digits")
    given = {
        "data": "digits", "spectrum": "dataset", "d": pool.d, "draw": None,
        "spectrum_params": json.dumps({"name": "digits"}), "population_mean": None,
    }  # fmt: skip
    both = rows(**given, n=20, sampler=["ddim", "ideal"])
    assert len(calls) == 1
    for one, other in zip(*(row["coverage"] for row in both), strict=True):
        assert one | {"copied": 0} == other | {"copied": 0}
    # Samples of `ideal` are training points: every point is copied, so there is nothing to tell.
    assert both[1]["memorized_fraction"] == 1
    assert both[1]["copied_auc"] is None


def test_of_two_points_there_are_no_places():
    cells = make_cells(**GAUSSIAN | {"n": 2})
    (row,) = empirical.run(cells, NAMES[:3]).to_pylist()
    assert [row[name] for name in NAMES[:3]] == [None] * 3
    assert row["message"].startswith("copied_auc needs 3 distinct training points")


def test_the_estimate_knows_pairs_of_points():
    families = make_cells(**GAUSSIAN | {"n": [100, 10_000]}).append_column("cells", [[1, 1]])
    (few, many), (small, _) = estimate(families, NAMES[:1])
    (base, most), (less, _) = estimate(families, NAMES[3:])
    assert few < 2 * base + 1
    assert many > 100 + 0.9 * most
    assert small > less


@pytest.mark.slow
def test_from_a_config_to_the_table(tmp_path):
    sweep = Sweep(tmp_path)
    config = sweep.config(
        "{model: [empirical, mlp], d: 3, n: 8, draw: samples, timesteps: 20, beta_max: 9.0e-3,"
        " sampler: ddim, width: 4, steps: 3, learning_rate: 1.0e-2, seed: 0,"
        " metrics: {only: [coverage, copied_auc]}}",
        defaults="{}",
    )
    sweep.finish(config)
    table = pq.read_table(sweep.results / "tiny" / "coverage.parquet")
    assert table.column_names == [
        "cell_id", "point", "own_time", "own_time_se", "nearest", "second", "log_density", "copied",
    ]  # fmt: skip
    assert len(table) == 16
    of = {name: table[name].to_numpy() for name in ("nearest", "own_time")}
    # Both models have one training set.
    for values in of.values():
        np.testing.assert_array_equal(values[:8], values[8:])
