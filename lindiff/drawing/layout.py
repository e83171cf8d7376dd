"""The drawing of a figure again at the width of a page or a slide, whole or one panel of it.

A panel that leaves its neighbours takes with it what they said for it: the labels of the axes, and
the title of its row or column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lindiff.drawing import markup, record, style
from lindiff.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Width:
    """A width that figures are made for.

    Attributes:
        inches: The width: of a column or the text of a page, or of a slide, which is 16:9.
        columns: Panels side by side where the drawing's own grid is not kept.
        most: Most panels of a whole figure.
        panel: Height of a row of panels in inches, without title and legend.
        total: Height of all in inches, where it is given.
        scale: Factor on the sizes of text, lines and markers.
    """

    inches: float
    columns: int
    most: int
    panel: float
    total: float | None = None
    scale: float = 1.0


WIDTHS = {
    "column": Width(style.ONE_COLUMN, 1, 4, 2.1),
    "text": Width(style.TWO_COLUMNS, 3, len(record.LETTERS), 2.1),
    "slide": Width(10.0, 2, 4, 0, total=5.625, scale=2.0),
}
_WIDE = 3.1  # inches of the height of a single panel as wide as the text


def panels(figure: Figure) -> dict[str, record.Panel]:
    """The panels of a drawing by letter; the only one of a drawing without letters is ``a``."""
    known = record.of(figure).panels
    alone = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    return known or {"a": record.Panel("", alone[:1])}


def listing(figure: Figure) -> str:
    """The letters of a drawing's panels, each with what it shows."""
    found = {letter: _title(figure, panel) for letter, panel in panels(figure).items()}
    words = {
        letter: title if title and list(found.values()).count(title) == 1
        else ", ".join(filter(None, [title, _axes_words(panels(figure)[letter])]))
        for letter, title in found.items()
    }  # fmt: skip
    return ", ".join(f"{letter} ({markup.plain(text)})" for letter, text in words.items())


