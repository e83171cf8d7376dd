"""What advice consists of: numbers with their intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from lindiff.advice.check import Check
from lindiff.advice.sample import Sample, Scatter

Array = NDArray[np.float64]


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

    @property
    def certain(self) -> bool:
        """Whether its ends are the number itself, as where the spectrum was given."""
        return self.low == self.value == self.high


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
    """What was found of a sample, or of a spectrum; its `str` says it in words.

    Attributes:
        name: What the data are called.
        sample: Their moments; None of a population whose spectrum was given.
        scatter: How their rows scatter; None likewise.
        spectrum: The population's eigenvalues, 1 on average: value, low, high, shape (3, d). Where
            it was given, all three are equal, here and in all intervals.
        power_law: Its fit by a power law; None where no range of j is straight.
        n: N of the curves, ascending; that of the sample is among them.
        curves: As in `lindiff.advice.model.Predicted`: value, low, high, shape (3, n) each.
        optimal_loss: Test loss of infinitely many samples.
        needed: Needed N.
        best: Best regularizations, at the sample's N and at others.
        check: What the data themselves do, beside the prediction; without any N if not checked.
        notes: What is to be known of how the data were read.
        text: All of it in words.

    Example:
        The predicted test loss at the N of the data, and the advice in words:

        >>> import numpy as np, lindiff
        >>> advice = lindiff.advise(np.random.default_rng(0).standard_normal((100, 10)), "noise")
        >>> loss = advice.at("test_loss", 100)
        >>> loss.low < loss.value < loss.high
        True
        >>> str(advice).splitlines()[1].strip()
        'noise: 100 rows of 10 columns, d = 10 (N/d = 10).'
    """

    name: str
    sample: Sample | None
    scatter: Scatter | None
    spectrum: Float64[Array, "3 d"]
    power_law: PowerLaw | None
    n: list[int]
    curves: dict[str, Float64[Array, "3 n"]]
    optimal_loss: Interval
    needed: list[Needed]
    best: list[Best]
    check: Check
    notes: tuple[str, ...]
    text: str = ""

    @property
    def d(self) -> int:
        """Dimension."""
        return int(self.spectrum.shape[1])

    def at(self, curve: str, n: int) -> Interval:
        """A curve at one of its N."""
        return Interval(*self.curves[curve][:, self.n.index(n)].tolist())

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """All numbers as plain lists and mappings, for JSON."""
        return {
            "name": self.name,
            "d": self.d,
            **_of_sample(self.sample),
            "notes": list(self.notes),
            "scatter": None if self.scatter is None else asdict(self.scatter),
            "spectrum": _ends(self.spectrum),
            "power_law": None if self.power_law is None else asdict(self.power_law),
            "n": self.n,
            "curves": {name: _ends(curve) for name, curve in self.curves.items()},
            "optimal_loss": asdict(self.optimal_loss),
            "needed": [asdict(one) for one in self.needed],
            "best": [asdict(one) for one in self.best],
            "check": {
                "n": self.check.n,
                "measured": {k: v.tolist() for k, v in self.check.measured.items()},
                "standard_error": {k: v.tolist() for k, v in self.check.errors.items()},
                "predicted": {k: v.tolist() for k, v in self.check.predicted.items()},
            },
        }


def _of_sample(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        return {}
    return {
        "rows": sample.rows,
        "columns": sample.columns,
        "constant_columns": sample.constant,
        "dependent_directions": sample.dependent,
        "unit": sample.unit,
        "sample_eigenvalues": sample.eigenvalues.tolist(),
    }


def _ends(values: Float64[Array, " 3 *any"]) -> dict[str, list[float]]:
    return {name: row.tolist() for name, row in zip(("value", "low", "high"), values, strict=True)}
