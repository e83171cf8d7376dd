"""The look of every figure: fonts, colours, sizes, bands, legends and labels.

Points are measurements, their bands intervals over seeds; lines are exact curves. Colours are the
Okabe-Ito set and never stand alone: marker or dash says the same. matplotlib is imported inside
the functions, so that importing a figure's file stays cheap.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.drawing import drawn, labels, record, slices, tables
from lindiff.drawing.labels import held, label, setting, spectrum
from lindiff.drawing.ticks import label_logarithmic
from lindiff.science.pools import INDEPENDENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN = 3.4  # inches
TWO_COLUMNS = 7.0
BLACK, GREY = drawn.BLACK, drawn.GREY
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
# Abscissae near 1, whose ticks are numbers without powers of ten.
_PLAIN = ("n_over_d", "group_size", "population_variance")
_PAGE_LETTERS = 62  # of a line of a page of words
_BEYOND = 1e6  # an infinite end is drawn this many times the centre away: out of every panel
RC: dict[str, Any] = {
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "font.family": "STIXGeneral",
    "mathtext.fontset": "cm",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "figure.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
}

_SIZES = [name for name in RC if name.endswith(("size", "width", "labelsize"))]


@contextmanager
def applied(scale: float = 1.0, **more: Any) -> Iterator[None]:
    """The rc settings of all figures, for the time of a drawing and its saving.

    Args:
        scale: Factor on the sizes of text, lines and markers.
        more: Further settings, their dots as double underscores.
    """
    import matplotlib

    # The fonts of matplotlib carry dates that fontTools warns of when it embeds them.
    fonts = logging.getLogger("fontTools")
    level = fonts.level
    fonts.setLevel(logging.ERROR)
    sizes = {name: RC[name] * scale for name in _SIZES}
    own = {name.replace("__", "."): value for name, value in more.items()}
    try:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(cast(Any, RC | sizes | own))
            yield
    finally:
        fonts.setLevel(level)


def scaled(points: float) -> float:
    """A size in points under the `scale` of `applied`."""
    import matplotlib

    return points * float(matplotlib.rcParams["font.size"] / RC["font.size"])


def panels(
    rows: int, columns: int, width: float = TWO_COLUMNS, height: float = 2.2, **share: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure of `rows` × `columns` panels; `height` is in inches a row.

    Returns:
        The figure and its axes, shape (rows, columns).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows))
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def titles(axes: NDArray[Any], texts: Sequence[str]) -> None:
    """Letter the panels (a), (b), … and title each at its left."""
    for letter, ax, text in zip(record.LETTERS, axes.flat, texts, strict=False):
        ax.set_title(f"({letter}) {text}", loc="left")
        known = record.of(ax.get_figure(root=True))
        known.panels[letter] = record.Panel(text, [ax])


def together(axes: Sequence[Axes]) -> None:
    """Make one panel of the lettered first of `axes` and those after it, such as its pictures."""
    figure: Any = axes[0].get_figure(root=True)
    (panel,) = (one for one in record.of(figure).panels.values() if axes[0] in one.axes)
    panel.axes = list(axes)


def colour_bar(
    figure: Figure, axes: Sequence[Axes], draw: Callable[[Sequence[Axes]], Axes]
) -> None:
    """Draw a colour bar of `axes` by `draw`, which is called again where only some are kept."""
    record.of(figure).bars.append(record.Bar(list(axes), draw, draw(axes)))


def points(
    ax: Axes,
    x: NDArray[Any],
    data: Mapping[str, NDArray[Any]],
    colour: str,
    marker: str,
    *,
    filled: bool = False,
) -> None:
    """Centres as markers over the band of their intervals; an infinite end leaves the panel.

    An interval that has no neighbour is a bar.

    Args:
        ax: The panel.
        x: Abscissae, shape (m,), ascending.
        data: Columns of `tables.summarise`; a missing end (nan) gives no band there.
        colour: Of markers and band.
        marker: Of the centres.
        filled: Full markers; open ones show what lies below them.
    """
    value, low, high = _interval(data)
    alone = _alone(low, high)
    seen = _seen(low[~alone], high[~alone])
    ax.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0, gid=seen)
    if alone.any():
        _bars(ax, x[alone], low[alone], high[alone], colour)
    _markers(ax, x, value, colour, marker, filled)


def bars(
    ax: Axes, x: NDArray[Any], data: Mapping[str, NDArray[Any]], colour: str, marker: str,
    *, filled: bool = False,
) -> None:  # fmt: skip
    """As `points`, with a bar for each interval where neighbours do not make a band."""
    value, low, high = _interval(data)
    _bars(ax, x, low, high, colour)
    _markers(ax, x, value, colour, marker, filled)


def _bars(ax: Axes, x: NDArray[Any], low: NDArray[Any], high: NDArray[Any], colour: str) -> None:
    ax.vlines(x, low, high, colors=colour, linewidth=scaled(0.9), gid=_seen(low, high))


def _alone(low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.bool_]:
    """Which intervals have none beside them: a band over one abscissa has no width."""
    there = np.concatenate([[False], np.isfinite(low + high), [False]])
    return np.asarray(there[1:-1] & ~there[:-2] & ~there[2:], np.bool_)


def _seen(low: NDArray[Any], high: NDArray[Any]) -> str | None:
    """The gid of intervals of which a legend has something to say."""
    return drawn.INTERVAL if np.isfinite(low + high).any() else None


def _interval(data: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], ...]:
    value, low, high = (np.asarray(data[name], dtype=float) for name in ("value", "low", "high"))
    return value, low, np.where(np.isinf(high), _BEYOND * np.maximum(np.abs(value), 1), high)


def _markers(
    ax: Axes, x: NDArray[Any], y: NDArray[Any], colour: str, marker: str, filled: bool
) -> None:
    face = colour if filled else "white"
    ax.plot(
        x,
        y,
        linestyle="none",
        marker=marker,
        color=colour,
        markerfacecolor=face,
        markeredgewidth=scaled(0.7),
    )


def line(ax: Axes, x: Any, y: Any, colour: str = BLACK, dash: Any = "-", **more: Any) -> None:
    """An exact curve, above the points."""
    if "linewidth" in more:
        more["linewidth"] = scaled(more["linewidth"])
    ax.plot(x, y, color=colour, linestyle=dash, gid=drawn.dash_id(dash), **{"zorder": 3, **more})


def axis(ax: Axes, x: str, y: str | None = None, *, log: str = "xy") -> None:
    """Label the axes by the columns `x` and `y`; those named in `log` are logarithmic.

    An axis without a positive value stays linear. On N/d a thin dotted line marks N = d.
    """
    ax.set_xlabel(label(x))
    if y is not None:
        ax.set_ylabel(label(y))
    if x == "n_over_d":
        n_is_d(ax, 1)
    for name in log:
        if drawn.has_positive(ax, name):
            getattr(ax, f"set_{name}scale")("log")
            label_logarithmic(getattr(ax, f"{name}axis"), plain=x in _PLAIN and name == "x")


def n_is_d(ax: Axes, x: float) -> None:
    """A thin dotted line where N = d, behind all else."""
    look: dict[str, Any] = {"color": GREY, "linestyle": DASHES[2], "linewidth": scaled(0.6)}
    ax.axvline(x, **look, zorder=0, gid=drawn.DIMENSION)


def fit(ax: Axes, values: NDArray[Any], *, log: bool) -> None:
    """Limit the ordinate to the finite `values` with a margin, whatever lines run beyond."""
    seen = values[np.isfinite(values) & ((values > 0) | (not log))]
    if seen.size == 0:
        return
    low, high = float(seen.min()), float(seen.max())
    if log:
        margin = (high / low) ** 0.06 * 1.2
        ax.set_ylim(low / margin, high * margin)
    else:
        margin = 0.08 * (high - low) or 0.1
        ax.set_ylim(low - margin, high + margin)


def handle(
    colour: str, label: str, *, marker: str | None = None, dash: Any = None, filled: bool = False
) -> Any:
    """An entry for `legend`: a marker, a line, or both."""
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=colour,
        label=label,
        marker=marker or "none",
        linestyle="none" if dash is None else dash,
        gid=None if dash is None else drawn.dash_id(dash),
        markeredgewidth=scaled(0.7),
        markerfacecolor=colour if filled else "white",
    )


def strengths(data: pa.Table) -> list[tuple[float, str, str, Any]]:
    """Value, colour, marker and legend entry of each regularization, the weakest first."""
    name, values = slices.strengths(data)
    return [
        (value, colour, marker, handle(colour, setting(name, value), marker=marker))
        for value, colour, marker in zip(values, COLOURS, MARKERS, strict=False)
    ]


def spectra(data: pa.Table) -> list[tuple[tuple[str, str], str, str, Any]]:
    """Kind and parameters, colour, marker and legend entry of each spectrum."""
    keys = tables.distinct_keys(data, slices.SPECTRUM)
    return [
        (key, colour, marker, handle(colour, spectrum(*key), marker=marker))
        for key, colour, marker in zip(keys, COLOURS, MARKERS, strict=False)
    ]


def within(axes: Any, entries: Sequence[Any]) -> list[Any]:
    """Entries of a legend that name what is in some panels alone, whatever looks like it elsewhere.

    Args:
        axes: Those panels: axes, or an array of them.
        entries: Results of `handle`.

    Returns:
        The entries.
    """
    places = list(np.ravel(axes))
    figure: Any = places[0].get_figure(root=True)
    record.of(figure).places.update(dict.fromkeys(entries, places))
    return list(entries)


def legend(
    figure: Figure,
    handles: Sequence[Any],
    columns: int = 4,
    interval: str | Mapping[str, Any] = "95 % interval",
) -> None:
    """One legend for all panels, below them and off the data: of `handles` those that are drawn.

    What all figures have is named after them: intervals, where bands or bars are seen, the line at
    N = d, and what lies beyond the ends of a panel, which is marked there.

    Args:
        figure: The drawing.
        handles: Results of `handle`.
        columns: Most columns.
        interval: What bands and bars are; where they are not the same in all panels, words each
            with its axes.
    """
    drawn.mark_edges(figure)
    known = record.of(figure)
    known.handles, known.columns = list(handles), columns
    known.intervals = (
        {interval: None} if isinstance(interval, str)
        else {words: list(np.ravel(axes)) for words, axes in interval.items()}
    )  # fmt: skip
    draw_legend(figure, columns)


def draw_legend(figure: Figure, columns: int) -> None:
    """The legend of what is in `figure` by now, in place of one before; as for `legend`."""
    for old in figure.legends[:]:
        old.remove()
    known = record.of(figure)
    entries = [*drawn.named(figure, known.handles), *_common(figure, known.intervals)]
    if not entries:
        return
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=columns,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def _common(figure: Figure, intervals: Mapping[str, Sequence[Axes] | None]) -> list[Any]:
    """The entries that no figure names itself."""
    shown: dict[str, list[Any]] = {}
    for words, axes in intervals.items():
        panels = [ax for ax in figure.axes if axes is None or ax in axes]
        own = [c for ax in panels for c in ax.collections if c.get_gid() == drawn.INTERVAL]
        if own and words:
            shown[words] = own
    found = [
        _interval_entry(own, f"{_letters(figure, own)}{words}" if len(shown) > 1 else words)
        for words, own in shown.items()
    ]
    if drawn.has_dimension(figure):
        found.append(handle(GREY, "$N=d$", dash=DASHES[2]))
        found[-1].set_linewidth(scaled(0.6))
    return found + [
        handle(GREY, drawn.EDGES[marker], marker=marker, filled=True)
        for marker in drawn.edges(figure)
    ]


def _letters(figure: Figure, shown: Sequence[Any]) -> str:
    """Which panels have these intervals: ``(c), (d) ``."""
    places = {one.axes for one in shown}
    panels = record.of(figure).panels.items()
    found = [f"({letter})" for letter, panel in panels if places & set(panel.axes)]
    return ", ".join(found) + " " * bool(found)


def _interval_entry(shown: Sequence[Any], words: str) -> Any:
    """A bar, a band, or a bar on a band; in their colour where all have one."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_hex, to_rgba
    from matplotlib.lines import Line2D

    bars = [isinstance(one, LineCollection) for one in shown]
    colours = {
        to_hex(rgba)
        for one, bar in zip(shown, bars, strict=True)
        for rgba in (one.get_edgecolor() if bar else one.get_facecolor())
    }
    colour = colours.pop() if len(colours) == 1 else GREY
    look: dict[str, Any] = {"linestyle": "none"}
    if not all(bars):
        look = {"linewidth": scaled(5), "solid_capstyle": "butt"}
    if any(bars):
        look |= {"marker": "|", "markeredgecolor": colour}
    return Line2D([], [], color=to_rgba(colour, 0.35), label=words, **look)


