"""The large-system theory against means over draws, its speed, and its cost against d.

Run: .venv/bin/python -m benchmarks.theory speed
     .venv/bin/python -m benchmarks.theory accuracy   # a quarter of an hour
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import header, report, seconds
from lindiff.models import linear_family, theory
from lindiff.science.draws import make_draw
from lindiff.science.exact import divergences
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import limits
from lindiff.science.measure import of_draw
from lindiff.science.metrics import losses
from lindiff.science.sampler import make_sampler, start_factor
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum
from lindiff.science.tables import FilterTable, node_range
from lindiff.science.theory import linear_theory
from tests.science.helpers import make_cells

D = 200
SPECTRA = {
    "isotropic": ("isotropic", {}),
    "power law 0.5": ("power_law", {"exponent": 0.5}),
    "power law 1": ("power_law", {"exponent": 1.0}),
    "power law 2": ("power_law", {"exponent": 2.0}),
    "spiked": ("spiked", {"spike": 30.0, "count": 3}),
    "two-level": ("two_level", {"ratio": 20.0, "fraction": 0.5}),
}
RATIOS = (0.1, 0.3, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 2.0, 5.0, 20.0)
TRAININGS = {
    "c = 0": Training(),
    "c = 1e-4": Training(ridge=1e-4),
    "c = 1e-2": Training(ridge=1e-2),
    "c = 0.1": Training(ridge=0.1),
    "γ = 1e-3": Training(weight_decay=1e-3),
    "γ = 1e-2": Training(weight_decay=1e-2),
    "τ = 100": Training(stop=100.0),
    "τ = 1e4": Training(stop=1e4),
}
METRICS = ("train_loss", "test_loss", "kl_model_data", "kl_data_model")
STANDARD_ERROR, MOST_DRAWS = 0.002, 3000


def means(s: np.ndarray, n: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Mean and relative standard error of every metric and training, and the number of draws.

    Draws until the error of all that has a mean is 0.2 %, or 3,000 times.
    """
    schedule = make_schedule()
    sampler = make_sampler("ddpm_beta", schedule)
    bank = Bank(schedule, list(TRAININGS.values()))
    table, root = FilterTable(bank, sampler, node_range(s, n)), start_factor(schedule, sampler)
    values: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    for seed in range(MOST_DRAWS):
        draw = make_draw("wishart", s, n, seed)
        mu = of_draw(draw)
        evaluated = table.at(mu.nodes)
        found = losses(mu, evaluated) | divergences(draw, mu, evaluated, root)
        for name in METRICS:
            values[name].append(found[name])
        if seed % 100 == 99 and all(
            np.nanmax(relative_error(np.array(v))[1:]) <= STANDARD_ERROR for v in values.values()
        ):
            break
    with np.errstate(invalid="ignore"):
        mean = {name: np.mean(v, axis=0) for name, v in values.items()}
    return mean, {k: relative_error(np.array(v)) for k, v in values.items()}, seed + 1


def relative_error(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over its value, (F,); 0 where values are infinite."""
    with np.errstate(invalid="ignore"):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values)) / np.abs(values.mean(axis=0))
    return np.where(np.isfinite(error), error, 0)


def accuracy() -> None:
    """Prints, for each spectrum and N/d, the largest deviation of each metric in percent."""
    schedule = make_schedule()
    sampler = make_sampler("ddpm_beta", schedule)
    print("  largest |mean/theory − 1| over the trainings in % (standard error of that mean)")
    print(f"  {'spectrum':<15}{'N/d':>6}{'draws':>7}" + "".join(f"{name:>24}" for name in METRICS))
    worst: dict[str, list[tuple[float, float]]] = {name: [] for name in METRICS}
    for label, (kind, params) in SPECTRA.items():
        s = make_spectrum(kind, D, **params)
        for ratio in RATIOS:
            n = round(ratio * D)
            mean, error, draws = means(s, n)
            limit = linear_theory(s, n, list(TRAININGS.values()), schedule, sampler)
            line = f"  {label:<15}{ratio:>6}{draws:>7}"
            for name in METRICS:
                with np.errstate(invalid="ignore"):
                    off = np.abs(mean[name] / limit[name] - 1)
                off[~np.isfinite(off)] = 0
                # Without regularization the losses have a mean at all N, the divergences have not.
                used = off if name.endswith("loss") else off[1:]
                at = int(np.argmax(used)) + (len(off) - len(used))
                worst[name].append((ratio, off[at]))
                label_of = list(TRAININGS)[at]
                line += f"{100 * off[at]:>7.2f} ({100 * error[name][at]:.2f}) {label_of:>8}"
            print(line, flush=True)
    for name, found in worst.items():
        away = max(off for ratio, off in found if not 0.8 < ratio < 1.25)
        near = max(off for ratio, off in found if 0.8 < ratio < 1.25)
        print(f"  {name}: at most {100 * away:.2f} %; {100 * near:.2f} % in 0.8 < N/d < 1.25")


def speed() -> None:
    """Prints the time of a family of the theory, and of the limit alone against d."""
    ridges = [0.0, *np.geomspace(1e-4, 1, 9).tolist()]
    stops = [*np.geomspace(1, 1e6, 29).tolist(), np.inf]
    ns = sorted({max(3, round(x * D)) for x in np.geomspace(0.1, 100, 25)})
    wanted = ("train_loss", "test_loss", "kl_model_data", "kl_data_model", "c_mean")
    for label, (kind, params) in SPECTRA.items():
        given = {"spectrum": kind, "spectrum_params": json.dumps(params)}
        cells = make_cells(model="linear_theory", d=D, n=ns, ridge=ridges, stop=stops, **given)

        def family(cells=cells) -> None:
            linear_family.make_table.cache_clear()
            theory.run(cells, wanted)

        report(f"{label}: {len(ns)} N × 300 filters, d = {D}, nothing cached", seconds(family, 5))
    print("  the limit of one N alone, power law 1, N/d = 2:")
    for d in (64, 256, 1024, 4096):
        s = make_spectrum("power_law", d, exponent=1.0)
        report(f"  d = {d}", seconds(lambda s=s, d=d: next(limits(s, [2 * d])), 5))


def main(arguments: Sequence[str]) -> None:
    """Measure what the one argument says."""
    measures = {"accuracy": accuracy, "speed": speed}
    if len(arguments) != 1 or arguments[0] not in measures:
        print(f"usage: python -m benchmarks.theory {{{','.join(measures)}}}", file=sys.stderr)
        sys.exit(2)
    header("The large-system theory")
    with threadpool_limits(1):
        measures[arguments[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])
