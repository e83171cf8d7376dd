"""Pieces of HTML that the page of a config and the page of answers share; every text is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lindiff import figures
from lindiff.columns import LABELS, METRIC, SETTING
from lindiff.drawing import markup
from lindiff.report.findings import KL, Finding, Missing, Said

# Terms that are no column.
TERMS: dict[str, str] = {
    "cell": "One row of the table: one model with one value of every setting, by its id.",
    "training set": "The N samples that a model learns from, drawn by its `seed`. Cells that "
    "differ in their seed alone repeat each other: means and intervals are over them.",
    "shard": "The cells that one job computes.",
    "experiment": "A part of the config: the cells of all combinations of its settings. A cell "
    "may belong to several.",
    "theory": "The limit of linear models for large N and d (`linear_theory`), which needs no "
    "training set.",
    "n_over_d": "N/d, the number of training samples over the dimension of the data.",
    "τ": "Training time: the learning rate times the number of steps of gradient descent.",
    KL["kl_model_data"]: "The divergence that is large where a model makes samples that the "
    "population does not have (`kl_model_data`).",
    KL["kl_data_model"]: "The divergence that is large where a model lacks what the population "
    "has (`kl_data_model`).",
}
# Columns that answers speak of.
NAMED = ("d", "n", "model", "sampler", "ridge", "weight_decay", "stop")


def plain_label(name: str) -> str:
    """The label of a column without mathtext.

    >>> plain_label("kl_model_data"), plain_label("weight_decay")
    ('KL(ρ_N‖ρ)/d', 'weight decay γ')
    """
    return markup.plain(LABELS[name].partition(" [")[0])


def marked(text: str) -> str:
    """A text as HTML, what stands between backticks as code.

    >>> marked("`a` < b")
    '<code>a</code> &lt; b'
    """
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text))


def terms(settings: Iterable[str], metrics: Iterable[str]) -> str:
    """A list of `TERMS` and of columns, each with what it is: no standard errors, no parts."""
    found = [(html.escape(term), text) for term, text in TERMS.items()]
    for name in (*settings, *metrics):
        column = SETTING.get(name) or METRIC.get(name)
        if column is None or column.part_of or name.endswith("_se"):
            continue
        # Said where the help of all columns stands, in config/README.md.
        text = column.help.replace(" (see below)", "")
        found.append((f"{html.escape(plain_label(name))} <code>{name}</code>", text))
    items = "".join(f"<dt>{term}</dt><dd>{marked(text)}</dd>\n" for term, text in found)
    return f"<dl>\n{items}</dl>\n"


def summary(found: Sequence[tuple[str, str, Sequence[Said]]], place: str = "") -> str:
    """Every question with the first thing that is said to it, as a link to the answer.

    Args:
        found: Question, figure and what is said.
        place: The page that the answers are on, where it is another.
    """
    items = []
    for question, figure, said in found:
        first = next((one for one in said if isinstance(one, Finding)), said[0])
        items.append(
            f'<li><a href="{place}#{anchor(figure)}">{html.escape(question)}</a> '
            f"{html.escape(str(first))}</li>\n"
        )
    return f"<ul>\n{''.join(items)}</ul>\n" if items else ""


def counted(found: Sequence[tuple[str, str, Sequence[Said]]]) -> str:
    """How many of the questions have an answer, in a sentence."""
    answered = sum(any(isinstance(one, Finding) for one in said) for _, _, said in found)
    return f"{answered} of {len(found)} questions have an answer."


def paragraphs(said: Sequence[Said]) -> str:
    """What is said, a paragraph each; what is missing in a class of its own."""
    kinds = {True: ' class="missing"', False: ""}
    return "".join(
        f"<p{kinds[isinstance(one, Missing)]}>{html.escape(str(one))}</p>\n" for one in said
    )


def anchor(figure: str) -> str:
    """The id of the section of a figure."""
    return f"figure-{html.escape(figure)}"


def links(figure: str) -> str:
    """Links to the files of a figure, relative to the folder of the config."""
    folder = Path("config")
    files = figures.outputs(figure, folder)
    named = (("PDF", files.pdf), ("PNG", files.png), ("caption", files.text), ("data", files.data))
    found = " · ".join(
        f'<a href="{html.escape(path.relative_to(folder).as_posix())}">{word}</a>'
        for word, path in named
    )
    return f'<span class="links">{found}</span>'
