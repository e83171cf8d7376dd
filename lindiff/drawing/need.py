"""The number of samples that a curve over N needs to fall below a level, and its power laws.

Curves are kept by what they belong to (a tuple) and by seed; the seed of the theory is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.drawing.intervals import Interval, power_fit
from lindiff.science import scaling

Array = NDArray[np.float64]
Key = tuple[Any, ...]
Curve = list[tuple[int, float]]  # N and value, ascending in N
Curves = dict[Key, dict[int | None, Curve]]
Needed = dict[Key, dict[int | None, float]]

FEWEST = 4  # abscissae of a power law, which through two or three is no finding


def level_of(curves: Curves) -> float:
    """The lowest of …, 1, 2, 5, 10, … that every curve is below at its largest N.

    Curves that are infinite there do not count.
    """
    ends = [curve[-1][1] for by_seed in curves.values() for curve in by_seed.values()]
    highest = max((end for end in ends if 0 < end < math.inf), default=1.0)
    decade = math.floor(math.log10(highest))
    steps = [float(f"{digit}e{decade + up}") for up in (0, 1) for digit in (1, 2, 5)]
    return min(step for step in steps if step > highest)


def needed(curves: Curves, level: float) -> Needed:
    """Where the curves fall below the level, of the keys where all seeds do."""

    def crossing(n: Array, y: Array) -> float | None:
        # A value that is not above 0 is noise about it: such a curve has no needed N.
        return scaling.crossing(n, y, level) if np.all(y > 0) else None

    return _of_all(curves, crossing)


def until(curves: Curves, level: float) -> Needed:
    """Where shares, which may be 0, first fall to the level, of the keys where all seeds do.

    Between points a share is linear in ln N.
    """

    def crossing(n: Array, y: Array) -> float | None:
        return scaling.first_crossing(n, y, level) if y[0] > level else None

    return _of_all(curves, crossing)


def _of_all(curves: Curves, crossing: Callable[[Array, Array], float | None]) -> Needed:
    found: Needed = {}
    for key, by_seed in curves.items():
        every = {seed: crossing(*np.array(curve, float).T) for seed, curve in by_seed.items()}
        reached = {seed: n for seed, n in every.items() if n is not None}
        if len(reached) == len(every):
            found[key] = reached
    return found


def fit(x: Sequence[float], points: Sequence[Mapping[int, float]]) -> list[dict[str, Any]]:
    """Rows of the power law through points of several seeds: exponent, prefactor and scatter.

    Points at one x are one point of the law, their geometric mean. The scatter is the factor e^σ, σ
    the root mean square of ln N about the fit, of the geometric means over seeds of all points.
    Only seeds that all points have are used; there are no rows without one, or at fewer than
    `FEWEST` x.

    Args:
        x: Abscissae, length K.
        points: The ordinates of each x by seed, length K.
    """
    common = set.intersection(*map(set, points)) if points else set[int]()
    if not common or len(set(x)) < FEWEST:
        return []
    X, Y = np.array(x), np.log([[point[seed] for point in points] for seed in sorted(common)])
    places, at = np.unique(X, return_inverse=True)
    merged = np.stack([Y[:, at == i].mean(axis=1) for i in range(len(places))], axis=1)
    law = power_fit(places, np.exp(merged))
    residual = Y.mean(axis=0) - np.log(law.prefactor.value * X**law.exponent.value)
    scatter = math.exp(float(np.sqrt(np.mean(residual**2))))
    return [
        row("exponent", law.exponent),
        row("prefactor", law.prefactor),
        {"quantity": "scatter", "value": scatter, "seeds": len(common)},
    ]


def row(quantity: str, found: Interval) -> dict[str, Any]:
    """The columns of a quantity with its interval, null where there is none."""
    return {"quantity": quantity, **found.columns(), "seeds": found.count}
