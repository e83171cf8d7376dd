"""The exact metrics of linear denoisers on one draw, in one call (docs/theory.md, "Metrics")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science import measure, metrics, vectors
from lindiff.science.draws import Draw
from lindiff.science.filters import Bank, Training
from lindiff.science.sampler import Sampler, start_factor
from lindiff.science.schedule import Schedule, make_schedule
from lindiff.science.tables import Evaluated, FilterTable, node_range

Array = NDArray[np.float64]
PerFilter = Float64[Array, " F"]


def divergences(
    draw: Draw, mu: measure.Measure, evaluated: Evaluated, root_alpha_bar: float
) -> dict[str, PerFilter]:
    """Both KL with their parts, and c_mean.

    Args:
        draw: The training set.
        mu: Its measure.
        evaluated: F filters on the nodes of the measure.
        root_alpha_bar: √ᾱ_T, or 0 without a sampler.

    Returns:
        Arrays of shape (F,), per dimension, in nats; inf where a mode has no variance. Where Σ has
        a direction without variance both KL and all their parts are: ρ has no density.
    """
    result, inverse = metrics.covariance_metrics(mu, draw.spectrum, evaluated)
    means = vectors.mean_parts(draw, evaluated, inverse, root_alpha_bar)
    for name, mean in zip(("kl_model_data", "kl_data_model"), means, strict=True):
        result[f"{name}_mean"] = mean if draw.spectrum.all() else np.full_like(mean, np.inf)
        mean = result[f"{name}_mean"]
        result[name] = result[f"{name}_spectrum"] + result[f"{name}_eigenvectors"] + mean
    return result


def linear_metrics(
    draw: Draw,
    trainings: Sequence[Training] = (Training(),),
    schedule: Schedule | None = None,
    sampler: Sampler | None = None,
) -> dict[str, PerFilter]:
    """Losses and divergences of linear denoisers trained on one draw, without training them.

    docs/theory.md, "Metrics"; the setting of Merger & Goldt (arXiv 2505.24769).

    Args:
        draw: The training set, from `make_draw`.
        trainings: F trainings: regularization and stop.
        schedule: Noise schedule; None is the default, linear with T = 1000.
        sampler: From `make_sampler` on the same schedule; None is the ideal sampler,
            N(μ0, Σ0 + ridge I), which knows neither weight decay nor a stop.

    Returns:
        Arrays of shape (F,), float64, per dimension. Losses, mean over noise levels: `train_loss`,
        `test_loss`, `null_loss`. In nats, inf where a mode is generated or has none:
        `kl_model_data`, KL(ρ_N‖ρ), and `kl_data_model`, KL(ρ‖ρ_N), each the sum of its parts
        `…_mean`, `…_spectrum` and `…_eigenvectors`. `c_mean` is the mean of v − λ.

    Raises:
        ValueError: There are no trainings.

    Example:
        Both KL fall like (d+3)/(4N) at large N (docs/theory.md, "Tails"), whatever the spectrum:

        >>> import lindiff
        >>> s = lindiff.make_spectrum("power_law", 64, exponent=1.0)
        >>> draw = lindiff.make_draw("wishart", s, n=6400, seed=0)
        >>> result = lindiff.linear_metrics(draw)
        >>> law = (64 + 3) / (4 * 6400)
        >>> (result["kl_model_data"] / law).round(1), (result["kl_data_model"] / law).round(1)
        (array([1.]), array([1.]))
    """
    if not trainings:
        raise ValueError("no trainings: give one at least")
    schedule = schedule or make_schedule()
    table = FilterTable(Bank(schedule, trainings), sampler, node_range(draw.spectrum, draw.n))
    mu = measure.of_draw(draw)
    evaluated = table.at(mu.nodes)
    return metrics.losses(mu, evaluated) | divergences(
        draw, mu, evaluated, start_factor(schedule, sampler)
    )
