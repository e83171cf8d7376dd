"""The grammar of a file of claims, as pydantic models: what is claimed, and how it is read off."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field, PlainValidator

from lindiff.claims.expression import Expression
from lindiff.claims.expression import parse as parse_formula
from lindiff.columns import METRIC, NESTED, SETTING
from lindiff.config.axes import Section
from lindiff.config.words import known_word, suggestion
from lindiff.report.references import WORKS

CROSSINGS = ("falls", "rises")
_NUMBERS = tuple(
    name
    for name, column in (SETTING | METRIC).items()
    if column.type in ("int", "float") and name != "seed"
)
# Numbers of a cell that formulas name and statements run along.
COLUMNS = (*_NUMBERS, "n_over_d")
AXES = tuple(name for name in COLUMNS if name not in METRIC)
# By nested metric, the numbers of a row of its table.
ROWS: dict[str, tuple[str, ...]] = {
    name: tuple(
        field.name
        for field in METRIC[name].arrow_type.value_type
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    )
    for name in NESTED
}
# What tells the rows of a cell apart, in the tables that have it.
PLACES = ("t", "mode", "class", "point", "sample")
_NAMES = tuple(dict.fromkeys((*COLUMNS, *(field for fields in ROWS.values() for field in fields))))
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHARE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*%\s*")


def _formula(value: object) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a formula as text, such as kl_model_data / kl_tail(n, d)")
    found = parse_formula(value)
    for name in found.columns:
        if name not in _NAMES:
            raise ValueError(f"no number {name!r} in the table{suggestion(name, _NAMES)}")
    return found


def _axis(value: object) -> str:
    return known_word(value, (*AXES, *PLACES))


def _nested(value: object) -> str:
    return known_word(value, NESTED)


def _work(value: object) -> str:
    return known_word(value, WORKS)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a name has small letters, digits and _, and starts with a letter")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a sentence")
    return " ".join(value.split())


def _tolerance(value: object) -> tuple[float, bool]:
    """A width, and whether it is relative to the value."""
    share = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if share:
        value = float(share[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
        raise ValueError('must be a number above 0, or a share of the value such as "2 %"')
    return float(value), share is not None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError("must be a number")
    return float(value)


Formula = Annotated[Any, PlainValidator(_formula)]
Sentence = Annotated[Any, PlainValidator(_text)]
Number = Annotated[Any, PlainValidator(_number)]
Axis = Annotated[Any, PlainValidator(_axis)]
Conditions = Annotated[list[str], Field(default_factory=list, max_length=20)]


class Take(Section):
    """One number of each curve along a setting."""

    along: Axis = Field(description="The setting along which the curve runs.")
    of: Literal["falls", "rises", "minimum", "argmin"] = Field(
        description="`falls`: where it last falls below `level`; `rises`: where it first rises "
        "above it; `minimum`: its least value; `argmin`: where that is, if inside."
    )
    level: Number = Field(default=None, description="The level that is crossed.")


class Against(Section):
    """What the number is divided by: the same of other cells, of another formula, or both."""

    where: Conditions
    quantity: Formula = Field(default=None, description="Another formula, read the same way.")
    take: Take | None = Field(default=None, description="Another reading of the curve.")


class Expected(Section):
    """What the source says that the number is."""

    value: Number = Field(default=None, description="A value, with its tolerance.")
    other_than: Number = Field(
        default=None, description="A value that it is not, and differs from by more than `within`."
    )
    within: Annotated[Any, PlainValidator(_tolerance)] = Field(
        default=None, description="The tolerance of a value: a number, or a share as `2 %`."
    )
    above: Number = Field(default=None, description="It is above this.")
    below: Number = Field(default=None, description="It is below this.")

    @property
    def range(self) -> tuple[float, float]:
        """The ends of what agrees with the source; with `other_than` of what does not."""
        centre = self.other_than if self.value is None else self.value
        if centre is None:
            low = -math.inf if self.above is None else self.above
            return low, math.inf if self.below is None else self.below
        width, relative = self.within
        half = width * abs(centre) if relative else width
        return centre - half, centre + half


class Statement(Section):
    """One claim: a number that is read off a table, and what the source says of it."""

    says: Sentence = Field(description="The claim in words, with its conditions.")
    quantity: Formula = Field(default=None, description="A formula of the columns of a cell.")
    table: Annotated[Any, PlainValidator(_nested)] = Field(
        default="",
        description="A table of rows of the cells, such as `levels`, whose columns the formula "
        "has besides; its rows are points.",
    )
    figure: str = Field(
        default="",
        description="A figure of the sweep, whose rows have the number and its interval.",
    )
    where: Conditions
    take: Take | None = Field(default=None, description="One number of each curve.")
    against: Against | None = Field(default=None, description="What it is divided by.")
    exponent: Axis = Field(
        default=None, description="Take the exponent of its power law along this setting."
    )
    expected: Expected = Field(description="What agrees with the source.")
    authors: Sentence = Field(default="", description="The authors' definition where ours differs.")
    ours: Sentence = Field(default="", description="Ours.")
    remark: Sentence = Field(default="", description="What was found besides, such as why not.")


class Sheet(Section):
    """A file of claims."""

    source: Annotated[Any, PlainValidator(_work)] = Field(
        description="The work, a key of `lindiff/report/references.py`."
    )
    sweep: str = Field(description="The config that feeds the claims, a path from this file on.")
    cluster: Annotated[list[str], Field(default_factory=list)] = Field(
        description="`KEY=VALUE` each: what a cluster sweeps instead."
    )
    claims: Annotated[
        dict[Annotated[str, AfterValidator(_name)], Statement], Field(min_length=1)
    ] = Field(description="The claims by name.")
