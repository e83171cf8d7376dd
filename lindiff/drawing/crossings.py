"""When the modes of trained denoisers emerge: rows of the figure `modes`.

A run is one training of one model; its modes are those of Σ0 of its training set. A mode has
emerged from the step on from which its generated variance stays within a factor of two of that at
the end of the run (`lindiff.science.emergence`, where the end is τ = ∞). A mode that emerges late,
or before the first step, is no missing one: that it did so is a bound on its step, and the power
law is fitted to steps and bounds alike (Tobin, Econometrica 26, 24, 1958).

Wang and Pehlevan (arXiv 2503.03206, and their code) take the first step at which v is at the
harmonic mean of where it starts and the target λ, and fit the modes that reach it. Where v starts
far above λ and ends at λ both are 2λ; they differ where training ends above the target, where v
passes through its end (the last step from which it stays counts here), and for the modes that do
not get there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.drawing import compare, tables
from lindiff.drawing.intervals import Interval, mean_interval

Array = NDArray[np.float64]

# A mode that emerges in a later part of the run has no known end: that it fell to half of what it
# was in the meantime is true of any mode that still falls as 1/step. What is known is that it is
# later: its end is still to come, and with it a lower threshold.
_EARLY = 0.25
FEWEST_MODES = 4  # modes with a step behind an exponent
_WIDTH = 1e-3  # least width of ln step about a law, for the likelihood of bounds
_NODES, _TIMES = 31, 161  # points of the linear reference, and of its training times


@dataclass(frozen=True)
class Runs:
    """The modes of the runs of one series.

    Attributes:
        sets: Seed of the training set of each run, shape (R,).
        modes: Ranks, from 1, shape (M,).
        steps: Ascending and positive, the end of the run as last, shape (S,); τ of a closed form.
        eigenvalue: λ, shape (R, M); nan where a run has no such mode.
        variance: Generated variance, shape (R, M, S); nan where there is none.
    """

    sets: Array
    modes: NDArray[np.int64]
    steps: Array
    eigenvalue: Array
    variance: Array

    @property
    def emergence(self) -> Array:
        """The step from which each mode has emerged, shape (R, M).

        nan where that is before the first step, or too late in the run for its end to be known.
        """
        times = self._times
        return np.where(times <= self.latest, times, np.nan)

    @property
    def latest(self) -> float:
        """The step after which a mode that emerges has no known end."""
        finite = self.steps[np.isfinite(self.steps)]
        return float(min(_EARLY * self.steps[-1], finite[-1]))

    @property
    def late(self) -> NDArray[np.bool_]:
        """Which modes emerge later than `latest`, shape (R, M)."""
        known = np.isfinite(self.variance).all(axis=-1)
        return np.asarray(known & self._outside.any(axis=-1) & ~np.isfinite(self.emergence))

    @property
    def early(self) -> NDArray[np.bool_]:
        """Which modes have emerged before the first step, shape (R, M)."""
        known = np.isfinite(self.variance).all(axis=-1)
        return np.asarray(known & ~self._outside.any(axis=-1))

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Which modes have a step in every run, shape (M,)."""
        return np.asarray(np.isfinite(self.emergence).all(axis=0))

    @property
    def harmonic(self) -> Array:
        """The first step with v at most the harmonic mean of its first value and λ, shape (R, M).

        nan where v starts below λ, or does not get there.
        """
        level = 2 / (1 / self.variance[..., 0] + 1 / self.eigenvalue)
        finite = np.isfinite(self.steps)
        steps, v = np.log(self.steps[finite]), np.log(self.variance[..., finite])
        found = np.full(self.eigenvalue.shape, np.nan)
        for at in zip(*np.nonzero(self.variance[..., 0] > self.eigenvalue), strict=True):
            below = np.flatnonzero(v[at] <= np.log(level[at]))
            if len(below):
                i = int(below[0])
                share = (v[at][i - 1] - np.log(level[at])) / (v[at][i - 1] - v[at][i])
                found[at] = math.exp(steps[i - 1] + share * (steps[i] - steps[i - 1]))
        return found

    @property
    def harmonic_modes(self) -> int:
        """The fewest modes with a `harmonic` step that a run has."""
        return int(np.isfinite(self.harmonic).sum(axis=1).min())

    @property
    def _off(self) -> Array:
        """How far v is from its end, |ln|, at the finite steps, shape (R, M, S)."""
        off = np.abs(np.log(self.variance / self.variance[..., -1:]))
        return np.asarray(off[..., np.isfinite(self.steps)])

    @property
    def _outside(self) -> NDArray[np.bool_]:
        """Where v is further than a factor of two from its end, shape (R, M, S)."""
        return np.asarray(self._off > math.log(2.0))

    @property
    def _times(self) -> Array:
        """The step from which on v stays within a factor of two of its end, shape (R, M)."""
        from lindiff.science.emergence import learning_times

        off = np.exp(self._off)
        finite = self.steps[np.isfinite(self.steps)]
        return learning_times(finite, off, np.ones(off.shape[:-1]))

    def geometric_mean(self, values: Array) -> Interval:
        """Of one value per run, shape (R,), with an interval where there are enough sets or runs.

        A training set counts once, however many trainings it has; of a single set, each training.
        """
        return compare.geometric_means(np.exp(self._independent(np.log(values))))

    def power_law(self) -> tuple[Interval, float] | None:
        """Exponent and prefactor of the emergence step over λ, over all modes.

        The mean over training sets (of one set: over trainings) of each run's own fit to steps and
        bounds; None where a run has fewer than four modes with a step.
        """
        steps, late, early = self.emergence, self.late, self.early
        if (np.isfinite(steps).sum(axis=1) < FEWEST_MODES).any():
            return None
        bounds = np.where(late, self.latest, np.where(early, self.steps[0], steps))
        side = late.astype(int) - early.astype(int)
        fits = [
            censored_fit(np.log(x)[k], np.log(y)[k], of[k])
            for x, y, of in zip(self.eigenvalue, bounds, side, strict=True)
            for k in [np.isfinite(y) & np.isfinite(x)]
        ]
        return self._over_sets(np.array(fits))

    def harmonic_law(self) -> Interval | None:
        """Exponent of the `harmonic` steps as their authors fit it: least squares, modes with one.

        None where a run has fewer than four.
        """
        if self.harmonic_modes < FEWEST_MODES:
            return None
        kept = np.isfinite(self.harmonic)
        runs = zip(np.log(self.eigenvalue), np.log(self.harmonic), kept, strict=True)
        fits = np.array([np.polyfit(x[k], y[k], 1) for x, y, k in runs])
        return self._over_sets(fits)[0]

    def _over_sets(self, fits: Array) -> tuple[Interval, float]:
        """Mean slope with its interval and prefactor of fits, shape (R, 2)."""
        slope = mean_interval(self._independent(fits[:, 0])).of_enough()
        return slope, math.exp(self._independent(fits[:, 1]).mean())

    def _independent(self, values: Array) -> Array:
        sets = np.unique(self.sets)
        if len(sets) == 1:
            return values
        return np.array([values[self.sets == one].mean() for one in sets])


