"""The exact metrics of linear denoisers on one draw, in one call (docs/theory.md, "Metrics")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lindiff.science import measure, metrics, vectors
from lindiff.science.draws import Draw
from lindiff.science.filters import Bank, Training
from lindiff.science.sampler import Sampler, start_factor
from lindiff.science.schedule import Schedule, make_schedule
from lindiff.science.tables import Evaluated, Table, node_range

Array = NDArray[np.float64]


def divergences(
    draw: Draw, mu: measure.Measure, evaluated: Evaluated, root_alpha_bar: float
) -> dict[str, Array]:
    """Both KL with their parts, and c_mean.

    Args:
        draw: The training set.
        mu: Its measure.
        evaluated: F filters on the nodes of the measure.
        root_alpha_bar: √ᾱ_T, or 0 without a sampler.

    Returns:
        Arrays of shape (F,), per dimension, in nats; inf where a mode has no variance.
    """
    result, inverse = metrics.covariance_metrics(mu, draw.spectrum, evaluated)
    means = vectors.mean_parts(draw, evaluated, inverse, root_alpha_bar)
    for name, mean in zip(("kl_model_data", "kl_data_model"), means, strict=True):
        result[f"{name}_mean"] = mean
        result[name] = result[f"{name}_spectrum"] + result[f"{name}_eigenvectors"] + mean
    return result


def linear_metrics(
    draw: Draw,
    trainings: Sequence[Training] = (Training(),),
    schedule: Schedule | None = None,
    sampler: Sampler | None = None,
) -> dict[str, Array]:
    """Losses and divergences of linear denoisers trained on one draw.

    Args:
        draw: The training set, from `make_draw`.
        trainings: F trainings: regularization and stop.
        schedule: Noise schedule; None is the default, linear with T = 1000.
        sampler: From `make_sampler` on the same schedule; None is the ideal sampler,
            N(μ0, Σ0 + ridge I), which knows neither weight decay nor a stop.

    Returns:
        The metrics of docs/theory.md by name, arrays of shape (F,), per dimension.
    """
    schedule = schedule or make_schedule()
    table = Table(Bank(schedule, trainings), sampler, node_range(draw.spectrum, draw.n))
    mu = measure.of_draw(draw)
    evaluated = table.at(mu.nodes)
    return metrics.losses(mu, evaluated) | divergences(
        draw, mu, evaluated, start_factor(schedule, sampler)
    )
