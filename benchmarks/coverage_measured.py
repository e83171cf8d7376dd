"""Simulated coverage of what is measured of samples and training sets, at nominal 95 %.

First errors of one cell, as value ± 1.96 standard errors (± 2.13 of those of a jackknife of 16
blocks, Student's t; of the excess kurtosis also `lindiff.science.kurtosis.interval`): of the
samples, noises or training points that an estimate is made of, drawn anew each time; those of
`linearity`, `directions` and `differences` level by level. Then intervals
over seeds, as in `benchmarks.coverage`: bands of agreement, overlap, proximity bias and the AUC of
copied points, the places of stops and those of crossings that searches find.
Run: .venv/bin/python -m benchmarks.coverage --part measured
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import logit, ndtr, stdtrit

from benchmarks.covering import Array, Case, report
from lindiff.columns import delivered
from lindiff.drawing import intervals, stopped
from lindiff.figures import overlap
from lindiff.models import linear, linear_cells
from lindiff.report.searches import _last
from lindiff.science import coverage, denoisers, kurtosis, optima, samples, vectors
from lindiff.science.collapse import collapse_time
from lindiff.science.draws import make_draw
from lindiff.science.empirical import empirical
from lindiff.science.mixture import make_mixture
from lindiff.science.pools import make_pool
from lindiff.science.schedule import log_levels, make_schedule
from lindiff.science.speciation import speciation_time
from lindiff.science.spectrum import make_spectrum
from tests.science.helpers import make_cells

Estimator = Callable[[np.random.Generator], Any]
SAMPLES = 1024  # of a cell
KURTOSES = 10  # times as many estimates of a kurtosis, whose tails decide
D = 8
SPECTRUM = make_spectrum("power_law", D, exponent=1.0)
OVERLAPS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "spikes": (("spiked", {"count": 2, "spike": 4.0}), ("spiked", {"count": 1, "spike": 10.0})),
    "power laws": tuple(("power_law", {"exponent": a}) for a in (0.5, 1.0, 2.0)),
}


# Errors of one cell ------------------------------------------------------------------------------


def gaussian_bias(n: int, rng: np.random.Generator) -> Estimator:
    """Proximity bias of samples of the Gaussians of two fixed training sets."""
    sets = rng.standard_normal((2, n, D)) * np.sqrt(SPECTRUM)
    roots = [np.linalg.cholesky(np.cov(x.T) + 1e-6 * np.eye(D)) for x in sets]

    def estimate(rng: np.random.Generator) -> Any:
        white = rng.standard_normal((SAMPLES, D))
        one, two = (x.mean(axis=0) + white @ root.T for x, root in zip(sets, roots, strict=True))
        return samples.proximity_bias(one, two, *sets)

    return estimate


def agreeing(share: float, rng: np.random.Generator) -> Any:
    """Agreement of samples with a common share."""
    white = rng.standard_normal((2, SAMPLES, D)) * np.sqrt(SPECTRUM)
    other = share * white[0] + np.sqrt(1 - share**2) * white[1]
    return samples.agreement(white[0], other, np.zeros(D))


def cosine(share: float, rng: np.random.Generator) -> Any:
    """Uncentred cosine of the same, about a mean of 1."""
    white = rng.standard_normal((2, SAMPLES, D)) * np.sqrt(SPECTRUM)
    return samples.cosine(white[0] + 1, share * white[0] + np.sqrt(1 - share**2) * white[1] + 1)


def classes(between: float, weight: float, rng: np.random.Generator) -> Array:
    """Samples of two normal classes, one of a weight, with a share of the variance between them."""
    mean = np.array([np.sqrt((1 - weight) / weight), -np.sqrt(weight / (1 - weight))])
    of = np.where(rng.random(SAMPLES) < weight, *mean)
    x: Array = np.sqrt(between) * of + np.sqrt(1 - between) * rng.standard_normal(SAMPLES)
    return x


def gamma(excess: float, rng: np.random.Generator) -> Array:
    """Normal numbers with a gamma one as their variance: excess 3/k at the shape k."""
    x: Array = rng.standard_normal(SAMPLES) * np.sqrt(rng.gamma(3 / excess, 1, SAMPLES))
    return x


def two_variances(share: float, ratio: float, rng: np.random.Generator) -> Array:
    """Normal numbers, a share of them of `ratio` times the variance of the others."""
    variance = np.where(rng.random(SAMPLES) < share, ratio, 1.0)
    x: Array = rng.standard_normal(SAMPLES) * np.sqrt(variance)
    return x


def areas(hits: int, misses: int, apart: float, rng: np.random.Generator) -> Any:
    """AUC of scores of two normal laws."""
    copied = np.arange(hits + misses) < hits
    score = rng.standard_normal(hits + misses) + apart * copied
    return _logit(coverage.copied_auc(score, copied.astype(int), np.arange(hits + misses)))


def _logit(found: tuple[float, float]) -> tuple[float, float]:
    """ln A/(1 − A) of an area with its error."""
    area, error = found
    return logit(area), error / (area * (1 - area)) if 0 < area < 1 else np.nan


def kurtoses() -> Iterator[tuple[str, Callable[[np.random.Generator], Array], float]]:
    """Laws of samples, with their excess kurtosis: first those whose kurtosis has at most the
    `sampling_variance` of its value, then others.
    """
    for share, weight in ((0.9, 0.5), (0.5, 0.5), (0.0, 0.5), (0.9, 0.1), (0.9, 0.05), (0.5, 0.05)):
        name = f"classes {weight:g}:{1 - weight:g}, {share:g} between"
        yield name, partial(classes, share, weight), share**2 * (1 / (weight * (1 - weight)) - 6)
    for excess in (0.5, 1.0, 3.0, 6.0):
        yield "gamma variance", partial(gamma, excess), excess
    for share, ratio in ((0.5, 4.0), (0.1, 9.0), (0.1, 4.0), (0.02, 9.0)):
        name = f"{share:g} with {ratio:g} times the variance"
        mean, square = (1 - share + share * ratio**k for k in (1, 2))
        yield name, partial(two_variances, share, ratio), 3 * square / mean**2 - 3
    for freedom in (12, 6):
        name = f"Student's t, {freedom} degrees of freedom"
        yield name, lambda rng, of=freedom: rng.standard_t(of, SAMPLES), 6 / (freedom - 4)


def single_cells(
    rng: np.random.Generator,
) -> Iterator[tuple[str, Estimator, float | None, float]]:
    """What is estimated, how, its true value, None where that is the mean of all estimates, and
    the degrees of freedom of its error.
    """
    blocks = samples.BLOCKS - 1
    for n in (16, 128):
        yield f"proximity bias, N = {n}", gaussian_bias(n, rng), None, np.inf
    for share in (0.3, 0.95):
        yield f"agreement of {share}", partial(agreeing, share), share, blocks
        yield f"uncentred cosine at {share}", partial(cosine, share), None, np.inf
    for weights in ([1, 1], [4, 1]):
        mixture = make_mixture(np.append(10.0, np.ones(7)), weights, between=0.9)
        name = f"speciation time, weights {weights}"
        yield name, partial(speciation_time, mixture), None, np.inf
    points = rng.standard_normal((32, D))
    yield "collapse time, N = 32", partial(collapse_time, points, np.arange(32)), None, np.inf
    for hits, misses, apart in ((8, 50, 1.0), (30, 30, 1.0), (8, 50, 2.0), (30, 30, 2.0)):
        known = float(ndtr(apart / np.sqrt(2)))
        name = f"AUC of {known:.2f}, {hits} of {hits + misses} copied"
        yield name, partial(areas, hits, misses, apart), logit(known), np.inf


def report_errors(
    cases: Iterator[tuple[str, Estimator, float | None, float]],
    rng: np.random.Generator,
    repeats: int,
) -> None:
    """Share of the intervals of `single_cells` that cover; without an error there is none."""
    for name, estimate, truth, freedom in cases:
        found = np.array([estimate(rng) for _ in range(repeats)])
        value, error = found[np.isfinite(found[:, 1])].T
        centre = value.mean() if truth is None else truth
        factor = float(stdtrit(freedom, 0.975)) if np.isfinite(freedom) else 1.96
        share = np.mean(np.abs(value - centre) <= factor * error)
        lost = f", {repeats - len(value)} of {repeats} without an error" * (len(value) < repeats)
        print(f"  {name:<45} {share:.3f} ±{np.sqrt(0.05 * 0.95 / repeats):.3f}{lost}", flush=True)


def report_kurtoses(rng: np.random.Generator, repeats: int) -> None:
    """Share of the plain intervals of an excess kurtosis that cover, and of those of its module."""
    factor = float(stdtrit(samples.BLOCKS - 1, 0.975))
    for name, draw, truth in kurtoses():
        value, error = np.array([samples.excess_kurtosis(draw(rng)) for _ in range(repeats)]).T
        low, high = kurtosis.interval(value, error)
        plain = np.mean(np.abs(value - truth) <= factor * error)
        own = np.mean((low <= truth) & (truth <= high))
        words = f"excess kurtosis {truth:.2f}, {name}"
        print(f"  {words:<60} {plain:.3f} {own:.3f} ({np.mean(truth < low):.3f} above)", flush=True)


def report_own_times(rng: np.random.Generator, repeats: int) -> None:
    """Own times of the points of one training set, over the noises that all points share."""
    points = rng.standard_normal((24, D)) * np.sqrt(SPECTRUM)
    made = [coverage.places(points, np.arange(24), rng) for _ in range(repeats)]
    times, errors = (np.array([getattr(p, k) for p in made]) for k in ("own_time", "own_time_se"))
    report_several("own time of 24 points", times, errors)


def report_levels(rng: np.random.Generator, repeats: int) -> None:
    """Numbers of single levels of the empirical score, as `linearity` and `differences` have."""
    schedule = make_schedule(timesteps=100)
    levels = log_levels(schedule.timesteps, linear_cells.FEW_LEVELS)
    points = denoisers.normal(np.zeros(D), SPECTRUM)
    for n in (16, 128):
        sets = rng.standard_normal((2, n, D)) * np.sqrt(SPECTRUM)
        own, other = (empirical(x, schedule) for x in sets)
        affine = np.array([
            [
                denoisers.nonlinearity(own, schedule, i, (points, points), rng, SAMPLES)
                for i in levels
            ]
            for _ in range(repeats)
        ])  # fmt: skip
        apart = np.array([
            [
                denoisers.direction_distances(
                    own, other, np.eye(D), schedule, i, points, rng, SAMPLES
                )
                for i in levels
            ]
            for _ in range(repeats)
        ])  # fmt: skip
        report_several(f"nonlinearity, N = {n}", *np.moveaxis(affine, -1, 0))
        for mode, name in ((0, "first"), (-1, "last")):
            of_mode = np.moveaxis(apart[..., mode], -1, 0)
            report_several(f"difference along the {name} mode, N = {n}", *of_mode)


def report_several(name: str, values: Array, errors: Array) -> None:
    """Share of value ± 1.96 errors that cover the mean of all, of several numbers.

    Args:
        name: What they are.
        values: Estimates, shape (repeats, numbers).
        errors: Their standard errors, same shape.
    """
    shares = (np.abs(values - values.mean(axis=0)) <= 1.96 * errors).mean(axis=0)
    ends = f"{shares.min():.3f} to {shares.max():.3f}"
    print(f"  {name:<45} {shares.mean():.3f} ({ends})", flush=True)


# Intervals over seeds ----------------------------------------------------------------------------


def of_centre(name: str, values: Array) -> Case:
    """The mean of a number a training set, as figures take it."""
    own = {"overlap": overlap.interval, "auc": intervals.share_interval}
    of = next((own[part] for part in own if part in name), intervals.mean_interval)

    def ends(rows: Array) -> tuple[tuple[float, float]]:
        found = of(rows)
        return ((found.low, found.high),)

    return Case((name,), values, (float(values.mean()),), ends)


def curves(settings: dict[str, Any], metrics: tuple[str, ...], size: int) -> dict[str, Array]:
    """Metrics of `size` training sets of the exact linear model: name -> shape (size, cells)."""
    made = []
    for seed in range(size):
        table = linear.run(make_cells(**settings, seed=seed), delivered(metrics))
        made.append([table[name].to_numpy() for name in metrics])
    return dict(zip(metrics, np.array(made).swapaxes(0, 1), strict=True))


def agreements(size: int) -> Iterator[Case]:
    """Agreement of linear models, a number a training set."""
    spectra: tuple[dict[str, Any], ...] = (
        {"spectrum": "power_law", "spectrum_params": '{"exponent":1.0}'},
        {"spectrum": "spiked", "spectrum_params": '{"count":2,"spike":4.0}'},
    )
    for spectrum in spectra:
        for n in (25, 200):
            settings = {"d": 50, "n": n, "sampler": "ddim", "timesteps": 50, **spectrum}
            found = curves(settings, ("agreement",), size)["agreement"][:, 0]
            yield of_centre("band of agreement", found.astype(float))


def overlaps(size: int) -> Iterator[Case]:
    """Overlaps of training sets, from few samples to many: of spikes, which stand apart, and of
    power laws, whose leading modes change places in some training sets.
    """
    for name, spectra in OVERLAPS.items():
        for d in (20, 50):
            for kind, params in spectra:
                spectrum = make_spectrum(kind, d, **params)
                for ratio in (0.25, 0.5, 1, 2, 4, 16):
                    draws = (make_draw("wishart", spectrum, int(ratio * d), i) for i in range(size))
                    found = np.array([vectors.leading_overlap(draw) for draw in draws])
                    yield of_centre(f"band of overlap_1, {name}", found)


def places(size: int, metrics: tuple[str, ...]) -> Iterator[Case]:
    """The stops of the figure `stops` of linear models, and the bias at the last of them."""
    x = np.geomspace(0.03, 1e4, 25)
    common = {"spectrum": "power_law", "spectrum_params": '{"exponent":1.0}', "sampler": "ddim"}
    for n in (16, 64):
        settings = common | {"d": 16, "n": n, "draw": "samples", "timesteps": 100}
        found = curves(settings | {"stop": x.tolist()}, metrics, size)
        for metric, values in found.items():
            rows = values.astype(float)
            truth = stopped._stop(metric, x, rows)
            if truth is None:
                continue

            def ends(rows: Array, metric: str = metric) -> tuple[tuple[float, float]]:
                own = stopped._stop(metric, x, rows)
                # Nothing is drawn where a sweep has no such stop: no interval that could miss.
                return ((np.nan, np.nan) if own is None else (own.low, own.high),)

            yield Case((stopped.quantity(metric),), rows, (truth.value,), ends)
        if stopped.BIASED in found:
            yield of_centre("band of proximity_bias", found[stopped.BIASED][:, -1].astype(float))


def crossings(size: int, rng: np.random.Generator) -> Iterator[Case]:
    """Where mean curves cross a level, as searches along a refined axis tell it."""
    n = np.array([8.0, 11, 16, 23, 32, 45, 64, 91, 128])
    place = partial(_last, level=0.5)
    for spread in (0.1, 0.4):
        shift = rng.normal(0, spread, (size, 1))
        share = 1 / (1 + np.exp((np.log(n / 32) - shift) / 0.4))
        fractions = rng.binomial(SAMPLES, share) / SAMPLES
        truth = place(n, fractions.mean(axis=0))

        def ends(rows: Array) -> tuple[tuple[float, float]]:
            found = optima.measured_place(n, rows, place)
            return ((np.nan, np.nan) if found is None else (found.x_low, found.x_high),)

        yield Case((f"crossing of a fraction, seeds ±{spread}",), fractions, (truth,), ends)
    ridge = np.geomspace(1e-3, 10, 17)
    settings = {"d": 20, "n": 15, "sampler": "ideal", "ridge": ridge.tolist()}
    loss = curves(settings, ("test_loss",), size)["test_loss"].astype(float)
    level = float(loss.mean(axis=0)[[0, 8]].mean())
    last = partial(_last, level=level)

    def of_loss(rows: Array) -> tuple[tuple[float, float]]:
        found = optima.measured_place(ridge, rows, last)
        return ((np.nan, np.nan) if found is None else (found.x_low, found.x_high),)

    truth = last(ridge, loss.mean(axis=0))
    yield Case(("crossing of a test loss",), loss, (truth,), of_loss)


def copied_sets(
    size: int, rng: np.random.Generator
) -> Iterator[tuple[str, list[tuple[Array, Array]]]]:
    """Own times and copies of the points of `size` training sets, few or many copied.

    The chance that a sample is a copy of a point grows with its own time: of Gaussian points, of
    which few are copied, and of rows of the digits, of which many are.
    """
    pool = make_pool("digits")
    for name, rate, n in (("few", 0.004, 40), ("many", 0.03, 40)):
        found = []
        for _ in range(size):
            if name == "few":
                points = rng.standard_normal((n, D)) * np.sqrt(SPECTRUM)
            else:
                points = pool.rows[rng.choice(len(pool.rows), n, replace=False)]
            time = coverage.places(points, np.arange(n), rng).own_time
            chance = rate / n * np.exp(2 * (time - time.mean()) / time.std())
            found.append((time, rng.poisson(SAMPLES * chance)))
        yield name, found


def copied(size: int, rng: np.random.Generator) -> Iterator[Case]:
    """AUC of training sets whose points are copied the more, the later their own time is."""
    for name, sets in copied_sets(size, rng):
        found = [coverage.copied_auc(time, hits, np.arange(len(hits))) for time, hits in sets]
        areas = np.array(found)[:, 0]
        value, errors = np.array([_logit(one) for one in found]).T
        known = np.isfinite(errors)
        truth = logit(areas[known].mean())
        own = np.mean(np.abs(value - truth)[known] <= 1.96 * errors[known])
        words = f"AUC of a training set, {name} copied: of {known.sum()} of {size}"
        print(f"  {words:<45} {own:.3f}", flush=True)
        yield of_centre(f"band of copied_auc, {name} copied", areas[np.isfinite(areas)])


def measured(rng: np.random.Generator, size: int = 400, repeats: int = 400) -> None:
    """All of it.

    Args:
        rng: Source of everything.
        size: Training sets of a population; more where they cost little or few do not tell.
        repeats: Estimates of one cell, and choices of seeds.
    """
    report_errors(single_cells(rng), rng, repeats)
    report_kurtoses(rng, KURTOSES * repeats)
    report_own_times(rng, min(repeats, 200))
    report_levels(rng, repeats)
    for cases in (agreements(size), crossings(size, rng), copied(size, rng)):
        report(cases, repeats, rng)
    report(overlaps(3 * size), 5 * repeats, rng)
    report(places(size, stopped.BEST), repeats // 4, rng)
    report(places(3 * size, (stopped.BIASED,)), 5 * repeats, rng)
