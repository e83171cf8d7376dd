"""The models, as a registry that imports none of them.

A model is a function ``run(cells, metrics) -> table`` over the cells of one family, or of several
that differ in nothing but `Model.batched`; the registry says what planning and figures must know of
it. What a new model touches besides its entry here is in docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from lindiff.columns.groups import (
    AUGMENTATION,
    COVARIANCE,
    NETWORK,
    RANDOM_FEATURES,
    REGULARIZATION,
    RUN,
    SAMPLING,
    SCHEDULE,
)

if TYPE_CHECKING:
    import pyarrow as pa

# The exact linear model of a training set, its large-system limit, which has no seed, and the
# estimator that it is compared with.
EXACT, THEORY, SHRINKAGE = "linear_exact", "linear_theory", "ledoit_wolf"
# Random features and their limit.
FEATURES, FEATURES_THEORY = "random_features", "random_features_theory"
# The limit of each model that has one; figures draw limits as lines.
LIMITS = {EXACT: THEORY, FEATURES: FEATURES_THEORY}


@dataclass(frozen=True)
class Look:
    """How a model is drawn, in every figure.

    Attributes:
        label: Its name in words.
        colour: Of its marks, ``#RRGGBB``.
        marker: Matplotlib's letter; empty of the theory, which is a line.
    """

    label: str
    colour: str
    marker: str


@dataclass(frozen=True)
class Model:
    """What planning and figures must know of a model.

    Attributes:
        name: Value of the setting `model`.
        module: Module with `run`; its import closure is what the fingerprint covers.
        planning: Module of `lindiff.planning` with `estimate`, and `check` where the model
            refuses more than all models do; neither changes a number.
        look: How figures show it.
        settings: Settings that the model reads; the others are null in its cells.
        within: Settings that vary inside a family: one computation yields all their values.
        metrics: The metrics that it can give.
        trained: Whether torch trains it; cells of the others are the same to 1e-12 in any packing.
        samples: Whether it needs the training samples themselves, not only their covariance.
        pictures: Whether its data must be pictures.
        batched: Settings in which families that are computed in one call may differ; all others
            are shared. Empty where every family is a call of its own.
    """

    name: str
    module: str
    planning: str
    look: Look
    settings: tuple[str, ...]
    within: frozenset[str]
    metrics: frozenset[str]
    trained: bool = False
    samples: bool = False
    pictures: bool = False
    batched: frozenset[str] = frozenset()

    @property
    def shared(self) -> tuple[str, ...]:
        """The settings that families must share to be computed in one call, in order."""
        return tuple(name for name in self.settings if name not in self.within | self.batched)

    def load(self) -> Callable[[pa.Table, Sequence[str]], pa.Table]:
        """The model's `run`: cells of one family, or of several, and metrics -> a table."""
        function: Callable[..., pa.Table] = import_module(self.module).run
        return function


_DATA = ("data", *COVARIANCE, "n", "population_mean", "mixture", "centre", "draw", "seed")
_LINEAR = frozenset(
    (
        "train_loss", "test_loss", "optimal_loss", "residual_loss", "null_loss", "kl_model_data",
        "kl_model_data_floor", "kl_data_model", "kl_data_model_floor", "bures_floor", "overlap_1",
        "c_mean",
    )
)  # fmt: skip
_PROXIMITY = frozenset(("proximity_bias", "proximity_bias_se"))
_MEASURED = _PROXIMITY | frozenset(
    (
        "train_loss", "train_loss_se", "test_loss", "test_loss_se", "optimal_loss",
        "residual_loss", "kl_model_data", "kl_model_data_se", "kl_data_model",
        "kl_data_model_se", "bures", "bures_se", "memorized_fraction", "memorized_fraction_se",
        "agreement", "agreement_se", "uncentred_cosine", "uncentred_cosine_se", "pool_fraction",
        "levels", "modes", "linearity", "directions", "differences", "coverage", "copied_auc",
        "copied_auc_se", "pictures",
    )
)  # fmt: skip
# What is measured of a mixture too.
_OF_CLASSES = frozenset(
    (
        "bayes_loss", "excess_loss", "excess_loss_se", "speciation_time", "speciation_time_se",
        "excess_kurtosis", "excess_kurtosis_se", "classes",
    )
)  # fmt: skip


# Of networks that are trained as one: each has its own data, random numbers and rates.
_OF_ONE_RUN = frozenset(
    (
        "spectrum", "spectrum_params", "scale", "n", "population_mean", "mixture", "centre", "draw",
        *AUGMENTATION, "seed", "noises", "weight_decay", "learning_rate", "train_seed",
    )
)  # fmt: skip
# Of the read-out of random features, whatever the features are.
_OF_READ_OUT = ("weight_decay", "weighting", "stop")


