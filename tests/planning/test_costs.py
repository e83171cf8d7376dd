"""The estimates know what they are estimates of: no size is written down twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lindiff import planning
from lindiff.models import MODELS, few_levels, linear_cells, measured
from lindiff.planning import (
    empirical,
    linear,
    linear_trained,
    networks,
    random_features,
    rows,
    theory,
    trained,
)
from lindiff.planning import measured as of_samples
from lindiff.planning.networks import DEMANDS
from lindiff.science import denoisers, samples
from lindiff.science import random_features as histograms
from lindiff.science.datasets import remember
from lindiff.science.denoisers import generate
from lindiff.science.named import names
from lindiff.science.pools import make_pool
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from lindiff.training import sizes
from tests.science.helpers import make_cells

EVERYTHING = {name: sorted(model.metrics) for name, model in MODELS.items()}
GIVEN = {
    "draw": "samples", "d": 61, "n": 40, "sampler": "ddim", "steps": 100, "width": 16,
    "learning_rate": 0.01, "timesteps": 50, "features": 30,
}  # fmt: skip


def estimate(name: str) -> tuple[float, float]:
    given = {k: v for k, v in GIVEN.items() if k in MODELS[name].settings}
    cells = make_cells(model=name, **given).append_column("cells", [np.array([4])])
    seconds, size = planning.estimate(MODELS[name], cells, EVERYTHING[name])
    together = planning.together(MODELS[name], cells, EVERYTHING[name])
    # A shard of forty families.
    beside = planning.of_call(MODELS[name], np.repeat(together, 40, axis=0))
    return float(seconds[0]), float(size[0]) + beside


def test_every_network_has_a_cost():
    assert set(DEMANDS) == set(names("lindiff.training.networks"))


@pytest.mark.parametrize(
    ("where", "size", "factor", "users"),
    [
        (sizes, "PACK", 2, {"mlp": 1, "unet": 1}),
        (sizes, "COPIES", 16, {"mlp": 1, "unet": 1}),
        (sizes, "HELD", 1e-6, {"mlp": 1, "unet": 1}),
        (sizes, "CHUNK", 1 / 64, {"linear_trained": 1}),
        (sizes, "FEATURES", 16, {"mlp": 1, "unet": 1}),
        (measured, "SAMPLES", 16, {"mlp": 0, "unet": 0, "empirical": 0, "random_features": 0}),
        (linear_cells, "FEW_LEVELS", 16, {"mlp": 0, "unet": 0, "empirical": 0}),
        (linear_cells, "FEW_LEVELS", 16, {"random_features": 0, "linear_exact": 0}),
        (linear_cells, "FEW_LEVELS", 16, {"linear_theory": 0}),
        (few_levels, "DIRECTION_POINTS", 16, {"mlp": 0, "empirical": 0, "random_features": 0}),
        (denoisers, "_NOISY", 64, {"mlp": 0, "unet": 0, "empirical": 0}),
        (denoisers, "_PER_DIMENSION", 16, {"mlp": 0, "empirical": 0, "random_features": 0}),
        (samples, "BLOCKS", 16, {"mlp": 0, "unet": 0, "empirical": 0, "random_features": 0}),
        (linear_cells, "LEVELS", 16, {"linear_exact": 0, "linear_theory": 0}),
    ],
)
def test_a_size_that_changes_changes_the_estimates(where, size, factor, users, monkeypatch):
    """Seconds (0) or bytes (1) of the models that work with it."""
    before = {name: estimate(name) for name in users}
    value = getattr(where, size)
    users_of = (
        empirical, linear, linear_trained, networks, of_samples, random_features, theory, trained,
    )  # fmt: skip
    for module in (where, *users_of):
        if hasattr(module, size):
            monkeypatch.setattr(module, size, value * factor)
    for name, which in users.items():
        assert abs(estimate(name)[which] / before[name][which] - 1) > 1e-3, name


@pytest.mark.parametrize("truncation", [0, 3])
@pytest.mark.parametrize("steps", [0, 10])
def test_the_evaluations_that_are_planned_are_those_of_the_sampler(steps, truncation):
    """Heun's method evaluates twice in every step but one to the data; seconds grow with it."""
    for name in names("lindiff.science.samplers"):
        given = {"sampling_steps": steps, "truncation": truncation}
        cells = make_cells(sampler=name, timesteps=50, **given)
        sampler = make_sampler(name, make_schedule("linear", 50), **given)
        assert of_samples.evaluations_of(cells).tolist() == [sampler.evaluations]
        calls = []
        generate(
            lambda x, index, calls=calls: calls.append(index) or 0 * x, make_schedule("linear", 50),
            sampler, np.zeros(2), np.zeros(2), np.random.default_rng(0), 1,
        )  # fmt: skip
        assert len(calls) == sampler.evaluations
    cost = {}
    for name in ("euler", "heun"):
        cells = make_cells(model="empirical", draw="samples", d=61, n=400, sampler=name)
        cells = cells.append_column("cells", [np.array([1])])
        (cost[name],), _ = planning.estimate(MODELS["empirical"], cells, ["memorized_fraction"])
    assert 1.5 < cost["heun"] / cost["euler"] < 2


