"""What a training says of itself while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lindiff.progress import duration

WATCH_SECONDS = 10.0


@dataclass(frozen=True)
class Watch:
    """How far a training is.

    Attributes:
        step: Steps made of the pack at work.
        steps: Steps in all of each pack.
        models: Models in the pack.
        pack: Its number, from 1.
        packs: Packs in all, as far as is known: one that does not fit in the memory becomes two.
        rate: Steps a second since the pack was taken up.
        low: Lowest loss of the models over the last steps; nan if none is finite.
        high: Highest.
        left: Seconds left of this pack at that rate.
    """

    step: int
    steps: int
    models: int
    pack: int
    packs: int
    rate: float
    low: float
    high: float
    left: float

    @property
    def share(self) -> float:
        """Share of the training that is made, over all packs."""
        return (self.pack - 1 + self.step / self.steps) / self.packs


def silent(watch: Watch) -> None:
    """Says nothing."""


def line(watch: Watch) -> str:
    """One line of a log."""
    rate = f"{watch.rate:,.0f}" if watch.rate >= 10 else f"{watch.rate:.2g}"
    loss = f"loss {watch.low:.2g} to {watch.high:.2g}"
    return (
        f"step {watch.step:,} of {watch.steps:,} ({watch.step / watch.steps:.0%}), "
        f"{watch.models} model{'s' * (watch.models != 1)}, {rate} steps/s, "
        f"{loss if math.isfinite(watch.low) else 'no finite loss'}, "
        f"{duration(watch.left)} left; pack {watch.pack} of {watch.packs}"
    ).replace("%", " %")


class Reporter:
    """Calls a watch with the reports of one pack, as often as `WATCH_SECONDS` allows."""

    def __init__(self, watch: Callable[[Watch], None], pack: int, packs: int) -> None:
        """For the pack of that number, from 1, among `packs`."""
        self._watch, self._pack, self._packs = watch, pack, packs
        self.start(0)

    def start(self, step: int) -> None:
        """The rate counts from here, where `step` steps are made."""
        self._from = step
        self._start = self._last = time.monotonic()

    def tell(self, step: int, steps: int, losses: Tensor) -> None:
        """Reports, if it is time, `step` of `steps`; losses of the last, shape (steps, models)."""
        now = time.monotonic()
        if now - self._last < WATCH_SECONDS:
            return
        self._last = now
        rate = (step - self._from) / max(now - self._start, 1e-9)
        mean = losses.mean(dim=0)
        finite = mean[mean.isfinite()].tolist() or [math.nan]
        left = (steps - step) / rate
        models, low, high = losses.shape[1], min(finite), max(finite)
        self._watch(Watch(step, steps, models, self._pack, self._packs, rate, low, high, left))
