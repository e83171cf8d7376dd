"""Every figure there is over any table: it draws what there is, and never ends the run.

``LINDIFF_FUZZ=N`` tries N tables a figure.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from lindiff import figures
from lindiff.columns.arrays import plain
from lindiff.drawing import drawn, layout, output, style
from lindiff.report import answers
from tests.figures import any_table, synthetic

EXAMPLES = int(os.environ.get("LINDIFF_FUZZ", "1"))


@pytest.mark.slow
@pytest.mark.parametrize("name", figures.FIGURES)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck), phases=[Phase.generate])  # fmt: skip
@given(data=st.data())
def test_any_table_is_drawn(name: str, data: st.DataObject):
    metrics, nested = data.draw(any_table.sweeps(name))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        synthetic.write(results, metrics, **nested)
        found = figures.figure_data(name, results, ("one",))
        with style.applied():
            figure = figures.drawing(name, found)
            whole = data.draw(st.integers(0, 9)) == 0
            if not whole:  # finding where the panels lie costs most of a drawing
                figure.set_layout_engine("none")
            figure.draw_without_rendering()
            check(figure)
            if found.num_rows:
                check(arranged(name, found, data))
            outputs = figures.outputs(name, results)
            outputs.data.parent.mkdir(exist_ok=True)
            pq.write_table(found, outputs.data)
            answers.write(results, [name], results / "answers.html")
            if whole:
                output.save(figure, found, outputs)
                assert all(path.stat().st_size > 1000 for path in (outputs.pdf, outputs.png))
                assert pq.read_table(outputs.data).equals(found, check_metadata=True)
    needed = [key for key in nested if key in figures.needs(name).metrics]
    none = figures.load(name).query(
        plain(metrics.slice(0, 0)), **{key: nested[key].slice(0, 0) for key in needed}
    )
    assert found.schema.equals(none.schema), "the columns depend on the rows"


def arranged(name: str, found: pa.Table, data: st.DataObject) -> Figure:
    """One panel or, where there is room, all, at one width, without finding where it lies."""
    figure = figures.load(name).draw(found)
    letters = sorted(layout.panels(figure))
    width = layout.WIDTHS[data.draw(st.sampled_from(sorted(layout.WIDTHS)))]
    whole = [None] if len(letters) <= width.most else []
    letter = data.draw(st.sampled_from([*letters, *whole]))
    layout.arrange(figure, name, width, letter)
    drawn.finish(figure)
    figure.set_layout_engine("none")
    figure.draw_without_rendering()
    return figure


def check(figure: Figure) -> None:
    """No panel is empty without a word, every axis is labelled, the legend names what is drawn."""
    assert figure.axes or figure.texts
    panels = [ax for ax in figure.axes if ax.axison and ax.get_visible()]
    for ax in panels:
        said = [text for text in ax.texts if text.get_gid() == drawn.NOTHING]
        assert bool(said) == drawn.empty(ax) or ax.images or len(said) == 1
        for name in "xy":
            assert all(np.isfinite(getattr(ax, f"get_{name}lim")()))
            if not said and not ax.images and ax.get_subplotspec() is not None:
                assert _label(ax, name, panels)
                assert _count(ax, name) > 1 or _given(ax, name)
    colours = {_hex(artist) for ax in figure.axes for artist in (*ax.lines, *ax.collections)}
    for legend in figure.legends:
        for handle in legend.legend_handles:
            assert _hex(handle) in colours | {style.GREY, style.BLACK}  # which stand for any


def _hex(artist: Any) -> str:
    colour = artist.get_color() if hasattr(artist, "get_color") else artist.get_edgecolor()
    colour = to_rgba_array(colour)
    return to_hex(colour[0]).upper() if len(colour) else ""


def _label(ax: Axes, name: str, panels: list[Axes]) -> str:
    """The label of an axis, or the one that stands for it at the end of its row or column."""
    spec = ax.get_subplotspec()
    same = [
        other for other in panels
        if (own := other.get_subplotspec()) is not None
        and (own.colspan == spec.colspan if name == "x" else own.rowspan == spec.rowspan)
    ]  # fmt: skip
    return next(filter(None, (getattr(one, f"get_{name}label")() for one in [ax, *same])), "")


def _given(ax: Axes, name: str) -> bool:
    """Whether the ticks are the values of a setting themselves, of which there may be one."""
    return isinstance(getattr(ax, f"{name}axis").get_major_locator(), FixedLocator)


def _count(ax: Axes, name: str) -> int:
    """The number of tick labels within an axis, or within one that it is shared with."""
    group = getattr(ax, f"get_shared_{name}_axes")().get_siblings(ax)
    counts = []
    for axis in (getattr(one, f"{name}axis") for one in group):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        shown = [t for t in ticks if t.label1.get_text() and low <= t.get_loc() <= high]
        counts.append(len({t.get_loc() for t in shown}))
    return max(counts)
