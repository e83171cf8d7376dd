"""What a panel shows: whether anything, what lies beyond its ends, what a legend may name."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lindiff.drawing import record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTHING = "nothing to draw"
EDGES = {"^": "at the upper edge: infinite", "v": "at the lower edge: not above 0"}
GREY = "#7F7F7F"  # the colour of a legend's entry that stands for any colour
BLACK = "#000000"  # and of one whose marker comes in any colour
INTERVAL, DIMENSION = "interval", "N = d"  # of bands and bars; of the line at N = d
_EDGE, _DASH = "edge", "dash "
_LETTERS = 16  # of a panel's inch


def finish(figure: Figure) -> None:
    """Say in the panels of a figure that stayed empty that there is nothing to draw."""
    for ax in figure.axes:
        if empty(ax) and ax.axison and ax.get_visible():
            if not any(text.get_gid() == NOTHING for text in ax.texts):
                nothing(ax)
            _hide_ticks(ax, "x")
            _hide_ticks(ax, "y")


def nothing(ax: Axes, words: str = "") -> None:
    """Say in a panel that there is nothing to draw, and what it takes for there to be."""
    text = f"{NOTHING}: it takes {words}" if words else NOTHING
    figure: Any = ax.get_figure(root=True)
    width = ax.get_position().width * figure.get_figwidth()
    text = textwrap.fill(text, max(12, int(_LETTERS * width)))
    middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": ax.transAxes}
    ax.text(0.5, 0.5, text, **middle, fontsize=7, gid=NOTHING)


def has_positive(ax: Axes, name: str) -> bool:
    """Whether a logarithmic axis of this name has something to show, here or where it is shared."""
    group = getattr(ax, f"get_shared_{name}_axes")().get_siblings(ax)
    return any(np.isfinite(getattr(one, f"{name}axis").get_minpos()) for one in group)


def empty(ax: Axes) -> bool:
    """Whether a panel has neither a point nor a line, a map, a picture or a mark at its edge."""
    if ax.images or any(line.get_gid() == _EDGE for line in ax.lines):
        return False
    return not any(_shown(line) for line in _own(ax)) and not any(
        _collected(collection) for collection in ax.collections
    )


def _own(ax: Axes) -> Iterator[Any]:
    """The lines of a panel that belong to its coordinates: none that spans the panel."""
    return (line for line in ax.lines if line.get_transform() == ax.transData)


def _shown(line: Any) -> bool:
    return bool(_finite(line.get_xdata(), line.get_ydata()).any())


def _finite(x: Any, y: Any) -> NDArray[np.bool_]:
    both = np.isfinite(np.asarray(x, float)) & np.isfinite(np.asarray(y, float))
    return np.asarray(both, np.bool_)


def _collected(collection: Any) -> bool:
    from matplotlib.collections import LineCollection, PathCollection, QuadMesh

    if isinstance(collection, PathCollection):
        return bool(_finite(*np.ma.getdata(collection.get_offsets()).T).any())
    if isinstance(collection, LineCollection):
        return any(np.isfinite(path.vertices).all() for path in collection.get_paths())
    return isinstance(collection, QuadMesh)


def mark_edges(figure: Figure) -> None:
    """Mark at the edges of the panels the points that lie beyond them.

    At the upper edge those that are infinite, at the lower one those that a logarithmic axis cannot
    show.
    """
    for marker in EDGES:
        for ax in figure.axes:
            _mark_edge(ax, marker)


def has_dimension(figure: Figure) -> bool:
    """Whether the line at N = d is in a panel."""
    return any(map(marks_dimension, figure.axes))


def marks_dimension(ax: Axes) -> bool:
    """Whether the line at N = d is in this panel."""
    return any(line.get_gid() == DIMENSION for line in ax.lines)


def edges(figure: Figure) -> list[str]:
    """The markers of `EDGES` that are used in a figure."""
    lines = (line for ax in figure.axes for line in ax.lines if line.get_gid() == _EDGE)
    used = {line.get_marker() for line in lines}
    return [marker for marker in EDGES if marker in used]


def _mark_edge(ax: Axes, marker: str) -> None:
    for line in list(_own(ax)):
        if line.get_linestyle() != "None":
            continue
        x, y = (np.asarray(values, float) for values in line.get_data())
        below = np.isneginf(y) | ((y <= 0) & (ax.get_yscale() == "log"))
        there = np.isfinite(x) & ((x > 0) | (ax.get_xscale() != "log"))
        at = x[there & (np.isposinf(y) if marker == "^" else below)]
        if len(at):
            height = np.full(len(at), float(marker == "^"))
            ax.plot(
                at, height, transform=ax.get_xaxis_transform(), color=line.get_color(),
                marker=marker, linestyle="none", markersize=4, clip_on=False, zorder=5, gid=_EDGE,
            )  # fmt: skip


def dash_id(dash: Any) -> str:
    """The gid of a line, by which a legend's entry of the same dash finds it."""
    return f"{_DASH}{dash}"


