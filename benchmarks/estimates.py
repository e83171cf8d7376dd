"""Memory and time of shards, estimated over measured, for every model over d, N and metrics.

Each shard runs in a process of its own. Memory is the peak of that process. Time is what its
processor spent on the cells, without the start of Python and the loading of packages and data sets;
of less than a second of both it says nothing, and other work on the machine makes it longer.
Run: .venv/bin/python -m benchmarks.estimates [WORD …]    (only cases whose name has all words)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import header
from lindiff.config.resolve import load
from lindiff.sweep.plan import make_plan, store_of, write_plan

# The peak is of this process's own memory: `ru_maxrss` counts what its parent had when it forked.
MEASURED = """
import json, re, sys, time
from pathlib import Path
from lindiff.sweep import run
spec, part = map(Path, sys.argv[1:])
computed, seconds = run.compute, 0.0
def compute(*given):
    global seconds
    begin = time.process_time()
    table = computed(*given)
    seconds += time.process_time() - begin
    return table
run.compute = compute
run.run_spec(spec, part)
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps([seconds, peak * 1024]))
"""
LEAST_SECONDS = 1.0
# Estimated over measured.
BARS = {"memory": (1.0, 1.5), "time": (0.5, 2.0)}


@dataclass(frozen=True)
class Taken:
    """What a shard took, and what was estimated of it.

    Attributes:
        seconds: Estimated and measured seconds.
        bytes: Estimated and measured peak.
    """

    seconds: tuple[float, float]
    bytes: tuple[int, int]

    @property
    def memory(self) -> float:
        """Estimated over measured peak."""
        return self.bytes[0] / self.bytes[1]

    @property
    def time(self) -> float | None:
        """Estimated over measured seconds; None of what is too short to tell."""
        return self.seconds[0] / self.seconds[1] if max(self.seconds) >= LEAST_SECONDS else None


def take(folder: Path, experiment: str) -> Taken:
    """Plan an experiment and run the largest of its shards in a process of its own.

    Args:
        folder: An empty folder.
        experiment: As a config has it, in YAML.
    """
    file = folder / "one.yaml"
    file.write_text(f"shard: {{seconds: 3600}}\nexperiments:\n  one: {experiment}\n")
    plan, store = make_plan(load(file), folder), store_of(folder)
    write_plan(plan, folder)
    largest = max(plan.pending, key=lambda shard: shard.bytes)
    out = subprocess.run(
        [sys.executable, "-c", MEASURED, store.spec(largest.name), store.part(largest.name)],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
    ).stdout  # fmt: skip
    seconds, size = json.loads(out.splitlines()[-1])
    return Taken((largest.seconds, seconds), (largest.bytes, size))


def cases() -> Iterator[tuple[str, str]]:
    """Names and experiments."""
    gauss = "spectrum: {power_law: 1.0}, beta_max: 9.0e-3"
    ridges = "ridge: {log: [1.0e-4, 1, 30]}, sampler: ddpm_beta"
    for d, n in (
        (16, 8),
        (16, 4000),
        (256, 64),
        (256, 4000),
        (1000, 100),
        (1000, 3000),
        (4000, 16),
        (2000, 1000),
    ):
        few = "ridge: [0, 0.1], sampler: ideal" if d > 500 else ridges
        seeds = 2 if d > 500 else 20
        for draw in ("wishart", "samples"):
            yield (f"linear_exact d={d} n={n} {draw}",
                   f"{{model: linear_exact, {gauss}, d: {d}, n: {n}, draw: {draw}, {few},"
                   f" seed: {{range: [0, {seeds}]}}}}")  # fmt: skip
    for n in (100, 2000):
        yield (f"empirical coverage n={n}",
               f"{{model: empirical, {gauss}, d: 64, n: {n}, draw: samples, sampler: ddim,"
               " timesteps: 50, sampling_steps: 5, metrics: {only: [coverage, copied_auc]},"
               " seed: {range: [0, 2]}}")  # fmt: skip
    yield (
        "linear_exact samples many rows d=64 n=100000",
        f"{{model: linear_exact, {gauss}, d: 64, n: 100000, draw: samples, {ridges}, seed: 0}}",
    )
    yield ("linear_exact many filters d=256 n=128",
           f"{{model: linear_exact, {gauss}, d: 256, n: 128, ridge: {{log: [1.0e-4, 1, 40]}},"
           " stop: {log: [1, 1.0e+5, 50]}, sampler: ddpm_beta, seed: 0}")  # fmt: skip
    yield ("linear_exact many filters d=1000 n=128",
           f"{{model: linear_exact, {gauss}, d: 1000, n: 128, ridge: {{log: [1.0e-4, 1, 40]}},"
           " stop: {log: [1, 1.0e+5, 20]}, sampler: ddpm_beta, seed: 0}")  # fmt: skip
    yield ("linear_exact many rows d=16",
           f"{{model: linear_exact, {gauss}, d: 16, n: 32, ridge: {{log: [1.0e-4, 1, 100]}},"
           " sampler: ideal, seed: {range: [0, 1000]}}")  # fmt: skip
    yield ("linear_exact many families d=16",
           f"{{model: linear_exact, {gauss}, d: 16, n: 32, sampler: ideal,"
           " seed: {range: [0, 12000]}}")  # fmt: skip
    for metrics in ("levels", "modes"):
        yield (f"linear_exact many rows {metrics} d=16",
               f"{{model: linear_exact, {gauss}, d: 16, n: 32, ridge: {{log: [1.0e-4, 1, 100]}},"
               f" sampler: ideal, metrics: {metrics}, seed: {{range: [0, 200]}}}}")  # fmt: skip
    for metrics in ("levels", "modes", "[levels, modes]", "bures", "agreement"):
        for d, n, seeds in ((16, 64, 100), (200, 400, 10), (200, 50, 10), (600, 100, 2)):
            yield (f"linear_exact {metrics} d={d} n={n}",
                   f"{{model: linear_exact, {gauss}, d: {d}, n: {n}, metrics: {metrics},"
                   + (" ridge: [0, 0.1, 1], sampler: ddim," if metrics in ("bures", "agreement")
                      else f" {ridges},")
                   + f" seed: {{range: [0, {seeds}]}}}}")  # fmt: skip
    for d, n, seeds in ((16, 64, 40), (64, 640, 4), (256, 64, 4), (256, 2000, 1)):
        yield (f"linear_exact proximity_bias d={d} n={n}",
               f"{{model: linear_exact, {gauss}, d: {d}, n: {n}, draw: samples, {ridges},"
               f" metrics: proximity_bias, seed: {{range: [0, {seeds}]}}}}")  # fmt: skip
    for d, n in ((50, 100), (300, 100)):
        yield (f"linear_exact monte_carlo_gap d={d} n={n}",
               f"{{model: linear_exact, {gauss}, d: {d}, n: {n}, draw: samples, sampler: ideal,"
               " ridge: [0, 0.1], metrics: monte_carlo_gap, seed: {range: [0, 2]}}")  # fmt: skip
    for d, n, noises, cells, seeds in (
        (16, 64, 1, 4, 20), (64, 16, 2, 4, 10), (64, 2000, 4, 30, 10), (256, 64, 1, 2, 2),
        (256, 2000, 4, 20, 2), (600, 2000, 1, 4, 1), (1000, 100, 2, 2, 1),
    ):  # fmt: skip
        for metrics in ("{only: [train_loss, test_loss]}", "[agreement, bures]"):
            yield (f"linear_exact noises={noises} d={d} n={n} {metrics}",
                   f"{{model: linear_exact, {gauss}, d: {d}, n: {n}, noises: {noises},"
                   f" ridge: {{log: [1.0e-4, 1, {cells}]}}, sampler: ddim, metrics: {metrics},"
                   f" timesteps: 50, seed: {{range: [0, {seeds}]}}}}")  # fmt: skip
    for d, cells in ((16, 10), (256, 2), (1000, 2)):
        yield (f"linear_theory noises d={d} {cells}",
               f"{{model: linear_theory, {gauss}, d: {d}, n_over_d: {{log: [0.1, 50, 20]}},"
               f" noises: 2, ridge: {{log: [1.0e-4, 1, {cells}]}}, sampler: ddpm_beta,"
               " timesteps: 100, metrics: {only: [test_loss, levels]}}")  # fmt: skip
    for data in ("digits", "mnist", "patches"):
        yield (f"linear_exact data {data}",
               f"{{model: linear_exact, data: {data}, n: [64, 200], {ridges},"
               " seed: {range: [0, 4]}}")  # fmt: skip
    for d, cells in ((16, 2), (256, 40), (1000, 10), (4000, 2)):
        yield (f"linear_theory d={d} {cells}",
               f"{{model: linear_theory, {gauss}, d: {d}, n_over_d: {{log: [0.1, 50, 20]}},"
               f" sampler: ddpm_beta, ridge: {{log: [1.0e-4, 1, {cells}]}}}}")  # fmt: skip
    yield ("linear_theory isotropic",
           "{model: linear_theory, beta_max: 9.0e-3, d: 1000, n_over_d: {log: [0.1, 50, 20]},"
           " sampler: ddpm_beta, ridge: {log: [1.0e-4, 1, 30]}}")  # fmt: skip
    yield (
        "linear_theory many filters",
        f"{{model: linear_theory, {gauss}, d: 100, n_over_d: [0.5, 2],"
        " sampler: ddpm_beta, ridge: {log: [1.0e-4, 1, 40]}, stop: {log: [1, 1.0e+5, 40]}}",
    )
    for metrics in ("levels", "agreement"):
        yield (
            f"linear_theory {metrics}",
            f"{{model: linear_theory, {gauss}, d: 100, n_over_d: {{log: [0.1, 50, 20]}},"
            f" sampler: ddim, ridge: {{log: [1.0e-4, 1, 40]}}, metrics: {metrics}}}",
        )
    for d, n in ((16, 100), (200, 2000), (1000, 200), (500, 20000)):
        yield (f"ledoit_wolf d={d} n={n}",
               f"{{model: ledoit_wolf, {gauss}, d: {d}, n: {n}, draw: samples, sampler: ideal,"
               " seed: {range: [0, 3]}}")  # fmt: skip
    for d, n in ((16, 64), (64, 4000), (200, 500), (1000, 100)):
        yield (f"empirical d={d} n={n}",
               f"{{model: empirical, {gauss}, d: {d}, n: {n}, draw: samples, sampler: ddim,"
               " sampling_steps: 5, timesteps: 20, seed: {range: [0, 2]}}")  # fmt: skip
    for d, n, p, noises, metrics in (
        (16, 64, 100, ".inf", "levels"), (100, 100, 400, ".inf", "levels"),
        (100, 2000, 200, ".inf", "levels"), (100, 100, 1600, ".inf", "levels"),
        (100, 100, 400, "8.0", "levels"), (100, 2000, 200, "4.0", "levels"),
        (100, 50, 3000, "1.0", "levels"), (100, 100, 400, ".inf", "agreement"),
        (100, 400, 200, "2.0", "linearity"), (100, 100, 400, ".inf", "[agreement, directions]"),
    ):  # fmt: skip
        yield (f"random_features d={d} n={n} p={p} noises={noises} {metrics}",
               f"{{model: random_features, {gauss}, d: {d}, n: {n}, features: {p}, draw: samples,"
               f" noises: {noises}, weight_decay: [0, 1.0e-3], sampler: ddim, timesteps: 20,"
               f" metrics: {metrics}, seed: {{range: [0, 2]}}}}")  # fmt: skip
    yield ("random_features digits",
           "{model: random_features, data: digits, n: 100, features: 200, sampler: ddim,"
           " timesteps: 20, metrics: levels, seed: 0}")  # fmt: skip
    yield ("random_features_theory",
           f"{{model: random_features_theory, {gauss}, d: 200, n: [100, 200], features: [50, 400],"
           " noises: 2.0, weight_decay: [0, 1.0e-3], timesteps: 200, metrics: levels}")  # fmt: skip
    yield ("random_features_theory relu, stopped",
           f"{{model: random_features_theory, {gauss}, d: 200, n: [100, 200], features: 400,"
           " activation: relu, stop: 100.0, timesteps: 10, metrics: levels}")  # fmt: skip
    for metrics in (
        "memorized_fraction",
        "linearity",
        "directions",
        "agreement",
        "proximity_bias",
        "collapse_time",
        "levels",
        "modes",
        "pictures",
    ):
        yield (f"empirical digits {metrics}",
               f"{{model: empirical, data: digits, n: 100, sampler: ddim, sampling_steps: 5,"
               f" timesteps: 20, metrics: {metrics}, seed: {{range: [0, 2]}}}}")  # fmt: skip
    yield (
        "empirical d=200 n=500 linearity, directions",
        f"{{model: empirical, {gauss}, d: 200, n: 500, draw: samples, sampler: ddim,"
        " sampling_steps: 5, timesteps: 20, metrics: [linearity, directions], seed: 0}",
    )
    for d, n, steps, stops in (
        (16, 64, 200, "0"),
        (64, 256, 20, "0"),
        (64, 128, 400, "0"),
        (200, 50, 5, "[2, 3, 0]"),
        (400, 50, 4, "0"),
    ):
        for optimizer, rate in (("adam", "1.0e-2"), ("gradient_descent", "1.0e-3")):
            yield (f"linear_trained {optimizer} d={d} n={n}",
                   f"{{model: linear_trained, {gauss}, d: {d}, n: {n}, draw: samples,"
                   f" timesteps: 50, sampler: ddim, steps: {steps}, stop_step: {stops},"
                   f" learning_rate: {rate},"
                   f" optimizer: {optimizer}, seed: {{range: [0, 2]}}}}")  # fmt: skip
    yield ("linear_trained levels, modes, agreement, bures",
           f"{{model: linear_trained, {gauss}, d: 64, n: 64, draw: samples, timesteps: 50,"
           " sampler: ddim, steps: 20, stop_step: [5, 10, 0], learning_rate: 1.0e-2,"
           " metrics: [levels, modes, agreement, bures], seed: {range: [0, 20]}}")  # fmt: skip
    yield ("linear_trained proximity_bias",
           f"{{model: linear_trained, {gauss}, d: 64, n: 640, draw: samples, timesteps: 50,"
           " sampler: ddpm_beta, steps: 20, stop_step: [5, 10, 0], learning_rate: 1.0e-2,"
           " metrics: proximity_bias, seed: {range: [0, 20]}}")  # fmt: skip
    net = "steps: 20, learning_rate: 6.0e-3, sampler: ddim, sampling_steps: 5, timesteps: 20"
    for d, n, width, seeds in (
        (16, 64, 64, 16),
        (64, 4000, 64, 16),
        (200, 500, 128, 16),
        (64, 100, 512, 4),
        (1000, 100, 64, 2),
    ):
        yield (f"mlp d={d} n={n} width={width}",
               f"{{model: mlp, {gauss}, d: {d}, n: {n}, draw: samples, width: {width}, {net},"
               f" seed: {{range: [0, {seeds}]}}}}")  # fmt: skip
    yield ("mlp many steps",
           "{model: mlp, data: digits, n: 100, width: 96, steps: 400, learning_rate: 6.0e-3,"
           " sampler: ddim, timesteps: 20, seed: {range: [0, 8]}}")  # fmt: skip
    yield ("mlp memorized_fraction",
           f"{{model: mlp, {gauss}, d: 64, n: 4000, draw: samples, width: 64, {net},"
           " metrics: memorized_fraction, seed: {range: [0, 8]}}")  # fmt: skip
    yield ("mlp dropout",
           "{model: mlp, data: digits, n: 100, width: 96, steps: 400, learning_rate: 6.0e-3,"
           " dropout: 0.2, sampler: ddim, timesteps: 20, seed: {range: [0, 8]}}")  # fmt: skip
    yield ("mlp many stops",
           f"{{model: mlp, data: digits, n: 100, width: 96, {net}, stop_step: [1, 2, 4, 8, 16, 0],"
           " seed: {range: [0, 20]}}")  # fmt: skip
    yield ("mlp digits linearity, directions, pictures, agreement",
           f"{{model: mlp, data: digits, n: 100, width: 96, {net}, seed: {{range: [0, 8]}},"
           " metrics: [linearity, directions, pictures, agreement]}")  # fmt: skip
    yield ("mlp float64",
           f"{{model: mlp, data: digits, n: 100, width: 96, {net}, seed: {{range: [0, 8]}},"
           " precision: float64}")  # fmt: skip
    for data, width, seeds in (("digits", 8, 1), ("digits", 8, 16), ("digits", 16, 4)):
        yield (f"unet {data} width={width} × {seeds}",
               f"{{model: unet, data: {data}, n: 100, width: {width}, {net},"
               f" seed: {{range: [0, {seeds}]}}}}")  # fmt: skip


def main(words: list[str]) -> None:
    header("shards: estimated over measured")
    print("  memory  estimated measured (MB)    time  estimated measured (s)")
    found: dict[str, list[float]] = {name: [] for name in BARS}
    for name, experiment in cases():
        if not all(word in name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            taken = take(Path(folder), experiment)
        ratios = {"memory": taken.memory, "time": taken.time}
        outside = ""
        for what, ratio in ratios.items():
            if ratio is not None:
                found[what].append(ratio)
                low, high = BARS[what]
                outside += "" if low <= ratio <= high else f" *{what}"
        megabytes = [size / 1e6 for size in taken.bytes]
        time = "    —" if taken.time is None else f"{taken.time:5.2f}"
        print(f"   {taken.memory:5.2f}  {megabytes[0]:8.0f} {megabytes[1]:8.0f}"
              f"        {time}  {taken.seconds[0]:8.1f} {taken.seconds[1]:8.1f}   {name}{outside}",
              flush=True)  # fmt: skip
    for what, every in found.items():
        low, high = BARS[what]
        print(f"  {what}: {min(every, default=0):.2f} to {max(every, default=0):.2f} "
              f"of {len(every)} (bar {low:g} to {high:g})")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
