"""What a sweep says, in words: each number is taken from the data that a figure drew.

An answer is a question, the figure that it rests on, and a function from that figure's data to
sentences. A sentence whose rows a sweep does not have is left out; an answer without sentences too.
"""

from __future__ import annotations

import html
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import figures, files
from lindiff.drawing import compare, slices, tables
from lindiff.errors import InputError
from lindiff.models import MODELS, SHRINKAGE
from lindiff.science.scaling import crossing

Sentences = Iterator[str | None]

# A share of memorized samples that counts as none.
_FEW = 0.02


@dataclass(frozen=True)
class Answer:
    """One question and where its answer comes from.

    Attributes:
        question: As a reader would ask it.
        figure: The figure whose data answer it.
        sentences: From the rows of that data to sentences; None for one that has no rows.
    """

    question: str
    figure: str
    sentences: Callable[[Rows], Sentences]


@dataclass(frozen=True, eq=False)
class Rows:
    """The data of a figure, asked by quantity."""

    table: pa.Table

    def of(self, quantity: str, **equal: Any) -> dict[str, np.ndarray]:
        """Columns of the rows of a quantity where every column of `equal` has that value."""
        return tables.arrays(self.table, quantity=quantity, **equal)

    def at(self, quantity: str, n_over_d: float, column: str = "value", **equal: Any) -> float:
        """The value at the N/d nearest to `n_over_d`, within 20 %; nan where there is none."""
        rows = self.of(quantity, **equal)
        x = rows["n_over_d"].astype(float)
        if not len(x):
            return math.nan
        nearest = int(np.argmin(np.abs(np.log(x / n_over_d))))
        near = abs(math.log(x[nearest] / n_over_d)) < 0.2
        return float(rows[column][nearest]) if near else math.nan

    def least(self, most: bool = False) -> float:
        """The weakest strength of the regularization, or the strongest."""
        return slices.strengths(self.table)[1][-1 if most else 0]

    def spectra(self) -> list[tuple[str, str]]:
        """Kind and parameters of its spectra."""
        return tables.distinct_keys(self.table, slices.SPECTRUM)


