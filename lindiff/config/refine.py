"""An axis that is searched: ``{refine: METRIC, at: …, within: 5%, between: [lo, hi], start: 5}``.

All values that a search may ask for are known beforehand: `start` values with even ratios, each
step between them halved as often as makes neighbours near enough. So the rounds are counted before
anything runs, and a search ends where a sweep of all these values would. They are computed in
decimal arithmetic and rounded to four digits, or to whole numbers, so ids are the same on every
machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)

from lindiff.columns import METRICS, Column
from lindiff.columns.groups import REPEATS
from lindiff.config import values
from lindiff.config.axes import DIGITS, Number, Section, room_of, typed
from lindiff.config.words import known_word
from lindiff.config.yamlfile import shown

MINIMUM = "minimum"
KEYS = ("refine", "at", "within", "between", "start")
WITHIN, START = 0.05, 5
_FINEST = 0.01
_DIGITS = Context(prec=4)
_MOST = 10_000
_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")
# What can cross a level, or be least: the metrics that are numbers, their parts too.
_METRICS = tuple(column.name for column in METRICS if column.type in ("int", "float"))


class Refinement(BaseModel):
    """A search along an axis, resolved.

    Attributes:
        axis: The key of the experiment that is searched along.
        metric: The metric that decides where to look.
        level: What its mean over seeds is to cross; None where it is to be least.
        within: The interval that is left is at most this share wide, neighbouring whole numbers
            aside.
        values: All values that rounds may ask for, ascending; whole numbers may repeat.
        step: The first round asks for each value whose place is a multiple of this power of 2, and
            each later round halves it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    axis: str
    metric: str
    level: float | None
    within: float
    values: list[Any]
    step: int

    @property
    def start(self) -> list[Any]:
        """The values of the first round, each once."""
        return list(dict.fromkeys(self.values[:: self.step]))

    @property
    def rounds(self) -> int:
        """Rounds at the most, the first one included."""
        return self.step.bit_length()

    @property
    def most(self) -> int:
        """Values at the most: in each round but the first one for a crossing, two for a minimum."""
        later = (1 if self.level is not None else 2) * (self.rounds - 1)
        return min(len(self.start) + later, len(set(self.values)))

    @property
    def goal(self) -> str:
        """``memorized_fraction = 0.5``, or ``test_loss is least``."""
        sought = "is least" if self.level is None else f"= {self.level:g}"
        return f"{self.metric} {sought}"