def test_a_u_net_works_on_pixels_of_which_there_may_be_more_than_directions():
    """Of few rows, and of coloured ones; a perceptron on the directions."""
    few = np.random.default_rng(0).standard_normal((30, 24 * 16 * 3))
    cells = []
    for picture in ((24, 16, 3), (24, 48), None):
        name = remember(few, "few.npy", picture=picture)
        own = {"data": name, "spectrum": "dataset", "d": make_pool(name).d, "n": 10}
        own |= {"spectrum_params": f'{{"name": "{name}"}}', "population_mean": None, "draw": None}
        own |= {"width": 4, "steps": 3, "learning_rate": 0.01, "sampler": "ddim"}
        cells += [make_cells(model=model, **own) for model in ("unet", "mlp")]
    found = trained._demands(pa.concat_tables(cells))
    for index, pixels in ((0, 24 * 16), (2, 24 * 48)):
        expected = DEMANDS["unet"](float(pixels), 4.0)
        assert found[:, index].tolist() == list(expected)
    for index in (1, 3, 5):
        assert found[:, index].tolist() == list(DEMANDS["mlp"](float(make_pool(name).d), 4.0))


@pytest.mark.parametrize("width", [4, 8, 32, 96])
@pytest.mark.parametrize("name", DEMANDS)
def test_what_a_network_takes_is_what_it_is(name, width):
    """Weights exactly, what it keeps and its products within a third; rows of 8×8 pictures."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from lindiff.science.pictures import picture_of
    from lindiff.training.forms import Form, make_network
    from lindiff.training.task import Run, initial_parameters, views

    pool = make_pool("digits")
    network = make_network(name, Form(pool.d, width, "edm", picture_of(pool)))
    demand = DEMANDS[name](float(pool.d), float(width))
    assert demand.weights == pytest.approx(network.size, rel=1e-12)
    assert network.kept / 1.5 < demand.kept < 1.5 * network.kept
    assert demand.droppable == sum(network.droppable.values())
    rows = 8
    x = torch.ones((1, rows, pool.d))
    parameters = views(initial_parameters(network, [Run(x[0], "a", 0.1)]), network.shapes)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.predict(parameters, x, torch.ones((1, rows)), torch.ones(1))
    products = counter.get_total_flops() / 2 / rows
    assert products / 1.34 < demand.operations < 1.34 * products


def test_dropout_of_a_network_without_units_for_it_is_refused(monkeypatch):
    bare = networks.DEMANDS["mlp"](1.0, 1.0)._replace(droppable=0.0)
    monkeypatch.setitem(networks.DEMANDS, "mlp", lambda d, width: bare)
    given = {"model": "mlp", "draw": "samples", "width": 4, "steps": 2, "learning_rate": 0.01}
    settings = {"sampler": "ddim", "timesteps": 20, "batch_size": 4, **given}
    (found,) = trained.check(make_cells(**settings, dropout=[0.0, 0.1]))
    assert found == (1, "dropout", "mlp has no layer that dropout takes units of; allowed: 0")


def test_bins_that_are_counted_on_are_those_of_the_histogram():
    """Written twice, as planning reads configs without SciPy."""
    assert rows._BINS == histograms.BINS
