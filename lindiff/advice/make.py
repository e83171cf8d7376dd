"""From a sample to advice: what its spectrum says of losses, needed samples and regularization.

docs/theory.md, "Population". Intervals are for what the sample leaves open of the population's
spectrum: draws from its posterior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lindiff.advice import words
from lindiff.advice.check import NOTHING, Check, check
from lindiff.advice.model import FEWEST_N, METRICS, Model, Predicted
from lindiff.advice.result import Advice, Best, Interval, Needed, PowerLaw
from lindiff.advice.sample import Sample, Scatter, Source, make_sample, scatter
from lindiff.advice.spread import Spread
from lindiff.science.filters import Bank, Training
from lindiff.science.population import estimate_spectrum
from lindiff.science.scaling import crossing
from lindiff.science.schedule import make_schedule

Array = NDArray[np.float64]

GAP, KL = 0.05, 0.01
_DRAWS = 20
_FAR = 8  # of a population without a sample: N in units of d that are looked at beside d
_STRAIGHT, _SHORTEST = 0.2, 5.0  # of a power law: largest residual of ln s, least range of j


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
        seed: Of what is drawn: spectra and splits.

    Raises:
        ValueError: There are too few rows or too many columns, or none varies.
    """
    rng = np.random.default_rng(seed)
    sample = make_sample(source)
    # Of matrices this small a second thread costs more than it brings.
    with threadpool_limits(1):
        return _advice(source, sample, name, gap, kl, others, notes, rng)


def make_advice_on_spectrum(
    eigenvalues: Float64[Array, " d"],
    name: str,
    *,
    gap: float = GAP,
    kl: float = KL,
    ns: Sequence[int] = (),
    notes: Sequence[str] = (),
) -> Advice:
    """Advice on a population whose covariance is known: nothing is estimated, nothing is unsure.

    Args:
        eigenvalues: s > 0, in any unit and order.
        name: What the population is called.
        gap: As in `make_advice`.
        kl: As in `make_advice`.
        ns: N for which the best regularization is wanted; d and 8 d by default.
        notes: As in `make_advice`.
    """
    spectrum = np.sort(eigenvalues)[::-1] / eigenvalues.mean()
    d = len(spectrum)
    with threadpool_limits(1):
        model = Model(spectrum, *(ns or (max(d, FEWEST_N), max(_FAR * d, FEWEST_N))))
        value = model(spectrum)
    certain = _Found(model.n, value, [value] * 2, NOTHING, Spread(1.0), gap, kl)
    return certain.advice(name, spectrum, [spectrum] * 2, notes)