def censored_fit(x: Array, y: Array, side: NDArray[np.int64]) -> Array:
    """Slope and constant of a straight line through values and bounds, by maximum likelihood.

    Values scatter normally about the line, with one width; a bound counts with the probability of
    what it says (Tobin, Econometrica 26, 24, 1958). Without bounds it is least squares.

    Args:
        x: Abscissae, shape (K,).
        y: Values or bounds, shape (K,).
        side: 0 for a value, 1 for a lower bound of it, −1 for an upper one, shape (K,); at least
            two values.

    Returns:
        Slope and constant, shape (2,).
    """
    from scipy.optimize import minimize
    from scipy.special import log_ndtr

    exact = side == 0
    start = np.polyfit(x[exact], y[exact], 1)
    if exact.all():
        return np.asarray(start)

    def loss(parameters: Array) -> float:
        slope, constant, log_width = parameters
        width = math.exp(log_width) + _WIDTH
        off = (y - slope * x - constant) / width
        seen = off[exact] ** 2 / 2 + math.log(width)
        return float(seen.sum() - log_ndtr(-side[~exact] * off[~exact]).sum())

    width = float(np.std(y[exact] - np.polyval(start, x[exact])))
    begin = np.array([*start, math.log(width + _WIDTH)])
    # The simplex needs no gradient where a bound is far on its wrong side.
    options = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000, "maxfev": 4000}
    return np.asarray(minimize(loss, begin, method="Nelder-Mead", options=options).x[:2])


def runs(rows: pa.Table) -> Runs:
    """The runs of one series.

    Args:
        rows: Rows of ``modes.parquet`` with the columns of their cells and ``step``.
    """
    names = ("eigenvalue", "generated_variance")
    kept = pc.and_(*(pc.and_(pc.greater(rows[k], 0), pc.is_finite(rows[k])) for k in names))
    rows = rows.filter(pc.and_(kept, pc.greater(rows["step"], 0)))
    keys = [(key[0], key[1] or 0) for key in tables.keys_of(rows, ("seed", "train_seed"))]
    found = sorted(set(keys))
    run = np.array([found.index(key) for key in keys], dtype=int)
    columns = tables.arrays(rows.select(["mode", "step", "eigenvalue", "generated_variance"]))
    modes, mode = np.unique(columns["mode"].astype(np.int64), return_inverse=True)
    steps, step = np.unique(columns["step"].astype(float), return_inverse=True)
    eigenvalue = np.full((len(found), len(modes)), np.nan)
    variance = np.full((len(found), len(modes), len(steps)), np.nan)
    eigenvalue[run, mode] = columns["eigenvalue"]
    variance[run, mode, step] = columns["generated_variance"]
    sets = np.array([float(seed) for seed, _ in found])
    return Runs(sets, modes, steps, eigenvalue, variance)


def linear_times(cell: Mapping[str, Any], eigenvalues: Array) -> tuple[Array, Array]:
    """λ and the training time τ from which gradient flow of the linear denoiser has learned it.

    Args:
        cell: Settings of schedule and sampler, which must be one with a network.
        eigenvalues: Positive ones, whose range is taken.

    Returns:
        Two arrays of one shape (K,): λ from the least to the largest, and τ; where τ exists.
    """
    from lindiff.models.linear_cells import make_filters
    from lindiff.science.emergence import learning_times
    from lindiff.science.filters import Training

    nodes = np.geomspace(eigenvalues.min(), eigenvalues.max(), _NODES)
    stops = np.geomspace(1e-2 / nodes[-1], 1e2 / min(nodes[0], 1.0), _TIMES)
    trainings = tuple(Training(stop=stop) for stop in (*stops.tolist(), math.inf))
    made = make_filters(cell, trainings)
    variance = np.exp(made.make_bank().response(nodes, made.make_sampler()).log_v)
    times = learning_times(stops, variance[:, :-1], variance[:, -1])
    known = np.isfinite(times)
    return nodes[known], times[known]
