"""Files of claims: a source, the config that feeds it, and statements that can be decided."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field, PlainValidator, ValidationError

from lindiff.claims.expression import Expression
from lindiff.claims.expression import parse as parse_formula
from lindiff.columns import METRIC, SETTING, delivered, part_schema
from lindiff.config import yamlfile
from lindiff.config.axes import Section
from lindiff.config.resolve import Config, load
from lindiff.config.sheet import refusal
from lindiff.config.words import known_word, suggestion
from lindiff.config.yamlfile import Document, Key
from lindiff.errors import InputError
from lindiff.report.query import conditions_on
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
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHARE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*%\s*")


def _formula(value: object) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a formula as text, such as kl_model_data / kl_tail(n, d)")
    found = parse_formula(value)
    for name in found.columns:
        if name not in COLUMNS:
            raise ValueError(f"no number {name!r} in the table{suggestion(name, COLUMNS)}")
    return found


def _axis(value: object) -> str:
    return known_word(value, AXES)


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


@dataclass(frozen=True)
class Source:
    """A file of claims, read and checked.

    Attributes:
        file: The file.
        name: Its name without folder and ending.
        sheet: What it says.
        config: The config that feeds it.
        settings: ``KEY=VALUE`` each, that replace values of the config.
    """

    file: Path
    name: str
    sheet: Sheet
    config: Config
    settings: tuple[str, ...]

    @property
    def sweep(self) -> Path:
        """The file of the config."""
        return self.file.parent / self.sheet.sweep


def read(file: Path, *, cluster: bool = False) -> Source:
    """Read a file of claims and the config that it names.

    Args:
        file: The file.
        cluster: Take the size for a cluster.

    Raises:
        InputError: A line for each error of the file, or of the config.
    """
    document = yamlfile.read(file)
    if not isinstance(document.data, dict):
        raise InputError(
            document.line((), f"a file of claims is a mapping with the keys {_few(Sheet)}")
        )
    try:
        sheet = Sheet.model_validate(document.data)
    except ValidationError as error:
        raise refusal(document, error, _unknown_key) from None
    for name, statement in sheet.claims.items():
        for path, wrong in _wrong(statement):
            raise InputError(document.line(("claims", name, *path), wrong))
    settings = tuple(sheet.cluster) if cluster else ()
    config = _config(document, file, sheet, settings)
    for name, statement in sheet.claims.items():
        for path, wrong in _unfed(statement, config):
            raise InputError(document.line(("claims", name, *path), wrong))
    return Source(file, file.stem, sheet, config, settings)


def _config(document: Document, file: Path, sheet: Sheet, settings: tuple[str, ...]) -> Config:
    path = file.parent / sheet.sweep
    if not path.is_file():
        raise InputError(document.line(("sweep",), f"there is no file {path}"))
    return load(path, settings)


def _wrong(statement: Statement) -> list[tuple[Key, str]]:
    """What is wrong between keys: path and message each."""
    found: list[tuple[Key, str]] = []
    if (statement.quantity is None) != bool(statement.figure):
        found.append(((), "has either `quantity` or `figure`"))
    of_cells = {
        "take": statement.take,
        "against": statement.against,
        "exponent": statement.exponent,
    }
    found += [
        ((key,), "is of a `quantity`; a `figure` has its own numbers")
        for key, value in of_cells.items()
        if statement.figure and value is not None
    ]
    expected = statement.expected
    forms = [expected.value is not None, expected.other_than is not None,
             (expected.above, expected.below) != (None, None)]  # fmt: skip
    if sum(forms) != 1:
        found.append((("expected",), "say one of `value`, `other_than`, and `above` or `below`"))
    elif forms[2] == (expected.within is not None):
        found.append((("expected",), "`within` is of a `value` or `other_than`, which need it"))
    elif expected.range[0] >= expected.range[1]:
        found.append((("expected",), "nothing is above and below"))
    inner = statement.against.take if statement.against else None
    for path, take in (((), statement.take), (("against",), inner)):
        if take is not None and (take.of in CROSSINGS) == (take.level is None):
            found.append(((*path, "take"), "`falls` and `rises` need a `level`, the others none"))
    return found


def _unfed(statement: Statement, config: Config) -> list[tuple[Key, str]]:
    """What the sweep of a config does not give to a statement: path and message each."""
    drawn = {figure for experiment in config.experiments.values() for figure in experiment.figures}
    if statement.figure:
        known = ", ".join(sorted(drawn)) or "none"
        wrong = f"the sweep draws no figure {statement.figure}, but {known}"
        return [] if statement.figure in drawn else [(("figure",), wrong)]
    asked = {metric for experiment in config.experiments.values() for metric in experiment.metrics}
    given = {*delivered(asked), *AXES}
    against = statement.against
    formulas = {
        ("quantity",): statement.quantity,
        ("against", "quantity"): against and against.quantity,
    }
    found: list[tuple[Key, str]] = [
        (path, f"the sweep does not compute {name}")
        for path, formula in formulas.items()
        for name in (formula.columns if formula else ())
        if name not in given
    ]
    schema = table_schema(asked)
    places: list[tuple[Key, list[str]]] = [((), statement.where)]
    if against:
        places.append((("against",), against.where))
    for place, conditions in places:
        for i, text in enumerate(conditions):
            try:
                conditions_on(schema, [text])
            except InputError as error:
                found.append(((*place, "where", i), str(error)))
    return found


def table_schema(metrics: Iterable[str]) -> pa.Schema:
    """The columns of the table of a sweep with these metrics, as conditions name them."""
    more = [pa.field("n_over_d", pa.float64()), pa.field("experiments", pa.list_(pa.string()))]
    return pa.schema([*part_schema(metrics), *more])


def _unknown_key(path: Key) -> str:
    of: dict[str, type[Section]] = {"take": Take, "against": Against, "expected": Expected}
    inside = Sheet if len(path) == 1 else of.get(str(path[-2]), Statement)
    near = suggestion(str(path[-1]), inside.model_fields)
    return f"unknown key{near}; allowed: {_few(inside)}"


def _few(section: type[Section]) -> str:
    return ", ".join(section.model_fields)
