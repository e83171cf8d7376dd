"""The theory of many spectra at once: filters are tabulated once for all of them.

`lindiff.science.theory` answers for one spectrum; what is uncertain in a spectrum takes the answer
for many that are near each other (docs/theory.md, "Population").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.science import theory
from lindiff.science.filters import Bank, Training
from lindiff.science.limit import Limit, degrees_of_freedom, limit_range, limits
from lindiff.science.numbers import variances
from lindiff.science.sampler import Sampler, start_factor
from lindiff.science.schedule import Schedule, make_schedule
from lindiff.science.tables import FilterTable

Array = NDArray[np.float64]

# Of a contour: predictions are then good to 1e-5, at a fourth of the cost.
_DIGITS = 8
# Of a spectrum all but the leading eigenvalues are taken in groups where they are more.
_LEADING, _GROUPS = 32, 96


class Predictor:
    """Losses and divergences of some trainings, for any spectrum within a range.

    Args:
        trainings: F trainings.
        spectrum: s, shape (d,): the filters are tabulated for all spectra whose eigenvalues lie
            between a `margin` below its smallest and above its largest one.
        ns: The N that will be asked for.
        sampler: From `make_sampler`; None is the ideal sampler.
        schedule: Noise schedule; None is linear with T = 1000.
        margin: A factor.

    Example:
        The numbers of `lindiff.linear_theory`, to 1e-5:

        >>> import numpy as np, lindiff
        >>> from lindiff.science.prediction import Predictor
        >>> s = lindiff.make_spectrum("power_law", 50, exponent=1.0)
        >>> trainings = [lindiff.Training(ridge=0.01)]
        >>> found = Predictor(trainings, s, [20, 80])(s, [20, 80])["test_loss"][:, 0]
        >>> expected = [lindiff.linear_theory(s, n, trainings)["test_loss"][0] for n in (20, 80)]
        >>> bool(np.allclose(found, expected, rtol=1e-5))
        True
    """

    def __init__(
        self,
        trainings: Sequence[Training],
        spectrum: Float64[Array, " d"],
        ns: Sequence[int],
        sampler: Sampler | None = None,
        schedule: Schedule | None = None,
        margin: float = 1e3,
    ) -> None:
        schedule = schedule or make_schedule()
        freedoms = [degrees_of_freedom(n, known_centre=False) for n in ns]
        ends = [limit_range(variances(spectrum), freedom) for freedom in freedoms]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        bank = Bank(schedule, list(trainings))
        self._table = FilterTable(bank, sampler, (low / margin, high * margin))
        self._root = start_factor(schedule, sampler)

    def __call__(
        self, spectrum: Float64[Array, " d"], ns: Sequence[int], *, divergences: bool = False
    ) -> dict[str, Float64[Array, "n F"]]:
        """As `lindiff.linear_theory`, for several N: arrays of shape (len(ns), F).

        Args:
            spectrum: s, shape (d,).
            ns: N, ascending.
            divergences: Whether both KL are wanted beside the losses.

        Raises:
            ValueError: As `lindiff.limiting`.
        """
        found = []
        each = limits(grouped(variances(spectrum)), ns, digits=_DIGITS)
        for limit, F in theory.with_filters(each, self._filters):
            values = theory.losses(limit, F, 1 / limit.n)
            if divergences:
                values |= theory.divergences(limit, F, 1 / limit.n)
            found.append(values)
        return {name: np.array([values[name] for values in found]) for name in found[0]}

    def _filters(self, limit: Limit) -> theory.OnContour:
        return theory.on_contour(self._table, self._root, limit.nodes)


def grouped(spectrum: Float64[Array, " d"]) -> Float64[Array, " d"]:
    """A spectrum of few different eigenvalues near another: means of groups of neighbours.

    The leading ones stay alone. The trace is kept; what a mean does to a sum over a group is of
    second order in its width.

    Args:
        spectrum: s, shape (d,), descending.
    """
    d = len(spectrum)
    if d <= _LEADING + _GROUPS:
        return spectrum
    ends = np.unique(np.rint(np.geomspace(_LEADING, d, _GROUPS + 1)).astype(int))
    starts = np.concatenate([np.arange(_LEADING), ends[:-1]])
    sizes = np.diff(np.append(starts, d))
    return np.repeat(np.add.reduceat(spectrum, starts) / sizes, sizes)
