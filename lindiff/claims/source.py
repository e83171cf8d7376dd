"""Files of claims, read and checked: the source, its statements, and the config that feeds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from lindiff.claims.statement import (
    AXES,
    CROSSINGS,
    PLACES,
    ROWS,
    Against,
    Expected,
    Sheet,
    Statement,
    Take,
)
from lindiff.columns import METRIC, delivered, part_schema
from lindiff.config import yamlfile
from lindiff.config.axes import Section
from lindiff.config.overrides import WHERE
from lindiff.config.resolve import Config, load
from lindiff.config.sheet import refusal
from lindiff.config.words import suggestion
from lindiff.config.yamlfile import Document, Key
from lindiff.errors import InputError
from lindiff.report.query import conditions_on


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
    _refuse(document, sheet, _contradictions)
    settings = tuple(sheet.cluster) if cluster else ()
    config = _config(document, file, sheet, settings)
    _refuse(document, sheet, lambda statement: _unfed(statement, config))
    return Source(file, file.stem, sheet, config, settings)


def _config(document: Document, file: Path, sheet: Sheet, settings: tuple[str, ...]) -> Config:
    path = file.parent / sheet.sweep
    if not path.is_file():
        raise InputError(document.line(("sweep",), f"there is no file {path}"))
    config = load(path)
    try:
        return load(path, settings) if settings else config
    except InputError as error:
        told = str(error).replace(f"{WHERE}: ", "")
        raise InputError(document.line(("cluster",), told, value="")) from None


def _refuse(
    document: Document, sheet: Sheet, wrong: Callable[[Statement], list[tuple[Key, str]]]
) -> None:
    """Raise `InputError` with a line for all that is wrong in the claims."""
    lines = [
        document.line(("claims", name, *path), message)
        for name, statement in sheet.claims.items()
        for path, message in wrong(statement)
    ]
    if lines:
        raise InputError("\n".join(lines))


def _contradictions(statement: Statement) -> list[tuple[Key, str]]:
    """What is wrong between keys: path and message each."""
    found: list[tuple[Key, str]] = []
    if (statement.quantity is None) != bool(statement.figure):
        found.append(((), "has either `quantity` or `figure`"))
    of_cells = {
        "table": statement.table or None,
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
    for path, take in _takes(statement):
        if (take.of in CROSSINGS) == (take.level is None):
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
    if statement.table and statement.table not in asked:
        return [(("table",), f"the sweep does not compute {statement.table}")]
    given = {*delivered(asked), *AXES, *ROWS.get(statement.table, ())}
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
    found += [
        (path, f"{name} is of the rows of a `table`, which has {name}")
        for path, name in _along(statement)
        if name in PLACES and name not in given
    ]
    schema = table_schema(asked, statement.table)
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


def _takes(statement: Statement) -> list[tuple[Key, Take]]:
    """What is taken of curves, with the path to it."""
    inner = statement.against.take if statement.against else None
    places: list[tuple[Key, Take | None]] = [((), statement.take), (("against",), inner)]
    return [(path, take) for path, take in places if take is not None]


def _along(statement: Statement) -> list[tuple[Key, str]]:
    """The settings that a statement runs along: path and name each."""
    found: list[tuple[Key, str]] = [
        ((*path, "take", "along"), take.along) for path, take in _takes(statement)
    ]
    return [*found, (("exponent",), statement.exponent)] if statement.exponent else found


def table_schema(metrics: Iterable[str], nested: str = "") -> pa.Schema:
    """The columns of the table of a sweep with these metrics, as conditions name them.

    Args:
        metrics: What the sweep computes.
        nested: The nested metric whose rows are meant, if any.
    """
    more = [pa.field("n_over_d", pa.float64()), pa.field("experiments", pa.list_(pa.string()))]
    inner = list(METRIC[nested].arrow_type.value_type) if nested else []
    own = {field.name for field in inner}
    return pa.schema([*(f for f in (*part_schema(metrics), *more) if f.name not in own), *inner])


def _unknown_key(path: Key) -> str:
    of: dict[str, type[Section]] = {"take": Take, "against": Against, "expected": Expected}
    inside = Sheet if len(path) == 1 else of.get(str(path[-2]), Statement)
    near = suggestion(str(path[-1]), inside.model_fields)
    return f"unknown key{near}; allowed: {_few(inside)}"


def _few(section: type[Section]) -> str:
    return ", ".join(section.model_fields)
