"""What the searches along refined axes have found, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.config.resolve import Config
from lindiff.drawing.intervals import FEWEST_SETS, Interval
from lindiff.science import optima, scaling
from lindiff.sweep.plan import store_of
from lindiff.sweep.rounds import Arm, with_rounds

Array = NDArray[np.float64]
_FEW = 4  # of a list that is told number by number
_NOWHERE = Interval(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class _Curves:
    """Curves over seeds at values where all have one."""

    x: Float64[Array, " K"]
    Y: Float64[Array, "n K"]


def found(config: Config, results: Path) -> list[str]:
    """What each search of a config has found; none where nothing is refined."""
    return [told(arm) for arm in with_rounds(config, store_of(results))[1]]


def told(arm: Arm) -> str:
    """What one search has found, or where it is."""
    where = _where(arm.where) + (f" ({_where(arm.held)})" if arm.held else "")
    goal = ("mean " if arm.repeats > 1 else "") + arm.refinement.goal
    head = f"{arm.experiment}: {arm.refinement.axis} where {goal}, {where}: "
    found = arm.found
    if found.interval is None:
        most = arm.refinement.rounds
        return head + (found.reason or f"not known yet, round {found.round} of {most} at most")
    low, high = (f"{end:.6g}" for end in found.interval)
    if found.open:
        most = arm.refinement.rounds
        return f"{head}between {low} and {high}, round {found.round} of {most} at most"
    place = estimate(arm)
    # The curve of cells that lack the metric at some value is not the one that was searched.
    inside = found.interval[0] <= place.value <= found.interval[1]
    text = f"{head}{place.value:.4g}, " if inside else head
    text += f"between {low} and {high}"
    if inside and not math.isnan(place.low):
        text += f"; 95 % interval over {place.count} seeds {place.low:.4g} to {place.high:.4g}"
        if place.high > place.low * (1 + arm.refinement.within):
            text += ", which more seeds would narrow and more rounds would not"
    text += f" ({len(found.asked)} values)"
    reasons = [found.reason] if found.reason else []
    if lost := int(np.isnan(arm.curves).sum()):
        has = "1 of its cells has" if lost == 1 else f"{lost:,} of its cells have"
        reasons.append(f"{has} no {arm.refinement.metric}")
    return "; ".join([text, *reasons])


def estimate(arm: Arm) -> Interval:
    """Where the mean over seeds crosses the level, or is least, with its jackknife interval.

    The interval is Student's t on the logarithm (Tukey 1958; Miller, Biometrika 61, 1, 1974), and
    has no ends with fewer than `FEWEST_SETS` seeds, or where the curves without one of them have no
    such place. All is nan where the search has found nothing.
    """
    level, curves = arm.refinement.level, _curves(arm)
    if arm.found.interval is None or not len(curves.x):
        return _NOWHERE
    if level is None:
        least = optima.measured(curves.x, curves.Y)
        found = Interval(least.x, least.x_low, least.x_high, least.count)
        return found.of_enough(FEWEST_SETS)
    place = optima.measured_place(curves.x, curves.Y, partial(_last, level=level))
    if place is None:
        return Interval(math.nan, math.nan, math.nan, len(curves.Y))
    return Interval(place.x, place.x_low, place.x_high, place.count).of_enough(FEWEST_SETS)


def _curves(arm: Arm) -> _Curves:
    x = np.array(arm.found.asked, float)
    whole = ~np.isnan(arm.curves).any(axis=0)
    return _Curves(x[whole], arm.curves[:, whole])


def _last(x: Array, y: Array, level: float) -> float | None:
    """The last crossing of a level; None where there is none."""
    sides = np.flatnonzero(np.diff(y > level))
    if not len(sides):
        return None
    i = int(sides[-1])
    return scaling.between(x[i : i + 2], y[i : i + 2], level)


def _where(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in settings.items())


def _word(value: Any) -> str:
    if isinstance(value, dict):  # a spectrum
        rest = {name: inner for name, inner in value.items() if name != "kind"}
        return f"{value['kind']} {_where(rest)}".strip()
    if isinstance(value, list) and len(value) > _FEW:
        return f"of {len(value)} numbers"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