def _advice(
    source: Source, sample: Sample, name: str, gap: float, kl: float, others: Sequence[int],
    notes: Sequence[str], rng: np.random.Generator,
) -> Advice:  # fmt: skip
    found = estimate_spectrum(sample.eigenvalues, sample.rows)
    gain = Bank(make_schedule(), [Training()]).response(found.spectrum, None).gain[:, 0]
    rows = scatter(source, sample, gain, rng)
    # Of their own random numbers, so that the check's rows do not hang on how spectra are drawn.
    spectra = list(found.draw(_DRAWS, rng.spawn(1)[0]))
    model = Model(found.spectrum, sample.rows, *others)
    value, possible = model(found.spectrum), [model(s) for s in spectra]
    checked = check(source, sample, model.n, value, rng)
    unsure = _Found(model.n, value, possible, checked, Spread(rows.inflation), gap, kl)
    return unsure.advice(name, found.spectrum, spectra, notes, sample, rows)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was predicted and checked, on the way to advice.

    Attributes:
        n: N of the curves.
        value: The prediction.
        others: Those of spectra that the population may have as well.
        checked: What the data themselves do.
        spread: Makes intervals of the others.
        gap: As in `make_advice`.
        kl: As in `make_advice`.
    """

    n: list[int]
    value: Predicted
    others: list[Predicted]
    checked: Check
    spread: Spread
    gap: float
    kl: float

    def advice(
        self, name: str, spectrum: Float64[Array, " d"], spectra: Sequence[Float64[Array, " d"]],
        notes: Sequence[str], sample: Sample | None = None, rows: Scatter | None = None,
    ) -> Advice:  # fmt: skip
        """All of it, with its words."""
        value, spread = self.value, self.spread
        advice = Advice(
            name=name,
            sample=sample,
            scatter=rows,
            spectrum=spread.of(spectrum, spectra),
            power_law=_power_law(spectrum, spectra, spread),
            n=self.n,
            curves=_curves(self.n, value, self.others, self.checked, spread),
            optimal_loss=spread.interval(value.optimal_loss, [r.optimal_loss for r in self.others]),
            needed=_needed(self.n, value, self.others, self.checked, spread, self.gap, self.kl),
            best=[
                Best(
                    *key,
                    spread.interval(strength, [r.best[key][0] for r in self.others]),
                    _no_harm(spread.interval(ratio, [r.best[key][1] for r in self.others])),
                )
                for key, (strength, ratio) in value.best.items()
            ],
            check=self.checked,
            notes=tuple(notes),
        )
        return replace(advice, text=words.text(advice))


def _curves(
    n: list[int], value: Predicted, others: list[Predicted], checked: Check, spread: Spread
) -> dict[str, Float64[Array, "3 n"]]:
    found = {}
    for name, curve in value.curves.items():
        ratio, more = checked.correction(name, n, value, spread.inflation)
        possible = [other.curves[name] * ratio for other in others]
        found[name] = spread.of(curve * ratio, possible, more)
    return found


def _needed(
    n: list[int],
    value: Predicted,
    others: list[Predicted],
    checked: Check,
    spread: Spread,
    gap: float,
    kl: float,
) -> list[Needed]:
    targets = [("gap", gap, False), ("excess", gap, False), ("excess", gap, True)]
    targets += [(name, kl, best) for name in METRICS[1:] for best in (False, True)]
    return [
        _needs(_Asked(quantity, target, best), n, value, others, checked, spread)
        for quantity, target, best in targets
    ]


@dataclass(frozen=True)
class _Asked:
    """What is to stay below a target; as in `Needed`."""

    quantity: str
    target: float
    best_ridge: bool

    @property
    def curve(self) -> str:
        """The curve that it is made of."""
        name = self.quantity if self.quantity in METRICS else "test_loss"
        return f"{name}_best" if self.best_ridge else name

    def of(self, one: Predicted, ratio: Float64[Array, " n"]) -> Float64[Array, " n"]:
        """The quantity over N, of a prediction whose curve is multiplied by `ratio`."""
        values = one.curves[self.curve] * ratio
        if self.quantity == "gap":
            return np.asarray((values - one.curves["train_loss"]) / one.optimal_loss)
        return np.asarray(values / one.optimal_loss - 1) if self.quantity == "excess" else values


def _needs(
    asked: _Asked, n: list[int], value: Predicted, others: list[Predicted], checked: Check,
    spread: Spread,
) -> Needed:  # fmt: skip
    ratio, more = checked.correction(asked.curve, n, value, spread.inflation)

    def crossing_of(one: Predicted, shift: float = 0.0) -> float:
        return _crossing(n, asked.of(one, ratio * np.exp(shift * more)), asked.target)

    own = asked.of(value, ratio)
    at = None
    if math.isfinite(found := crossing_of(value)):
        near = spread.interval(found, [crossing_of(one) for one in others])
        at = Interval(
            found, min(near.low, crossing_of(value, -1)), max(near.high, crossing_of(value, 1))
        )
    return Needed(asked.quantity, asked.target, asked.best_ridge, at, n[-1], float(own[-1]))


def _crossing(n: list[int], curve: Float64[Array, " n"], target: float) -> float:
    """From which N on a curve is below a target: the least N where it always is, inf if nowhere."""
    values = np.where(np.isnan(curve), np.inf, np.maximum(curve, 1e-12))
    if (values <= target).all():
        return float(n[0])
    found = crossing(np.array(n, dtype=float), values, target)
    return math.inf if found is None else found


def _no_harm(ratio: Interval) -> Interval:
    """A ratio to no regularization within its bound: the best of a kind is at least as good."""
    return replace(ratio, high=min(ratio.high, 1.0))


def _power_law(
    spectrum: Float64[Array, " d"], others: Sequence[Float64[Array, " d"]], spread: Spread
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
    possible = np.array([_line(s, first, last)[0] for s in others])
    middle, half = float(possible.mean()), spread.inflation * 2 * float(possible.std())
    return PowerLaw(Interval(k, min(k, middle) - half, max(k, middle) + half), first, last)


def _line(spectrum: Float64[Array, " d"], first: int, last: int) -> tuple[float, float]:
    """Exponent k of j^−k from `first` to `last`, every ln j counting alike; largest residual."""
    j = np.unique(np.rint(np.geomspace(first, last, 40)).astype(int))
    x, y = np.log(j), np.log(spectrum[j - 1])
    slope, offset = np.polyfit(x, y, 1)
    return -float(slope), float(np.abs(y - slope * x - offset).max())
