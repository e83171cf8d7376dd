"""``results/claims/claims.parquet``: a row for each point of each claim."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff.claims.verdict import Verdict, verdict_at
from lindiff.files import atomic, local

_TEXT, _NUMBER = pa.string(), pa.float64()
# Name: type and meaning.
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "source": (_TEXT, "Key of the work, of `lindiff latex --bibtex`."),
    "claim": (_TEXT, "Name of the claim in its file."),
    "verdict": (_TEXT, "confirmed, refuted or undecided, of all points together."),
    "says": (_TEXT, "The claim in words."),
    "quantity": (_TEXT, "The formula, and what is taken of it."),
    "conditions": (pa.list_(_TEXT), "Which rows of the sweep it is read off."),
    "point": (_TEXT, "Settings of the point, JSON."),
    "verdict_here": (_TEXT, "The verdict of the point alone."),
    "value": (_NUMBER, "What was found; null where nothing could be read."),
    "low": (_NUMBER, "Lower end of its interval."),
    "high": (_NUMBER, "Upper end of its interval."),
    "level": (
        _NUMBER,
        "Nominal coverage of the interval; all of a claim together have 0.95, a figure's each.",
    ),
    "expected_low": (_NUMBER, "What agrees with the source starts here."),
    "expected_high": (_NUMBER, "What agrees with the source ends here."),
    "expected_outside": (pa.bool_(), "Whether it is what lies outside that which agrees."),
    "sets": (pa.int64(), "Training sets; 0 for theory."),
    "cells": (pa.int64(), "Rows behind the point."),
    "reason": (_TEXT, "Why nothing could be read, or decided; else empty."),
    "authors": (_TEXT, "The authors' definition, where ours differs."),
    "ours": (_TEXT, "Our definition there."),
    "remark": (_TEXT, "What was found besides."),
    "config": (_TEXT, "Name of the sweep that feeds it."),
    "fingerprints": (pa.list_(_TEXT), "Of the code that computed the rows."),
}
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"help": text}) for name, (kind, text) in COLUMNS.items()]
)


def write(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the table of verdicts, whole or not at all; its folder must be there."""
    rows = [row for verdict in verdicts for row in _rows(verdict)]
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), local(temporary))


def _rows(verdict: Verdict) -> list[dict[str, Any]]:
    statement = verdict.statement
    low, high = statement.expected.range
    of_all = {
        "source": verdict.source.sheet.source, "claim": verdict.name, "verdict": verdict.verdict,
        "says": statement.says, "quantity": formula(verdict), "conditions": statement.where,
        "level": verdict.level, "expected_low": low, "expected_high": high,
        "expected_outside": statement.expected.other_than is not None,
        "authors": statement.authors, "ours": statement.ours, "remark": statement.remark,
        "config": verdict.source.config.name, "fingerprints": list(verdict.fingerprints),
    }  # fmt: skip
    if not verdict.points:
        nothing = {"verdict_here": verdict.verdict, "cells": verdict.cells}
        return [of_all | nothing | {"reason": verdict.reason}]
    return [
        of_all
        | {
            "point": json.dumps(point.settings, sort_keys=True),
            "verdict_here": verdict_at(point, statement),
            "value": _known(point.interval.value),
            "low": _known(point.interval.low),
            "high": _known(point.interval.high),
            "sets": point.sets,
            "cells": point.cells,
            "reason": point.reason,
        }
        for point in verdict.points
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def formula(verdict: Verdict) -> str:
    """What is read, in one line: the formula and what is taken of it."""
    statement = verdict.statement
    if statement.figure:
        return f"figure {statement.figure}"
    text = _taken(statement.quantity.text, statement.take)
    text += f" of {statement.table}" if statement.table else ""
    if against := statement.against:
        other = (against.quantity or statement.quantity).text
        below = _taken(other, against.take or statement.take)
        text += f" over {below}"
        text += f" at {', '.join(against.where)}" if against.where else ""
    return f"exponent along {statement.exponent} of {text}" if statement.exponent else text


def _taken(text: str, take: Any) -> str:
    if take is None:
        return text
    words = {
        "falls": f"the {take.along} where {text} last falls below {take.level}",
        "rises": f"the {take.along} where {text} first rises above {take.level}",
        "minimum": f"the least {text} along {take.along}",
        "argmin": f"the {take.along} of the least {text}",
    }
    return words[take.of]
