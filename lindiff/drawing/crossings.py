"""When the modes of trained denoisers emerge: rows of the figure `modes`.

A run is one training of one model; its modes are those of Σ0 of its training set. A mode has
emerged from the step on from which its generated variance stays within a factor of two of that at
the end of the run (`lindiff.science.emergence`, where the end is τ = ∞). Half of the way in v, or
in ln v, would tell modes less apart: all lose most of the variance that the untrained sampler makes
at one and the same time. For the linear denoiser, T = 100 and λ from 0.07 to 5, the exponents of
those steps are 0.0 and −0.2, of the one here −0.4; it is −1 for β₁ ≪ λ ≪ 1 alone.
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
# was in the meantime is true of any mode that still falls as 1/step.
_EARLY = 0.25
_FEWEST = 3  # training sets, or trainings of one, behind the interval of an exponent
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
        from lindiff.science.emergence import learning_times

        finite = self.steps[np.isfinite(self.steps)]
        off = np.exp(np.abs(np.log(self.variance / self.variance[..., -1:])))[..., : len(finite)]
        times = learning_times(finite, off, np.ones(off.shape[:-1]))
        return np.where(times <= _EARLY * self.steps[-1], times, np.nan)

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Which modes emerge in every run, shape (M,)."""
        return np.asarray(np.isfinite(self.emergence).all(axis=0))

    def geometric_mean(self, values: Array) -> Interval:
        """Of one value per run, shape (R,), with an interval where there are enough sets or runs.

        A training set counts once, however many trainings it has; of a single set, each training.
        """
        return compare.geometric_means(np.exp(self._independent(np.log(values))))

    def power_law(self) -> tuple[Interval, float] | None:
        """Exponent and prefactor of the emergence step over λ, over the modes that are learned.

        The mean over training sets (of one set: over trainings) of least squares in logarithms, as
        `intervals.power_fit` with λ of each run's own; None with fewer than two modes.
        """
        kept = self.learned
        if kept.sum() < 2:
            return None
        pairs = zip(np.log(self.eigenvalue), np.log(self.emergence), strict=True)
        fits = np.array([np.polyfit(x[kept], y[kept], 1) for x, y in pairs])
        slope = mean_interval(self._independent(fits[:, 0]))
        if slope.count < _FEWEST:
            slope = Interval(slope.value, math.nan, math.nan, slope.count)
        return slope, math.exp(self._independent(fits[:, 1]).mean())

    def _independent(self, values: Array) -> Array:
        sets = np.unique(self.sets)
        if len(sets) == 1:
            return values
        return np.array([values[self.sets == one].mean() for one in sets])


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
