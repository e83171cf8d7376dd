"""The figure `levels`, against gaps that fall as 1/t."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from lindiff.drawing import tables
from lindiff.figures import levels
from tests.figures.feeds import levels as feed


def values(**equal: Any) -> dict[str, Any]:
    metrics, rows, _ = feed.sweep()
    return tables.arrays(levels.query(tables.plain(metrics), levels=rows), **equal)


def test_gap_of_each_level():
    found = values(n=4, strength=0.0, quantity="exact_gap")
    assert found["t"].tolist() == list(feed.TIMES)
    assert found["value"] == pytest.approx(1 / (4 * np.array(feed.TIMES)))
    assert np.all(found["low"] < 0)  # half of the sets have no gap
    theory = values(n=4, strength=0.0, quantity="exact_gap_theory")
    assert theory["value"] == pytest.approx(found["value"])


@pytest.mark.parametrize("n", [4, 16, 64])
def test_every_level_carries_the_same_share_per_logarithm(n: int):
    for quantity in ("share", "share_theory"):
        found = values(n=n, strength=0.1, quantity=quantity)
        # t/T · 1/t over the mean: the same at all t and n, also where half of the sets have none.
        assert found["value"] == pytest.approx([1 / (1000 * feed.MEAN)] * len(feed.TIMES))


def test_theory_is_drawn_at_the_sizes_that_were_measured():
    assert set(values(quantity="share_theory")["n"]) == set(values(quantity="share")["n"])


def test_without_a_gap_there_is_no_share():
    metrics, rows, _ = feed.sweep()
    first = tables.plain(metrics)
    first = first.filter(pc.equal(first["seed"], 0))
    data = levels.query(first, levels=rows)
    assert np.all(tables.arrays(data, quantity="exact_gap")["value"] == 0)
    assert tables.arrays(data, quantity="share")["value"].size == 0
