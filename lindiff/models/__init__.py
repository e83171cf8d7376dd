"""The models, as a registry that imports none of them.

A model is a function ``run(cells, metrics) -> table`` over the cells of one family, or of several
that share `Model.together`, and what the planner must know before it calls it. A new model is its
file and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from lindiff.columns.groups import NETWORK, REGULARIZATION, RUN, SAMPLING, SCHEDULE, SPECTRUM

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Model:
    """What the planner must know of a model.

    Attributes:
        name: Value of the setting `model`.
        module: Module with `run`; its import closure is what the fingerprint covers.
        planning: Module of `lindiff.planning` with `estimate`, and `check` where the model
            refuses more than all models do; neither changes a number.
        settings: Settings that the model reads; the others are null in its cells.
        within: Settings that vary inside a family: one computation yields all their values.
        metrics: The metrics that it can give.
        exact: Whether its cells are the same to 1e-12 in any packing.
        together: Settings that families must share to be computed in one call, for which they
            need not be neighbours; empty where every family is a call of its own.
    """

    name: str
    module: str
    planning: str
    settings: tuple[str, ...]
    within: frozenset[str]
    metrics: frozenset[str]
    exact: bool = True
    together: tuple[str, ...] = ()

    def load(self) -> Callable[[pa.Table, Sequence[str]], pa.Table]:
        """The model's `run`: one family of cells, or those `together`, and metrics -> a table."""
        function: Callable[..., pa.Table] = import_module(self.module).run
        return function

    def estimate(
        self, families: pa.Table, metrics: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds and bytes of each family.

        Args:
            families: The settings of one cell of each family, and `cells`, their number.
            metrics: Metrics asked for.
        """
        seconds, size = import_module(self.planning).estimate(families, metrics)
        return seconds, size


_DATA = ("data", *SPECTRUM, "d", "n", "population_mean", "centre", "draw", "seed")
_MEASURED = frozenset(
    (
        "train_loss", "train_loss_se", "test_loss", "test_loss_se", "optimal_loss",
        "residual_loss", "kl_model_data", "kl_model_data_se", "kl_data_model",
        "kl_data_model_se", "bures", "bures_se", "memorized_fraction", "memorized_fraction_se",
        "agreement", "agreement_se", "uncentred_cosine", "uncentred_cosine_se", "pool_fraction",
        "levels", "modes", "linearity", "directions", "pictures",
    )
)  # fmt: skip


def _network(name: str) -> Model:
    """A trained network: a new one is a line here, one of `NETWORKS`, and its file."""
    return Model(
        name,
        "lindiff.models.trained",
        "lindiff.planning.trained",
        settings=(
            "model", *_DATA, *SCHEDULE, *SAMPLING, "weight_decay", "learning_rate", *RUN,
            "stop_step", *NETWORK, "train_seed",
        ),
        within=frozenset((*SAMPLING, "stop_step")),
        metrics=_MEASURED,
        exact=False,
        together=("data", "d", *SCHEDULE, *RUN, *NETWORK),
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "linear_exact",
            "lindiff.models.linear",
            "lindiff.planning.linear",
            settings=("model", *_DATA, *SCHEDULE, *SAMPLING, *REGULARIZATION),
            within=frozenset((*SCHEDULE, *SAMPLING, *REGULARIZATION)),
            metrics=frozenset(
                (
                    "train_loss", "test_loss", "optimal_loss", "residual_loss", "null_loss",
                    "kl_model_data", "kl_model_data_floor", "kl_data_model",
                    "kl_data_model_floor", "overlap_1", "c_mean", "agreement", "pool_fraction",
                    "bures", "monte_carlo_gap", "levels", "modes",
                )
            ),
        ),
        Model(
            "linear_theory",
            "lindiff.models.theory",
            "lindiff.planning.theory",
            settings=(
                "model", *SPECTRUM, "d", "n", "population_mean", "centre",
                *SCHEDULE, *SAMPLING, *REGULARIZATION,
            ),
            within=frozenset(("n", *SCHEDULE, *SAMPLING, *REGULARIZATION)),
            metrics=frozenset(
                (
                    "train_loss", "test_loss", "optimal_loss", "residual_loss", "null_loss",
                    "kl_model_data", "kl_model_data_floor", "kl_data_model",
                    "kl_data_model_floor", "overlap_1", "c_mean", "agreement", "levels",
                )
            ),
        ),
        Model(
            "ledoit_wolf",
            "lindiff.models.ledoit_wolf",
            "lindiff.planning.linear",
            settings=("model", *_DATA, *SCHEDULE, *SAMPLING),
            within=frozenset((*SCHEDULE, *SAMPLING)),
            metrics=frozenset(
                (
                    "train_loss", "test_loss", "optimal_loss", "residual_loss", "null_loss",
                    "kl_model_data", "kl_model_data_floor", "kl_data_model",
                    "kl_data_model_floor", "overlap_1", "c_mean", "shrinkage", "pool_fraction",
                )
            ),
        ),
        Model(
            "empirical",
            "lindiff.models.empirical",
            "lindiff.planning.empirical",
            settings=(
                "model", "data", *SPECTRUM, "d", "n", "population_mean",
                "draw", *SCHEDULE, *SAMPLING, "seed",
            ),
            within=frozenset((*SCHEDULE, *SAMPLING)),
            metrics=_MEASURED,
        ),
        Model(
            "linear_trained",
            "lindiff.models.linear_trained",
            "lindiff.planning.linear_trained",
            settings=(
                "model", *_DATA, *SCHEDULE, *SAMPLING, "weight_decay", "learning_rate", *RUN,
                "stop_step", "train_seed",
            ),
            within=frozenset((*SAMPLING, "stop_step")),
            metrics=frozenset(
                (
                    "train_loss", "test_loss", "optimal_loss", "residual_loss", "kl_model_data",
                    "kl_data_model", "bures", "agreement", "pool_fraction", "levels", "modes",
                )
            ),
            exact=False,
        ),
        _network("mlp"),
        _network("unet"),
    )
}  # fmt: skip
