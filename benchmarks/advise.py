"""How good the advice is: on real data from a part of the rows, and on samples of known spectra.

    python -m benchmarks.advise real [--order] [--only digits mnist]
    python -m benchmarks.advise known [--only digits]
    python -m benchmarks.advise coverage [--trials 40 --d 40 --first 0 --only isotropic]
    python -m benchmarks.advise time

`real`: for each data set the advice is given a third of the rows (a random one; with --order the
first in the file), and its prediction of the test loss at N up to the full set is held against
losses of exact linear denoisers trained on N of all rows and tested on the others. Beside it what
a third tells at best: 1.96 standard errors of the mean, over as many rows, of the loss that a row
has under a denoiser that is known, trained on N others. `known`: the same of the denoiser of all
rows, which no third has, and how often an interval from a third's own standard error holds the mean
loss of all rows: what is left where nothing but a mean is to be estimated. `coverage`: how often
the intervals of predicted losses, needed N and best ridge hold the truth. `time`: a matrix of
100,000 × 512.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from lindiff.advice import make, model
from lindiff.advice.check import test_losses
from lindiff.advice.make import make_advice
from lindiff.advice.model import METRICS, REGULARIZERS, Model, Predicted, best_strength
from lindiff.advice.result import Advice
from lindiff.advice.sample import InMemory, Sample, make_sample
from lindiff.science import datasets
from lindiff.science.filters import Bank, Training
from lindiff.science.laws import optimal_loss
from lindiff.science.scaling import crossing
from lindiff.science.schedule import make_schedule
from lindiff.science.theory import linear_theory

SPLITS = 6
LOUD = False  # every N, for a look


def data(names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and rows of the data sets with one of these names, or of all."""
    from sklearn.datasets import load_breast_cancer

    cancer = load_breast_cancer().data
    found: dict[str, Callable[[], np.ndarray]] = {
        "digits": lambda: datasets.load("digits").values,
        "breast cancer": lambda: cancer,
        "breast cancer, standardized": lambda: cancer / cancer.std(axis=0),
        "mnist": lambda: datasets.load("mnist").values,
        "patches": lambda: datasets.load("patches").values,
    }
    for name, values in found.items():
        if not names or name in names:
            yield name, values()


