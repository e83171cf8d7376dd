"""What must hold of whatever a user gives: no traceback, no hang, bounded memory, nothing written.

Each input is a command of the command line in a folder of its own, done in another process that
lives on from one input to the next, so that thousands take minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import tempfile
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

# Inputs of each test; `LINDIFF_FUZZ=5000` is the bar of docs/benchmarks.md.
EXAMPLES = int(os.environ.get("LINDIFF_FUZZ", "50"))
# Of the processor, and by the clock, which a busy machine stretches.
SECONDS, PATIENCE = 10.0, 60.0
BYTES = 2**30
WARM_UP = """
defaults: {model: linear_exact, n: 3, seed: 0}
experiments: {a: {data: digits}, b: {spectrum: {eigenvalues: v.txt}}}
"""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="LINDIFF_FUZZ" not in os.environ,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


class Worker:
    """A process that runs commands of lindiff, with 1 GiB of memory above what it starts with."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other,), daemon=True)
        self._process.start()
        other.close()
        assert self._pipe.recv() == "ready"

    def close(self) -> None:
        self._process.kill()
        self._process.join()

    def check(self, folder: Path, *arguments: str) -> str:
        """Run ``lindiff ARGUMENTS`` in `folder` and hold it to the four properties.

        Returns:
            What it printed, if it was refused; else nothing.
        """
        before = _files(folder)
        self._pipe.send((str(folder), arguments))
        try:
            if not self._pipe.poll(PATIENCE):
                self._pipe.close()
            code, text, trace, seconds = self._pipe.recv()
        except (EOFError, OSError):
            self.close()
            code, text, trace, seconds = self._process.exitcode, "", "no answer", 0.0
        if code not in (0, 2):
            self.close()
            self._start()
        assert seconds < SECONDS
        assert not trace, f"{trace} (exit code {code})"
        assert code in (0, 2), text
        assert code == 0 or text.strip(), "refused without a word"
        assert code == 0 or _files(folder) == before, "refused, but something was written"
        return text if code else ""


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def _work(pipe: Connection) -> None:
    from click.testing import CliRunner

    # Arrow's own pool sets address space aside, whatever is in use.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    from lindiff.cli import main

    # Of the pool of real data too, so that all is imported before the limit, which is for inputs.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("c.yaml").write_text(WARM_UP)
        Path("v.txt").write_text("3 2 1")
        assert CliRunner().invoke(main, ["plan", "c.yaml"]).exit_code == 0
        os.chdir("/")
    warnings.simplefilter("error", RuntimeWarning)
    used = 2**10 * int(re.search(r"VmData:\s*(\d+)", Path("/proc/self/status").read_text())[1])
    resource.setrlimit(resource.RLIMIT_DATA, (used + BYTES, used + BYTES))
    pipe.send("ready")
    while True:
        folder, arguments = pipe.recv()
        os.chdir(folder)
        start = time.process_time()
        result = CliRunner().invoke(main, list(arguments))
        seconds = time.process_time() - start
        trace = ""
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            trace = "".join(traceback.format_exception(result.exception))
        pipe.send((result.exit_code, result.output, trace, seconds))
