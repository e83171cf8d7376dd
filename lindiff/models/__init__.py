"""The models, as a registry that imports neither NumPy nor the models themselves.

A model is a function ``run(cells, metrics) -> table`` over the cells of one family, and what the
planner must know before it calls it. A new model is its file and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Finding = tuple[int, str, str]


@dataclass(frozen=True)
class Model:
    """What the planner must know of a model.

    Attributes:
        name: Value of the setting `model`.
        module: Module with `run`; its import closure is what the fingerprint covers.
        planning: Module with `estimate`, `check` and `warn`, which change no number.
        settings: Settings that the model reads; the others are null in its cells.
        within: Settings that vary inside a family: one computation yields all their values.
        metrics: The metrics that it can give.
        exact: Whether its cells are the same to 1e-12 in any packing.
    """

    name: str
    module: str
    planning: str
    settings: tuple[str, ...]
    within: frozenset[str]
    metrics: frozenset[str]
    exact: bool = True

    def load(self) -> Callable[[pa.Table, Sequence[str]], pa.Table]:
        """The model's `run`: one family of cells and the metric columns wanted -> a table."""
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

    def check(self, cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
        """Errors that only whole cells show, as ``(row, setting, message)``.

        Metrics that the model does not give demand nothing of its cells.
        """
        own = [metric for metric in metrics if metric in self.metrics]
        findings: list[Finding] = import_module(self.planning).check(cells, own)
        return findings

    def warn(self, cells: pa.Table) -> list[Finding]:
        """What is allowed but should be known, in the form of `check`."""
        findings: list[Finding] = import_module(self.planning).warn(cells)
        return findings


_REGULARIZATION = ("ridge", "weight_decay", "stop", "learning_rate", "init_scale")
_SCHEDULE = ("schedule", "beta_min", "beta_max", "timesteps")
_SAMPLING = ("sampler", "final_noise", "sampling_steps")
_DATA = (
    "data", "spectrum", "spectrum_params", "d", "n", "population_mean", "centre", "draw", "seed",
)  # fmt: skip

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "linear_exact",
            "lindiff.models.linear",
            "lindiff.models.linear_planning",
            settings=("model", *_DATA, *_SCHEDULE, *_SAMPLING, *_REGULARIZATION),
            within=frozenset((*_SCHEDULE, *_SAMPLING, *_REGULARIZATION)),
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
            "lindiff.models.theory_planning",
            settings=(
                "model", "spectrum", "spectrum_params", "d", "n", "population_mean", "centre",
                *_SCHEDULE, *_SAMPLING, *_REGULARIZATION,
            ),
            within=frozenset(("n", *_SCHEDULE, *_SAMPLING, *_REGULARIZATION)),
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
            "lindiff.models.linear_planning",
            settings=("model", *_DATA, *_SCHEDULE, *_SAMPLING),
            within=frozenset((*_SCHEDULE, *_SAMPLING)),
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
            "lindiff.models.empirical_planning",
            settings=(
                "model", "data", "spectrum", "spectrum_params", "d", "n", "population_mean",
                "draw", *_SCHEDULE, *_SAMPLING, "seed",
            ),
            within=frozenset((*_SCHEDULE, *_SAMPLING)),
            metrics=frozenset(
                (
                    "train_loss", "train_loss_se", "test_loss", "test_loss_se", "optimal_loss",
                    "residual_loss", "memorized_fraction", "pool_fraction", "levels",
                )
            ),
        ),
    )
}  # fmt: skip


def check(cells: pa.Table, metrics: Sequence[str] = ()) -> list[Finding]:
    """Errors that only whole cells show, over all models, as ``(row, setting, message)``."""
    return _over_models(cells, lambda model, own: model.check(own, metrics))


def warn(cells: pa.Table) -> list[Finding]:
    """What is allowed but should be known, over all models, in the form of `check`."""
    return _over_models(cells, lambda model, own: model.warn(own))


def _over_models(
    cells: pa.Table, look: Callable[[Model, pa.Table], list[Finding]]
) -> list[Finding]:
    import numpy as np

    names = np.asarray(cells["model"].cast("string"))
    findings = []
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        found = look(MODELS[name], cells.take(rows))
        findings += [(int(rows[row]), setting, message) for row, setting, message in found]
    return findings
