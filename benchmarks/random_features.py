"""The limit of random features against means over draws, level by level.

`levels`: both losses at d = 200. `sizes`: the train loss of N = d pairs and 2 d features at
d = 100, 200 and 400, with the limit of one size beside it, and that of features that are what the
limit takes them for: constant, linear, and white noise whose variance is a product of what the size
of the sample and the size of the feature make of it. What of the limit's error is left with these
comes of finite matrices, and the rest of the activation.
Run: .venv/bin/python -m benchmarks.random_features levels|sizes [draws of m = 1, 100 by default]
"""

from __future__ import annotations

import argparse

import numpy as np

from lindiff.science.activations import ACTIVATIONS, Activation
from lindiff.science.filters import Bank, Training
from lindiff.science.random_features import (
    evaluate,
    normal_moments,
    solve_average,
    solve_pairs,
)
from lindiff.science.random_features_equivalent import equivalent, equivalents, make_level
from lindiff.science.random_features_limit import level_losses
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum

D = 200
DECAYS = (1e-5, 1e-4, 1e-3, 1e-2)
SPECTRA = ("isotropic", "1/j")
# m, N, p and ᾱ.
CASES = [
    (m, n, p, alpha_bar)
    for m in (1.0, 3.0, np.inf)
    for n, p in ((100, 400), (200, 400), (300, 400), (600, 400), (600, 200), (200, 150))
    for alpha_bar in ((0.9, 0.3) if np.isfinite(m) else (0.5,))
]


def spectrum(kind: str, d: int) -> np.ndarray:
    """A spectrum by its name in the tables."""
    return np.ones(d) if kind == "isotropic" else make_spectrum("power_law", d, exponent=1.0)


def bank_of(decays: tuple[float, ...]) -> Bank:
    """The weight decays; no loss here hangs on the schedule."""
    return Bank(make_schedule("cosine", 4), [Training(weight_decay=decay) for decay in decays])


def draw(
    name: str, s: np.ndarray, case: tuple[float, int, int, float], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train and test loss of one training set at each weight decay."""
    m, n, p, alpha_bar = case
    rng, activation, q = np.random.default_rng(seed), ACTIVATIONS[name], 1 - alpha_bar
    W, x = rng.standard_normal((p, D)), rng.standard_normal((n, D)) * np.sqrt(s)
    mean = x.mean(axis=0)
    clean = np.sqrt(alpha_bar) * (x - mean)
    if np.isinf(m):
        solved = solve_average(normal_moments(activation, W, clean, np.zeros(D), q))
    else:
        noise = rng.standard_normal((int(m), n, D))
        y = (clean + np.sqrt(q) * noise).reshape(-1, D)
        solved = solve_pairs(evaluate(activation, W, y), noise.reshape(-1, D))
    fresh = normal_moments(activation, W, -np.sqrt(alpha_bar) * mean[None], alpha_bar * s, q)
    bank = bank_of(DECAYS)
    return solved.train_losses(bank, 0), solved.losses(bank, 0, fresh)


def noise(activation: Activation, variances: np.ndarray, slope: float) -> np.ndarray:
    """Variance of σ beyond its constant and a linear part, where u has these variances."""
    found = equivalents(activation, np.stack([variances / 2, variances / 2], axis=1))
    return np.array([own.white(slope).sum() + own.quadratic for own in found])


def imitated(
    activation: Activation,
    W: np.ndarray,
    y: np.ndarray,
    sizes: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Features of one copy a sample: constant, linear, and white noise by sizes."""
    own, (p, d) = equivalent(activation, 0.5, 0.5), W.shape
    of_rows, of_columns = (noise(activation, of, own.slope) for of in sizes)
    white = rng.standard_normal((len(y), p))
    size = np.sqrt(np.outer(of_rows, of_columns) / np.sqrt(of_rows.mean() * of_columns.mean()))
    linear = np.sqrt(own.slope / d) * (y @ W.T)
    return (np.sqrt(own.constant) + linear + size * white) / np.sqrt(p)


def off(limit: float, values: np.ndarray) -> str:
    """By how much the limit is off the mean of values, and the standard error of that."""
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * (limit / mean - 1):+.2f} ± {100 * error / mean:.2f} %"


def levels(draws: int) -> None:
    """Print by how much the limit of both losses is off in each case."""
    print("| σ | spectrum | m | N | p | ᾱ | γ | train | test |\n" + "| --- " * 9 + "|")
    for kind in SPECTRA:
        s = spectrum(kind, D)
        for name in ("erf", "relu"):
            for case in CASES:
                m, n, p, alpha_bar = case
                count = max(2, int(draws * (1 if m == 1 else 0.5)))
                found = np.array([draw(name, s, case, seed) for seed in range(count)])
                for i, decay in enumerate(DECAYS):
                    own = ACTIVATIONS[name]
                    limit = level_losses(own, s, n, p, m, alpha_bar, 1 - alpha_bar, decay)
                    cells = " | ".join(off(limit[j], found[:, j, i]) for j in (0, 1))
                    print(
                        f"| {name} | {kind} | {m} | {n} | {p} | {alpha_bar} | {decay} | {cells} |"
                    )


def sizes(draws: int) -> None:
    """Print by how much the limit's train loss is off at three sizes, at γ = 0.02/d."""
    print("| σ | spectrum | ᾱ | d | train | of one size | of white noise |\n" + "| --- " * 7 + "|")
    for kind in SPECTRA:
        for name in ("erf", "relu"):
            for alpha_bar in (0.9, 0.3):
                for d in (100, 200, 400):
                    s, own = spectrum(kind, d), ACTIVATIONS[name]
                    level = (own, s, d, 2 * d, 1.0)
                    limit, _ = level_losses(*level, alpha_bar, 1 - alpha_bar, 0.02 / d)
                    one, _ = make_level(
                        *level, (alpha_bar, 1 - alpha_bar), 0.02 / d, known_centre=False, sizes=1
                    ).losses(0.02)
                    found = np.array(
                        [_each(name, s, alpha_bar, seed) for seed in range(draws * 100 // d)]
                    )
                    cells = (
                        off(limit, found[:, 0]), off(one / d**2, found[:, 0]),
                        off(limit, found[:, 1]),
                    )  # fmt: skip
                    print(f"| {name} | {kind} | {alpha_bar} | {d} | {' | '.join(cells)} |")


def _each(name: str, s: np.ndarray, alpha_bar: float, seed: int) -> list[float]:
    """Train loss of one training set of N = d, p = 2 d, and with white noise in its features."""
    rng, activation, d = np.random.default_rng(seed), ACTIVATIONS[name], len(s)
    W, x = rng.standard_normal((2 * d, d)), rng.standard_normal((d, d)) * np.sqrt(s)
    noise = rng.standard_normal((d, d))
    y = np.sqrt(alpha_bar) * (x - x.mean(axis=0)) + np.sqrt(1 - alpha_bar) * noise
    rho, kappa = (y**2).mean(axis=1), (W**2 * (alpha_bar * s + 1 - alpha_bar)).mean(axis=1)
    bank = bank_of((0.02 / d,))
    features = evaluate(activation, W, y), imitated(activation, W, y, (rho, kappa), rng)
    return [float(solve_pairs(phi, noise).train_losses(bank, 0)[0]) for phi in features]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.random_features", description=__doc__
    )
    parser.add_argument("part", choices=["levels", "sizes"])
    parser.add_argument("draws", nargs="?", type=int, default=100, help="of m = 1")
    given = parser.parse_args()
    {"levels": levels, "sizes": sizes}[given.part](given.draws)


if __name__ == "__main__":
    main()
