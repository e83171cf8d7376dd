"""The limit of random features against means over draws at d = 200, level by level.

Run: .venv/bin/python -m benchmarks.random_features [draws of m = 1, 100 by default]
"""

from __future__ import annotations

import sys

import numpy as np

from lindiff.science.activations import ACTIVATIONS
from lindiff.science.filters import Bank, Training
from lindiff.science.random_features import (
    evaluate,
    normal_moments,
    solve_average,
    solve_pairs,
)
from lindiff.science.random_features_limit import level_losses
from lindiff.science.schedule import make_schedule
from lindiff.science.spectrum import make_spectrum

D = 200
DECAYS = (1e-4, 1e-3, 1e-2)
SPECTRA = {"isotropic": np.ones(D), "1/j": make_spectrum("power_law", D, exponent=1.0)}
# m, N, p and ᾱ.
CASES = [
    (m, n, p, alpha_bar)
    for m in (1.0, 3.0, np.inf)
    for n, p in ((200, 400), (600, 200), (200, 150))
    for alpha_bar in ((0.9, 0.3) if np.isfinite(m) else (0.5,))
]


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
    bank = Bank(make_schedule("cosine", 4), [Training(weight_decay=decay) for decay in DECAYS])
    return solved.train_losses(bank), solved.losses(bank, fresh)


def main() -> None:
    """Print by how much the limit is off in each case, and the standard error of the mean."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print("| σ | spectrum | m | N | p | ᾱ | γ | train | test |\n" + "| --- " * 9 + "|")
    for kind, s in SPECTRA.items():
        for name in ("erf", "relu"):
            for case in CASES:
                m, n, p, alpha_bar = case
                count = max(2, int(draws * (1 if m == 1 else 0.5)))
                found = np.array([draw(name, s, case, seed) for seed in range(count)])
                mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(count)
                for i, decay in enumerate(DECAYS):
                    own = ACTIVATIONS[name]
                    limit = level_losses(own, s, n, p, m, alpha_bar, 1 - alpha_bar, decay)
                    off = " | ".join(
                        f"{100 * (limit[j] / mean[j, i] - 1):+.2f} ± "
                        f"{100 * error[j, i] / mean[j, i]:.2f} %"
                        for j in (0, 1)
                    )
                    print(f"| {name} | {kind} | {m} | {n} | {p} | {alpha_bar} | {decay} | {off} |")


if __name__ == "__main__":
    main()
