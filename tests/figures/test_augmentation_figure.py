"""The figure `augmentation`, against a planted 1 + d/(N |G|)."""

from __future__ import annotations

from typing import Any

import pytest

from lindiff.drawing import style, tables
from lindiff.figures import augmentation
from tests.figures.feeds import augmentation as feed


def data() -> Any:
    metrics, *_ = feed.sweep()
    return augmentation.query(tables.plain(metrics))


@pytest.mark.parametrize(("kind", "size"), [("none", 1), ("signs", 2), ("signs", 4), ("signs", 16)])
def test_losses_and_the_needed_n_of_each_group(kind: str, size: int):
    own = {"augmentation": kind, "group_size": size}
    for quantity, count in (("test_loss", 5), ("test_loss_theory", 6)):
        found = tables.arrays(data(), **own, quantity=quantity)
        assert len(found["n"]) == count
        assert found["value"] == pytest.approx(1 + feed.D / (found["n"] * size))
    assert tables.facts(data())["level"] == 2
    needed = tables.arrays(data(), **own, quantity="needed")
    theory = tables.arrays(data(), **own, quantity="needed_theory")
    # The largest group is below the level from its first N on.
    expected = [] if size == 16 else [feed.D / size]
    assert needed["value"] == pytest.approx(expected)
    assert theory["value"] == pytest.approx(expected)


def test_in_the_middle_all_groups_are_over_the_points_of_their_orbits():
    figure = augmentation.draw(data())
    left, middle, right = figure.axes

    def curves(ax: Any) -> dict[str, list[float]]:
        return {
            line.get_color(): line.get_xdata().tolist()
            for line in ax.lines
            if line.get_linestyle() == "-" and line.get_color() in style.COLOURS
        }

    samples, points = curves(left), curves(middle)
    assert len(samples) == 4
    for colour, size in zip(style.COLOURS, (1, 2, 4, 16), strict=False):
        assert points[colour] == [x * size for x in samples[colour]]
    ((x, y),) = [
        (line.get_xdata().tolist(), line.get_ydata().tolist())
        for line in right.lines
        if line.get_linestyle() == "-" and len(line.get_xdata()) == 3
    ]
    assert x == [1, 2, 4]
    assert y == pytest.approx([16, 8, 4])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["none, $|G|=1$", "sign changes, $|G|=2$"]
    assert {"line: theory", "optimal loss", r"$N|G|=d$, $N\propto1/|G|$"} <= set(names)
