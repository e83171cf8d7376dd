"""How often intervals of few seeds cover: seeds taken at random from a population of very many.

A row pools its cases; beside the coverage stand its Monte Carlo error and the lowest and highest
case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lindiff.drawing import intervals

Array = np.ndarray
SEEDS = (5, 8, 10, 20)


@dataclass(frozen=True, eq=False)
class Case:
    """A population with a row per seed, and its value of each of some quantities."""

    names: tuple[str, ...]
    population: Array
    truth: tuple[float, ...]
    ends: Callable[[Array], tuple[tuple[float, float], ...]]


def coverage(case: Case, seeds: int, repeats: int, rng: np.random.Generator) -> Array:
    """Share of the intervals of `repeats` random choices of `seeds` rows that cover, per quantity.

    A choice without an interval, of which nothing is drawn, does not count.
    """
    size = len(case.population)
    found = np.array(
        [case.ends(case.population[rng.choice(size, seeds, replace=False)]) for _ in range(repeats)]
    )
    low, high = found[..., 0], found[..., 1]
    covered = (low <= case.truth) & (case.truth <= high)
    shares: Array = covered.sum(axis=0) / np.maximum(1, (~np.isnan(low + high)).sum(axis=0))
    return shares


def of_centre(
    data: str, name: str, values: Array, estimator: intervals.Estimator | None = None
) -> Case:
    """The mean, the geometric mean or the median of single numbers, shape (size,).

    With its interval of `lindiff.drawing.intervals`, or that of a figure.
    """
    own, centre = {
        "mean": (intervals.mean_interval, np.mean),
        "geometric mean": (intervals.geometric_mean_interval, lambda x: np.exp(np.log(x).mean())),
        "median": (intervals.median_interval, np.median),
    }[name]

    def ends(rows: Array) -> tuple[tuple[float, float]]:
        interval = (estimator or own)(rows)
        return ((interval.low, interval.high),)

    return Case((f"{name} of {data}",), values, (float(centre(values)),), ends)


def report(cases: Iterator[Case], repeats: int, rng: np.random.Generator) -> None:
    found: dict[str, list[Array]] = {}
    for case in cases:
        shares = np.array([coverage(case, seeds, repeats, rng) for seeds in SEEDS])
        for name, of_seeds in zip(case.names, shares.T, strict=True):
            found.setdefault(name, []).append(of_seeds)
    for name, cases_of_seeds in found.items():
        values = np.array(cases_of_seeds)
        low, mean, high = values.min(axis=0), values.mean(axis=0), values.max(axis=0)
        cells = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(mean, low, high, strict=True)]
        error = np.sqrt(0.95 * 0.05 / (repeats * len(values)))
        print(f"  {name:<45} {len(values):>2}  {'  '.join(cells)}  ±{error:.4f}", flush=True)
