"""Simulated coverage of the bands of figures and of the intervals of claims, at nominal 95 %.

Each is of the quantity that its figure shows, drawn as the figure draws it: means or geometric
means over training sets. First errors of one cell that `benchmarks.coverage_measured` has not.
Run: .venv/bin/python -m benchmarks.coverage --part figures
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.coverage_measured import SAMPLES, SPECTRUM, classes, copied_sets, report_errors
from benchmarks.covering import Case, of_centre, report
from lindiff.claims.reading import points
from lindiff.drawing import noises
from lindiff.drawing.intervals import positive_mean_interval
from lindiff.figures import coverage, cumulants, weighting
from lindiff.models import linear, random_features
from lindiff.science import denoisers, samples, scaling
from lindiff.science.filters import Bank, Training
from lindiff.science.mixture import make_mixture
from lindiff.science.schedule import make_schedule
from tests.claims.helpers import noisy, statement
from tests.science.helpers import make_cells

Array = np.ndarray
Run = Callable[[pa.Table, tuple[str, ...]], pa.Table]
POWER = {"spectrum": "power_law", "spectrum_params": '{"exponent":1.0}'}
FEATURES = POWER | {
    "model": "random_features", "draw": "samples", "sampler": "ddim", "d": 8, "features": 32,
    "timesteps": 8, "schedule": "cosine", "noises": 1.0,
}  # fmt: skip
MIXTURE = make_mixture(SPECTRUM, [4, 1], between=0.9)


# Errors of one cell ------------------------------------------------------------------------------


def excess_loss(n: int, rng: np.random.Generator) -> Callable[[np.random.Generator], Any]:
    """Of the linear denoiser of one training set of a mixture, against the posterior mean."""
    schedule = make_schedule("linear", 50)
    rows, _ = MIXTURE.sample(n, rng, rng)
    rows -= (centre := rows.mean(axis=0))
    values, U = np.linalg.eigh(rows.T @ rows / n)
    linear_one = denoisers.linear(U, values.clip(min=0), Bank(schedule, [Training(ridge=0.01)]))
    best = MIXTURE.denoiser(schedule, centre)

    def fresh(rng: np.random.Generator, count: int) -> Array:
        return MIXTURE.sample(count, rng, rng)[0] - centre

    def estimate(rng: np.random.Generator) -> Any:
        sources = denoisers.rows_of(rows), fresh
        return denoisers.over_rounds(denoisers.distances(linear_one, best, schedule, sources, rng))

    return estimate


def class_share(rng: np.random.Generator) -> Any:
    """Mean probability of the smaller class over samples of the mixture."""
    rows, _ = MIXTURE.sample(SAMPLES, rng, rng)
    return samples.mean(MIXTURE.posterior(rows)[:, 1])


def copies(share: float, rng: np.random.Generator) -> Any:
    """A memorized fraction."""
    return samples.mean(rng.random(SAMPLES) < share)


def errors(
    rng: np.random.Generator,
) -> Iterator[tuple[str, Callable[[np.random.Generator], Any], float | None, float]]:
    """As `benchmarks.coverage_measured.single_cells`."""
    for n in (16, 128):
        yield f"excess loss, N = {n}", excess_loss(n, rng), None, np.inf
    yield "share of a class of weight 0.2", class_share, 0.2, np.inf
    for share in (0.5, 0.05, 0.01):
        yield f"memorized fraction of {share:g}", partial(copies, share), share, np.inf


# Bands over training sets ------------------------------------------------------------------------


def of_sets(size: int, run: Run, metric: str, **settings: Any) -> list[list[Any]]:
    """A metric of the cells of each of `size` training sets."""
    tables = (run(make_cells(**settings, seed=seed), (metric,)) for seed in range(size))
    return [table[metric].to_pylist() for table in tables]


def losses(size: int) -> Iterator[Case]:
    """Test losses with frozen noises and of random features, at their peaks and off them."""
    for n in (10, 20, 80):
        given = POWER | {"d": 20, "n": n, "noises": 1.0, "sampler": "ddim", "timesteps": 50}
        found = np.array(of_sets(size, linear.run, "test_loss", **given), float)[:, 0]
        at = " at N m = d" if n == 20 else ""
        yield of_centre(f"loss of frozen noises{at}", "geometric mean", found, noises.interval)
    for n in (8, 32, 128):
        stops = {"n": n, "stop": [10.0, 1000.0, np.inf], "weight_decay": 1e-3}
        found = np.array(
            of_sets(size, random_features.run, "test_loss", **FEATURES, **stops), float
        )
        yield of_centre("loss of random features", "geometric mean", found[:, 2])
        for values in found.T[:2]:
            yield of_centre("loss of random features over stops", "mean", values)


def eigenvalues(size: int) -> Iterator[Case]:
    """Counts of eigenvalues of random features in a bin, of the level of `feature_times`."""
    for n in (8, 128):
        given = FEATURES | {"n": n, "weight_decay": 1e-3}
        found = of_sets(size, random_features.run, "feature_spectrum", **given)
        level = min((row["alpha_bar"] for row in found[0][0]), key=lambda a: abs(a - 0.9))
        bins = sorted({row["eigenvalue"] for (rows,) in found for row in rows})
        counts = np.zeros((size, len(bins)))
        for own, (rows,) in zip(counts, found, strict=True):
            for row in rows:
                if row["alpha_bar"] == level:
                    own[bins.index(row["eigenvalue"])] = row["count"]
        for values in counts.T:
            many = "1 and more" if values.mean() >= 1 else "0.2 to 1"
            if values.mean() > 0.2:
                yield of_centre(
                    f"eigenvalues of features in a bin, {many} of them", "mean", values,
                    positive_mean_interval,
                )  # fmt: skip


def modes(size: int) -> Iterator[Case]:
    """Differences of two models along the first and the last mode, at a level in the middle."""
    for n in (10, 40):
        given = POWER | {"d": 20, "n": n, "sampler": "ddim", "timesteps": 50, "ridge": 0.01}
        found = of_sets(size, linear.run, "differences", **given)
        tables = [{(row["t"], row["mode"]): row["difference"] for row in rows} for (rows,) in found]
        levels = sorted({t for t, _ in tables[0]})
        for mode in (1, 20):
            values = np.array([table[levels[len(levels) // 2], mode] for table in tables])
            yield of_centre(
                "difference of two models along a mode", "mean", values, positive_mean_interval
            )


def ratios(size: int) -> Iterator[Case]:
    """Losses of the first levels by a weighting over those of `uniform`, at an early stop."""
    given = POWER | {"d": 20, "n": 40, "sampler": "ddim", "timesteps": 50, "stop": 100.0}
    uniform, weighted = (
        of_sets(size, linear.run, "levels", **given, weighting=w) for w in ("uniform", "min_snr")
    )
    for level in range(4):  # ratios of the last ones are 1 but for 10⁻⁵
        values = [a[0][level]["test_loss"] / b[0][level]["test_loss"]
                  for a, b in zip(weighted, uniform, strict=True)]  # fmt: skip
        yield of_centre(
            "loss of a weighting over that of uniform", "geometric mean", np.array(values),
            weighting.interval,
        )  # fmt: skip


def needed(size: int) -> Iterator[Case]:
    """The N that each training set needs with a group of augmentation."""
    ns = np.rint(16 * np.geomspace(0.5, 16, 9)).astype(int)
    given = POWER | {"d": 16, "draw": "samples", "sampler": "ddim", "timesteps": 50}
    for group in (2, 8):
        own = given | {"augmentation": "signs", "group_size": group}
        curves = np.array([
            np.array(of_sets(size, linear.run, "test_loss", n=int(n), **own), float)[:, 0]
            for n in ns
        ]).T  # fmt: skip
        level = float(np.exp(np.log(curves[:, 4]).mean()))
        found = [scaling.crossing(ns.astype(float), curve, level) for curve in curves]
        known = np.array([one for one in found if one is not None])
        yield of_centre("needed N of a group of augmentation", "geometric mean", known)


def mixtures(size: int, rng: np.random.Generator) -> Iterator[Case]:
    """Of training sets of classes: the kurtosis of copies, and the share of a class."""
    for n in (16, 128):
        rows = (classes(0.9, 0.5, rng)[:n] for _ in range(size))
        found = [samples.excess_kurtosis(rng.choice(x, SAMPLES))[0] for x in rows]
        yield of_centre(
            f"kurtosis of copies of {n} points", "mean", np.array(found), cumulants.interval
        )
        shares = (MIXTURE.posterior(MIXTURE.sample(n, rng, rng)[0])[:, 1] for _ in range(size))
        values = np.array([share.mean() for share in shares])
        yield of_centre("share of a class among training points", "mean", values)


def fifths(size: int, rng: np.random.Generator) -> Iterator[Case]:
    """Copies of the first and the last fifth of a training set, by own time."""
    for name, sets in copied_sets(size, rng):
        ranked = [hits[np.argsort(time, kind="stable")] for time, hits in sets]
        parts = [np.array_split(hits, 5) for hits in ranked]
        for at, which in ((0, "first"), (-1, "last")):
            values = np.array([part[at].mean() for part in parts])
            words = f"copies in the {which} fifth, {name} copied"
            yield of_centre(words, "mean", values, coverage.interval)


# Claims ------------------------------------------------------------------------------------------


def report_claims(rng: np.random.Generator, repeats: int) -> None:
    """Of claims by what they take of curves that fall as 30/N and scatter by 10 %."""
    width, ns = 0.1, (5, 10, 20, 40, 80, 160)
    factor = np.exp(width**2)  # mean of the scatter, which the mean curve has
    taken: tuple[tuple[str, dict[str, Any], float, tuple[int, ...]], ...] = (
        ("mean", {}, 1.5 * factor, (20,)),
        ("place of a fall", {"take": {"along": "n", "of": "falls", "level": 0.5}}, 60 * factor, ns),
        ("exponent", {"exponent": "n"}, -1.0, ns),
    )
    for name, keys, truth, sizes in taken:
        shares = []
        for sets in (3, 5, 8, 10, 20):
            hits = 0
            for _ in range(repeats):
                cells = noisy(lambda n: 30 / n, [{"n": n} for n in sizes], sets, rng, width)
                _, (point,) = points(cells, cells, statement(**keys), 0.95)
                hits += point.interval.low <= truth <= point.interval.high
            shares.append(f"{hits / repeats:.3f}")
        print(f"  claim, {name:<38} 3, 5, 8, 10, 20 sets: {', '.join(shares)}", flush=True)


def figures(rng: np.random.Generator, size: int = 400, repeats: int = 1000) -> None:
    """All of it.

    Args:
        rng: Source of all that is not keyed by a seed.
        size: Training sets of a population.
        repeats: Estimates of one cell, and choices of seeds.
    """
    report_errors(errors(rng), rng, repeats)
    for cases in (mixtures(5 * size, rng), fifths(size, rng)):
        report(cases, repeats, rng)
    for made in (modes, ratios, needed, losses, eigenvalues):
        report(made(size), repeats, rng)
    report_claims(rng, repeats // 2)
