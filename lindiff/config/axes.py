"""The values of one key of an experiment: a value, a list, or a span; as pydantic types.

A span is ``{range: [lo, hi, step]}`` (half open), ``{linear: [lo, hi, count]}``,
``{log: [lo, hi, count]}`` or ``{log2: [lo, hi]}`` (both ends included), with ``also: [...]``.
Points are computed in decimal arithmetic from the numbers as written, so they are the same on every
machine and equal to what one would type (0.3, not 0.30000000000000004): they enter cell ids.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)

from lindiff.columns import Column
from lindiff.columns.groups import ONE_CLASS
from lindiff.config import values
from lindiff.config.words import canonical_json
from lindiff.config.yamlfile import shown
from lindiff.science.datasets import BUNDLED

# How pydantic names the form of an axis inside an error's location; not part of the user's path.
FORMS = ("<value>", "<list>", "<span>", "<refine>")
SPANS = ("range", "linear", "log", "log2")
REFINE = "refine"
DIGITS = Context(prec=40)
# Values of `linear` and `log`, which take 20 µs each, and words in a list, which each are compared
# with all that are known.
MOST_POINTS = 50_000
MOST_WORDS = 200


@dataclass
class Room:
    """How many values the rules of a file may make: each is a cell at least, and takes memory.

    Attributes:
        max_cells: The limit on the cells.
        used: Values that rules have made so far.
    """

    max_cells: int = 2_000_000
    used: int = 0

    def take(self, count: int) -> None:
        """Take `count` values, before they are made.

        Raises:
            ValueError: They are too many.
        """
        if self.used + count > self.max_cells:
            others = f" with {self.used:,} of other rules" if self.used else ""
            raise ValueError(
                f"an axis of {count:,} values{others} is more than max_cells = "
                f"{self.max_cells:,} (raise it with --max-cells or the key max_cells)"
            )
        self.used += count


class Section(BaseModel):
    """A mapping of the config: strict types, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def axis(column: Column, search: Any = None) -> Any:
    """The pydantic type of a key: validates to the list of its distinct values, in order.

    Args:
        column: The key.
        search: The type of the mapping with the key `refine` of a numeric one, if it may have it;
            what that validates to is left as it is.
    """
    one = item(column)
    many: Any = list[one]  # type: ignore[valid-type]
    most = MOST_WORDS if column.choices and column.name not in ("spectrum", "data") else None
    listed = Annotated[many, Field(min_length=1, max_length=most), Tag("<list>")]
    forms: Any = Annotated[one, Tag("<value>")] | listed
    if column.type not in ("int", "float"):
        return Annotated[forms, Discriminator(value_or_list), AfterValidator(_distinct)]
    forms = forms | Annotated[_span(column, one), Tag("<span>")]
    if search is None:
        return Annotated[forms, Discriminator(value_list_or_mapping), AfterValidator(_distinct)]
    forms = forms | Annotated[search, Tag("<refine>")]
    return Annotated[forms, Discriminator(form_of), AfterValidator(_distinct)]


def value_or_list(value: object) -> str:
    """The form of an axis, of `FORMS`, where a mapping is a value."""
    return "<list>" if isinstance(value, list) else "<value>"


def value_list_or_mapping(value: object) -> str:
    """The form of an axis, of `FORMS`."""
    return "<span>" if isinstance(value, dict) else value_or_list(value)


def form_of(value: object) -> str:
    """The form of an axis that may be searched along, of `FORMS`."""
    searched = isinstance(value, dict) and REFINE in value
    return "<refine>" if searched else value_list_or_mapping(value)


def item(column: Column) -> Any:
    """The pydantic type of a single value of `column`."""

    def check(value: object, info: ValidationInfo) -> Any:
        if isinstance(value, dict) and REFINE in value:
            raise ValueError(_misplaced(column))
        if column.name == "spectrum":
            return values.spectrum(value, folder_of(info))
        if column.name == "data":
            return values.data(value, folder_of(info))
        return values.checked(column, value)

    return Annotated[Any, PlainValidator(check), WithJsonSchema(value_schema(column))]