def _number(value: float) -> str:
    """Three significant digits, as text."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.3g}"


def _say(text: str, *values: float) -> str | None:
    """`text` with its ``{}`` filled; None where a number does not exist."""
    if any(math.isnan(value) for value in values):
        return None
    return text.format(*(_number(value) for value in values))


def _spectrum(kind: str, params: str) -> str:
    """A spectrum in plain words."""
    values = json.loads(params or "{}")
    if kind == "dataset":
        return str(values["name"])
    scalars = [f"{key} {x:g}" for key, x in values.items() if isinstance(x, int | float)]
    return " ".join([kind.replace("_", " "), *scalars])


def _transition(rows: Rows) -> Sentences:
    for kind, params in rows.spectra():
        own = {"spectrum": kind, "spectrum_params": params, "t": None, "strength": rows.least()}
        d = max(tables.distinct(rows.table, "d"))
        curve = rows.of("test_loss_theory", **own, d=d)
        best = rows.of("optimal_loss", **own, d=d)
        if not len(curve["value"]) or not len(best["value"]):
            continue
        excess = curve["value"] / best["value"][0] - 1
        order = np.argsort(curve["n_over_d"])
        need = crossing(curve["n_over_d"][order], np.maximum(excess[order], 1e-12), 0.1)
        yield _say(
            f"For the {_spectrum(kind, params)} spectrum in d = {d} the test loss, not "
            "regularized, is within 10 % of the optimum from N = {} d on.",
            math.nan if need is None else need,
        )


def _kl(rows: Rows) -> Sentences:
    weakest = rows.least()
    for name, words in (
        ("kl_model_data", "KL(generated‖population)"),
        ("kl_data_model", "KL(population‖generated)"),
    ):
        tail = rows.of(name, unit="tail", strength=weakest)
        if len(tail["value"]):
            last = int(np.argmax(tail["n_over_d"]))
            yield _say(
                words + " at N = {} d is {} times (d+3)/(4N) (95 % interval of the median {} to "
                "{}): the law at large N of Gaussian data without ridge, where no floor of the "
                "sampler is left.",
                *(float(tail[c][last]) for c in ("n_over_d", "value", "low", "high")),
            )


def _null_directions(rows: Rows) -> Sentences:
    weakest = rows.least()
    name = tables.distinct(rows.table, "regularizer")[0].replace("_", " ")
    yield _say(
        f"At N = d/2 and {name} {{}} the directions that the training set never saw carry the "
        "share {} of the gap between test and train loss; at N = 2 d, {}.",
        weakest,
        rows.at("null_share", 0.5, strength=weakest),
        rows.at("null_share", 2, strength=weakest),
    )


_AGAINST = {
    "d": "d",
    "df1": "df1",
    "df2": "df2",
    "participation": "(tr Σ)²/tr Σ²",
    "trace_ratio": "df1 (df1 − df2)/d",
}


def _data_need(rows: Rows) -> Sentences:
    for target, words in (
        ("residual_loss", "a given test loss above the optimum at one noise level"),
        ("kl_model_data", "a given KL(generated‖population)"),
    ):
        scatter = rows.of("scatter", target=target)
        if not len(scatter["value"]):
            continue
        best = str(scatter["against"][int(np.argmin(scatter["value"]))])
        fit = rows.of("exponent", target=target, against=best)
        yield _say(
            f"Over all spectra and d, the N that {words} needs is best a power of "
            f"{_AGAINST[best]}: exponent {{}} (95 % interval over seeds {{}} to {{}}, without the "
            "lack of fit), with a scatter of a factor {}.",
            *(float(fit[column][0]) for column in ("value", "low", "high")),
            float(scatter["value"].min()),
        )


def _best(rows: Rows, name: str, regularizer: str, n_over_d: float, what: str) -> float:
    return rows.at(f"{name}_{what}", n_over_d, regularizer=regularizer)


def _regularization(rows: Rows) -> Sentences:
    for name, words in (
        ("residual_loss", "the loss"),
        ("kl_model_data", "KL(generated‖population)"),
    ):
        values = [
            _best(rows, name, "ridge", x, w) for x in (1, 8) for w in ("argmin", "argmin_theory")
        ]
        yield _say(
            f"The best ridge for {words} is {{}} at N = d (theory {{}}) and {{}} at N = 8 d "
            "(theory {}).",
            *values,
        )


def _early_stopping(rows: Rows) -> Sentences:
    values = [
        _best(rows, "residual_loss", "stop", x, w)
        for x in (1, 8)
        for w in ("argmin", "argmin_theory")
    ]
    yield _say(
        "The best training time for the loss is {} at N = d (theory {}) and {} at N = 8 d (theory "
        "{}), in units where a mode of variance λ is learned at a rate of order λ.",
        *values,
    )


def _tuned(rows: Rows) -> Sentences:
    others = {
        "stop": "early stopping",
        "weight_decay": "weight decay",
        SHRINKAGE: "Ledoit–Wolf",
    }
    for name, words in (
        ("residual_loss", "test loss above the optimum"),
        ("kl_model_data", "KL(generated‖population)"),
    ):
        ridge = rows.at(f"{name}_minimum_theory", 1, regularizer="ridge", unit="absolute")
        for regularizer, other in others.items():
            own = rows.at(f"{name}_minimum", 1, regularizer=regularizer, unit="absolute")
            yield _say(
                f"At N = d the least {words} by {other} is {{}} times that of the best ridge.",
                own / ridge,
            )


def _agreement(rows: Rows) -> Sentences:
    for kind, params in rows.spectra():
        own: dict[str, Any] = {"spectrum": kind, "spectrum_params": params}
        own["strength"] = rows.least()
        most = float(rows.of("agreement", **own)["n_over_d"].max(initial=1))
        yield _say(
            f"Two models of disjoint training sets ({_spectrum(kind, params)}) agree to {{}} at "
            "N = d (theory {}) and to {} at N = {} d.",
            rows.at("agreement", 1, **own),
            rows.at("agreement_theory", 1, **own),
            rows.at("agreement", most, **own),
            most,
        )


def _real_data(rows: Rows) -> Sentences:
    for (params,) in tables.distinct_keys(rows.table, ("spectrum_params",)):
        own = {"spectrum_params": params}
        data = rows.of("test_loss", **own, source="data", comparable=True)
        if not len(data["value"]):
            continue
        last = int(np.argmax(data["n_over_d"]))
        at = float(data["n_over_d"][last])
        yield _say(
            f"On {_spectrum('dataset', params)} at N = {{}} d the test loss on held-out rows is "
            "{}; Gaussian data of the same covariance give {}, theory {}.",
            at,
            float(data["value"][last]),
            rows.at("test_loss", at, **own, source="surrogate"),
            rows.at("test_loss_theory", at, **own, source="theory"),
        )


def _memorization(rows: Rows) -> Sentences:
    trained = [name for name in compare.names(rows.table) if name in compare.TRAINED]
    for population, model in itertools.product(compare.populations(rows.table), trained):
        own = rows.of("memorized_fraction", **population, model=model)
        if not len(own["n"]):
            continue
        order = np.argsort(own["n"])
        n, share = own["n"][order].astype(float), own["value"][order].astype(float)
        above = np.flatnonzero(share > _FEW)
        rest = n[above[-1] + 1 :] if len(above) else n
        held = next(held for held in tables.facts(rows.table)["training"]
                    if held | population | {"model": model} == held)  # fmt: skip
        steps, words = held.get("stop_step") or held["steps"], MODELS[model].look.label
        data = _spectrum(population["spectrum"], population["spectrum_params"])
        yield _say(
            f"Of the samples of the {words} on {data} data (d = {population['d']}), "
            f"trained for {steps:,} steps, a share of {{}} is memorized at N = {{}}, and at most "
            f"{_FEW} at every N of the sweep from {{}} on.",
            share[0],
            n[0],
            rest[0] if len(rest) else math.nan,
        )


ANSWERS: tuple[Answer, ...] = (
    Answer("How many samples does the loss need?", "transition", _transition),
    Answer("How many does the distribution need?", "kl", _kl),
    Answer("What does the needed N grow with?", "data_need", _data_need),
    Answer("What is the gap made of below N = d?", "null_directions", _null_directions),
    Answer("How much ridge or weight decay is best?", "regularization", _regularization),
    Answer("When should training stop?", "early_stopping", _early_stopping),
    Answer("Which regularization is best?", "tuned", _tuned),
    Answer("When do two models agree?", "agreement", _agreement),
    Answer("Are real data like this?", "real_data", _real_data),
    Answer("When does a network memorize?", "memorization", _memorization),
)


def answers(results_dir: Path, drawn: Sequence[str]) -> list[tuple[Answer, list[str]]]:
    """Every answer that the figures `drawn` of a config give, with its sentences.

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
        if not rows.table.num_rows:  # the figure had nothing to draw
            continue
        sentences = [text for text in answer.sentences(rows) if text is not None]
        if sentences:
            found.append((answer, sentences))
    return found


def write(results_dir: Path, drawn: Sequence[str], path: Path) -> None:
    """Write the answers as one page of HTML."""
    parts = []
    for answer, sentences in answers(results_dir, drawn):
        body = "".join(f"<p>{html.escape(text)}</p>\n" for text in sentences)
        where = html.escape(answer.figure)
        parts.append(
            f"<h2>{html.escape(answer.question)}</h2>\n{body}<p><i>Figure {where}</i></p>\n"
        )
    name = html.escape(results_dir.name)
    page = _PAGE.format(
        name=name, body="".join(parts) or "<p>No figure of this config answers.</p>"
    )
    with files.atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Answers of {name}</title>
<style>body {{ max-width: 42em; margin: 2em auto; font: 16px/1.5 serif; padding: 0 1em }}</style>
</head><body><h1>Answers of {name}</h1>
<p>Every number on this page was taken from the data of the figure named below it.</p>
{body}</body></html>
"""
