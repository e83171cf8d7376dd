"""Predictions beside what the data themselves do, at the N that they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.advice.model import Predicted
from lindiff.advice.sample import Sample, Source
from lindiff.science.filters import Bank, Response, Training
from lindiff.science.schedule import make_schedule

Array = NDArray[np.float64]

HELD_OUT = 0.2  # of the rows
_SPLITS, _CHECKED = 6, 9
_MOST_HELD_OUT = 4_000
# Numbers in a training set, and N in units of d: beyond, the prediction is not checked.
_MOST, _FAR = 12_000_000, 40
# A prediction that is off by more than this, and by more than three standard errors, is said.
NOTABLE = 0.03
CURVES = ("test_loss", "test_loss_best")


@dataclass(frozen=True, eq=False)
class Check:
    """Test losses of linear denoisers trained on a part of the rows, on other rows.

    Attributes:
        n: N, ascending; none where the rows are too few.
        measured: Means over the splits of each of `CURVES`, shape (m,).
        errors: Their standard errors, corrected for the rows that splits share (Nadeau & Bengio,
            Mach. Learn. 52, 239, 2003), shape (m,).
        predicted: What the estimated spectrum says, shape (m,).
    """

    n: list[int]
    measured: dict[str, Float64[Array, " m"]]
    errors: dict[str, Float64[Array, " m"]]
    predicted: dict[str, Float64[Array, " m"]]

    def off(self, curve: str) -> tuple[Float64[Array, " m"], Float64[Array, " m"]]:
        """ln(measured/predicted) and its standard error."""
        measured = self.measured[curve]
        return np.log(measured / self.predicted[curve]), self.errors[curve] / measured

    def notable(self) -> dict[str, list[int]]:
        """The N at which the data are unlike the prediction, by curve."""
        found = {}
        for curve in self.measured:
            off, error = self.off(curve)
            bad = (np.abs(off) > NOTABLE) & (np.abs(off) > 3 * error)
            if bad.any():
                found[curve] = [n for n, is_bad in zip(self.n, bad, strict=True) if is_bad]
        return found

    def correction(
        self, curve: str, ns: Sequence[int], value: Predicted, inflation: float = 1.0
    ) -> tuple[Float64[Array, " n"], Float64[Array, " n"]]:
        """What a prediction is multiplied by at each N, and half a width for that.

        What is off by no more than its standard error is not corrected, what is off by more only by
        what is beyond chance (as James and Stein shrink a mean). Beyond the largest N that was
        checked it falls as the share of the loss that finite N adds: the rest, the loss of the
        optimal linear denoiser, hangs on the covariance alone and is not off.

        Args:
            curve: The name of a curve; what is not measured is not corrected.
            ns: N of the prediction, those of the check among them.
            value: The prediction.
            inflation: How much more the rows scatter than Gaussian ones: of such rows a loss at
                small N is no surer than it was measured.
        """
        nothing = np.zeros(len(ns))
        if curve not in self.measured or not self.n:
            return nothing + 1, nothing
        off, error = self.off(curve)
        share = np.maximum(1 - (error / np.maximum(np.abs(off), 1e-12)) ** 2, 0)
        x, at = np.log(ns), np.log(self.n)
        last = list(ns).index(self.n[-1])
        excess = 1 - value.optimal_loss / value.curves[curve]
        fade = np.where(np.arange(len(ns)) > last, np.minimum(excess / excess[last], 1), 1)
        shift = np.interp(x, at, off * share) * fade
        unsure = np.maximum(share, 1 - 1 / inflation**2)
        width = np.interp(x, at, 2 * error * unsure) * fade
        return np.exp(shift), np.hypot(width, shift / 2)


# Of a population without rows.
NOTHING = Check([], {}, {}, {})


def check(
    source: Source, sample: Sample, ns: Sequence[int], value: Predicted, rng: np.random.Generator
) -> Check:
    """The test losses of linear denoisers trained on rows of the data, on held-out rows.

    The denoisers are exact (docs/theory.md, "Filters"); no noise is drawn.

    Args:
        source: The rows.
        sample: Their moments.
        ns: N of the prediction.
        value: The prediction.
        rng: Chooses the rows.
    """
    at = _sizes(sample, ns)
    strengths = sorted({0.0, *value.ridge[at].tolist()})
    bank = Bank(make_schedule(), [Training(ridge=strength) for strength in strengths])
    found = _losses(source, sample, [ns[i] for i in at], bank, rng)
    columns = {
        "test_loss": [0] * len(at),
        "test_loss_best": [strengths.index(value.ridge[i]) for i in at],
    }
    own = {name: found[np.arange(len(at)), :, chosen] for name, chosen in columns.items()}
    shared = HELD_OUT / (1 - HELD_OUT)
    return Check(
        n=[ns[i] for i in at],
        measured={name: losses.mean(axis=1) for name, losses in own.items()},
        errors={
            name: np.sqrt(losses.var(axis=1, ddof=1) * (1 / _SPLITS + shared))
            for name, losses in own.items()
        },
        predicted={name: value.curves[name][at] for name in own},
    )


def _sizes(sample: Sample, ns: Sequence[int]) -> list[int]:
    """Indices of some N that the rows allow."""
    most = min((1 - HELD_OUT) * sample.rows, _MOST / sample.d, _FAR * sample.d)
    allowed = [i for i, n in enumerate(ns) if n <= most]
    some = np.unique(np.rint(np.linspace(0, len(allowed) - 1, _CHECKED)).astype(int))
    return [allowed[i] for i in some.tolist()] if allowed else []


def _losses(
    source: Source, sample: Sample, ns: list[int], bank: Bank, rng: np.random.Generator
) -> Float64[Array, "m splits F"]:
    found = np.empty((len(ns), _SPLITS, len(bank.trainings)))
    if not ns:
        return found
    at_zero = bank.response(np.zeros(1), None)
    held_out = min(_MOST_HELD_OUT, int(HELD_OUT * sample.rows))
    for split in range(_SPLITS):
        order = rng.permutation(sample.rows)
        rest = sample.turned(source.take(np.sort(order[:held_out])))
        pool = sample.turned(source.take(np.sort(order[held_out:][: ns[-1]])))
        for i, n in enumerate(ns):
            rows = pool[rng.permutation(len(pool))[:n]]
            found[i, split] = test_loss(rows, rest, bank, at_zero)
    return found


def test_loss(
    rows: Float64[Array, "n d"], rest: Float64[Array, "held_out d"], bank: Bank, at_zero: Response
) -> Float64[Array, " F"]:
    """Test loss of each filter trained on `rows`, on the `rest`, per dimension, (F,)."""
    return np.asarray(test_losses(rows, rest, bank, at_zero).mean(axis=0))


def test_losses(
    rows: Float64[Array, "n d"], rest: Float64[Array, "held_out d"], bank: Bank, at_zero: Response
) -> Float64[Array, "held_out F"]:
    """As `test_loss`, of each row of the `rest`."""
    mean = rows.mean(axis=0)
    _, singular, Vt = np.linalg.svd(rows - mean, full_matrices=False)
    some = singular > singular[0] * max(rows.shape) * np.finfo(float).eps
    response = bank.response(singular[some] ** 2 / len(rows), None)
    centred = rest - mean
    weights = (centred @ Vt[some].T) ** 2
    null = np.maximum((centred**2).sum(axis=1) - weights.sum(axis=1), 0.0)
    d = rows.shape[1]
    total = response.residual.sum(axis=0) + weights @ response.gain
    total += (d - some.sum()) * at_zero.residual[0] + null[:, None] * at_zero.gain[0]
    return np.asarray(total / d)
