"""What a job tells the models that it runs: device, checkpoints, where to report, also failures.

Nothing here changes a number, so it is no part of a cell and of no model's fingerprint.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda")
# Cells of one reason that are named, and reasons whose traceback is written.
NAMED = 3
TRACED = 10


class Failures:
    """The cells of a job that failed, told in its log once a reason, not once a cell.

    A reason is the type of the exception, its message and the line that raised it. Its traceback is
    written when it comes first, so that a killed job has told it.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], list[str]] = {}

    def add(self, cell: str, error: Exception) -> None:
        """Take note of a cell that failed, while `error` has its traceback."""
        *_, last = traceback.walk_tb(error.__traceback__)
        place = f"{last[0].f_code.co_filename}:{last[1]}"
        cells = self._cells.setdefault((f"{type(error).__name__}: {error}", place), [])
        cells.append(cell)
        if len(cells) == 1 and len(self._cells) <= TRACED:
            print(f"cell {cell} failed:", file=sys.stderr)
            traceback.print_exception(error)
            sys.stderr.flush()

    def sum_up(self) -> None:
        """Write how many cells each reason has, where that has not been told, and name a few."""
        reasons = list(self._cells.items())
        for (what, place), cells in reasons[:TRACED]:
            if len(cells) > 1:
                some = ", ".join(cells[:NAMED]) + (", …" if len(cells) > NAMED else "")
                print(f"{len(cells)} cells failed with {what} ({place}): {some}", file=sys.stderr)
        if others := reasons[TRACED:]:
            count = sum(len(cells) for _, cells in others)
            print(f"{count} cells failed for {len(others)} other reasons", file=sys.stderr)


@dataclass(frozen=True)
class Session:
    """The surroundings of a computation.

    Attributes:
        device: One of `DEVICES`: where models are trained.
        checkpoints: Folder of the shard's checkpoints, or None for none.
        failures: Takes note of cells that fail.
        heard: Told each line of the log, and the share of the call's training that is made.
    """

    device: str = "auto"
    checkpoints: Path | None = None
    failures: Failures = field(default_factory=Failures)
    heard: Callable[[str, float], None] | None = None

    def log(self, line: str, share: float = 0.0) -> None:
        """Add a line to the job's log, and report it with the share of the training made."""
        print(line, file=sys.stderr, flush=True)
        if self.heard is not None:
            self.heard(line, share)


_current: ContextVar[Session | None] = ContextVar("session", default=None)


def current() -> Session:
    """The session of this computation; without one, any device and no checkpoints."""
    return _current.get() or Session()


@contextmanager
def session(given: Session) -> Iterator[None]:
    """Make `given` the session of this block."""
    token = _current.set(given)
    try:
        yield
    finally:
        _current.reset(token)
