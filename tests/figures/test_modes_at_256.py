"""Emergence at d = 256, where it was published: the law, `config/emergence.yaml`, and a network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from lindiff import figures
from lindiff.columns.arrays import steps_made
from lindiff.config.resolve import load
from lindiff.drawing import crossings, tables
from lindiff.models import linear
from lindiff.science.emergence import learning_constant
from tests.science.helpers import make_cells
from tests.sweeps import Sweep

CONFIG = Path(__file__).parents[2] / "config/emergence.yaml"
D = 256


def flow(scale: float, timesteps: int, beta_min: float) -> crossings.Runs:
    """Gradient flow of the linear denoiser, from long before the first mode to τ = ∞."""
    stops = [*np.geomspace(2e-3 / scale**2, 40 / scale**2, 61).tolist(), math.inf]
    cells = make_cells(
        stop=stops, d=D, n=8192, spectrum="power_law", spectrum_params='{"exponent": 0.8}',
        scale=scale, timesteps=timesteps, beta_min=beta_min, sampler="ddim",
    )  # fmt: skip
    found = linear.run(cells, ("modes",)).to_pylist()
    eigenvalue = np.array([[mode["eigenvalue"] for mode in found[0]["modes"]]])
    variance = [[mode["generated_variance"] for mode in row["modes"]] for row in found]
    ranks = np.arange(1, D + 1)
    return crossings.Runs(
        np.zeros(1), ranks, np.array(stops), eigenvalue, np.array(variance).T[None]
    )


def exponents(runs: crossings.Runs) -> tuple[float, float]:
    """By this program's definition and by that of Wang and Pehlevan."""
    law, harmonic = runs.power_law(), runs.harmonic_law()
    assert law is not None
    assert harmonic is not None
    return law[0].value, harmonic.value


def test_the_law_at_256_where_its_condition_holds():
    """β₁ ≪ λ ≪ 1: 1/λ for all modes by both definitions, with the constant; up to λ = 1 flatter."""
    runs = flow(scale=0.05, timesteps=1000, beta_min=1e-6)
    assert runs.learned.all()
    assert np.isfinite(runs.harmonic).all()
    assert runs.eigenvalue.max() / runs.eigenvalue.min() > 95
    assert exponents(runs) == pytest.approx((-0.995, -0.97), abs=0.006)
    small = runs.eigenvalue[0] < 0.01
    constants = (runs.emergence * runs.eigenvalue)[0, small]
    assert constants == pytest.approx(learning_constant("ddim"), rel=0.04)
    runs = flow(scale=0.2, timesteps=50, beta_min=1e-5)
    assert runs.learned.all()
    # Of 50 levels DDIM ends below small λ: a later step by ours, an earlier one by theirs.
    assert exponents(runs) == pytest.approx((-0.85, -0.73), abs=0.006)
    runs = flow(scale=0.2, timesteps=1000, beta_min=1e-5)
    assert exponents(runs) == pytest.approx((-0.82, -0.81), abs=0.01)


def series(folder: Path, *experiments: str) -> dict[tuple[str, str | None], dict[str, Any]]:
    """What the figure says of each series of some experiments of the config, one training set."""
    made = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    made["defaults"]["seed"] = 500
    made["experiments"] = {name: made["experiments"][name] for name in experiments}
    path = folder / "emergence.yaml"
    path.write_text(yaml.safe_dump(made), encoding="utf-8")
    Sweep(folder).finish(load(path))
    data = figures.figure_data("modes", folder / "results/emergence", experiments)
    found = {}
    for key in tables.distinct_keys(data, ("model", "optimizer")):
        own = tables.where(data, model=key[0], optimizer=key[1])
        found[key] = {
            name: tables.arrays(own, quantity=name)["value"]
            for name in tables.distinct(own, "quantity")
        }
    return found


