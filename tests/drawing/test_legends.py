"""A legend lists what is drawn in the panels that are there, and nothing else."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_hex

from lindiff import figures
from lindiff.columns.arrays import plain
from lindiff.drawing import caption, layout, markup, style, tables
from tests.figures import synthetic

GREY, COLOURS = style.GREY, style.COLOURS


def entries(figure: Any) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_an_interval_without_a_neighbour_is_a_bar():
    """A band over one abscissa has no width: the legend would name what nobody sees."""
    value = np.array([1.0, 2.0, 3.0, 4.0])
    low = np.array([0.9, math.nan, 2.9, 3.9])
    with style.applied():
        figure, axes = style.panels(1, 2)
        for ax, kept in zip(axes[0], (slice(None), slice(1)), strict=True):
            data = {"value": value[kept], "low": low[kept], "high": low[kept] + 0.2}
            style.points(ax, value[kept], data, COLOURS[0], "o")
        style.legend(figure, [])
    bars = [ax.collections[-1].get_segments() for ax in axes[0]]
    assert [[bar.tolist() for bar in own] for own in bars] == [[[[1.0, 0.9], [1.0, 1.1]]]] * 2
    assert [ax.collections[0].get_gid() for ax in axes[0]] == ["interval", None]
    assert entries(figure) == ["95 % interval"]


@cache
def data_of(name: str) -> pa.Table:
    metrics, nested = synthetic.feed(name)
    asked = {key: nested[key] for key in figures.needs(name).metrics if key in nested}
    return figures.load(name).query(plain(metrics), **asked)


def of_panel(name: str, letter: str) -> str:
    """The entries of a panel that stands alone, as one text."""
    with style.applied():
        figure = figures.load(name).draw(data_of(name))
        figure.set_layout_engine("none")
        layout.arrange(figure, name, layout.WIDTHS["text"], letter)
        return markup.plain("; ".join(entries(figure)))


# What a panel has and what it lacks, of entries that look like something in it.
PANELS = [
    ("augmentation", "d", ["sign changes, |G|=8", "N∝1/|G|", "interval"], ["theory", "optimal"]),
    ("early_stopping", "a", ["N=2 (", "theory"], ["best for"]),
    ("early_stopping", "d", ["small λ"], ["best for", "N=2 ("]),
    ("early_stopping", "e", ["N=2 (", "small λ"], ["best for"]),
    ("early_stopping", "f", ["best for residual loss", "N=d"], ["N=2 (", "small λ"]),
    ("fluctuations", "a", ["Test loss", "∝1/d"], ["theory", "mean", "draws", "N=d"]),
    ("fluctuations", "b", ["theory", "interval of the mean"], ["∝", "draws", "N=d"]),
    ("fluctuations", "c", ["mean of the draws", "middle 80 %"], ["theory", "∝", "interval"]),
    ("fluctuations", "d", ["theory", "middle 80 %", "N=d"], ["∝", "Test loss", "interval"]),
    ("learned_covariance", "a", ["null space", "v=λ+c", "c=0;"], []),
    ("learned_covariance", "b", ["c=0;"], ["null space", "v=λ+c"]),
    ("linearity", "a", ["MLP", "empirical score", "N=d"], ["quarter"]),
    ("linearity", "b", ["MLP", "leading quarter", "trailing quarter"], ["empirical score"]),
    ("regularization", "a", ["N=2 ("], ["best ridge", "best weight decay"]),
    ("regularization", "h", ["best ridge", "best weight decay", "large N"], ["N=2 ("]),
    ("regularization_models", "a", ["train loss", "without weight decay"], ["MLP", "N=d"]),
    ("regularization_models", "c", ["MLP", "N=d"], ["train loss", "test loss", "N=4"]),
    ("spectrum", "a", ["theory", "isotropic"], ["(i)"]),
    ("spectrum", "g", ["isotropic"], ["theory", "(i)"]),
    ("spectrum", "i", ["(i)"], ["theory"]),
    ("training_time", "a", ["N=8"], ["Onset", "Best stop", "level", "power law"]),
    ("training_time", "b", ["Best stop", "Time to fixed quality", "level of the fixed"], ["nset"]),
    ("training_time", "c", ["Onset", "level of the onset"], ["Best stop", "quality", "power law"]),
    ("training_time", "d", ["Onset", "power law"], ["Best stop", "level", "N=8"]),
]


@pytest.mark.parametrize(("name", "letter", "there", "absent"), PANELS)
def test_a_panel_alone_names_what_it_shows(
    name: str, letter: str, there: list[str], absent: list[str]
):
    text = of_panel(name, letter)
    assert [words for words in there if words not in text] == []
    assert [words for words in absent if words in text] == []


def test_an_entry_of_some_panels_is_not_found_in_others():
    with style.applied():
        figure, axes = style.panels(1, 2)
        style.line(axes[0, 0], [1, 2], [1, 2], COLOURS[0])
        style.line(axes[0, 1], [1, 2], [1, 2], COLOURS[1])
        style.titles(axes, ["", ""])
        line = style.within(axes[0, 0], [style.handle(GREY, "theory", dash="-")])
        fit = style.within(axes[0, 1:], [style.handle(GREY, "fit", dash="-")])
        none = style.within(axes[0, 0], [style.handle(COLOURS[1], "elsewhere", dash="-")])
        style.legend(figure, [*line, *fit, *none])
        assert entries(figure) == ["theory", "fit"]
        figure.set_layout_engine("none")
        layout.arrange(figure, "made up", layout.WIDTHS["column"], "b")
        assert entries(figure) == ["fit"]


def test_the_line_at_n_equal_to_d_is_no_guide_of_another_name():
    """It is dotted and grey as levels and references may be: they keep their entry by their own."""
    with style.applied():
        figure, axes = style.panels(1, 1)
        axes[0, 0].set_xlim(0.1, 10)
        style.n_is_d(axes[0, 0], 1)
        reference = style.handle(GREY, "reference", dash=style.DASHES[2])
        style.legend(figure, [reference])
        assert entries(figure) == ["$N=d$"]
        axes[0, 0].axhline(0.5, color=GREY, linestyle=style.DASHES[2])
        style.draw_legend(figure, 1)
        assert entries(figure) == ["reference", "$N=d$"]


def test_intervals_that_differ_by_panel_are_named_where_they_are():
    x, one = np.array([1.0, 2.0]), np.ones(2)
    part = {"value": one, "low": one / 2, "high": 2 * one}
    none = {"value": one, "low": math.nan * one, "high": math.nan * one}
    with style.applied():
        figure, axes = style.panels(1, 3)
        style.bars(axes[0, 0], x, part, COLOURS[0], "o")
        style.points(axes[0, 1], x, part, COLOURS[0], "o")
        style.bars(axes[0, 2], x, none, COLOURS[0], "o")
        style.titles(axes, ["", "", ""])
        words = {"of the mean": axes[0, 0], "of the draws": axes[0, 1], "of none": axes[0, 2]}
        style.legend(figure, [], interval=words)
        # Two kinds of bars are told apart by their panels; one alone needs no letter.
        assert entries(figure) == ["(a) of the mean", "(b) of the draws"]
        figure.set_layout_engine("none")
        layout.arrange(figure, "made up", layout.WIDTHS["column"], "b")
        assert entries(figure) == ["of the draws"]


def test_an_interval_looks_in_the_legend_as_in_the_panels():
    """A bar, a band or both, in their colour where all have one: grey is also a fill's colour."""
    x, one = np.array([1.0, 2.0]), np.ones(2)
    part = {"value": one, "low": one / 2, "high": 2 * one}
    for draw, colours, look in (
        ([style.points], COLOURS[:1], ("None", "-", COLOURS[0])),
        ([style.points], COLOURS[:2], ("None", "-", GREY)),
        ([style.bars], COLOURS[:2], ("|", "None", GREY)),
        ([style.points, style.bars], COLOURS[:1], ("|", "-", COLOURS[0])),
    ):
        with style.applied():
            figure, axes = style.panels(1, 1)
            for one_of, colour in itertools.product(draw, colours):
                one_of(axes[0, 0], x, part, colour, "o")
            style.legend(figure, [])
            (entry,) = figure.legends[0].get_lines()
        assert to_hex(entry.get_color()).upper() == look[2]
        marker = str(entry.get_marker()).replace("none", "None")
        assert (marker, entry.get_linestyle()) == look[:2]
        assert look[0] == "None" or to_hex(entry.get_markeredgecolor()).upper() == look[2]


def test_what_has_one_value_has_no_dot_of_its_own():
    """Two grey dots that look the same: of one d and of one ridge, which the caption names."""
    metrics, nested = synthetic.feed("transition")
    table, transition = plain(metrics), figures.load("transition")
    one = tables.where(table, d=8, ridge=0.1)
    for cells, dots in ((one, []), (table, ["$d=8$", "$d=16$", "ridge $c=0$", "ridge $c=0.01$"])):
        data = transition.query(cells, levels=nested["levels"])
        with style.applied():
            figure = transition.draw(data)
        assert [words for words in entries(figure) if words.startswith(("$d", "ridge"))] == dots
        assert ("Ridge $c=0.1$." in caption.words(figure, data)) == (not dots)


def test_an_entry_of_a_model_is_filled_as_its_points_are():
    with style.applied():
        figure = figures.load("cumulants").draw(data_of("cumulants"))
    (legend,) = figure.legends
    shown = {handle.get_label(): handle.get_markerfacecolor() for handle in legend.legend_handles}
    assert shown["MLP"] == "white"
    assert {
        line.get_markerfacecolor() for line in figure.axes[0].lines if line.get_marker() == "s"
    } == {"white"}