def _misplaced(column: Column) -> str:
    """What is said of a search where there can be none."""
    if column.type in ("int", "float"):
        return "refine stands for the whole axis: it is no value of a list"
    return "is no number: refine searches along settings that are numbers"


def folder_of(info: ValidationInfo) -> Path:
    """The folder of the config file, from the context of a validation."""
    return Path((info.context or {}).get("folder", "."))


def room_of(info: ValidationInfo) -> Room:
    """What the rules of the file may still make, from the context of a validation."""
    return cast(Room, (info.context or {}).get("room", Room()))


def _distinct(given: Any, info: ValidationInfo) -> Any:
    """All values as a list without repeats; a search as it is."""
    if isinstance(given, BaseModel):
        return given
    found = given if isinstance(given, list) else [given]
    if found and isinstance(found[0], dict):
        return list({canonical_json(value): value for value in found}.values())
    return list(dict.fromkeys(found))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    if abs(value) >= 2**63:
        raise ValueError("does not fit in 64 bits")
    return value


def _number(value: object) -> int | float:
    """A finite number as written: ints stay ints."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        raise ValueError("is too large for a floating-point number") from None
    if not finite:
        raise ValueError("must be finite")
    return value


_Whole = Annotated[Any, PlainValidator(_whole), WithJsonSchema({"type": "integer"})]
Number = Annotated[Any, PlainValidator(_number), WithJsonSchema({"type": "number"})]
_Three = Annotated[list[Number], Field(min_length=3, max_length=3)]


def _no_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class Span(Section):
    """A rule that makes the values of an axis; exactly one of the first four keys."""

    model_config = ConfigDict(json_schema_extra=_no_defaults)

    range: Annotated[list[_Whole], Field(min_length=2, max_length=3)] = Field(
        default=[], description="[lo, hi] or [lo, hi, step]: whole numbers from lo, without hi."
    )
    linear: _Three = Field(default=[], description="[lo, hi, count]: evenly spaced, ends included.")
    log: _Three = Field(default=[], description="[lo, hi, count]: even ratios, ends included.")
    log2: Annotated[list[Number], Field(min_length=2, max_length=2)] = Field(
        default=[], description="[lo, hi]: the powers of two from lo to hi, both included."
    )


def _span(column: Column, one: Any) -> Any:
    """The span of a numeric column: validates to the list of its values."""
    model = create_model(
        f"Span of {column.name}",
        __base__=Span,
        __doc__=Span.__doc__,
        also=(list[one], Field(default=[], description="Further values.")),
    )

    def expand(span: Span, info: ValidationInfo) -> list[Any]:
        given = [name for name in SPANS if name in span.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of the keys {', '.join(SPANS)}")
        also: list[Any] = getattr(span, "also")  # noqa: B009 - a field made by create_model
        return [*_points(column, given[0], getattr(span, given[0]), room_of(info)), *also]

    return Annotated[model, AfterValidator(expand)]


def _points(column: Column, kind: str, arguments: list[Any], room: Room) -> list[Any]:
    """The values of one rule, in the type of `column` and within its bounds."""
    points = []
    for point in _RULES[kind](arguments, room):
        value = typed(column, point)
        try:
            points.append(values.checked(column, value))
        except ValueError as error:
            raise ValueError(f"{kind}: the value {shown(value)} {error}") from None
    if not points:
        raise ValueError(f"empty axis; {kind}: {shown(arguments)} has no value")
    return points


def typed(column: Column, point: Decimal) -> int | float:
    """A computed point in the type of `column`."""
    return int(point.to_integral_value()) if column.type == "int" else float(point)


def _range(arguments: list[int], room: Room) -> Iterable[Decimal]:
    if arguments[2:] == [0]:
        raise ValueError("range: the step must not be 0")
    whole = range(*arguments)
    # Not len(): it overflows just where the check matters.
    room.take(max((whole.stop - whole.start) // whole.step, 0))
    return map(Decimal, whole)


def _ends(arguments: list[Any], room: Room) -> tuple[Decimal, Decimal, int]:
    low, high, count = arguments
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"the count must be a whole number of at least 1, not {shown(count)}")
    if count > MOST_POINTS:
        raise ValueError(f"a count of {count:,} is too many; at most {MOST_POINTS:,}")
    room.take(count)
    if count == 1 and low != high:
        raise ValueError("a count of 1 leaves out one of two ends; give at least 2")
    return Decimal(repr(low)), Decimal(repr(high)), count


def _linear(arguments: list[Any], room: Room) -> Iterable[Decimal]:
    low, high, count = _ends(arguments, room)
    with localcontext(DIGITS):
        return [low + (high - low) * i / max(count - 1, 1) for i in range(count)]


def _log(arguments: list[Any], room: Room) -> Iterable[Decimal]:
    low, high, count = _ends(arguments, room)
    if low <= 0 or high <= 0:
        raise ValueError("log: both ends must be more than 0")
    with localcontext(DIGITS):
        inner = [low * (high / low) ** (Decimal(i) / (count - 1)) for i in range(count - 1)]
    return [*inner, high]


def _log2(arguments: list[Any], room: Room) -> Iterable[Decimal]:
    low, high = arguments
    for end in (low, high):
        if not _is_power_of_two(end):
            raise ValueError(f"log2: {shown(end)} is not a power of two")
    if low > high:
        raise ValueError("log2: the first end must not be more than the second")
    exponents = range(math.frexp(low)[1] - 1, math.frexp(high)[1])
    room.take(len(exponents))
    # Exact: a power of two has a finite decimal expansion, which float() of it reads back.
    return [Decimal(2.0**exponent) for exponent in exponents]


def _is_power_of_two(value: float) -> bool:
    return value > 0 and math.frexp(value)[0] == 0.5 and float(value) == value


_RULES = {"range": _range, "linear": _linear, "log": _log, "log2": _log2}


def value_schema(column: Column) -> dict[str, Any]:
    """JSON schema of a single value of `column`."""
    if column.name == "spectrum":
        return {"anyOf": [_spectrum_schema(kind) for kind in column.choices]}
    if column.name == "data":
        return _data_schema(column.choices)
    if column.name == "mixture":
        return _mixture_schema()
    if column.choices:
        return {"enum": list(column.choices)}
    if column.type == "bool":
        return {"type": "boolean"}
    schema: dict[str, Any] = {"type": "integer" if column.type == "int" else "number"}
    if math.isfinite(column.low):
        schema["exclusiveMinimum" if column.low_open else "minimum"] = column.low
    if math.isfinite(column.high) and not column.infinite:
        schema["exclusiveMaximum" if column.high_open else "maximum"] = column.high
    return schema


def _spectrum_schema(kind: str) -> dict[str, Any]:
    columns = values.SPECTRA[kind]
    if not columns:
        return {"const": kind}
    inner: dict[str, Any]
    if kind == "eigenvalues":
        number = {"type": "number", "minimum": 0}
        inner = {"anyOf": [{"type": "string"}, {"type": "array", "items": number, "minItems": 1}]}
    elif kind == "dataset":
        inner = _data_schema(BUNDLED)
    elif len(columns) == 1:
        inner = value_schema(columns[0])
    else:
        properties = {c.name: value_schema(c) | {"description": c.help} for c in columns}
        inner = _closed(properties)
    return _closed({kind: inner})


def _data_schema(names: Iterable[str]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    column = {"type": ["string", "integer"]}
    drop = {"anyOf": [column, {"type": "array", "items": column}]}
    keys = {"file": text, "array": text, "drop": drop, "standardize": {"type": "boolean"}}
    file = _closed(keys) | {"required": ["file"]}
    return {"anyOf": [{"enum": list(names)}, file]}


def _mixture_schema() -> dict[str, Any]:
    positive = {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}}
    mean = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    keys = {
        "weights": positive | {"minItems": 2},
        "between": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        "means": {"type": "array", "items": mean, "minItems": 2},
        "variances": positive | {"minItems": 2},
    }
    return {"anyOf": [{"const": ONE_CLASS}, _closed(keys) | {"required": ["weights"]}]}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
