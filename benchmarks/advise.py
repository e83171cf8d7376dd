"""How good the advice is: on real data from a part of the rows, and on samples of known spectra.

    python -m benchmarks.advise real [--order]      # predictions from a third of the rows
    python -m benchmarks.advise coverage [--trials 40 --d 40]
    python -m benchmarks.advise time

`real`: for each data set the advice is given a third of the rows (a random one; with --order the
first in the file), and its prediction of the test loss at N up to the full set is held against
losses of exact linear denoisers trained on N of all rows and tested on the others. `coverage`:
how often the intervals of predicted losses, needed N and best ridge hold the truth. `time`: a
matrix of 100,000 × 512.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from lindiff.advice.check import test_loss
from lindiff.advice.make import make_advice
from lindiff.advice.result import Advice
from lindiff.advice.sample import InMemory, Sample
from lindiff.science import datasets
from lindiff.science.filters import Bank, Training
from lindiff.science.scaling import crossing
from lindiff.science.schedule import make_schedule
from lindiff.science.theory import linear_theory

SPLITS = 6
LOUD = False  # every N, for a look


def data() -> Iterator[tuple[str, np.ndarray]]:
    from sklearn.datasets import load_breast_cancer

    yield "digits", datasets.load("digits").values
    cancer = load_breast_cancer().data
    yield "breast cancer", cancer
    yield "breast cancer, standardized", cancer / cancer.std(axis=0)
    for name in ("mnist", "patches"):
        yield name, datasets.load(name).values


def measured(values: np.ndarray, sample: Sample, ns: list[int]) -> np.ndarray:
    """Mean test losses of denoisers trained on N of all rows, on others; in the sample's unit."""
    bank = Bank(make_schedule(), [Training()])
    at_zero = bank.response(np.zeros(1), None)
    found = np.empty((len(ns), SPLITS))
    for split in range(SPLITS):
        order = np.random.default_rng((1, split)).permutation(len(values))
        for i, n in enumerate(ns):
            rest = order[max(n, len(values) - max(len(values) // 5, 1)) :][:4000]
            rows, rest = sample.turned(values[order[:n]]), sample.turned(values[rest])
            found[i, split] = test_loss(rows, rest, bank, at_zero)[0]
    return found.mean(axis=1)


def real(in_order: bool, thirds: int) -> None:
    how = "the first third" if in_order else f"{thirds} random thirds"
    print(f"{how} of the rows; test loss without regularization")
    print(
        "data                         rows     d  seconds  N inside  off, median  "
        "half-width, median and worst at N >= d"
    )
    for name, values in data():
        found = [
            _of_third(name, values, seed, in_order) for seed in range(1 if in_order else thirds)
        ]
        inside, off, half, seconds, d = (np.concatenate(x) for x in zip(*found, strict=True))
        print(
            f"{name:27} {len(values):6,} {d[0]:5.0f} {np.median(seconds):8.1f}  "
            f"{int(inside.sum()):3} of {len(inside):3}  {100 * np.median(off):6.1f} %"
            f"      {100 * np.median(half):5.1f} %  {100 * half.max():5.1f} %",
            flush=True,
        )


def _of_third(name: str, values: np.ndarray, seed: int, in_order: bool) -> tuple[np.ndarray, ...]:
    order = np.arange(len(values))
    if not in_order:
        order = np.random.default_rng((2, seed)).permutation(len(values))
    part = values[np.sort(order[: len(values) // 3])]
    start = time.perf_counter()
    advice = make_advice(InMemory(part), name)
    seconds = time.perf_counter() - start
    at = [i for i, n in enumerate(advice.n) if n <= 0.9 * len(values)]
    value, low, high = advice.curves["test_loss"][:, at]
    ns = [advice.n[i] for i in at]
    truth = measured(values, advice.sample, ns)
    if LOUD:
        for n, a, b, c, t in zip(ns, value, low, high, truth, strict=True):
            print(f"    N = {n:6,}: {a:.4g} [{b:.4g}, {c:.4g}], measured {t:.4g}")
    half = ((high - low) / (2 * value))[np.array(ns) >= advice.sample.d]
    one = np.ones(1)
    return (
        (low <= truth) & (truth <= high),
        np.abs(value / truth - 1),
        half,
        seconds * one,
        advice.sample.d * one,
    )


def spectra(d: int) -> dict[str, np.ndarray]:
    j = np.arange(1, d + 1)
    found = {
        "isotropic": np.ones(d),
        "power law 0.5": j**-0.5,
        "power law 1": j**-1.0,
        "power law 2": j**-2.0,
        "two-level 10, 1/4": np.where(j <= d / 4, 10.0, 1.0),
        "spiked 20 x 3": np.where(j <= 3, 20.0, 1.0),
    }
    return {name: s / s.mean() for name, s in found.items()}


def truths(s: np.ndarray, advice: Advice) -> dict[str, float]:
    """What the intervals of some advice are about, from the true spectrum, in the sample's unit."""
    from lindiff.advice.model import Model

    model = Model(s, advice.sample.rows)
    predicted = model(s)
    found = {
        f"test loss, N = {n}": v
        for n, v in zip(model.n, predicted.curves["test_loss"], strict=True)
    }
    for one in advice.needed:
        if one.quantity == "excess":
            curve = predicted.curves["test_loss" + "_best" * one.best_ridge]
            at = crossing(np.array(model.n, float), curve / predicted.optimal_loss - 1, one.target)
            found[f"needed N, best ridge {one.best_ridge}"] = at
    for (kind, metric, _), (strength, _) in predicted.best.items():
        if kind == "ridge":
            found[f"best ridge, {metric}"] = strength
    return found


def coverage(trials: int, d: int) -> None:
    hits = defaultdict(list)
    print(
        "spectrum            M/d   test loss at 10 d: error, mean and s.d.; "
        "coverage: losses, needed N, best ridge"
    )
    for name, s in spectra(d).items():
        for ratio in (0.5, 1.1, 3, 20):
            own, errors = defaultdict(list), []
            for trial in range(trials):
                rng = np.random.default_rng((trial, round(10 * ratio)))
                rows = rng.standard_normal((round(ratio * d), d)) * np.sqrt(s)
                advice = make_advice(InMemory(rows), name, seed=trial)
                unit = advice.sample.unit**2
                errors.append(_into(own, advice, truths(s * unit, advice), s * unit, d))
            off = np.array(errors)
            line = (
                f"{name:18} {ratio:5} {100 * np.abs(off).mean():6.1f} % {100 * off.std():6.1f} %   "
            )
            line += "  ".join(f"{np.mean(v):.2f}" for v in own.values())
            print(line, flush=True)
            for key, values in own.items():
                hits[key] += values
    print(
        {key: round(float(np.mean(v)), 3) for key, v in hits.items()},
        {k: len(v) for k, v in hits.items()},
    )


def _into(own: dict, advice: Advice, truth: dict, s: np.ndarray, d: int) -> float:
    for i, n in enumerate(advice.n):
        if (key := f"test loss, N = {n}") in truth and n >= d / 4:
            _, low, high = advice.curves["test_loss"][:, i]
            own["losses"].append(low <= truth[key] <= high)
    for one in advice.needed:
        at = truth.get(f"needed N, best ridge {one.best_ridge}")
        if one.quantity == "excess" and at is not None and one.n is not None:
            own["needed N"].append(one.n.low <= at <= one.n.high)
    for one in advice.best:
        if one.regularizer == "ridge":
            at = truth[f"best ridge, {one.metric}"]
            own["best ridge"].append(one.strength.low <= at <= one.strength.high)
    far = min(range(len(advice.n)), key=lambda i: abs(advice.n[i] - 10 * d))
    n = advice.n[far]
    return float(advice.curves["test_loss"][0, far] / linear_theory(s, n)["test_loss"][0] - 1)


def timed() -> None:
    rows = np.random.default_rng(0).standard_normal((100_000, 512)) / np.arange(1, 513) ** 0.5
    start = time.perf_counter()
    make_advice(InMemory(rows), "100,000 x 512")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"100,000 x 512: {time.perf_counter() - start:.1f} s, {used:.2f} GB at most "
        "(0.41 of it the data)"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["real", "coverage", "time"])
    parser.add_argument("--order", action="store_true")
    parser.add_argument("--thirds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--d", type=int, default=40)
    given = parser.parse_args()
    with threadpool_limits(1 if given.what == "coverage" else 2):
        {
            "real": lambda: real(given.order, given.thirds),
            "coverage": lambda: coverage(given.trials, given.d),
            "time": timed,
        }[given.what]()


if __name__ == "__main__":
    main()
