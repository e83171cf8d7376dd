"""What a job tells the models that it runs: device, folder of checkpoints, where to report.

Nothing here changes a number, so it is no part of a cell and of no model's fingerprint.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Session:
    """The surroundings of a computation.

    Attributes:
        device: One of `DEVICES`: where models are trained.
        checkpoints: Folder of the shard's checkpoints, or None for none.
    """

    device: str = "auto"
    checkpoints: Path | None = None

    def log(self, line: str) -> None:
        """Add a line to the job's log."""
        print(line, file=sys.stderr, flush=True)


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
