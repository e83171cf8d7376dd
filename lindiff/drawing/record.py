"""What a drawing is made of besides its artists: panels by letter, legend entries, caption words.

matplotlib keeps none of it. From here the caption is written, and the drawing is made again of a
few of its panels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Panel:
    """A lettered panel.

    Attributes:
        title: Its title without the letter; empty where that of its row or column stands for it.
        axes: Its axes: one, or the pictures of a strip.
    """

    title: str
    axes: list[Axes]


@dataclass
class Bar:
    """A colour bar.

    Attributes:
        axes: The panels that it is of.
        draw: Draws it beside the panels given, and returns its own axes.
        own: Those axes as they are.
    """

    axes: list[Axes]
    draw: Callable[[Sequence[Axes]], Axes]
    own: Axes


@dataclass
class Record:
    """What is known of one drawing.

    Attributes:
        panels: The panels by letter.
        bars: The colour bars.
        handles: The entries that its legend may have.
        places: Of entries that name what is in some of the panels alone, the axes of those.
        columns: Most columns of the legend.
        intervals: What the intervals of its points are, in the words of the legend, each with the
            axes that have them; None where all have.
        words: Sentences of the caption, with mathtext: what is held fixed, notes.
    """

    panels: dict[str, Panel] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    handles: list[Any] = field(default_factory=list)
    places: dict[Any, list[Axes]] = field(default_factory=dict)
    columns: int = 1
    intervals: dict[str, list[Axes] | None] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)


_RECORDS: WeakKeyDictionary[Figure, Record] = WeakKeyDictionary()


def of(figure: Figure) -> Record:
    """The record of a drawing."""
    return _RECORDS.setdefault(figure, Record())