def arrange(figure: Figure, name: str, width: Width, letter: str | None = None) -> None:
    """Bring a drawing to a width, and to one panel if `letter` is given.

    Call it under `style.applied` with the width's `scale`, under which the figure was drawn.

    Raises:
        InputError: There is no such panel, or the width has no room for all; the message lists the
            panels of the figure `name`.
    """
    every = panels(figure)
    if letter is not None and letter not in every:
        raise InputError(f"{name} has no panel {letter!r}; there are: {listing(figure)}")
    if letter is None and len(every) > width.most:
        raise InputError(
            f"{name}: its {len(every)} panels have no room in {width.inches:g} inches at a size "
            f"that one reads; take the width text, or one panel: {listing(figure)}"
        )
    chosen = list(every.values()) if letter is None else [every[letter]]
    rows = _rows(figure)
    if letter is not None or figure.get_figwidth() != width.inches:
        columns = min(len(chosen), width.columns)
        rows = -(-len(chosen) // columns)
        _place(figure, chosen, rows, columns, lettered=letter is None)
    _size(figure, width, rows, alone=letter is not None)


def _rows(figure: Figure) -> int:
    specs = (ax.get_subplotspec() for ax in figure.axes)
    return max((s.get_gridspec().nrows for s in specs if s is not None), default=1)


def _place(
    figure: Figure, chosen: Sequence[record.Panel], rows: int, columns: int, *, lettered: bool
) -> None:
    """Put the panels into a grid of their own, and take all others away."""
    words = [(_title(figure, p), _label(p.axes[0], "x"), _label(p.axes[0], "y")) for p in chosen]
    known = record.of(figure).panels if lettered else {}
    letters = {id(panel): f"({letter}) " for letter, panel in known.items()}
    kept = [ax for panel in chosen for ax in panel.axes]
    for bar in record.of(figure).bars:
        bar.own.remove()
    for ax in [one for one in figure.axes if one not in kept]:
        if ax.get_subplotspec() is not None:
            ax.remove()
    grid = figure.add_gridspec(rows, columns)
    for i, (panel, (title, x, y)) in enumerate(zip(chosen, words, strict=True)):
        own = grid[i // columns, i % columns].subgridspec(1, len(panel.axes))
        for ax, spec in zip(panel.axes, [own[0, j] for j in range(len(panel.axes))], strict=True):
            ax.set_subplotspec(spec)
            ax.tick_params(labelleft=True, labelbottom=True)
        first = panel.axes[0]
        first.set(xlabel=x, ylabel=y)
        first.set_title(letters.get(id(panel), "") + title, loc="left")
    for bar in record.of(figure).bars:
        for ax in [one for one in bar.axes if one in kept]:
            bar.draw([ax])


def _size(figure: Figure, width: Width, rows: int, *, alone: bool) -> None:
    """The size of the figure: the legend in as few lines as the width has room for."""
    wide = alone and width.inches > style.ONE_COLUMN
    panel = _WIDE if wide else width.panel
    figure.set_size_inches(width.inches, width.total or panel * rows)
    _wrap_titles(figure)
    known = record.of(figure)
    legend = 0.0
    for columns in range(max(known.columns, 1), 0, -1):
        style.draw_legend(figure, columns)
        if not figure.legends:
            break
        box = figure.legends[0].get_window_extent(_renderer(figure))
        legend = box.height / figure.dpi
        if box.width <= 0.98 * figure.bbox.width:
            break
    if width.total is None:
        above = 0.16 * (1 + figure.get_suptitle().count("\n")) * bool(figure.get_suptitle())
        figure.set_figheight(panel * rows + legend + above + 0.25 * len(known.bars) * rows)


def _renderer(figure: Figure) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    return canvas.get_renderer()


def _wrap_titles(figure: Figure) -> None:
    """Break titles that are wider than what they stand above, at the commas of the words."""
    if figure.get_suptitle():
        figure.suptitle(_wrapped(figure, figure.get_suptitle(), figure.bbox.width))
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        text = ax.get_title(loc="left")
        if spec is not None and text:
            share = len(spec.colspan) / spec.get_gridspec().ncols
            outer = spec.get_topmost_subplotspec()
            share *= len(outer.colspan) / outer.get_gridspec().ncols if outer is not spec else 1
            ax.set_title(_wrapped(figure, text, 0.85 * share * figure.bbox.width), loc="left")


def _wrapped(figure: Figure, text: str, pixels: float) -> str:
    """Words broken at ", " into lines of this width, as far as they go."""
    renderer, lines = _renderer(figure), [""]
    for piece in text.split(", "):
        longer = f"{lines[-1]}, {piece}" if lines[-1] else piece
        probe = figure.text(0, 0, longer)
        fits = probe.get_window_extent(renderer).width <= pixels
        probe.remove()
        if fits or not lines[-1]:
            lines[-1] = longer
        else:
            lines[-1] += ","
            lines.append(piece)
    return "\n".join(lines)


def _title(figure: Figure, panel: record.Panel) -> str:
    """The title of a panel as it says alone what it is.

    Where it has none it is that of its row's first, else of its column's; one that is repeated
    along its row has that of its column before it.
    """
    spec: Any = panel.axes[0].get_subplotspec()
    titled = [
        (one.title, own) for one in panels(figure).values()
        if one.title and (own := one.axes[0].get_subplotspec()) is not None
        and own.get_gridspec() is spec.get_gridspec()
    ]  # fmt: skip
    row, column = spec.rowspan, spec.colspan
    left = [t for t, s in titled if s.rowspan == row and s.colspan.start < column.start]
    above = [t for t, s in titled if s.colspan == column and s.rowspan.start < row.start]
    if not panel.title:
        return next(iter([*left, *above]), "")
    alike = [one for one in panels(figure).values() if one.title == panel.title]
    if len(alike) > 1 and above and above[0] != panel.title:
        return f"{above[0]}, {panel.title}"
    return panel.title


def _label(ax: Axes, name: str) -> str:
    """The label of an axis, or the one that stands for it in its column or row."""
    own = str(getattr(ax, f"get_{name}label")())
    spec = ax.get_subplotspec()
    figure: Any = ax.get_figure(root=True)
    if own or spec is None or ax.images:
        return own
    span = "colspan" if name == "x" else "rowspan"
    mates = [
        other for other in figure.axes
        if (found := other.get_subplotspec()) is not None and other.axison
        and found.get_gridspec() is spec.get_gridspec()
        and getattr(found, span) == getattr(spec, span)
    ]  # fmt: skip
    labels = [str(getattr(mate, f"get_{name}label")()) for mate in mates]
    return next(filter(None, reversed(labels) if name == "x" else labels), "")


def _axes_words(panel: record.Panel) -> str:
    x, y = (_label(panel.axes[0], name) for name in "xy")
    return f"{y} over {x}".replace("\n", ", ")
