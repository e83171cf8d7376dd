"""What SIGTERM does to a run: its jobs are stopped too, and it ends within seconds, every time.

Snakemake's own handler takes a lock that the thread which it interrupts may hold: then it waits for
itself without end. And it lets running jobs finish, which can take an hour. Here the handler only
starts a thread, in which Snakemake's own may wait for the lock, and which stops the jobs.
Nothing is lost: parts are whole or not there, and training goes on from its checkpoint.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import FrameType

# Seconds between two looks for jobs: one may have been on its way when the signal came.
_LOOK = 0.5
# Seconds after which what is left can only be jobs on other machines, which Snakemake cancels.
_PATIENCE = 5.0
# The verbs that are jobs of the workflow.
_JOBS = {"plan", "run", "replan", "collect", "figures", "answers", "page"}


def stop_jobs_with_the_run() -> None:
    """From now on SIGTERM stops this process's jobs, and starts no others; then the run ends.

    Called in the main thread of Snakemake once it has set its own handler, which is kept.
    """
    gentle = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        # Ignored by what a shell started in the background; `_stop` needs it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_stop, args=(gentle, number, frame), daemon=True).start()

    signal.signal(signal.SIGTERM, stop)


def _stop(gentle: object, number: int, frame: FrameType | None) -> None:
    print("lindiff: stopped by SIGTERM; the same command goes on from here", file=sys.stderr)
    if callable(gentle):
        gentle(number, frame)
    asked = time.monotonic()
    interrupted = False
    while True:  # until the process has ended, this thread with it
        _stop_jobs()
        time.sleep(_LOOK)
        if not interrupted and time.monotonic() - asked > _PATIENCE:
            # By now Snakemake waits; an interrupt, as by Ctrl-C, cancels what runs elsewhere.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            interrupted = True


def _stop_jobs() -> None:
    """Send SIGTERM to the `lindiff` processes that this process or its shells have started."""
    import psutil  # type: ignore[import-untyped]

    for child in psutil.Process().children(recursive=True):
        try:
            if _is_job(child.cmdline()):
                child.terminate()
        except psutil.Error:
            continue  # It has ended meanwhile.


def _is_job(command: list[str]) -> bool:
    """Whether a command line is ``[python] …/lindiff VERB …``, the shell around it left out."""
    return any(
        Path(program).name == "lindiff" and verb in _JOBS for program, verb in pairwise(command[:3])
    )
