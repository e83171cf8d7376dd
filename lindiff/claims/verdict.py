"""What a statement comes to: confirmed, refuted or undecided, by its intervals and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff.claims.reading import Point, points, points_of_figure
from lindiff.claims.source import Source
from lindiff.claims.statement import Statement
from lindiff.claims.taking import Undecided
from lindiff.columns.arrays import plain
from lindiff.drawing import tables
from lindiff.drawing.intervals import LEVEL
from lindiff.errors import InputError
from lindiff.figures import outputs
from lindiff.files import local
from lindiff.report.query import conditions_on, matching, matching_rows

CONFIRMED, REFUTED, UNDECIDED = "confirmed", "refuted", "undecided"
VERDICTS = (CONFIRMED, REFUTED, UNDECIDED)
# Coverage of each interval, points, rows of cells, fingerprints.
_Read = tuple[float, list[Point], int, set[str]]


@dataclass(frozen=True)
class Verdict:
    """A statement with what was found.

    Attributes:
        source: The file of claims that it is of.
        name: Its name there.
        statement: The statement.
        verdict: One of `VERDICTS`.
        points: What was found, at each point; empty where nothing could be read.
        level: Nominal coverage of each interval; all of a statement together have `LEVEL`.
        reason: Why it is undecided, where no interval says so.
        cells: Rows of the table that it rests on.
        fingerprints: Fingerprints of the code that computed them, sorted.
    """

    source: Source
    name: str
    statement: Statement
    verdict: str
    points: tuple[Point, ...]
    level: float
    reason: str
    cells: int
    fingerprints: tuple[str, ...]


def decide(source: Source, results: Path) -> list[Verdict]:
    """The verdicts on the claims of a source, from the table that its sweep left.

    Args:
        source: The claims.
        results: The results folder.

    Raises:
        InputError: There is no table, or a condition or a formula names what it does not have.
    """
    folder = results / source.config.name
    return [
        _decided(source, name, statement, folder) for name, statement in source.sheet.claims.items()
    ]


def _decided(source: Source, name: str, statement: Statement, folder: Path) -> Verdict:
    rows = _of_figure if statement.figure else _of_cells
    reason, nothing = "", (LEVEL, list[Point](), 0, set[str]())
    try:
        level, found, cells, prints = rows(statement, folder)
    except Undecided as why:
        reason, (level, found, cells, prints) = str(why), nothing
    except InputError as error:
        raise InputError(f"{source.file}: claims.{name}: {error}") from None
    verdict = _verdict(found, statement)
    told = tuple(sorted(prints))
    return Verdict(source, name, statement, verdict, tuple(found), level, reason, cells, told)


def _of_cells(statement: Statement, folder: Path) -> _Read:
    table = _matching(folder, statement, statement.where)
    against = statement.against
    other = _matching(folder, statement, against.where or statement.where) if against else table
    _all_ok(table, other)
    level, found = points(table, other, statement, LEVEL)
    return level, found, len(table), set(plain(table)["fingerprint"].drop_null().to_pylist())


def _matching(folder: Path, statement: Statement, conditions: Sequence[str]) -> pa.Table:
    if statement.table:
        return matching_rows(folder, statement.table, conditions)
    return matching(folder, conditions)


def _of_figure(statement: Statement, folder: Path) -> _Read:
    path = outputs(statement.figure, folder).data
    table = pq.read_table(local(path))
    for keep in conditions_on(table.schema, statement.where):
        table = table.filter(keep(table))
    if not len(table):
        raise Undecided("the figure has no such number")
    prints = set(tables.facts(table).get("fingerprints", ()))
    return LEVEL, points_of_figure(table), 0, prints


def _all_ok(table: pa.Table, other: pa.Table) -> None:
    """Raise `Undecided` where rows cannot decide: there are none, or some have no result."""
    if not len(table) or not len(other):
        raise Undecided("no cell of the sweep meets the conditions")
    states = [*plain(table)["status"].to_pylist(), *plain(other)["status"].to_pylist()]
    if failed := sum(state != "ok" for state in states):
        raise Undecided(f"{failed} of its cells failed or diverged")


def _verdict(found: Sequence[Point], statement: Statement) -> str:
    """Confirmed where all intervals lie in what is expected, refuted where one lies outside it."""
    kinds = {verdict_at(point, statement) for point in found}
    if REFUTED in kinds:
        return REFUTED
    return CONFIRMED if kinds == {CONFIRMED} else UNDECIDED


def verdict_at(point: Point, statement: Statement) -> str:
    """The verdict of a point alone."""
    low, high = point.interval.low, point.interval.high
    if math.isnan(low) or math.isnan(high):
        return UNDECIDED
    least, most = statement.expected.range
    inside, outside = least <= low and high <= most, low > most or high < least
    if statement.expected.other_than is not None:
        inside, outside = outside, inside
    return CONFIRMED if inside else REFUTED if outside else UNDECIDED
