"""What a training says of itself: when, and in which words."""

import math
import time
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from lindiff.training.watch import WATCH_SECONDS, Reporter, Watch, line, silent  # noqa: E402

WATCH = Watch(
    step=1200, steps=4000, models=8, pack=2, packs=5, rate=410.2, low=0.12, high=0.344, left=6.83
)


def test_a_report_is_one_line():
    assert line(WATCH) == (
        "step 1,200 of 4,000 (30 %), 8 models, 410 steps/s, "
        "loss 0.12 to 0.34, 7 s left; pack 2 of 5"
    )
    slow = replace(WATCH, step=3, models=1, rate=0.127, low=math.nan, high=math.nan, left=31_000)
    assert line(slow) == (
        "step 3 of 4,000 (0 %), 1 model, 0.13 steps/s, no finite loss, 8.6 h left; pack 2 of 5"
    )


def test_reports_come_calmly_and_count_from_where_the_training_was_taken_up(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    heard = []
    reporter = Reporter(heard.append, 2, 3)
    now[0] += 50
    reporter.start(1000)
    losses = torch.tensor([[1.0, 4.0, math.nan], [3.0, 6.0, 1.0]])
    for step in range(1010, 1100, 10):
        now[0] += WATCH_SECONDS / 4
        reporter.tell(step, 2000, losses)
    assert [watch.step for watch in heard] == [1040, 1080]
    rate = 40 / WATCH_SECONDS
    assert heard[0] == Watch(1040, 2000, 3, 2, 3, rate, 2.0, 5.0, pytest.approx(960 / rate))
    reporter.tell(1090, 2000, losses)
    assert len(heard) == 2


def test_losses_of_failed_models_alone_are_nan(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    heard = []
    reporter = Reporter(heard.append, 1, 1)
    now[0] = 1.5 * WATCH_SECONDS
    reporter.tell(16, 32, torch.full((2, 3), torch.inf))
    assert math.isnan(heard[0].low)
    assert math.isnan(heard[0].high)


def test_silence():
    assert silent(WATCH) is None
