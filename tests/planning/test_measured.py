"""What shards take against what was estimated of them: real ones, each in a process of its own."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from benchmarks.estimates import take

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the system tells no peak of memory"
    ),
]

TRAINED = "width: 64, steps: 150, learning_rate: 6.0e-3, sampler: ddim, timesteps: 100"
# Experiments of a shard of seconds each; the metrics beyond the default ones.
KINDS = {
    "wishart": "{model: linear_exact, d: 256, n: [128, 512], ridge: {log: [1.0e-4, 1, 40]},"
    " stop: {log: [1, 1.0e+5, 5]}, sampler: ddpm_beta, seed: {range: [0, 20]}}",
    "samples": "{model: linear_exact, d: 200, n: [1000, 4000], draw: samples, sampler: ideal,"
    " ridge: {log: [1.0e-4, 1, 30]}, seed: {range: [0, 20]}, metrics: agreement}",
    "levels and modes": "{model: linear_exact, d: 200, n: [100, 400], sampler: ddpm_beta,"
    " ridge: {log: [1.0e-4, 1, 30]}, seed: {range: [0, 10]}, metrics: [levels, modes]}",
    "many rows with lists": "{model: linear_exact, d: 16, n: 64, ridge: {log: [1.0e-4, 1, 60]},"
    " sampler: ideal, seed: {range: [0, 150]}, metrics: [levels, modes]}",
    "many families": "{model: linear_exact, d: 16, n: 32, seed: {range: [0, 4000]},"
    " sampler: ideal}",
    "few samples of many dimensions": "{model: linear_exact, d: 3000, n: 16, sampler: ideal,"
    " seed: {range: [0, 3]}}",
    "theory": "{model: linear_theory, d: 256, n_over_d: {log: [0.1, 50, 40]}, sampler: ddpm_beta,"
    " ridge: {log: [1.0e-4, 1, 40]}}",
    "ledoit_wolf": "{model: ledoit_wolf, d: 200, n: [100, 2000], draw: samples, sampler: ideal,"
    " seed: {range: [0, 60]}}",
    "empirical": "{model: empirical, data: digits, n: [64, 512], seed: {range: [0, 3]},"
    " sampler: ddim, timesteps: 100, metrics: [memorized_fraction, linearity]}",
    "random_features": "{model: random_features, d: 60, n: 60, features: [200, 800],"
    " noises: [2.0, .inf], draw: samples, sampler: ddim, timesteps: 40, seed: {range: [0, 3]}}",
    "linear_trained": "{model: linear_trained, d: 32, n: [16, 128], draw: samples, timesteps: 50,"
    " sampler: ddim, steps: 200, learning_rate: 1.0e-2, seed: {range: [0, 2]}}",
    "mlp": f"{{model: mlp, data: digits, n: [64, 512], seed: {{range: [0, 8]}}, {TRAINED},"
    " metrics: [memorized_fraction, linearity]}",
    "unet": "{model: unet, data: digits, n: [64, 512], seed: 0, "
    + TRAINED.replace("width: 64", "width: 8")
    + "}",
}
# Machines differ, so times are compared with each other: all within this factor of their median
# ratio. Memory is what it is; versions of the packages move it by some percent.
TIME, MEMORY = 4.0, (0.95, 1.6)


def measured(folder: Path) -> dict[str, tuple[float | None, float]]:
    """Measured over estimated seconds, and estimated over measured bytes, of each kind.

    No time of a shard below a second, which is that of its first call: it matters to nobody.
    """
    found: dict[str, tuple[float | None, float]] = {}
    for name, experiment in KINDS.items():
        own = folder / name
        own.mkdir()
        text = experiment if "spectrum" in experiment or "digits" in experiment else (
            "{spectrum: {power_law: 1.0}, " + experiment[1:]
        )  # fmt: skip
        if "seed" not in experiment and "theory" not in experiment:
            text = "{seed: 0, " + text[1:]
        taken = take(own, text)
        ratio = taken.seconds[1] / taken.seconds[0] if max(taken.seconds) > 1 else None
        found[name] = ratio, taken.memory
        print(f"{name}: {taken.seconds[1]:.1f} of {taken.seconds[0]:.1f} s; "
              f"memory {taken.memory:.2f}")  # fmt: skip
    return found


def test_time_and_memory_are_estimated(tmp_path: Path):
    """One test, so that nothing is measured twice, or beside itself."""
    found = measured(tmp_path)
    times = {name: time for name, (time, _) in found.items() if time is not None}
    middle = median(times.values())
    assert len(times) > len(found) / 2
    assert {k: t for k, t in times.items() if not 1 / TIME < t / middle < TIME} == {}
    low, high = MEMORY
    assert {k: m for k, (_, m) in found.items() if not low < m < high} == {}
