"""What holds for everything that a user may give, checked by a process that serves many inputs.

No traceback, no warning of NumPy, no hang (10 s of computing), no memory beyond 1 GiB, nothing
written unless it was accepted; and nothing that a terminal would obey is printed.

`LINDIFF_FUZZ=5000` asks for as many inputs of each surface, drawn anew; without it a few are the
same at every run. Run as a module this file is the process: an input a line on stdin, JSON.
"""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings

SECONDS, BYTES = 10, 2**30
_WAIT = 60  # seconds of the clock, on a machine that does other things
_LINES = 45
_ROOT = Path(__file__).parents[2]
_MANY = os.environ.get("LINDIFF_FUZZ")
_WARM_UP = """
defaults: {model: linear_exact, n: 3, seed: 0}
experiments: {a: {data: digits}, b: {spectrum: {eigenvalues: v.txt}}}
"""


def some(few: int) -> settings:
    """How often a test of this folder runs its input: `few` times, or as the environment says."""
    return settings(
        max_examples=int(_MANY or few),
        derandomize=_MANY is None,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        code: Exit code.
        output: All that was printed.
        trace: The traceback, if there was one.
        changed: Files that were written or removed.
    """

    code: int
    output: str
    trace: str
    changed: list[str]


class Worker:
    """The command line in a process of its own; one that dies is begun anew."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, folder: Path, *arguments: str) -> Outcome:
        """Run ``lindiff ARGUMENTS`` in a folder and hold it to the properties.

        Raises:
            AssertionError: One of them fell.
        """
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(folder), *arguments]) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _WAIT)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.close()
            raise AssertionError(f"hangs, or kills the process: {arguments}")
        outcome = Outcome(**json.loads(line))
        check(outcome)
        return outcome

    def _start(self) -> subprocess.Popen[str]:
        # Arrow's own pool sets address space aside, whatever is in use.
        environment = os.environ | {
            "PYTHONPATH": str(_ROOT), "COLUMNS": "80", "ARROW_DEFAULT_MEMORY_POOL": "system"
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.properties"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def check(outcome: Outcome) -> None:
    """Hold an outcome to what is the same for all inputs."""
    assert not outcome.trace, outcome.trace
    assert outcome.code in (0, 1, 2)
    odd = {c for c in outcome.output if not c.isprintable() and c != "\n"}
    assert not odd, f"control characters: {odd}"
    if outcome.code:
        assert not outcome.changed
        assert outcome.output.strip(), "ends without a word"
        assert outcome.output.count("\n") <= _LINES


def _files() -> dict[str, tuple[int, int]]:
    found = {}
    for folder, _, names in os.walk("."):
        for name in names:
            status = os.lstat(path := os.path.join(folder, name))
            found[path] = (status.st_size, status.st_mtime_ns)
    return found


def _serve(folder: str, arguments: list[str]) -> dict[str, Any]:
    from click.testing import CliRunner

    from lindiff.cli import main

    os.chdir(folder)
    before = _files()
    result = CliRunner().invoke(main, arguments)
    after = _files()
    os.chdir("/")  # the folder may go
    trace = ""
    if result.exc_info and not isinstance(result.exception, SystemExit | None):
        trace = "".join(traceback.format_exception(*result.exc_info))
    changed = sorted(str(path) for path, _ in before.items() ^ after.items())
    return {"code": result.exit_code, "output": result.output, "trace": trace, "changed": changed}


def _limit() -> None:
    """What is loaded by now is not counted: it is the program, not the input."""
    import lindiff.figures
    import lindiff.report.answers
    import lindiff.report.console
    import lindiff.report.curve_files
    import lindiff.science.datasets
    import lindiff.sweep.collect  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "c.yaml").write_text(_WARM_UP, encoding="utf-8")
        (Path(folder) / "v.txt").write_text("3\n2\n1\n", encoding="utf-8")
        first = _serve(folder, ["plan", "c.yaml"])
        assert first["code"] == 0, first
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmData:\s*(\d+)", text)
    assert found is not None
    size = 1024 * int(found[1]) + BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _limit()
    warnings.simplefilter("error", RuntimeWarning)
    for line in sys.stdin:
        folder, *arguments = json.loads(line)
        # Not caught: a process that computes for too long ends.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        answer = _serve(folder, arguments)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _main()
