"""What a sweep says, in words: each number is taken from the data that a figure drew.

An answer is a question, the figure that it rests on, and a function (`lindiff.report.questions`)
from that figure's data to `lindiff.report.findings`, each with its conditions and evidence.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from lindiff import checksums, figures, files
from lindiff.drawing import tables
from lindiff.errors import InputError
from lindiff.report import sections
from lindiff.report.findings import Missing, Rows, Said
from lindiff.report.questions import best, learned, need
from lindiff.sweep.derived import PAGE


@dataclass(frozen=True)
class Answer:
    """One question and where its answer comes from.

    Attributes:
        question: As a reader would ask it.
        figure: The figure whose data answer it.
        said: From the data of that figure to what is said.
    """

    question: str
    figure: str
    said: Callable[[Rows], Iterator[Said]]


ANSWERS: tuple[Answer, ...] = (
    Answer("How many samples does the loss need?", "transition", need.transition),
    Answer("How many does the distribution need?", "kl", need.kl),
    Answer("What does the needed N grow with?", "data_need", need.data_need),
    Answer("What is the gap made of below N = d?", "null_directions", need.null_directions),
    Answer("How much ridge or weight decay is best?", "regularization", best.regularization),
    Answer("When should training stop?", "early_stopping", best.early_stopping),
    Answer("Is one stop the best for all, and are samples biased before it?", "stops", best.stops),
    Answer("Which regularization is best?", "tuned", best.tuned),
    Answer("When do two models agree?", "agreement", learned.agreement),
    Answer("Are real data like this?", "real_data", learned.real_data),
    Answer("When does a network memorize?", "memorization", learned.memorization),
)


def answers(results_dir: Path, drawn: Sequence[str]) -> list[tuple[Answer, list[Said]]]:
    """Every question that the figures `drawn` of a config answer, with what is said.

    Raises:
        InputError: The data of a figure are missing.
    """
    found = []
    for answer in ANSWERS:
        if answer.figure not in drawn:
            continue
        *_, path = figures.outputs(answer.figure, results_dir)
        if not path.is_file():
            raise InputError(f"{path} is missing: draw the figure {answer.figure} first")
        rows = Rows(pq.read_table(files.local(path)))
        said = answer.said(rows) if rows.table.num_rows else ()
        once = list({str(one): one for one in said}.values())
        why = tables.facts(rows.table).get("reasons", ["Add what it needs."])
        nothing = Missing(f"the figure {answer.figure} has nothing to draw. {' '.join(why)}", {})
        found.append((answer, once or [nothing]))
    return found


def write(results_dir: Path, drawn: Sequence[str], path: Path) -> None:
    """Write the answers as one page of HTML, with links to the page of the config and figures."""
    found = [(one.question, one.figure, said) for one, said in answers(results_dir, drawn)]
    body = "".join(
        f'<h2 id="{sections.anchor(figure)}">{html.escape(question)}</h2>\n'
        f"{sections.paragraphs(said)}<p><i>Figure {html.escape(figure)}</i>: "
        f'<a href="{PAGE}#{sections.anchor(figure)}">here</a> · '
        f"{sections.links(figure)}</p>\n"
        for question, figure, said in found
    )
    page = _PAGE.format(
        name=html.escape(results_dir.name),
        page=PAGE,
        count=sections.counted(found) if found else "",
        summary=sections.summary(found),
        body=body or f"<p>{html.escape(none())}</p>",
        terms=sections.terms(sections.NAMED, ()),
    )
    with checksums.kept(results_dir, "answers", [path]):
        files.write_text(page, path)


def none() -> str:
    """That no figure answers, and which do."""
    answering = ", ".join(answer.figure for answer in ANSWERS)
    return f"No figure of this config answers; add some to figures: of {answering}."


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Answers of {name}</title>
<meta name="viewport" content="width=device-width">
<style>body {{ max-width: 42em; margin: 2em auto; font: 16px/1.5 serif; padding: 0 1em }}
.missing {{ color: #555 }} dt {{ font-weight: bold }}</style>
</head><body><h1>Answers of {name}</h1>
<p>Every number on this page was taken from the data of the figure named below it. Before the colon
stands what a sentence holds for, and how many training sets are behind each of its numbers; ranges
in brackets are 95 % intervals over training sets. The figures themselves, and all cells, are on
<a href="{page}">the page of {name}</a>.</p>
<h2>Summary</h2>
<p>{count}</p>
{summary}{body}<h2>Terms</h2>
{terms}</body></html>
"""
