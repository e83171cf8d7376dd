"""A second `make` of the default sweep, which runs no job. Needs a finished first one.

Run: .venv/bin/python -m benchmarks.noop
"""

from __future__ import annotations

import subprocess

from benchmarks.timing import header, report, seconds


def main() -> None:
    header("no-op make (config/default.yaml, finished)")

    def again() -> None:
        done = subprocess.run(["make"], capture_output=True, text=True, check=True)
        if "Nothing to be done" not in done.stdout + done.stderr:
            raise SystemExit("a job ran: call this again")

    median = report("make", seconds(again, 5))
    print(f"  ratio to the bar of 5 s: {median / 5000:.2f}")


if __name__ == "__main__":
    main()
