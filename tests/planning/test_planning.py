"""The registry says of each model what its code does."""

import subprocess
import sys

import pytest

from lindiff import columns
from lindiff.models import MODELS
from lindiff.models.linear_cells import is_noiseless
from lindiff.planning import check
from lindiff.science.named import names
from lindiff.science.pools import make_pool
from lindiff.science.sampler import make_sampler
from lindiff.science.schedule import make_schedule
from tests.science.helpers import make_cells

SAMPLERS = names("lindiff.science.samplers")

# A cell in which every metric of every model exists, but those that need a data set.
GIVEN = {
    "spectrum": "power_law", "spectrum_params": '{"exponent": 1.0}', "d": 5, "n": 60,
    "draw": "samples", "sampler": "ddim", "ridge": 0.01, "timesteps": 25,
    "steps": 3, "width": 4, "learning_rate": 0.01, "features": 20,
    "mixture": '{"between":0.9,"weights":[0.5,0.5]}',
}  # fmt: skip
OF_DATA_SETS = {"pool_fraction", "uncentred_cosine", "uncentred_cosine_se", "pictures"}
OF_POPULATIONS = {
    "bayes_loss", "excess_loss", "excess_loss_se", "speciation_time", "speciation_time_se",
    "classes",
}  # fmt: skip


def test_a_config_is_checked_without_scipy():
    """Half a second more for every command and every job, of which most need none of it."""
    code = "import sys, lindiff.planning.checks; sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def cell_of(name, **more):
    reads = MODELS[name].settings
    given = {key: value for key, value in GIVEN.items() if key in reads}
    if name in ("linear_exact", "linear_theory"):
        del given["learning_rate"]
    if name == "empirical":
        # With more steps all of its training points are copied.
        given["sampling_steps"] = 3
    if name == "unet":
        given |= {"data": "digits", "spectrum": "dataset", "d": make_pool("digits").d, "n": 40}
        given |= {"spectrum_params": '{"name": "digits"}', "population_mean": None, "draw": None}
        given["mixture"] = None
    return make_cells(model=name, **given | more)


def test_the_registry_knows_the_columns():
    for model in MODELS.values():
        assert set(model.settings) <= set(columns.SETTING)
        assert model.metrics <= set(columns.REQUESTABLE)
        assert model.within <= set(model.settings)
    assert columns.SETTING["model"].choices == tuple(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_metrics_that_it_declares(name):
    model = MODELS[name]
    table = model.load()(cell_of(name), columns.delivered(model.metrics))
    (row,) = table.to_pylist()
    assert row["status"] == "ok"
    missing = {metric for metric in model.metrics if row[metric] is None}
    # An untrained network copies no training point; an error of the area needs more of them.
    few = {"copied_auc_se"} & model.metrics
    absent = OF_POPULATIONS | {"copied_auc"} if name == "unet" else model.metrics & OF_DATA_SETS
    assert missing | few == absent | few


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_no_other_metric(name):
    """Else an experiment could not ask for it although it is there."""
    model, cell = MODELS[name], cell_of(name, timesteps=12)
    for metric in set(columns.REQUESTABLE) - model.metrics:
        with pytest.raises(KeyError, match=metric):
            model.load()(cell, [metric])


def test_noiseless_samplers_are_those_without_variance():
    choices = set(columns.SETTING["sampler"].choices)
    found = {name for name in choices if is_noiseless(name)}
    assert {"ideal", "ddim"} <= found <= choices - {"ddpm_beta", "ddpm_beta_tilde"}
    for name in SAMPLERS:
        steps = make_sampler(name, make_schedule("cosine", 30), sampling_steps=7)
        assert (name in found) == (not steps.variance.any())


def test_a_metric_demands_nothing_of_a_model_that_does_not_give_it():
    cells = make_cells(model=["linear_exact", "ledoit_wolf"], draw="samples", sampler="ddpm_beta")
    ((row, setting, text),) = check(cells, ["agreement"])
    assert (row, setting) == (0, "sampler")
    assert text.startswith(
        "agreement needs a sampler that draws no noise of its own; allowed: ddim"
    )
    assert check(make_cells(sampler=["ddim", "ideal"]), ["agreement"]) == []


@pytest.mark.parametrize(
    ("name", "sampler", "largest"),
    [("linear_exact", "ddim", 1e70), ("linear_theory", "ideal", 1e70),
     ("ledoit_wolf", "ddim", 1e70), ("linear_trained", "ddim", 1e70), ("empirical", "ideal", 1e70),
     ("empirical", "ddim", 1e3), ("mlp", "ddim", 1e3),
     ("random_features", "ddim", 1e3), ("random_features_theory", "ddim", 1e70)],
)  # fmt: skip
def test_a_population_mean_that_leaves_no_digits_is_refused(name, sampler, largest):
    reads = MODELS[name].settings
    given = {key: value for key, value in GIVEN.items() if key in reads} | {"sampler": sampler}
    if name in ("linear_exact", "linear_theory"):
        del given["learning_rate"]

    def findings(mean):
        return check(make_cells(model=name, **given | {"population_mean": mean}))

    assert findings(largest) == findings(-largest) == []
    (row, setting, text), = findings(-1.01 * largest)  # fmt: skip
    assert (row, setting) == (0, "population_mean")
    assert text.endswith(f"allowed with {name}: -{largest:g} to {largest:g}")
