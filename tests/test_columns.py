"""The columns are well-formed: every registry and file that is generated from them relies on it."""

import math

import pyarrow as pa
import pytest

from lindiff import columns
from lindiff.columns import (
    DEFAULT_METRICS,
    LABELS,
    METRIC,
    METRICS,
    OUTCOME,
    REQUESTABLE,
    REQUIRED,
    SECONDS,
    SETTING,
    SETTINGS,
    cell_schema,
    delivered,
    part_schema,
    result_schema,
)
from lindiff.config.values import SPECTRA, checked
from lindiff.models import MODELS

EVERY = (*SETTINGS, *METRICS, *OUTCOME, SECONDS)
WITH_NEUTRAL = [c for c in SETTINGS if c.neutral is not REQUIRED and c.type != "json"]


def test_names_are_unique():
    names = [column.name for column in EVERY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("column", EVERY, ids=lambda c: c.name)
def test_every_column_is_described(column):
    assert column.label
    assert column.help.endswith(".")


@pytest.mark.parametrize("column", WITH_NEUTRAL, ids=lambda c: c.name)
def test_a_neutral_value_is_a_value_of_its_column(column):
    value = checked(column, column.neutral)
    assert value == column.neutral
    assert type(value) is type(column.neutral)


def test_the_neutral_values_are_frozen():
    # A changed neutral value changes the meaning of finished cells: their ids leave it out.
    assert {c.name: c.neutral for c in SETTINGS if c.neutral is not REQUIRED} == {
        "data": "gaussian",
        "spectrum": "isotropic",
        "spectrum_params": "{}",
        "scale": 1.0,
        "population_mean": 0.0,
        "mixture": "none",
        "centre": "estimated",
        "draw": "wishart",
        "augmentation": "none",
        "group_size": 0,
        "schedule": "linear",
        "beta_min": 1e-4,
        "beta_max": 1e-2,
        "timesteps": 1000,
        "sampler": "ddpm_beta",
        "final_noise": False,
        "sampling_steps": 0,
        "truncation": 0,
        "noises": math.inf,
        "weighting": "uniform",
        "ema": 0.0,
        "ridge": 0.0,
        "weight_decay": 0.0,
        "stop": math.inf,
        "learning_rate": 0.0,
        "init_scale": 0.0,
        "optimizer": "adam",
        "stop_step": 0,
        "batch_size": 64,
        "warm_up": 0,
        "learning_rate_decay": "constant",
        "preconditioning": "edm",
        "dropout": 0.0,
        "activation": "erf",
        "precision": "float32",
        "train_seed": 0,
    }


@pytest.mark.parametrize(
    "column",
    [c for c in SETTINGS if c.only_with or c.void_when or c.void_unless],
    ids=lambda c: c.name,
)
def test_conditions_name_settings_that_come_before(column):
    # The grid resolves conditions in this order.
    before = [c.name for c in SETTINGS[: SETTINGS.index(column)]]
    assert column.neutral is not REQUIRED
    if column.only_with:
        setting, values = column.only_with
        assert setting in before
        assert set(values) < set(SETTING[setting].choices)
    if column.void_when:
        assert column.void_when[0] in before
    if column.void_unless:
        setting, values = column.void_unless
        assert setting in before
        assert set(values) < set(SETTING[setting].choices)


@pytest.mark.parametrize("column", [c for c in SETTINGS if c.choices], ids=lambda c: c.name)
def test_help_says_what_every_choice_is(column):
    # As a word, or as a spectrum that takes parameters.
    absent = [
        choice for choice in column.choices
        if f"`{choice}`" not in column.help and f"`{{{choice}: " not in column.help
    ]  # fmt: skip
    assert absent == []


def test_the_registries_agree_with_the_choices():
    assert set(SETTING["model"].choices) == set(MODELS)
    assert set(SETTING["spectrum"].choices) == set(SPECTRA)


def test_every_metric_is_given_by_a_model():
    assert {name for model in MODELS.values() for name in model.metrics} == set(REQUESTABLE)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda m: m.name)
def test_a_model_names_columns(model):
    assert set(model.settings) <= set(SETTING)
    assert model.within < set(model.settings)
    assert model.metrics <= set(REQUESTABLE)
    assert "model" in set(model.settings) - model.within


def test_a_request_fits_in_64_bits():
    assert len(REQUESTABLE) <= 64


def test_parts_are_delivered_with_their_metric():
    assert "kl_model_data_mean" not in REQUESTABLE
    asked = delivered(["kl_model_data", "train_loss"])
    assert asked == (
        "train_loss",
        "kl_model_data",
        "kl_model_data_mean",
        "kl_model_data_spectrum",
        "kl_model_data_eigenvectors",
    )
    assert all(METRIC[c.part_of].name in REQUESTABLE for c in METRICS if c.part_of)


def test_default_metrics_are_those_that_cost_little():
    assert set(REQUESTABLE) - set(DEFAULT_METRICS) >= {
        "agreement",
        "agreement_se",
        "uncentred_cosine",
        "uncentred_cosine_se",
        "memorized_fraction",
        "memorized_fraction_se",
        "bures",
        "bures_se",
        "monte_carlo_gap",
        "levels",
        "modes",
        "linearity",
        "directions",
        "differences",
        "feature_spectrum",
        "bayes_loss",
        "excess_loss",
        "excess_loss_se",
        "speciation_time",
        "speciation_time_se",
        "excess_kurtosis",
        "excess_kurtosis_se",
        "classes",
        "coverage",
        "copied_auc",
        "copied_auc_se",
        "pictures",
    }


def test_the_schemas_hold_every_column_with_its_label():
    schema = part_schema(REQUESTABLE)
    expected = ["cell_id", "family_id", *(c.name for c in (*SETTINGS, *METRICS, *OUTCOME))]
    assert schema.names == expected
    assert schema.field("ridge").metadata[b"label"] == SETTING["ridge"].label.encode()
    assert schema.field("kl_model_data").metadata[b"unit"] == b"nats"
    assert cell_schema().field("n").type == pa.int64()
    assert cell_schema().field("stop").type == pa.float64()
    assert result_schema(["train_loss"]).names == ["cell_id", "train_loss", "status", "message"]


def test_axis_labels_carry_units():
    assert LABELS["seconds"] == "time [s]"
    assert LABELS["kl_model_data"].endswith(" [nats]")
    assert LABELS["n_over_d"] == "$N/d$"
    assert set(LABELS) == {c.name for c in (*SETTINGS, *METRICS, SECONDS)} | {"n_over_d"}


def test_required_prints_itself():
    assert repr(columns.REQUIRED) == "REQUIRED"
