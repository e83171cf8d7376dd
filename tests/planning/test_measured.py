"""What shards take against what was estimated of them: real ones, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.sweeps import Sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the system tells no peak of memory"
    ),
]

# The peak is of this process's own memory: `ru_maxrss` counts what its parent had when it forked.
MEASURED = """
import json, re, resource, sys
from pathlib import Path
from lindiff.sweep.run import run_spec
spec, part = map(Path, sys.argv[1:])
begin = resource.getrusage(resource.RUSAGE_SELF)
run_spec(spec, part)
end = resource.getrusage(resource.RUSAGE_SELF)
seconds = end.ru_utime - begin.ru_utime + end.ru_stime - begin.ru_stime
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps([seconds, peak * 1024]))
"""
TRAINED = "width: 64, steps: 150, learning_rate: 6.0e-3, sampler: ddim, timesteps: 100"
# Experiments of a shard of seconds each; the metrics beyond the default ones.
KINDS = {
    "wishart": "{model: linear_exact, d: 256, n: [128, 512], ridge: {log: [1.0e-4, 1, 40]},"
    " stop: {log: [1, 1.0e+5, 5]}, sampler: ddpm_beta, seed: {range: [0, 20]}}",
    "samples": "{model: linear_exact, d: 200, n: [1000, 4000], draw: samples, sampler: ideal,"
    " ridge: {log: [1.0e-4, 1, 30]}, seed: {range: [0, 20]}, metrics: agreement}",
    "levels and modes": "{model: linear_exact, d: 200, n: [100, 400], sampler: ddpm_beta,"
    " ridge: {log: [1.0e-4, 1, 30]}, seed: {range: [0, 10]}, metrics: [levels, modes]}",
    "theory": "{model: linear_theory, d: 256, n_over_d: {log: [0.1, 50, 40]}, sampler: ddpm_beta,"
    " ridge: {log: [1.0e-4, 1, 40]}}",
    "ledoit_wolf": "{model: ledoit_wolf, d: 200, n: [100, 2000], draw: samples, sampler: ideal,"
    " seed: {range: [0, 60]}}",
    "empirical": "{model: empirical, data: digits, n: [64, 512], seed: {range: [0, 3]},"
    " sampler: ddim, timesteps: 100, metrics: [memorized_fraction, linearity]}",
    "linear_trained": "{model: linear_trained, d: 32, n: [16, 128], draw: samples, timesteps: 50,"
    " sampler: ddim, steps: 200, learning_rate: 1.0e-2, seed: {range: [0, 2]}}",
    "mlp": f"{{model: mlp, data: digits, n: [64, 512], seed: {{range: [0, 8]}}, {TRAINED},"
    " metrics: [memorized_fraction, linearity]}",
    "unet": "{model: unet, data: digits, n: [64, 512], seed: 0, "
    + TRAINED.replace("width: 64", "width: 8")
    + "}",
}
DEFAULTS = "{spectrum: {power_law: 1.0}, beta_max: 9.0e-3, seed: 0}"
# Machines differ, so times are compared with each other: all within this factor of their median
# ratio. Memory is what it is.
TIME, MEMORY = 4.0, 2.5


def measured(folder: Path) -> dict[str, tuple[float, float]]:
    """Measured over estimated seconds and bytes of each kind."""
    found = {}
    for name, experiment in KINDS.items():
        sweep = Sweep(folder / name)
        sweep.folder.mkdir()
        text = experiment if "spectrum" in experiment or "digits" in experiment else (
            "{spectrum: {power_law: 1.0}, " + experiment[1:]
        )  # fmt: skip
        if "seed" not in experiment and "theory" not in experiment:
            text = "{seed: 0, " + text[1:]
        plan = sweep.write(sweep.config(text, shard="3600", defaults="{}"))
        times, sizes = [], []
        for shard in plan.pending:
            out = subprocess.run(
                [sys.executable, "-c", MEASURED, sweep.store.spec(shard.name),
                 sweep.store.part(shard.name)],
                check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
            ).stdout  # fmt: skip
            seconds, size = json.loads(out.splitlines()[-1])
            times.append(seconds)
            sizes.append(size / shard.bytes)
        found[name] = sum(times) / plan.seconds, max(sizes)
        print(f"{name}: {sum(times):.1f} of {plan.seconds:.1f} s; memory {max(sizes):.2f}")
    return found


def test_time_and_memory_are_estimated(tmp_path: Path):
    """One test, so that nothing is measured twice, or beside itself."""
    found = measured(tmp_path)
    middle = median(time for time, _ in found.values())
    assert {k: t for k, (t, _) in found.items() if not 1 / TIME < t / middle < TIME} == {}
    assert {k: m for k, (_, m) in found.items() if not 1 / MEMORY < m < MEMORY} == {}
