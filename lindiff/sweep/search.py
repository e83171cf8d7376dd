"""Where a refined axis is looked at next: a function of the values that are known, and of no more.

Who runs it again on the same values gets the same answer, so a sweep that was killed goes on from
what is finished, and no decision is kept in a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lindiff.config.refine import Refinement


@dataclass(frozen=True)
class Search:
    """How far a search is.

    Attributes:
        asked: Values of the axis asked for so far, ascending, each once.
        round: The round that it is in, from 1 on.
        open: Whether values of this round are missing: more may be asked for then.
        interval: Where the crossing or the minimum is, as far as is known.
        reason: Why there is none, or it is wider than was asked for; else empty.
    """

    asked: tuple[Any, ...]
    round: int
    open: bool
    interval: tuple[Any, Any] | None = None
    reason: str = ""


def search(refinement: Refinement, curve: Mapping[Any, float]) -> Search:
    """How far a search is, given a curve.

    Of several crossings the last one is taken: from there on the curve stays on its side.

    Args:
        refinement: What is looked for.
        curve: The metric by value of the axis; nan where its cells have none. Values that are
            asked for and not there are yet to be computed.

    Example:
        >>> sought = Refinement(axis="n", metric="test_loss", level=3.0, within=0.5,
        ...                     values=[4, 6, 8, 11, 16], step=2)
        >>> search(sought, {4: 9.0, 8: 5.0, 16: 1.0})
        Search(asked=(4, 8, 11, 16), round=2, open=True, interval=(8, 16), reason='')
    """
    values, step = refinement.values, refinement.step
    asked = set(range(0, len(values), step))
    number, interval = 1, None
    while True:
        known = [i for i in sorted(asked) if not math.isnan(curve.get(values[i], math.nan))]
        shown = tuple(dict.fromkeys(values[i] for i in sorted(asked)))
        if any(values[i] not in curve for i in asked):
            return Search(shown, number, True, interval)
        y = [curve[values[i]] for i in known]
        found = _crossing(y, refinement.level) if refinement.level is not None else _least(y)
        if found is None:
            seen = {values[i]: curve[values[i]] for i in known}
            return Search(shown, number, False, None, _nothing(refinement, seen))
        places = [known[i] for i in range(found[0], found[1] + 1)]
        interval = (values[places[0]], values[places[-1]])
        if places[-1] - places[0] > step * (len(places) - 1):
            lost = [values[i] for i in sorted(asked) if places[0] < i < places[-1]]
            lost = [value for value in lost if math.isnan(curve[value])]
            reason = f"no cell has {refinement.metric} at {_list(lost)}"
            return Search(shown, number, False, interval, reason)
        if step == 1:
            return Search(shown, number, False, interval)
        step //= 2
        number += 1
        asked |= {place + step for place in places[:-1]}


def _crossing(y: Sequence[float], level: float) -> tuple[int, int] | None:
    """The last two neighbours on different sides of a level."""
    above = [value > level for value in y]
    for i in range(len(y) - 1, 0, -1):
        if above[i] != above[i - 1]:
            return i - 1, i
    return None


def _least(y: Sequence[float]) -> tuple[int, int] | None:
    """The neighbours of the least value; None where that is an end."""
    finite = [value for value in y if value < math.inf]
    i = y.index(min(finite)) if finite else 0
    return (i - 1, i + 1) if 0 < i < len(y) - 1 else None


def _nothing(refinement: Refinement, seen: Mapping[Any, float]) -> str:
    """What was seen where there is nothing to find."""
    metric, axis = refinement.metric, refinement.axis
    if len(seen) < 2:
        return f"{len(seen)} of the {len(refinement.start)} values of {axis} have {metric}"
    low, high = min(seen), max(seen)
    span = f"{axis} from {low:.6g} to {high:.6g}"
    if refinement.level is None:
        least = min(seen, key=lambda value: seen[value])
        return f"it is least at an end: {seen[least]:.3g} at {axis} = {least:.6g}, of {span}"
    least, most = min(seen.values()), max(seen.values())
    return (
        f"it does not cross over {span}: from {seen[low]:.3g} to {seen[high]:.3g}, "
        f"all between {least:.3g} and {most:.3g}"
    )


def _list(values: Sequence[Any]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