def heading(figure: Figure, data: pa.Table, *, without: Sequence[str] = (), note: str = "") -> None:
    """Title the figure with its data, and keep for the caption what it holds fixed and a note.

    Args:
        figure: The drawing.
        data: What it draws.
        without: Settings that it holds fixed and that neither title nor caption name.
        note: A sentence of the caption, without its full stop.
    """
    facts = tables.facts(data)
    if title := labels.held(facts, without=without, only=labels.DATA):
        figure.suptitle(title)
    words = []
    if fixed := held(facts, without=without):
        words.append(f"Held fixed: {fixed}.")
    if seeds := sorted({n for n in data["seeds"].to_pylist() if n is not None}):
        span = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        words.append(f"Training sets behind a point: {span}.")
    first = None if "pool_fraction" in without else facts.get("dependent_from")
    if first:
        words.append(
            f"From $N={first}$ on training sets are more than 1/{1 / INDEPENDENT:g} of the pool, "
            "not like independent samples."
        )
    words += [labels.few(*one) for one in facts.get("few", {}).items()]
    if note:
        words.append(f"{note[:1].upper()}{note[1:]}.")
    record.of(figure).words = words


def page(sentences: Sequence[str]) -> Figure:
    """A page without panels that says, a sentence each, why nothing is drawn."""
    from matplotlib.figure import Figure

    lines = [line for text in sentences for line in textwrap.wrap(text, _PAGE_LETTERS)]
    figure = Figure(figsize=(ONE_COLUMN, 0.3 + 0.16 * len(lines)))
    figure.text(0.04, 0.5, "\n".join(lines), va="center")
    return figure