def _network(name: str, look: Look, pictures: bool = False) -> Model:
    """A trained network, the file of that name in `lindiff.training.networks`."""
    return Model(
        name,
        "lindiff.models.trained",
        "lindiff.planning.trained",
        look,
        settings=(
            "model", *_DATA, *AUGMENTATION, *SCHEDULE, *SAMPLING, "noises", "weight_decay",
            "weighting", "learning_rate", *RUN, "stop_step", *NETWORK, "train_seed",
        ),
        within=frozenset((*SAMPLING, "stop_step")),
        metrics=_MEASURED | _OF_CLASSES,
        trained=True,
        samples=True,
        pictures=pictures,
        batched=_OF_ONE_RUN,
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            EXACT,
            "lindiff.models.linear",
            "lindiff.planning.linear",
            Look("linear", "#0072B2", "o"),
            settings=(
                "model", *_DATA, *AUGMENTATION, *SCHEDULE, *SAMPLING, "noises", *REGULARIZATION,
            ),
            within=frozenset((*SCHEDULE, *SAMPLING, *REGULARIZATION)),
            metrics=_LINEAR
            | _PROXIMITY
            | {"bayes_loss", "excess_loss", "differences"}
            | {"agreement", "bures", "monte_carlo_gap", "levels", "modes", "pool_fraction"},
        ),
        Model(
            THEORY,
            "lindiff.models.theory",
            "lindiff.planning.theory",
            Look("linear, theory", "#0072B2", ""),
            settings=(
                "model", *COVARIANCE, "n", "population_mean", "mixture", "centre", *AUGMENTATION,
                *SCHEDULE, *SAMPLING, "noises", *REGULARIZATION,
            ),
            within=frozenset(("n", *SCHEDULE, *SAMPLING, *REGULARIZATION)),
            metrics=_LINEAR | {"agreement", "levels", "differences"},
        ),
        Model(
            "linear_trained",
            "lindiff.models.linear_trained",
            "lindiff.planning.linear_trained",
            Look("linear, trained", "#56B4E9", "v"),
            settings=(
                "model", *_DATA, *AUGMENTATION, *SCHEDULE, *SAMPLING, "noises", "weight_decay",
                "weighting", "learning_rate", *RUN, "stop_step", "train_seed",
            ),
            within=frozenset((*SAMPLING, "stop_step")),
            metrics=frozenset(
                (
                    "train_loss", "test_loss", "optimal_loss", "residual_loss", "kl_model_data",
                    "kl_data_model", "bures", "agreement", "pool_fraction", "levels", "modes",
                )
            )
            | _PROXIMITY,
            trained=True,
        ),
        _network("mlp", Look("MLP", "#D55E00", "s")),
        _network("unet", Look("U-Net", "#009E73", "D"), pictures=True),
        Model(
            "empirical",
            "lindiff.models.empirical",
            "lindiff.planning.empirical",
            Look("empirical score", "#CC79A7", "^"),
            settings=(
                "model", "data", *COVARIANCE, "n", "population_mean", "mixture", "draw",
                *AUGMENTATION, *SCHEDULE, *SAMPLING, "seed",
            ),
            within=frozenset((*SCHEDULE, *SAMPLING)),
            metrics=_MEASURED | _OF_CLASSES | {"collapse_time", "collapse_time_se"},
            samples=True,
        ),
        Model(
            SHRINKAGE,
            "lindiff.models.ledoit_wolf",
            "lindiff.planning.ledoit_wolf",
            Look("Ledoit and Wolf", "#E69F00", "P"),
            settings=("model", *_DATA, *SCHEDULE, *SAMPLING),
            within=frozenset((*SCHEDULE, *SAMPLING)),
            metrics=_LINEAR | {"shrinkage", "pool_fraction"},
            samples=True,
        ),
        Model(
            FEATURES,
            "lindiff.models.random_features",
            "lindiff.planning.random_features",
            Look("random features", "#999933", "p"),
            settings=(
                "model", "data", *COVARIANCE, "n", "population_mean", "centre", "draw", "seed",
                *SCHEDULE, *SAMPLING, "noises", *_OF_READ_OUT, *RANDOM_FEATURES, "train_seed",
            ),
            within=frozenset((*SCHEDULE, *SAMPLING, *_OF_READ_OUT)),
            metrics=_MEASURED - {"train_loss_se", "test_loss_se"} | {"feature_spectrum"},
            samples=True,
        ),
        Model(
            FEATURES_THEORY,
            "lindiff.models.random_features_theory",
            "lindiff.planning.random_features_theory",
            Look("random features, theory", "#999933", ""),
            settings=(
                "model", *COVARIANCE, "n", "population_mean", "centre", *SCHEDULE, *SAMPLING,
                "noises", *_OF_READ_OUT, *RANDOM_FEATURES,
            ),
            within=frozenset(("n", *SCHEDULE, *SAMPLING, *_OF_READ_OUT, "features")),
            metrics=frozenset(
                ("train_loss", "test_loss", "optimal_loss", "residual_loss", "levels")
            ),
        ),
    )
}  # fmt: skip
