"""``results/claims/index.html``: the verdicts on published claims, with their evidence."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from lindiff.claims.reading import Point
from lindiff.claims.source import Source
from lindiff.claims.statement import Statement
from lindiff.claims.table import formula
from lindiff.claims.verdict import UNDECIDED, VERDICTS, Verdict, verdict_at
from lindiff.columns.groups import SPECTRUM
from lindiff.drawing.intervals import LEVEL
from lindiff.files import write_text
from lindiff.report.findings import digits, number, spectrum
from lindiff.report.page.write import ASSETS
from lindiff.report.references import WORKS
from lindiff.report.sections import marked

_HERE = Path(__file__).parent
_FOLDED = 12  # points of a claim; more are shown on demand
_MARKS = dict(zip(VERDICTS, ("✓", "✗", "?"), strict=True))
_MEANING = (
    "A claim is confirmed where the intervals of all its points lie inside what the source says, "
    "with the tolerance that the file of claims states; it is refuted where one lies outside; else "
    f"it is undecided. The intervals of a claim hold together at {100 * LEVEL:g} %; one that is "
    f"read off a figure has those of the figure, at {100 * LEVEL:g} % each."
)


def write(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the page of some verdicts, whole or not at all; its folder must be there."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    told = ", ".join(f"{counts[one]} {one}" for one in VERDICTS)
    many = f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}"
    sources = groupby(verdicts, key=lambda verdict: verdict.source)
    page = Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        style=(ASSETS / "page.css").read_text(encoding="utf-8"),
        counts=html.escape(f"{many}: {told}."),
        meaning=html.escape(_MEANING),
        summary=_summary(verdicts),
        sources="".join(_source(source, list(own)) for source, own in sources),
    )
    write_text(page, path)


def _summary(verdicts: Iterable[Verdict]) -> str:
    return "".join(
        f'<tr><td><a href="#{_anchor(one)}">{html.escape(one.statement.says)}</a></td>'
        f"<td>{html.escape(cited(one.source))}</td><td>{_badge(one.verdict)}</td></tr>\n"
        for one in verdicts
    )


def cited(source: Source) -> str:
    """The work of a source in a few words: ``Merger and Goldt, 2025``."""
    _, fields = WORKS[source.sheet.source]
    if "author" not in fields:
        return f"arXiv {fields['eprint']}" if "eprint" in fields else fields["howpublished"]
    names = [name.split(",")[0] for name in fields["author"].split(" and ")]
    many = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    plain = many.replace("{\\'e}", "é").replace('{\\"e}', "ë")
    return f"{plain}, {fields['year']}"


def _source(source: Source, verdicts: Sequence[Verdict]) -> str:
    _, fields = WORKS[source.sheet.source]
    where = f"arXiv {fields['eprint']}" if "eprint" in fields else fields.get("journal", "")
    sweep = source.config.name
    instead = ", in place of the sizes that the sentences below name"
    size = f", with {', '.join(source.settings)}{instead}" if source.settings else ""
    work = f"{fields['title']} ({where}). " if "title" in fields else ""
    head = (
        f"<h2>{html.escape(cited(source))}</h2>\n<p>{html.escape(work)}"
        f'Sweep: <a href="../{html.escape(sweep)}/index.html">'
        f"{html.escape(sweep)}</a>{html.escape(size)}.</p>\n"
    )
    return f"<section>\n{head}{''.join(_article(one) for one in verdicts)}</section>\n"


def _article(verdict: Verdict) -> str:
    statement = verdict.statement
    where = f", at {', '.join(statement.where)}" if statement.where else ""
    read = f"`{formula(verdict)}`{where}; expected {expected(statement)}"
    texts = [f"Read: {read}."]
    if statement.authors:
        texts.append(f"The authors: {statement.authors}")
    if statement.ours:
        texts.append(f"Here: {statement.ours}")
    if statement.remark:
        texts.append(f"Remark: {statement.remark}")
    if verdict.reason:
        texts.append(f"Nothing could be read: {verdict.reason}.")
    if verdict.verdict == UNDECIDED and not verdict.source.settings:
        size = ", ".join(f"`{setting}`" for setting in verdict.source.sheet.cluster)
        texts.append(f"With `--cluster` it is asked at {size}.")
    body = "".join(f"<p>{marked(text)}</p>\n" for text in texts)
    return (
        f'<article id="{_anchor(verdict)}"><h3>{html.escape(statement.says)} '
        f"{_badge(verdict.verdict)}</h3>\n{body}{_table(verdict)}</article>\n"
    )


def expected(statement: Statement) -> str:
    """What agrees with the source, in words."""
    low, high = statement.expected.range
    if statement.expected.other_than is not None:
        return f"outside {number(low, 4)} to {number(high, 4)}"
    if math.isinf(low):
        return f"below {number(high)}"
    if math.isinf(high):
        return f"above {number(low)}"
    return f"{number(low, 4)} to {number(high, 4)}"


def _table(verdict: Verdict) -> str:
    if not verdict.points:
        return ""
    rows = "".join(_row(point, verdict) for point in verdict.points)
    interval = f"{100 * verdict.level:.4g} % interval"
    heads = "".join(f"<th>{h}</th>" for h in ("at", "value", interval, "evidence", "verdict"))
    table = (
        f'<table class="points"><thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table>\n'
    )
    if len(verdict.points) <= _FOLDED:
        return table
    return f"<details><summary>{html.escape(_together(verdict))}</summary>\n{table}</details>\n"


def _together(verdict: Verdict) -> str:
    """Many points in a line: how many of each verdict, and how far they reach."""
    counts = Counter(verdict_at(point, verdict.statement) for point in verdict.points)
    told = ", ".join(f"{counts[one]} {one}" for one in VERDICTS if counts[one])
    values = [point.interval.value for point in verdict.points]
    known = [value for value in values if not math.isnan(value)]
    reach = f"; values from {number(min(known), 4)} to {number(max(known), 4)}" if known else ""
    return f"{len(verdict.points)} points: {told}{reach}"


def _row(point: Point, verdict: Verdict) -> str:
    at = _at(point.settings)
    found = point.interval
    told = max(4, digits({"value": found.value, "low": found.low, "high": found.high}))
    known = not (math.isnan(found.low) or math.isnan(found.high))
    ends = f"{number(found.low, told)} to {number(found.high, told)}" if known else "none"
    value = "none" if math.isnan(found.value) else number(found.value, told)
    # Of a limit or an exact score; which of them, the sentence of the claim says.
    sets = f"{point.sets} training sets" if point.sets else "no training set"
    evidence = f"{sets}, {point.cells:,} cell{'s' * (point.cells != 1)}" if point.cells else sets
    evidence += f"; {point.reason}" if point.reason else ""
    cells = (at, value, ends, evidence)
    plain = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
    return f"<tr>{plain}<td>{_badge(verdict_at(point, verdict.statement))}</td></tr>\n"


def _at(settings: Mapping[str, Any]) -> str:
    """The settings of a point in words."""
    words = dict(settings)
    kind, params = (words.pop(name, None) for name in SPECTRUM)
    texts = [f"{key} = {_plain(value)}" for key, value in words.items()]
    return ", ".join([*texts, *([spectrum(kind, params)] if kind and params else [])]) or "all"


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _badge(verdict: str) -> str:
    return f'<span class="{verdict}">{_MARKS[verdict]} {verdict}</span>'


def _anchor(verdict: Verdict) -> str:
    return html.escape(f"{verdict.source.name}.{verdict.name}")
