"""From a sample to advice: what its spectrum says of losses, needed samples and regularization.

docs/theory.md, "Population". Intervals are for what the sample leaves open of the population's
spectrum: the estimate is made again from samples of the estimated population.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lindiff.advise.check import Check, check
from lindiff.advise.model import METRICS, REGULARIZERS, Model, Predicted
from lindiff.advise.sample import Sample, Scatter, Source, make_sample, scatter
from lindiff.science.filters import Bank, Training
from lindiff.science.population import estimate_spectrum, sample_eigenvalues
from lindiff.science.scaling import crossing
from lindiff.science.schedule import make_schedule

Array = NDArray[np.float64]

GAP, KL = 0.05, 0.01
_REPLICATES = 20
_NOMINAL = 0.975
_STRAIGHT, _SHORTEST = 0.2, 5.0  # of a power law: largest residual of ln s, least range of j


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval.

    Attributes:
        value: The number.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Best:
    """The best regularization of one kind for one metric at one N.

    Attributes:
        regularizer: ``ridge``, ``weight_decay`` or ``stop``.
        metric: ``test_loss``, ``kl_model_data`` or ``kl_data_model``.
        n: N.
        strength: Where the metric is least; 0, or inf for ``stop``, where nothing beats none.
        ratio: The metric there over that without regularization.
    """

    regularizer: str
    metric: str
    n: int
    strength: Interval
    ratio: Interval


@dataclass(frozen=True)
class Needed:
    """From which N on something stays below a target.

    Attributes:
        quantity: ``gap``, test minus train loss over the optimal loss; ``excess``, test loss over
            the optimal loss less 1; or a KL.
        target: The target.
        best_ridge: Whether at the best ridge of each N; else without regularization.
        n: N; None where the target is not met at the largest N that was looked at.
        largest: That N.
        left: The quantity there.
    """

    quantity: str
    target: float
    best_ridge: bool
    n: Interval | None
    largest: int
    left: float


@dataclass(frozen=True)
class PowerLaw:
    """A fit s_j ∝ j^−k.

    Attributes:
        exponent: k.
        first: The first j of the fit.
        last: The last j.
    """

    exponent: Interval
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Advice:
    """What was found of a sample; `lindiff.advise.words` says it.

    Attributes:
        name: What the data are called.
        sample: Their moments.
        scatter: How their rows scatter.
        spectrum: The population's eigenvalues: value, low, high, shape (3, d).
        power_law: Its fit by a power law; None where no range of j is straight.
        n: N of the curves, ascending; that of the sample is among them.
        curves: As in `lindiff.advise.model.Predicted`: value, low, high, shape (3, n) each.
        optimal_loss: Test loss of infinitely many samples.
        needed: Needed N.
        best: Best regularizations, at the sample's N and at others.
        check: What the data themselves do, beside the prediction.
        notes: What is to be known of how the data were read.
    """

    name: str
    sample: Sample
    scatter: Scatter
    spectrum: Float64[Array, "3 d"]
    power_law: PowerLaw | None
    n: list[int]
    curves: dict[str, Float64[Array, "3 n"]]
    optimal_loss: Interval
    needed: list[Needed]
    best: list[Best]
    check: Check
    notes: tuple[str, ...]

    def at(self, curve: str, n: int) -> Interval:
        """A curve at one of its N."""
        return Interval(*self.curves[curve][:, self.n.index(n)].tolist())


def make_advice(
    source: Source,
    name: str,
    *,
    gap: float = GAP,
    kl: float = KL,
    others: Sequence[int] = (),
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Advice:
    """Advice on rows.

    Args:
        source: The rows.
        name: What the data are called.
        gap: Target for the gap and the excess of the loss, as shares of the optimal loss.
        kl: Target for both KL, in nats per dimension.
        others: N beside that of the sample for which the best regularization is wanted.
        notes: What is to be known of how the data were read.
        seed: Of what is drawn: replicates and splits.

    Raises:
        ValueError: There are too few rows or too many columns, or none varies.
    """
    rng = np.random.default_rng(seed)
    sample = make_sample(source)
    # Of matrices this small a second thread costs more than it brings.
    with threadpool_limits(1):
        return _advice(source, sample, name, gap, kl, others, notes, rng)


def _advice(
    source: Source, sample: Sample, name: str, gap: float, kl: float, others: Sequence[int],
    notes: Sequence[str], rng: np.random.Generator,
) -> Advice:  # fmt: skip
    found = estimate_spectrum(sample.eigenvalues, sample.rows)
    gain = Bank(make_schedule(), [Training()]).response(found.spectrum, None).gain[:, 0]
    rows = scatter(source, sample, gain, rng)
    near = tuple(found.roughness * factor for factor in (0.25, 0.5, 1, 2))
    spectra = [
        estimate_spectrum(
            sample_eigenvalues(found.spectrum, sample.rows, rng), sample.rows, roughness=near
        ).spectrum
        for _ in range(_REPLICATES)
    ]
    model = Model(found.spectrum, sample.rows, others)
    value, replicates = model(found.spectrum), [model(s) for s in spectra]
    checked = check(source, sample, model.n, value, rng)
    spread = _Spread(rows.inflation)
    curves = _curves(model.n, value, replicates, checked, spread)
    return Advice(
        name=name,
        sample=sample,
        scatter=rows,
        spectrum=spread.of(found.spectrum, spectra),
        power_law=_power_law(found.spectrum, spectra, spread),
        n=model.n,
        curves=curves,
        optimal_loss=spread.interval(value.optimal_loss, [r.optimal_loss for r in replicates]),
        needed=_needed(model.n, value, replicates, checked, spread, gap, kl),
        best=[
            Best(
                *key,
                spread.interval(strength, [r.best[key][0] for r in replicates]),
                spread.interval(ratio, [r.best[key][1] for r in replicates]),
            )
            for key, (strength, ratio) in value.best.items()
        ],
        check=checked,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Spread:
    """Intervals from replicates: Student's t on their logarithms, about the estimate.

    Attributes:
        inflation: How much wider than for Gaussian rows.
    """

    inflation: float

    def half(self, replicates: Float64[Array, "r *any"]) -> Float64[Array, "*any"]:
        """Half the width of the interval of a logarithm."""
        from scipy.special import stdtrit

        count = len(replicates)
        factor = float(stdtrit(count - 1, _NOMINAL)) * math.sqrt(1 + 1 / count)
        return np.asarray(self.inflation * factor * np.log(replicates).std(axis=0, ddof=1))

    def of(
        self, value: Float64[Array, "*any"], replicates: Sequence[Float64[Array, "*any"]],
        more: Float64[Array, "*any"] | float = 0.0,
    ) -> Float64[Array, "3 *any"]:  # fmt: skip
        """Value, low and high; `more` is half a width for another reason."""
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.hypot(self.half(np.array(replicates)), more)
        half = np.where(np.isfinite(value) & (value > 0), half, 0)
        return np.stack([value, value * np.exp(-half), value * np.exp(half)])

    def interval(self, value: float, replicates: Sequence[float]) -> Interval:
        """As `of`; where a logarithm is infinite, from the least to the largest replicate."""
        every = np.array([value, *replicates])
        if np.isfinite(every).all() and (every > 0).all():
            return Interval(*self.of(np.array(value), [np.array(r) for r in replicates]).tolist())
        return Interval(value, float(np.nanmin(every)), float(np.nanmax(every)))


def _curves(
    n: list[int], value: Predicted, replicates: list[Predicted], checked: Check, spread: _Spread
) -> dict[str, Float64[Array, "3 n"]]:
    found = {}
    for name, curve in value.curves.items():
        ratio, more = checked.correction(name, n)
        others = [r.curves[name] * ratio for r in replicates]
        found[name] = spread.of(curve * ratio, others, more)
    return found


def _needed(
    n: list[int],
    value: Predicted,
    replicates: list[Predicted],
    checked: Check,
    spread: _Spread,
    gap: float,
    kl: float,
) -> list[Needed]:
    targets = [("gap", gap, False), ("excess", gap, False), ("excess", gap, True)]
    targets += [(name, kl, best) for name in METRICS[1:] for best in (False, True)]
    found = []
    for quantity, target, best in targets:

        def curve(one: Predicted, quantity: str = quantity, best: bool = best) -> Array:
            name = quantity if quantity in METRICS else "test_loss"
            name += "_best" if best else ""
            values = one.curves[name] * checked.correction(name, n)[0]
            if quantity == "gap":
                return np.asarray((values - one.curves["train_loss"]) / one.optimal_loss)
            return np.asarray(values / one.optimal_loss - 1) if quantity == "excess" else values

        own, others = (_crossing(n, curve(value), target), [
            _crossing(n, curve(one), target) for one in replicates
        ])  # fmt: skip
        at = None
        if own is not None:
            at = spread.interval(own, [math.inf if x is None else x for x in others])
        found.append(Needed(quantity, target, best, at, n[-1], float(curve(value)[-1])))
    return found


def _crossing(n: list[int], curve: Float64[Array, " n"], target: float) -> float | None:
    """From which N on a curve is below a target: the least N where it always is."""
    values = np.where(np.isnan(curve), np.inf, np.maximum(curve, 1e-12))
    if (values <= target).all():
        return float(n[0])
    return crossing(np.array(n, dtype=float), values, target)


def _power_law(
    spectrum: Float64[Array, " d"], replicates: Sequence[Float64[Array, " d"]], spread: _Spread
) -> PowerLaw | None:
    """The longest range of j, in its logarithm, over which ln s is straight."""
    d = len(spectrum)
    marks = np.unique(np.rint(np.geomspace(1, d, 24)).astype(int))
    best: tuple[float, int, int] | None = None
    for first in marks:
        for last in marks[marks >= _SHORTEST * first]:
            if best and last / first <= best[0]:
                continue
            residual = _line(spectrum, first, last)[1]
            if residual <= _STRAIGHT:
                best = (last / first, int(first), int(last))
    if best is None:
        return None
    _, first, last = best
    k = _line(spectrum, first, last)[0]
    half = spread.inflation * 2 * float(np.std([_line(s, first, last)[0] for s in replicates]))
    return PowerLaw(Interval(k, k - half, k + half), first, last)


def _line(spectrum: Float64[Array, " d"], first: int, last: int) -> tuple[float, float]:
    """Exponent k of j^−k from `first` to `last`, every ln j counting alike; largest residual."""
    j = np.unique(np.rint(np.geomspace(first, last, 40)).astype(int))
    x, y = np.log(j), np.log(spectrum[j - 1])
    slope, offset = np.polyfit(x, y, 1)
    return -float(slope), float(np.abs(y - slope * x - offset).max())