class Added(BaseModel):
    """Values that rounds have added to a refined axis, for one combination of the other settings.

    Attributes:
        where: The model, and the other settings that have several values, seeds aside.
        values: What was added, ascending.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    where: dict[str, Any]
    values: list[Any]


def _metric(value: object) -> str:
    return known_word(value, _METRICS)


def _at(value: object) -> float | None:
    if value == MINIMUM:
        return None
    try:
        return values.checked(Column("at", "float", "", ""), value)  # type: ignore[no-any-return]
    except ValueError as error:
        raise ValueError(f"{error}; a level to cross, or {MINIMUM}") from None


def _within(value: object) -> float:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    share = float(Decimal(found[1]) / 100) if found else value
    bounds = Column("within", "float", "", "", low=_FINEST, high=1)
    try:
        return values.checked(bounds, share)  # type: ignore[no-any-return]
    except ValueError:
        raise ValueError(f"must be a share from 1% to 100%, such as 5% or {WITHIN}") from None


def _start(value: object) -> int:
    return values.checked(Column("start", "int", "", "", low=3, high=1000), value)  # type: ignore[no-any-return]


_LEVEL_SCHEMA = {"anyOf": [{"type": "number"}, {"const": MINIMUM}]}
_SHARE_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": _FINEST, "maximum": 1},
        {"type": "string", "pattern": r"^\s*[\d.]+\s*%\s*$"},
    ]
}
_START_SCHEMA = {"type": "integer", "minimum": 3, "maximum": 1000}


class Refine(Section):
    """A search along the axis, in rounds of new cells."""

    refine: Annotated[Any, PlainValidator(_metric), WithJsonSchema({"enum": list(_METRICS)})] = (
        Field(description="The metric whose mean over seeds decides where to look.")
    )
    at: Annotated[Any, PlainValidator(_at), WithJsonSchema(_LEVEL_SCHEMA)] = Field(
        description="The level that it crosses, or `minimum`."
    )
    within: Annotated[Any, PlainValidator(_within), WithJsonSchema(_SHARE_SCHEMA)] = Field(
        default=WITHIN, description="Ends when the interval left is this narrow: `5%`."
    )
    between: Annotated[list[Number], Field(min_length=2, max_length=2)] = Field(
        description="[lo, hi]: where to look, in even ratios; both ends are values."
    )
    start: Annotated[Any, PlainValidator(_start), WithJsonSchema(_START_SCHEMA)] = Field(
        default=START, description="Values of the first round, both ends included."
    )


def refinement(column: Column) -> Any:
    """The pydantic type of the search along a numeric column: validates to a `Refinement`."""
    model = create_model(f"Refine {column.name}", __base__=Refine, __doc__=Refine.__doc__)

    def resolve(given: Refine, info: ValidationInfo) -> Refinement:
        if column.name in REPEATS:
            raise ValueError("refine: it numbers repetitions, over which means are taken")
        low, high = _ends(column, given.between)
        points, step = lattice(
            column, low, high, given.start, given.within, 1 if given.at is not None else 2
        )
        found = Refinement(
            axis=column.name,
            metric=given.refine,
            level=given.at,
            within=given.within,
            values=points,
            step=step,
        )
        room_of(info).take(len(found.start))
        return found

    return Annotated[model, AfterValidator(resolve)]


def _ends(column: Column, between: Sequence[Any]) -> tuple[Any, Any]:
    """Both ends, in the type of the column."""
    found = []
    for end in between:
        try:
            found.append(values.checked(column, end))
        except ValueError as error:
            raise ValueError(f"between: {shown(end)} {error}") from None
    low, high = found
    if low <= 0:
        raise ValueError("between: both ends must be more than 0: values are in even ratios")
    if low >= high:
        raise ValueError("between: the first end must be less than the second")
    return low, high


def lattice(
    column: Column, low: Any, high: Any, start: int, within: float, reach: int
) -> tuple[list[Any], int]:
    """All values of a search and the step of its first round, as in `Refinement`.

    Args:
        column: What the values are of.
        low: The first value, positive.
        high: The last value.
        start: Number of values of the first round.
        within: Values `reach` places apart are at most this share apart, or neighbouring whole
            numbers.
        reach: 1 for a crossing, which lies between neighbours; 2 for a minimum, which lies between
            the neighbours of the least value.

    Raises:
        ValueError: They are more than `_MOST`.

    Example:
        >>> from lindiff.columns import SETTING
        >>> lattice(SETTING["n"], 4, 64, 3, 0.5, 1)
        ([4, 6, 8, 11, 16, 23, 32, 45, 64], 4)
    """
    whole, step = _whole(column), 1
    if not whole:
        pieces = reach * (math.log(high) - math.log(low)) / (start - 1) / math.log1p(within)
        step = 2 ** max(math.ceil(math.log2(pieces) - 1e-9), 0)  # no fewer will do
    while True:
        count = (start - 1) * step + 1
        if count > _MOST:
            raise ValueError(
                f"between: {within:.3g} of the value is too fine for so wide a range: more than "
                f"{_MOST:,} values; search a narrower one, or within more"
            )
        points = _points(column, low, high, count)
        pairs = zip(points, points[reach:], strict=False)
        if all(b <= a * (1 + within) or (whole and b - a <= reach) for a, b in pairs):
            return points, step
        step *= 2


def _whole(column: Column) -> bool:
    return column.type == "int" or column.whole


def _points(column: Column, low: Any, high: Any, count: int) -> list[Any]:
    """Values with even ratios, both ends as they are, the others rounded."""
    first, last = Decimal(repr(low)), Decimal(repr(high))
    with localcontext(DIGITS):
        ratio = last / first
        exact = [first * ratio ** (Decimal(i) / (count - 1)) for i in range(1, count - 1)]
    whole = _whole(column)
    inner = [p.to_integral_value() if whole else _DIGITS.create_decimal(p) for p in exact]
    # Rounding is monotone, but an end may have more digits than its neighbour.
    return [low, *(min(max(typed(column, point), low), high) for point in inner), high]