def measured(values: np.ndarray, sample: Sample, ns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Losses of denoisers trained on N of all rows, on others, and what a third tells of them.

    Returns:
        Means over the splits, in the sample's unit, shape (N,); and of the same denoisers 1.96
        standard errors of the mean over a third of the rows, drawn without replacement, as shares
        of the mean: medians over the splits, shape (N,).
    """
    bank = Bank(make_schedule(), [Training()])
    at_zero = bank.response(np.zeros(1), None)
    found, unsure = np.empty((len(ns), SPLITS)), np.empty((len(ns), SPLITS))
    for split in range(SPLITS):
        order = np.random.default_rng((1, split)).permutation(len(values))
        turned = sample.turned(values[order])
        for i, n in enumerate(ns):
            rest = turned[max(n, len(values) - max(len(values) // 5, 1)) :][:4000]
            each = test_losses(turned[:n], rest, bank, at_zero)[:, 0]
            found[i, split] = each.mean()
            error = each.std(ddof=1) * np.sqrt(3 / len(values) - 1 / len(values))
            unsure[i, split] = 1.96 * error / each.mean()
    return found.mean(axis=1), np.median(unsure, axis=1)


def real(in_order: bool, thirds: int, names: list[str]) -> None:
    how = "the first third" if in_order else f"{thirds} random thirds"
    print(f"{how} of the rows; test loss without regularization; medians, and the worst")
    print(
        "data                         rows     d  CPU s  N inside (share)     off: median, worst  "
        "half-width at N >= d: median, worst   of a known denoiser"
    )
    for name, values in data(names):
        found = [
            _of_third(name, values, seed, in_order) for seed in range(1 if in_order else thirds)
        ]
        inside, off, half, own, seconds, d = (np.concatenate(x) for x in zip(*found, strict=True))
        print(
            f"{name:27} {len(values):6,} {d[0]:5.0f} {np.median(seconds):6.1f}  "
            f"{int(inside.sum()):3} of {len(inside):3} ({inside.mean():.2f})  "
            f"{100 * np.median(off):12.1f} %  {100 * off.max():6.1f} %  "
            f"{100 * np.median(half):20.1f} %  {100 * half.max():6.1f} %  "
            f"{100 * np.median(own):18.1f} %  {100 * own.max():6.1f} %",
            flush=True,
        )


def _of_third(name: str, values: np.ndarray, seed: int, in_order: bool) -> tuple[np.ndarray, ...]:
    order = np.arange(len(values))
    if not in_order:
        order = np.random.default_rng((2, seed)).permutation(len(values))
    part = values[np.sort(order[: len(values) // 3])]
    start = time.process_time()
    advice = make_advice(InMemory(part), name)
    seconds = time.process_time() - start
    at = [i for i, n in enumerate(advice.n) if n <= 0.9 * len(values)]
    value, low, high = advice.curves["test_loss"][:, at]
    ns = [advice.n[i] for i in at]
    truth, unsure = measured(values, advice.sample, ns)
    if LOUD:
        for n, a, b, c, t in zip(ns, value, low, high, truth, strict=True):
            print(f"    N = {n:6,}: {a:.4g} [{b:.4g}, {c:.4g}], measured {t:.4g}")
    enough = np.array(ns) >= advice.sample.d
    one = np.ones(1)
    return (
        (low <= truth) & (truth <= high),
        np.abs(value / truth - 1),
        ((high - low) / (2 * value))[enough],
        unsure[enough],
        seconds * one,
        advice.sample.d * one,
    )


def known(names: list[str], thirds: int = 4000) -> None:
    """What random thirds tell of the mean loss of all rows under the denoiser of all rows.

    They are drawn without replacement, which the standard errors take into account.
    """
    bank = Bank(make_schedule(), [Training()])
    at_zero = bank.response(np.zeros(1), None)
    print(f"{thirds:,} thirds without replacement; mean loss under the denoiser of all rows")
    print("data                        largest row   90 % are off by   1.96 s.e., median: holds")
    for name, values in data(names):
        turned = make_sample(InMemory(values)).turned(values)
        each = test_losses(turned, turned, bank, at_zero)[:, 0]
        each, some = each / each.mean(), len(each) // 3
        rng = np.random.default_rng(3)
        drawn = np.array([each[rng.permutation(len(each))[:some]] for _ in range(thirds)])
        off = np.abs(drawn.mean(axis=1) - 1)
        half = 1.96 * drawn.std(axis=1, ddof=1) * np.sqrt(1 / some - 1 / len(each))
        print(
            f"{name:27} {each.max() / len(each):11.1%} {np.quantile(off, 0.9):17.1%} "
            f"{np.median(half):19.1%}: {np.mean(off <= half):.3f}",
            flush=True,
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


class Losses(Model):
    """As `Model` with KL at the N of the sample alone: the same numbers, at a third of the cost."""

    def __call__(self, spectrum: np.ndarray) -> Predicted:
        spectrum = np.maximum(spectrum, self._least)
        predict = self._predictors["ridge"]
        ridges, few = predict(spectrum, self.n), predict(spectrum, self._few, divergences=True)
        loss, best = ridges["test_loss"][:, 0], ridges["test_loss"].min(axis=1)
        curves = {"train_loss": ridges["train_loss"][:, 0], "test_loss": loss}
        curves |= {"test_loss_best": best}
        for metric in METRICS[1:]:
            curves |= dict.fromkeys((metric, f"{metric}_best"), np.full(len(self.n), np.nan))
        return Predicted(
            curves=curves,
            ridge=np.array(REGULARIZERS["ridge"])[ridges["test_loss"].argmin(axis=1)],
            best={
                ("ridge", metric, n): best_strength("ridge", few[metric][i])
                for i, n in enumerate(self._few)
                for metric in METRICS
            },
            optimal_loss=float(np.mean(optimal_loss(self._schedule.alpha_bar, spectrum))),
        )


def truths(losses: Losses, s: np.ndarray, advice: Advice) -> dict[str, float]:
    """What the intervals of some advice are about, from the true spectrum, in the sample's unit."""
    predicted = losses(s)
    found = {
        f"test loss, N = {n}": v
        for n, v in zip(losses.n, predicted.curves["test_loss"], strict=True)
    }
    for one in advice.needed:
        if one.quantity == "excess":
            curve = predicted.curves["test_loss" + "_best" * one.best_ridge]
            at = crossing(np.array(losses.n, float), curve / predicted.optimal_loss - 1, one.target)
            found[f"needed N, best ridge {one.best_ridge}"] = at
    for (kind, metric, _), (strength, _) in predicted.best.items():
        if kind == "ridge":
            found[f"best ridge, {metric}"] = strength
    return found


def coverage(trials: int, d: int, first: int, names: list[str]) -> None:
    """Shares of intervals that hold the truth, ± the standard error between trials.

    What one sample shows of one N it shows of all: a trial is one observation, whatever the number
    of its intervals.
    """
    ridge = {"ridge": REGULARIZERS["ridge"]}
    with patch.object(model, "REGULARIZERS", ridge), patch.object(make, "Model", Losses):
        _coverage(trials, d, first, names)


def _coverage(trials: int, d: int, first: int, names: list[str]) -> None:
    hits = defaultdict(list)
    print(
        "spectrum            M/d   test loss at 10 d, mean error   half-width   "
        "coverage: losses, needed N, best ridge"
    )
    for which, (name, s) in enumerate(spectra(d).items()):
        for ratio in (0.5, 1.1, 3, 20) if not names or name in names else ():
            own = defaultdict(list)
            losses = Losses(s, round(ratio * d))
            for trial in range(first, first + trials):
                # Rows that spectra share would make six cases one observation.
                rng = np.random.default_rng((trial, round(10 * ratio), which))
                rows = rng.standard_normal((round(ratio * d), d)) * np.sqrt(s)
                advice = make_advice(InMemory(rows), name, seed=trial)
                unit = advice.sample.unit**2
                _into(own, advice, truths(losses, s * unit, advice), s * unit, d)
            error, half = (100 * np.mean(own.pop(key)) for key in ("error", "half-width"))
            line = f"{name:18} {ratio:5} {error:12.1f} % {half:25.1f} %   "
            print(line + "  ".join(_with_error(v) for v in own.values()), flush=True)
            for key, values in own.items():
                hits[key] += values
    print("; ".join(f"{key} {_with_error(v)} of {len(v)} trials" for key, v in hits.items()))


def _with_error(values: list[float]) -> str:
    """Mean ± standard error; where all are equal, as if the next one were a miss."""
    count = len(values)
    error = max(np.std(values, ddof=1) / np.sqrt(count), 1 / (count + 1))
    return f"{np.mean(values):.3f} ± {error:.3f}"


def _into(own: dict, advice: Advice, truth: dict, s: np.ndarray, d: int) -> None:
    at = [i for i, n in enumerate(advice.n) if n >= d / 4]
    value, low, high = advice.curves["test_loss"][:, at]
    true = np.array([truth[f"test loss, N = {advice.n[i]}"] for i in at])
    own["losses"].append(np.mean((low <= true) & (true <= high)))
    own["half-width"].append(np.median((high - low) / (2 * value)))
    needed = [
        (one.n, truth[f"needed N, best ridge {one.best_ridge}"])
        for one in advice.needed
        if one.quantity == "excess"
    ]
    found = [n.low <= at <= n.high for n, at in needed if n is not None and at is not None]
    if found:
        own["needed N"].append(np.mean(found))
    ridges = [
        (one.strength, truth[f"best ridge, {one.metric}"])
        for one in advice.best
        if one.regularizer == "ridge"
    ]
    own["best ridge"].append(np.mean([c.low <= at <= c.high for c, at in ridges]))
    far = min(range(len(advice.n)), key=lambda i: abs(advice.n[i] - 10 * d))
    expected = linear_theory(s, advice.n[far])["test_loss"][0]
    own["error"].append(abs(advice.curves["test_loss"][0, far] / expected - 1))


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
    parser.add_argument("what", choices=["real", "known", "coverage", "time"])
    parser.add_argument("--order", action="store_true")
    parser.add_argument("--thirds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--d", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="the first trial, which is its seed")
    parser.add_argument("--only", nargs="+", default=[], help="spectra or data sets, by name")
    given = parser.parse_args()
    with threadpool_limits(1 if given.what == "coverage" else 2):
        {
            "real": lambda: real(given.order, given.thirds, given.only),
            "known": lambda: known(given.only),
            "coverage": lambda: coverage(given.trials, given.d, given.first, given.only),
            "time": timed,
        }[given.what]()


if __name__ == "__main__":
    main()
