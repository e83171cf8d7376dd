"""Simulated coverage of every interval of the package, at nominal 95 %.

Seeds are taken at random from large populations: log-normal numbers, and losses and KL of real
draws at d = 50 with the spectra and N around d of a sweep. What the interval should cover is the
value of the whole population. A row pools its cases; beside the coverage stand its Monte Carlo
error and the lowest and highest case.
Run: .venv/bin/python -m benchmarks.coverage [--part draws|measured|figures]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import header
from lindiff.drawing import intervals
from lindiff.science import measure, metrics
from lindiff.science.draws import make_draw
from lindiff.science.exact import divergences
from lindiff.science.filters import Bank, Training
from lindiff.science.optima import measured, minimum
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.scaling import crossing
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable, node_range

Array = np.ndarray
D = 50
SEEDS = (5, 8, 10, 20)
SPECTRA = (("isotropic", {}), ("power_law", {"exponent": 1.0}))
SCHEDULE = make_schedule("linear", 100)
GRIDS = {
    "ridge": np.geomspace(1e-4, 30, 41),
    "weight_decay": np.geomspace(1e-5, 10, 41),
    "stop": np.geomspace(0.3, 1e5, 41),
}
OPTIMA = (
    ("ridge", "test_loss"), ("ridge", "kl_model_data"), ("ridge", "kl_data_model"),
    ("weight_decay", "test_loss"), ("weight_decay", "kl_model_data"), ("stop", "test_loss"),
    ("stop", "kl_data_model"),
)  # fmt: skip


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


def population(
    spectrum: Array, n: int, knob: str, grid: Array, size: int, kind: str = "wishart"
) -> dict[str, Array]:
    """Metrics of `size` draws over a grid of one regularization: name -> shape (size, len(grid)).

    The ridge goes with the ideal sampler, weight decay and stop with DDIM.
    """
    trainings = [Training(**{knob: float(value)}) for value in grid]
    sampler = None if knob == "ridge" else make_sampler("ddim", SCHEDULE)
    table = FilterTable(Bank(SCHEDULE, trainings), sampler, node_range(spectrum, n))
    root = start_factor(SCHEDULE, sampler)
    rows: dict[str, list[Array]] = {}
    for seed in range(size):
        draw = make_draw(kind, spectrum, n, seed)
        mu = measure.of_draw(draw)
        evaluated = table.at(mu.nodes)
        found = metrics.losses(mu, evaluated) | divergences(draw, mu, evaluated, root)
        for name in ("test_loss", "kl_model_data", "kl_data_model"):
            rows.setdefault(name, []).append(found[name])
    return {name: np.array(values) for name, values in rows.items()}


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


def of_optimum(data: str, x: Array, curves: Array) -> Case:
    """Place and value of the optimum of curves, shape (size, len(x))."""

    def ends(rows: Array) -> tuple[tuple[float, float], ...]:
        found = measured(x, rows)
        return (found.x_low, found.x_high), (found.value_low, found.value_high)

    truth = minimum(x, curves.mean(axis=0))
    return Case((f"best {data}", f"value at best {data}"), curves, (truth.x, truth.value), ends)


def of_power(data: str, x: Array, y: Array) -> Case:
    """Exponent and prefactor of the power law through y, shape (size, len(x))."""

    def ends(rows: Array) -> tuple[tuple[float, float], ...]:
        found = intervals.power_fit(x, rows)
        return tuple((i.low, i.high) for i in (found.exponent, found.prefactor))

    fit = intervals.power_fit(x, y)
    names = f"exponent of {data}", f"prefactor of {data}"
    return Case(names, y, (fit.exponent.value, fit.prefactor.value), ends)


def needed_samples(dimensions: tuple[int, ...], size: int, level: float = 0.1) -> Array:
    """The N at which KL(ρ_N‖ρ) of each seed falls to `level`, shape (size, len(dimensions))."""
    ratios = np.geomspace(1.5, 12, 9)
    columns = []
    for d in dimensions:
        s = make_spectrum("power_law", d, exponent=1.0)
        ns = np.rint(ratios * d).astype(int)
        over_n = [population(s, int(n), "ridge", np.zeros(1), size, "samples") for n in ns]
        curves = np.concatenate([p["kl_model_data"] for p in over_n], axis=1)
        columns.append([crossing(ns.astype(float), curve, level) for curve in curves])
    return np.array(columns, dtype=float).T


def synthetic_cases(size: int, rng: np.random.Generator) -> Iterator[Case]:
    yield of_centre("normal numbers", "mean", rng.normal(3, 1, size))
    log_normal = rng.lognormal(1, 1, size)
    yield of_centre("log-normal numbers", "geometric mean", log_normal)
    yield of_centre("log-normal numbers", "median", log_normal)
    x = np.array([8.0, 16, 32, 64])
    shared, own = rng.normal(0, 0.3, (size, 1)), rng.normal(0, 0.2, (size, 4))
    yield of_power("a log-normal power law", x, x**1.2 * np.exp(shared + own))


def centre_cases(size: int) -> Iterator[Case]:
    """Metrics of single cells, with neither and with some ridge."""
    for name, params in SPECTRA:
        s = make_spectrum(name, D, **params)
        for n in (D // 2, D + 3, 4 * D):
            found = population(s, n, "ridge", np.array([0.0, 0.01]), size)
            for metric, values in found.items():
                finite = values[:, 1] if n < D else values[:, 0]
                yield of_centre(metric, "geometric mean", finite)
                yield of_centre(metric, "median", finite)
                heavy = metric == "kl_data_model" and n == D + 3
                note = " at c = 0, N = d + 3: take a median" if heavy else ""
                yield of_centre(metric + note, "mean", finite)


def optimum_cases(size: int) -> Iterator[Case]:
    for name, params in SPECTRA:
        s = make_spectrum(name, D, **params)
        for n in (D // 2, D, 4 * D):
            for knob, grid in GRIDS.items():
                found = population(s, n, knob, grid, size)
                for metric in (m for k, m in OPTIMA if k == knob):
                    yield of_optimum(f"{knob} for {metric}", grid, found[metric])


def power_cases(size: int) -> Iterator[Case]:
    dimensions = (10, 20, 40)
    needed = needed_samples(dimensions, size)
    yield of_power("the needed N over d", np.array(dimensions, float), needed)


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


def report_bands(rng: np.random.Generator, repeats: int = 4000) -> None:
    """What share of fresh draws the 80 % band of few draws holds: no 95 % interval."""
    shares = []
    for seeds in SEEDS:
        x = np.sort(rng.random((repeats, seeds)), axis=1)
        bands = [intervals.quantile_band(row, 0.8) for row in x]
        shares.append(f"{np.mean([band.high - band.low for band in bands]):.3f}")
    print("  share of fresh draws in the 80 % band of as many draws: " + ", ".join(shares))


def report_lack_of_fit(rng: np.random.Generator, repeats: int = 4000) -> None:
    """Exponents of points that are off their power law in all seeds alike, by a scatter."""
    x = np.array([8.0, 16, 32, 64])
    for lack in (0.0, 0.05, 0.2):
        shares = []
        for seeds in SEEDS:
            covered = 0
            for _ in range(repeats):
                own, shared = rng.normal(0, 0.1, (seeds, 4)), rng.normal(0, 0.3, (seeds, 1))
                y = x**1.2 * np.exp(shared + own + rng.normal(0, lack, 4))
                found = intervals.power_fit(x, y).exponent
                covered += found.low <= 1.2 <= found.high
            shares.append(f"{covered / repeats:.3f}")
        print(f"  exponent of four points off their law by {lack:g}: " + ", ".join(shares))


def draws(rng: np.random.Generator) -> None:
    """Centres, optima and power laws of losses and KL."""
    report(synthetic_cases(20_000, rng), 4000, rng)
    report(centre_cases(4000), 2000, rng)
    report(power_cases(1000), 4000, rng)
    report(optimum_cases(3000), 400, rng)
    report_lack_of_fit(rng)
    report_bands(rng)


def main() -> None:
    # Which take classes and functions of this module.
    from benchmarks import coverage_figures, coverage_measured

    parts = {
        "draws": draws,
        "measured": coverage_measured.measured,
        "figures": coverage_figures.figures,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--part", choices=list(parts), help="one of them")
    part = parser.parse_args().part
    header(f"coverage: nominal 0.95, {', '.join(map(str, SEEDS))} seeds")
    rng = np.random.default_rng(0)
    print("  interval, cases; coverage (lowest to highest case) for each number of seeds; error")
    with threadpool_limits(1):
        for name in [part] if part else parts:
            parts[name](rng)


if __name__ == "__main__":
    main()
