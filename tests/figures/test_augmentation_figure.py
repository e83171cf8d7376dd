"""The figure `augmentation`, against a planted 1 + d/(N |G|) and copies up to N* ∝ 1/|G|."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff.drawing import caption, need, style, tables
from lindiff.figures import augmentation
from tests.figures.feeds import augmentation as feed


@cache
def metrics() -> pa.Table:
    return tables.plain(feed.sweep()[0])


@cache
def data() -> Any:
    return augmentation.query(metrics())


def of_linear_models() -> Any:
    return augmentation.query(metrics().filter(pc.not_equal(metrics()["model"], "mlp")))


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
    figure = augmentation.draw(of_linear_models())
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


def test_the_n_up_to_which_a_network_copies_and_its_power_law():
    found = tables.arrays(data(), quantity="copied_until")
    # With 16 elements the curves of all seeds are at ½ at N = 2.5 to 3.75.
    assert found["group_size"].tolist() == [1, 2, 4, 8, 16]
    centre = math.exp(np.log(feed.COPIED).mean())
    assert found["value"] == pytest.approx(centre / found["group_size"])
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()
    assert found["seeds"].tolist() == [3] * 5
    (law,) = tables.keep(data(), "quantity", ["exponent"]).to_pylist()
    assert law["value"] == pytest.approx(-1)
    assert (law["model"], law["d"]) == ("mlp", feed.D)


def test_a_group_of_which_one_seed_never_copies_half_has_no_n():
    rows = metrics().to_pylist()
    for row in rows:
        if row["model"] == "mlp" and row["group_size"] == 4 and row["seed"] == 1:
            row["memorized_fraction"] = 0.4
    table = tables.plain(pa.Table.from_pylist(rows, schema=metrics().schema))
    found = tables.arrays(augmentation.query(table), quantity="copied_until")
    assert found["group_size"].tolist() == [1, 2, 8, 16]


def test_a_share_falls_to_the_level_linearly_in_the_logarithm_and_may_be_0():
    curve = [(4, 1.0), (16, 0.0), (64, 0.2)]
    assert need.until({(): {0: curve}}, 0.5) == {(): {0: pytest.approx(8)}}
    assert need.until({(): {0: curve, 1: curve[1:]}}, 0.5) == {}


def test_networks_have_a_panel_of_their_own_which_says_what_they_are():
    figure = augmentation.draw(data())
    *_, needed, copied = figure.axes
    assert copied.get_title(loc="left") == (
        r"(d) MLP, Gaussian, power law $s_j\propto j^{-1}$, $d=16$"
    )
    points = [line.get_data() for line in copied.lines if line.get_linestyle() == "None"]
    assert [x.tolist() for x, _ in points] == [[1], [2], [4], [8], [16]]
    ((x, y),) = [line.get_data() for line in copied.lines if len(line.get_xdata()) == 2]
    assert x * y == pytest.approx(points[0][1][0])
    assert copied.get_ylabel() == "$N$ at memorized fraction 1/2"
    assert needed.get_ylabel() == "$N$ needed"
    assert needed.get_title(loc="left") == "(c) isotropic, $d=16$, test loss $2$"
    assert figure.get_suptitle() == ""
    text = caption.words(figure, data())
    assert "MLP: width $64$, $800$ steps, batch $64$, learning rate $6\\times10^{-3}$" in text
    assert "$N\\propto|G|^{-1.00}$, 95 % interval of the exponent -1.00 to -1.00" in text
    one = metrics().filter(pc.equal(pc.fill_null(metrics()["seed"], 0), 0))
    found = augmentation.query(one)
    assert "propto|G|" not in caption.words(augmentation.draw(found), found), "a law of one set"
    linear = augmentation.draw(of_linear_models())
    assert len(linear.axes) == 3
    assert linear.get_suptitle() == "isotropic, $d=16$"
