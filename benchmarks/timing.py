"""What every benchmark prints: the machine, the commit, and medians with their spread."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable

import numpy as np


def header(title: str) -> None:
    """Prints the benchmark's title with machine and commit, for docs/benchmarks.md."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = platform.processor() or platform.machine()
    print(f"{title}\n  commit {commit or 'unknown'}; {os.cpu_count()} cores, {cpu}")
    print(f"  Python {platform.python_version()}, NumPy {np.__version__}")


def seconds(function: Callable[[], object], repeats: int) -> np.ndarray:
    """Wall seconds of each of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return np.array(times)


def report(name: str, times: np.ndarray) -> float:
    """Prints the median with the quartiles in milliseconds; returns the median."""
    low, median, high = np.percentile(times, [25, 50, 75]) * 1e3
    print(f"  {name}: {median:.2f} ms (quartiles {low:.2f} to {high:.2f}, {len(times)} runs)")
    return float(median)
