"""One live line on a terminal while Snakemake runs: bar, cells, rate and the time that is left."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lindiff.config.words import printable
from lindiff.errors import InputError
from lindiff.progress import duration
from lindiff.report.pace import Look, Pace
from lindiff.sweep.plan import Plan, find_plan, plan_files, store_of

INTERVAL = 1.0
# Seconds over which the rate is taken.
_WINDOW = 30.0


class Follower:
    """The pace of the run that writes into a results folder, asked again and again."""

    def __init__(self, results: Path, name: str) -> None:
        """Of the config `name`."""
        self._results, self._name = results, name
        self._plan: Plan | None = None
        self._look: Look | None = None
        self._seen: deque[tuple[float, float]] = deque()

    def look(self) -> Pace | None:
        """The pace now; None where it is not known: no plan yet, nothing to run, a failing disk."""
        try:
            files = plan_files(self._results / self._name)
            if self._plan is None or [self._plan.file] != files:
                self._plan = find_plan(self._results, self._name)
                self._look = Look(self._plan.pending, store_of(self._results))
            return self._look.now() if self._look and self._plan.pending else None
        except (InputError, OSError):
            return None  # The plan is just replaced, say. The run itself hears of what matters.

    def words(self, pace: Pace, now: float) -> str:
        """``1,200 of 4,000 cells, 35 a second, 80 s left``, at the rate of the last seconds."""
        self._seen.append((now, pace.done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        passed = now - then
        rounds = self._plan.rounds if self._plan else None
        text = f"{int(pace.done):,} of {pace.total:,} cells"
        if rounds is not None and rounds.open:
            text = f"{rounds.text}: {text}"
        if passed > 0 and pace.done > before:
            rate = (pace.done - before) / passed
            text += f", {rate:,.0f} a second" if rate >= 1 else f", {60 * rate:.1f} a minute"
        of_round = " in this round" if rounds is not None and rounds.open else ""
        left = f"{duration(pace.seconds)} left{of_round}"
        return text if pace.done >= pace.total else f"{text}, {left}"


def follow(child: subprocess.Popen[bytes], follower: Follower) -> int:
    """Show on stderr what a child prints, and below it the line, until the child has ended.

    Args:
        child: Its ``stdout`` is a pipe.
        follower: Says how far the run is.

    Returns:
        The child's exit code.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=None, visible=False)

        def tell(line: str) -> None:
            console.print(Text(printable(line)), soft_wrap=True)

        reader = threading.Thread(target=_read, args=(child, tell), daemon=True)
        reader.start()
        while True:
            pace = follower.look()
            if pace is not None:
                words = follower.words(pace, time.monotonic())
                values: dict[str, Any] = {"total": pace.total, "completed": pace.done}
                shown.update(task, description=words, visible=True, **values)
            try:
                code = child.wait(INTERVAL)
                break
            except subprocess.TimeoutExpired:
                continue
        # What a grandchild holds open after the child's end is not waited for.
        reader.join(INTERVAL)
    return code


def _read(child: subprocess.Popen[bytes], tell: Callable[[str], None]) -> None:
    assert child.stdout is not None
    for raw in child.stdout:
        tell(raw.decode("utf-8", "replace").rstrip("\n"))