def named(figure: Figure, handles: Sequence[Any]) -> list[Any]:
    """The entries of a legend whose marker, line or colour is found in a panel.

    In any panel, or in those that `style.within` gave it. A grey one stands for any colour, its
    ``o`` for any marker of that filling; a black one for its marker in any colour.
    """
    places = record.of(figure).places
    return [
        handle for handle in handles
        if any(_is_in(ax, handle) for ax in figure.axes if ax in places.get(handle, figure.axes))
    ]  # fmt: skip


def _is_in(ax: Axes, handle: Any) -> bool:
    return any(_names(handle, line) for line in ax.lines) or any(
        _names_collection(handle, one) for one in ax.collections if _collected(one)
    )


def _names(handle: Any, line: Any) -> bool:
    colour = _hex(handle.get_color())
    if line.get_gid() == DIMENSION:
        return False  # which has an entry of its own
    if line.axes is None or line.get_transform() != line.axes.transData:
        # A guide across the panel: its dash is known to be one, not which; or bars at an edge.
        guide = "--" == handle.get_linestyle() == line.get_linestyle()
        guide = guide and line.get_gid() != DIMENSION
        return colour == GREY and (guide or "_" == _marker(handle) == _marker(line))
    if not _shown(line):
        return False
    same = colour in (GREY, _hex(line.get_color()))
    marker, drawn = _marker(handle), _marker(line)
    if marker and drawn:
        if colour == GREY and marker == "o":
            return _open(handle) == _open(line)
        if marker == drawn and (same or colour == BLACK):
            return True
    return bool(_dash(handle)) and same and _dash(handle) == _dash(line)


def _names_collection(handle: Any, collection: Any) -> bool:
    """Of points, whose marker is their gid, the marker; of bars and ticks the colour."""
    colour = _hex(handle.get_color())
    if _marker(handle) and _marker(handle) == collection.get_gid():
        return True
    drawn = {_hex(one) for one in collection.get_edgecolor()}
    return colour not in (GREY, BLACK) and colour in drawn


def _open(line: Any) -> bool:
    return _hex(line.get_markerfacecolor()) == "#FFFFFF"


def _marker(line: Any) -> str:
    marker = line.get_marker()
    return "" if marker in ("none", "None", None) else str(marker)


def _dash(line: Any) -> str:
    if line.get_linestyle() == "None":
        return ""
    gid = str(line.get_gid() or "")
    return gid.removeprefix(_DASH) if gid.startswith(_DASH) else str(line.get_linestyle())


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour).upper()


def _hide_ticks(ax: Axes, name: Literal["x", "y"]) -> None:
    """No ticks on an axis that no panel has data for."""
    group = getattr(ax, f"get_shared_{name}_axes")().get_siblings(ax)
    if all(not np.isfinite(getattr(one.dataLim, f"interval{name}")).all() for one in group):
        sides = ("bottom", "top") if name == "x" else ("left", "right")
        off: dict[str, Any] = dict.fromkeys((*sides, *(f"label{side}" for side in sides)), False)
        ax.tick_params(axis=name, which="both", **off)
