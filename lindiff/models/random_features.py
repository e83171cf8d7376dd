"""Random features: denoisers that are not linear, with an exact optimum at every level.

One W of p features for all noise levels; at each level the read-out that ridge regression on the
training noise gives, every weight decay, weighting and stop from one eigendecomposition
(docs/theory.md, "Random features"). Losses are exact; samples and linearity are measured as those
of networks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns.groups import GAUSSIAN
from lindiff.models import FEATURES, MODELS, measured
from lindiff.models.linear_cells import (
    FEW_LEVELS,
    Filters,
    are_frozen,
    groups,
    level_row,
    level_rows,
)
from lindiff.models.linear_family import (
    Family,
    as_objects,
    make_family,
    scaled_pool,
    to_table,
    undefined,
)
from lindiff.models.proximity import training_points
from lindiff.science import random_features as science
from lindiff.science.activations import ACTIVATIONS, Activation
from lindiff.science.denoisers import Denoiser, Rows
from lindiff.science.draws import Draw, generator
from lindiff.science.filters import Bank
from lindiff.science.random_features import Moments, Solved
from lindiff.science.schedule import Schedule, log_levels

Array = NDArray[np.float64]

LOSSES = frozenset(("train_loss", "test_loss", "residual_loss", "levels"))
_SPECTRUM = "feature_spectrum"
OF_LEVELS = frozenset(("linearity", "directions", "differences", _SPECTRUM))
_NO_OTHER = "the other half: the generated samples are not finite"


@dataclass(frozen=True, eq=False)
class _Task:
    """One training set and its features.

    Attributes:
        family: The family.
        draw: The training set: the family's, or its partner's.
        half: 0 of the family's, 1 of its partner's.
        activation: σ.
        W: Shape (p, d).
    """

    family: Family
    draw: Draw
    half: int
    activation: Activation
    W: Array

    def solve(self, schedule: Schedule, index: int) -> Solved:
        """The read-outs of one level."""
        row, points = self.family.row, self.draw.centred
        assert points is not None
        alpha_bar, q = schedule.alpha_bar[index], float(schedule.q[index])
        clean = np.sqrt(alpha_bar) * points
        if not are_frozen(row):
            nothing = np.zeros(self.draw.d)
            moments = science.normal_moments(self.activation, self.W, clean, nothing, q)
            return science.solve_average(moments)
        # Of fewer noises the first ones, and with or without a partner the same.
        key = self.family.key | {"half": self.half, "train_seed": row["train_seed"]}
        rng = generator("feature_noises", **key, t=index + 1)
        noise = rng.standard_normal((int(row["noises"]), *clean.shape))
        y = (clean + np.sqrt(q) * noise).reshape(-1, self.draw.d)
        phi = science.evaluate(self.activation, self.W, y)
        return science.solve_pairs(phi, noise.reshape(y.shape))

    def fresh(self, schedule: Schedule, index: int) -> Moments:
        """The moments of test points at one level: of the population, or of held-out rows."""
        row, draw = self.family.row, self.draw
        alpha_bar, q = schedule.alpha_bar[index], float(schedule.q[index])
        if row["data"] == GAUSSIAN:
            centres, spectrum = -draw.offset[None], alpha_bar * draw.spectrum
        else:
            pool = scaled_pool(row["data"], row["scale"])
            centres, spectrum = pool.held_out - draw.offset, np.zeros(draw.d)
        centres = np.sqrt(alpha_bar) * centres
        return science.normal_moments(self.activation, self.W, centres, spectrum, q)


@dataclass(frozen=True, eq=False)
class _Trained:
    """The denoisers of one training set and schedule, F trainings.

    Attributes:
        task: The training set.
        bank: The trainings.
        train: Train loss at every level, shape (T, F); nothing where it was not asked for.
        test: Test loss, shape (T, F).
        solved: The levels at which read-outs are needed, by index.
    """

    task: _Task
    bank: Bank
    train: Array
    test: Array
    solved: dict[int, Solved]

    def denoiser(self, training: int) -> Denoiser:
        """The denoiser of one training, at the levels of `solved`."""

        def denoise(x: Rows, index: int) -> Rows:
            A = self.solved[index].read_out(self.bank, index, training)
            found: Rows = science.evaluate(self.task.activation, self.task.W, x) @ A.T
            return found

        return denoise


def _train(task: _Task, bank: Bank, levels: Collection[int], losses: bool) -> _Trained:
    """Train at `levels`, or for losses at all of them; only those of `levels` are kept."""
    schedule, solved = bank.schedule, {}
    train, test = [], []
    for index in range(schedule.timesteps) if losses else sorted(levels):
        found = task.solve(schedule, index)
        if losses:
            train.append(found.train_losses(bank, index))
            test.append(found.losses(bank, index, task.fresh(schedule, index)))
        if index in levels:
            solved[index] = found
    return _Trained(task, bank, np.array(train), np.array(test), solved)


def weights(row: dict[str, Any]) -> Array:
    """W of a cell, shape (p, d): of fewer features the first rows.

    It hangs on the seeds, and neither on N nor on the data: means over seeds are over W too.
    """
    rng = generator("features", **{name: row[name] for name in ("d", "seed", "train_seed")})
    found: Array = rng.standard_normal((row["features"], row["d"]))
    return found


def _task(family: Family, half: int) -> _Task:
    draw, row = family.halves.other if half else family.draw, family.row
    return _Task(family, draw, half, ACTIVATIONS[row["activation"]], weights(row))


def _levels(asked: frozenset[str], filters: Sequence[Filters]) -> set[int]:
    """Indices of the levels at which denoisers are evaluated."""
    found: set[int] = set()
    if asked & measured.OF_SAMPLES:
        for one in filters:
            sampler = one.make_sampler()
            if sampler is None:
                raise ValueError("sampler ideal needs no denoiser")
            found |= set(sampler.levels.tolist())
    if asked & OF_LEVELS:
        found |= set(log_levels(filters[0].schedule[1], FEW_LEVELS))
    return found


def _of_losses(own: _Trained, training: int) -> measured.Metrics:
    """The losses of one training."""
    train, test = own.train[:, training], own.test[:, training]
    return {
        "train_loss": np.array([train.mean()]),
        "test_loss": np.array([test.mean()]),
        "levels": as_objects([level_rows(own.bank.schedule, train, test)]),
    }


def _of_features(own: _Trained) -> measured.Metrics:
    """How many eigenvalues of the features lie where, at the levels of `OF_LEVELS`."""
    schedule, rows = own.bank.schedule, []
    for index in log_levels(schedule.timesteps, FEW_LEVELS):
        centres, counts = science.histogram(own.solved[index].values)
        level = level_row(schedule, index)
        rows += [
            level | {"eigenvalue": centre, "count": count}
            for centre, count in zip(centres.tolist(), counts.tolist(), strict=True)
        ]
    return {_SPECTRUM: as_objects([rows])}


def _of_group(
    family: Family, members: Sequence[tuple[int, Filters]], asked: frozenset[str]
) -> Iterator[tuple[int, measured.Metrics, str | None, str | None]]:
    """Row, metrics, why it diverged and what else is to say, of the cells of one schedule."""
    filters = [one for _, one in members]
    schedule = filters[0].make_schedule()
    bank = Bank(schedule, [training for one in filters for training in one.trainings])
    own = _train(_task(family, 0), bank, _levels(asked, filters), bool(asked & LOSSES))
    pair = bool(asked & measured.DIFFERENCES)
    pair |= any(asked & measured.compared(one) for one in filters)
    sampled = _levels(asked & measured.OF_TWO, filters)
    other = _train(_task(family, 1), bank, sampled, losses=False) if pair else None
    of_schedule = asked & measured.OF_SCHEDULE - LOSSES | {"optimal_loss"}
    spectrum = _of_features(own) if _SPECTRUM in asked else {}
    for training, (row, one) in enumerate(members):
        denoise, found, why, message = own.denoiser(training), measured.Metrics(), None, None
        partner = None if other is None else other.denoiser(training)
        if asked & measured.OF_SCHEDULE:
            found |= measured.of_schedule(
                family, one.schedule, denoise, of_schedule, partner=partner
            )
        found |= spectrum
        if asked & LOSSES:
            found |= _of_losses(own, training)
            found["residual_loss"] = found["test_loss"] - found["optimal_loss"]
        try:
            of_samples = asked & measured.OF_SAMPLES
            found |= measured.measure(family, one, denoise, of_samples, partner)
        except FloatingPointError as error:
            why = str(error)
            found = {name: undefined(name, 1) for name in asked} | found
        else:
            compared = measured.compared(one) & {"agreement", "proximity_bias"}
            if partner and any(np.isnan(found.get(name, 0)) for name in compared):
                message = _NO_OTHER
        yield row, found, why, message


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: The draw has no samples, or the sampler is `ideal`.
    """
    family, results = make_family(cells), []
    training_points(family)
    members: dict[tuple[Any, ...], list[tuple[int, Filters]]] = {}
    for rows, filters in groups(cells):
        for row, training in zip(rows, filters.trainings, strict=True):
            own = row, replace(filters, trainings=(training,))
            members.setdefault(filters.schedule, []).append(own)
    message, status = [measured.reason(family, wanted)] * len(cells), ["ok"] * len(cells)
    asked = MODELS[FEATURES].metrics.intersection(wanted)
    for group in members.values():
        for row, found, why, said in _of_group(family, group, asked):
            message[row] = said or message[row]
            if why is not None:
                status[row], message[row] = "diverged", why
                found = measured.finite(found)
            results.append(([row], found))
    return to_table(cells, wanted, results, status, message)