@pytest.mark.slow  # a minute of training
def test_trained_linear_denoisers_follow_the_flow_at_256(tmp_path: Path):
    """Every mode has a step or a bound; exponents are those of the flow, and of the closed form."""
    pytest.importorskip("torch")
    found = series(tmp_path, "descent", "drawn_noise")
    (of_flow,) = found.pop((None, None))["linear_exponent"]
    assert of_flow == pytest.approx(-0.85, abs=0.006)
    assert set(found) == {
        ("linear_exact", None), ("linear_trained", "gradient_descent"), ("linear_trained", "sgd"),
    }  # fmt: skip
    (exact,) = found["linear_exact", None]["harmonic_exponent"]
    for of in found.values():
        steps, later = of["emergence_step"], of.get("emergence_later", [])
        assert len(steps) + len(later) == D
        assert len(steps) > 230
        assert of["exponent"] == pytest.approx([of_flow], abs=0.03)
        assert of["harmonic_exponent"] == pytest.approx([exact], abs=0.02)
    # η = 0.25 is no flow where λ is near 1, and the end of a run is not τ = ∞.
    assert found["linear_exact", None]["exponent"] == pytest.approx([-0.87], abs=0.006)
    for optimizer in ("gradient_descent", "sgd"):
        of = found["linear_trained", optimizer]
        assert of["exponent"] == pytest.approx([-0.84], abs=0.015)
        assert of["harmonic_exponent"] == pytest.approx([-0.75], abs=0.01)


@pytest.mark.slow  # a minute of training
def test_an_epsilon_network_learns_its_modes_at_256(tmp_path: Path):
    """Most modes have a step; far flatter than the linear denoiser, by both definitions."""
    pytest.importorskip("torch")
    found = series(tmp_path, "network")
    of = found["mlp", "adam"]
    steps, later = of["emergence_step"], of.get("emergence_later", [])
    assert len(steps) + len(later) == D
    assert len(steps) > 200
    assert of["exponent"] == pytest.approx([-0.32], abs=0.05)
    assert of["harmonic_exponent"] == pytest.approx([-0.56], abs=0.1)


def rising(folder: Path, optimizer: str, rate: float) -> tuple[int, float]:
    """How many modes an EDM network raises, and the exponent of the step of the harmonic mean."""
    one = (
        f"{{model: mlp, d: {D}, n: 8192, draw: samples, spectrum: {{power_law: 1.0}}, width: 256,"
        f" timesteps: 100, beta_min: 1.0e-5, sampler: ddim, sampling_steps: 50, steps: 4000,"
        f" stop_step: {{log: [5, 3200, 30], also: [0]}}, optimizer: {optimizer},"
        f" learning_rate: {rate}, seed: 501, metrics: {{only: [modes]}}}}"
    )
    folder.mkdir()
    sweep = Sweep(folder)
    sweep.finish(sweep.config(one, defaults="{}"))
    results = sweep.results / "tiny"
    metrics = tables.read_metrics(results, ["one"]).table
    cells = tables.with_columns(metrics, step=steps_made(metrics).cast("float64"))
    runs = crossings.runs(tables.join(pq.read_table(results / "modes.parquet"), cells))
    (v,), (eigenvalue,) = runs.variance, runs.eigenvalue
    up = v[:, -1] > 2 * v[:, 0]
    level = 2 / (1 / v[up, 0] + 1 / eigenvalue[up])
    steps = [np.interp(np.log(b), np.log(np.maximum.accumulate(a)), np.log(runs.steps))
             for a, b in zip(v[up], level, strict=True)]  # fmt: skip
    return int(up.sum()), float(np.polyfit(np.log(eigenvalue[up]), steps, 1)[0])


@pytest.mark.slow  # a minute of training
def test_what_an_edm_network_raises_at_256(tmp_path: Path):
    """By gradient descent as published, 1.05 to 1.13; by Adam flatter."""
    pytest.importorskip("torch")
    count, exponent = rising(tmp_path / "sgd", "sgd", 1.0)
    assert count > 12
    assert exponent == pytest.approx(-1.09, abs=0.06)
    count, exponent = rising(tmp_path / "adam", "adam", 1e-3)
    assert count > 12
    assert exponent == pytest.approx(-0.7, abs=0.1)
