"""Tick labels of logarithmic axes: at least two, however short the axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lindiff.drawing.labels import number

if TYPE_CHECKING:
    from matplotlib.ticker import Locator

_SHORT = 50  # a logarithmic axis below this ratio of its ends needs labels between the decades


def label_logarithmic(axis: Any, *, plain: bool) -> None:
    """Labels of a logarithmic axis: decades, 2 and 5 too on a short one, else round ones.

    Args:
        axis: The x or y axis of a panel, logarithmic.
        plain: Label decades by plain numbers, as N/d.
    """
    from matplotlib.ticker import FuncFormatter

    def between(value: float, _: int) -> str:
        low, high = sorted(axis.get_view_interval())
        if _few(low, high):
            return "" if _is_decade(value) else number(float(f"{value:.6g}"))
        short = high < low * _SHORT or _count(low, high, (1,)) < 2
        return number(float(value)) if short and f"{value:e}"[0] in "25" else ""

    axis.set_minor_locator(_locator(axis))
    axis.set_minor_formatter(FuncFormatter(between))
    if plain:
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(float(value))))


def _locator(axis: Any) -> Locator:
    """The usual ticks between decades; round ones where less than two would have a label."""
    from matplotlib.ticker import Locator, MaxNLocator

    usual = axis.get_minor_locator()
    round_numbers = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10])

    class Between(Locator):
        def __call__(self) -> Any:
            low, high = sorted(axis.get_view_interval())
            return self.tick_values(low, high)

        def tick_values(self, low: float, high: float) -> Any:
            if not _few(low, high):
                return usual.tick_values(low, high)
            return [tick for tick in round_numbers.tick_values(low, high) if low <= tick <= high]

    return Between()


def _few(low: float, high: float) -> bool:
    """Whether less than two of …, 1, 2, 5, 10, … lie on a positive axis."""
    return _count(low, high, (1, 2, 5)) < 2


def _count(low: float, high: float, digits: tuple[int, ...]) -> int:
    """How many of the digits times a power of ten lie on an axis; 2 of many and of no axis."""
    if not 0 < low < high < np.inf:
        return 2
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    if len(decades) > 4:
        return 2
    return sum(low <= digit * 10.0**e <= high for e in decades for digit in digits)


def _is_decade(value: float) -> bool:
    return f"{value:.6e}".startswith("1.000000e")
