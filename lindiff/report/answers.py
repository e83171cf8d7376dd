"""What a sweep says, in words: each number is taken from the data that a figure drew.

An answer is a question, the figure that it rests on, and a function from that figure's data to
claims (`lindiff.report.claims`), each with its conditions and evidence.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lindiff import checksums, figures, files
from lindiff.columns.groups import SPECTRUM
from lindiff.drawing import compare, tables
from lindiff.drawing.needs import FEWEST_STRENGTHS
from lindiff.errors import InputError
from lindiff.models import SHRINKAGE, THEORY
from lindiff.report import sections
from lindiff.report.claims import (
    FEWEST_POINTS,
    KL,
    Missing,
    Rows,
    Said,
    between,
    claim,
    digits,
    known,
    number,
    size,
    spectrum,
)
from lindiff.science.pools import INDEPENDENT
from lindiff.science.scaling import crossing
from lindiff.sweep.derived import PAGE

_FEW = 0.02  # a share of memorized samples that counts as none
_FLOOR = 0.05  # a share of the KL from which on a floor rules it
_FAR = 10.0  # times d: N from which on the law of the KL is near
_CLOSE = 0.1  # relative distance from the optimum that counts as close
_METRICS = {"residual_loss": "test loss above the optimum", **KL}
_REGULARIZERS = {
    "ridge": "ridge",
    "weight_decay": "weight decay",
    "stop": "training time τ",
    SHRINKAGE: "Ledoit–Wolf",
}


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


def _transition(rows: Rows) -> Iterator[Said]:
    name, strength = rows.least()
    d = max(tables.distinct(rows.table, "d"))
    for kind, params in rows.keys(*SPECTRUM):
        own = {"spectrum": kind, "spectrum_params": params, "t": None, "strength": strength, "d": d}
        curve = [] if rows.real else rows.of("test_loss_theory", **own)
        holds = rows.holds(
            spectrum=kind,
            spectrum_params=params,
            d=d,
            regularizer=name,
            strength=strength,
            **{} if not curve else {"model": THEORY},
        )
        curve = curve or rows.of("test_loss", **own)
        best = rows.of("optimal_loss", **own)
        if len(curve) < FEWEST_POINTS or not best:
            yield Missing(f"fewer than {FEWEST_POINTS} N; add values of n or n_over_d.", holds)
            continue
        loss = "test loss on held-out rows" if rows.real else "test loss"
        yield _within(loss, curve, [row["value"] for row in best], holds)


def _within(
    loss: str, curve: list[dict[str, Any]], best: list[float], holds: dict[str, str]
) -> Said:
    """From which N on the test loss is close to its optimum."""
    x = np.array([row["n_over_d"] for row in curve])
    excess = np.array([row["value"] for row in curve]) / np.median(best) - 1
    share = f"{100 * _CLOSE:g} %"
    need = crossing(x, np.maximum(excess, 1e-12), _CLOSE)
    if need is not None:
        text = f"the {loss} is within {share} of its optimum from N = {number(need)} d on."
    elif excess[-1] > _CLOSE:
        text = (
            f"at the largest N of the sweep, {size(curve[-1])}, the {loss} is still "
            f"{100 * excess[-1]:.3g} % above its optimum; a larger n_over_d would show where "
            f"it comes within {share}."
        )
    else:
        text = (
            f"the {loss} is within {share} of its optimum at every N of the sweep, from "
            f"{size(curve[0])} on; a smaller n_over_d would show where that begins."
        )
    return claim(text, holds, *curve)


def _kl(rows: Rows) -> Iterator[Said]:
    name, strength = rows.least()
    (d,) = tables.distinct(rows.table, "d")[:1]
    holds = rows.holds(regularizer=name, strength=strength, d=d)
    for metric, words in KL.items():
        own = {"unit": "tail", "strength": strength}
        every = rows.of(metric, **own)
        measured = [row for row in every if not row["dependent"]]
        if not measured:
            what = f"no finite {words} at N = 2 d or more"
            larger = f"add n of {2 * d} or more (n_over_d: 2)"
            if every:
                what += f" and at most 1/{1 / INDEPENDENT:g} of the pool of rows"
                larger += ", or rows to the data"
            yield Missing(f"{what}; {larger}.", holds)
            continue
        last = measured[-1]
        floor = {row["n"]: row["value"] for row in rows.of(f"{metric}_floor", **own)}
        less = {row["n"]: row["value"] for row in rows.of(f"{metric}_excess", **own)}
        text = f"{words} at {size(last)} is {between(last)} times (d+3)/(4N)"
        if rows.real:
            text += ", the law of independent Gaussian samples, which rows of a data set are not"
        else:
            text += ", the law of Gaussian data for large N without regularization and sampler"
        share = floor.get(last["n"], np.nan) / (last["value"] or np.nan)
        if share > _FLOOR:
            text += (
                f"; {100 * share:.2g} % of it is the floor that the same model has at N = ∞, "
                f"and less that floor it is {number(less[last['n']])} times the law"
            )
        elif share >= 0:
            text += f"; of it {100 * share:.2g} % is the floor of the same model at N = ∞"
        exact = {row["n"]: row["value"] for row in rows.of(f"{metric}_mean", unit="tail")}
        if last["n_over_d"] < _FAR:
            text += ". N is not far above d"
            if last["n"] in exact:
                mean = number(exact[last["n"]])
                text += f": there the exact mean of Gaussian data is {mean} times that law"
        yield claim(text + ".", holds, last)


def _null_directions(rows: Rows) -> Iterator[Said]:
    name, strength = rows.least()
    for ratio in (0.5, 2):
        row = rows.near("null_share", ratio, strength=strength)
        (d,) = tables.distinct(rows.table, "d")[:1]
        holds = rows.holds(regularizer=name, strength=strength, d=row["d"] if row else d)
        if row is None:
            yield Missing(f"no N near {ratio} d; add n_over_d: {ratio}.", holds)
        elif row["n"] > row["d"]:
            text = f"at {size(row)} there is no direction that the training set never saw"
            yield claim(f"{text}; their share of the gap is {number(row['value'])}.", holds, row)
        else:
            yield claim(
                f"at {size(row)} the directions that the training set never saw carry the share "
                f"{between(row)} of the gap between test and train loss.",
                holds,
                row,
            )


def _data_need(rows: Rows) -> Iterator[Said]:
    facts = rows.facts
    spectra = "; ".join(spectrum(*key) for key in rows.keys(*SPECTRUM))
    sizes = ", ".join(str(d) for d in tables.distinct(rows.table, "d"))
    holds = rows.holds(spectrum=None, spectrum_params=f"Gaussian data, spectra {spectra}", d=sizes)
    for target, words in _METRICS.items():
        level = facts["level"][target]
        own = {"target": target, "against": "coefficient"}
        points = [row for row in rows.of("needed", **own) if row["value"] > _FAR * row["d"]]
        found = rows.of("exponent", **own)
        at = "" if target in KL else f" at t = {_of(points, 't')}"
        if not found:
            yield Missing(
                f"the N for a {words} of {number(level)} is above {_FAR:g} d at fewer than "
                f"{FEWEST_POINTS} coefficients; add d or larger n_over_d.",
                holds,
            )
            continue
        law = "(d+3)/4" if target in KL else "[(df1+1)(df1−df2)+df2−df3]/d"
        ratio = [row["value"] * level / row["x"] for row in points]
        (scatter,) = rows.of("scatter", **own)
        text = (
            f"the N for a {words} of {number(level)}{at} goes as a to the power "
            f"{between(found[0])}, a = {law} the coefficient of the law a/N of large N and no "
            f"floor (95 % interval over training sets and lack of fit; {len(points)} points with "
            f"N > {_FAR:g} d, d = {_of(points, 'd')}, which scatter by a factor "
            f"{number(scatter['value'])}); it is {number(min(ratio))} to {number(max(ratio))} "
            f"times a/{number(level)}."
        )
        yield claim(text, holds, found[0], *points)


def _of(points: list[dict[str, Any]], name: str) -> str:
    return ", ".join(str(value) for value in sorted({row[name] for row in points}))


def _best(rows: Rows, regularizers: Sequence[str]) -> Iterator[Said]:
    """The best strength of each regularization at N = d and 8 d."""
    varied = tables.distinct(rows.table, "regularizer")
    for regularizer, (metric, words) in itertools.product(regularizers, _METRICS.items()):
        if regularizer not in varied:
            continue
        own = {"regularizer": regularizer}
        what = f"the {_REGULARIZERS[regularizer]} with the least {words}"
        said, behind = [], []
        for ratio in (1, 8):
            least = rows.near(f"{metric}_minimum", ratio, **own)
            best = rows.near(f"{metric}_argmin", ratio, **own)
            if least is None:
                continue
            if best is None or best["n"] != least["n"]:
                text = f"{what} at {size(least)} is at the end of its axis; extend {regularizer}."
                yield Missing(text, rows.holds(d=least["d"]))
                continue
            exact = rows.near(f"{metric}_argmin_theory", ratio, **own)
            theory = f", theory {number(exact['value'])}," if exact else ""
            said.append(f"{between(best)}{theory} at {size(best)}")
            behind.append(best)
        if said:
            holds = rows.holds(d=behind[0]["d"])
            yield claim(f"{what} is {' and '.join(said)}.", holds, *behind)
        elif least is None and not rows.near(f"{metric}_minimum", 1, **own):
            (d,) = tables.distinct(rows.table, "d")[:1]
            text = f"no N near d or 8 d for {what}; add n: [{d}, {8 * d}] (n_over_d: [1, 8])."
            yield Missing(text, rows.holds(d=d))


def _regularization(rows: Rows) -> Iterator[Said]:
    yield from _best(rows, ("ridge", "weight_decay"))


def _early_stopping(rows: Rows) -> Iterator[Said]:
    yield from _best(rows, ("stop",))


def _tuned(rows: Rows) -> Iterator[Said]:
    order: dict[tuple[str, str], dict[str, list[str]]] = {}
    others = set(tables.distinct(rows.table, "regularizer"))
    for (kind, params), (metric, words) in itertools.product(
        rows.keys(*SPECTRUM), _METRICS.items()
    ):
        of = {"spectrum": kind, "spectrum_params": params}
        own = of | {"unit": "ridge"}
        unit = rows.near(f"{metric}_minimum_theory", 1, **own, regularizer="ridge")
        if unit is None:
            holds = rows.holds(d=_of(rows.of(f"{metric}_minimum"), "d"), **of)
            what = f"no theory of the best ridge for the {words} at N = d"
            more = f"add theory: {{}} to {FEWEST_STRENGTHS} values of ridge or more and n_over_d: 1"
            yield Missing(f"{what}; {more}.", holds)
            continue
        holds, said, behind = rows.holds(d=unit["d"], **of), [], []
        ridge = rows.near(f"{metric}_minimum", 1, **own, regularizer="ridge")
        for regularizer in ("stop", "weight_decay", SHRINKAGE):
            row = rows.near(f"{metric}_minimum", 1, **own, regularizer=regularizer)
            if row is None:
                continue
            other = "early stopping" if regularizer == "stop" else _REGULARIZERS[regularizer]
            best = rows.near(f"{metric}_argmin", 1, **of, regularizer=regularizer)
            if best is None and regularizer != SHRINKAGE:
                what = f"the least {words} by {other} at {size(row)} is at the end of its axis"
                yield Missing(f"{what}; extend {regularizer}.", holds)
                continue
            target = regularizer == SHRINKAGE and spectrum(kind, params) == "isotropic"
            why = " (which shrinks to this very covariance)" if target else ""
            said.append(f"{between(row)} by {other}{why}")
            behind.append(row)
            side = _side(row, ridge)
            if side:
                sides = order.setdefault((words, other), {})
                sides.setdefault(side, []).append(spectrum(kind, params))
        if said:
            text = f"at {size(behind[0])} the least {words}, over that of the best ridge in theory"
            yield claim(f"{text}, is {', '.join(said)}.", holds, *behind)
        elif others <= {"ridge"}:
            text = "the only regularization is ridge; add weight_decay, stop or model: ledoit_wolf"
            yield Missing(f"{text}.", holds)
    yield from _ranking(rows, order)


def _side(row: dict[str, Any], ridge: dict[str, Any] | None) -> str | None:
    """Where a least value lies beside that of the ridge, both measured; None without intervals."""
    if ridge is None or not all(known(end[key]) for end in (row, ridge) for key in ("low", "high")):
        return None
    if row["high"] < ridge["low"]:
        return "less than"
    return "more than" if row["low"] > ridge["high"] else "within the intervals equal to that"


def _ranking(rows: Rows, order: dict[tuple[str, str], dict[str, list[str]]]) -> Iterator[Said]:
    """On which spectra another regularization is better than the best ridge."""
    keys = rows.keys(*SPECTRUM)
    sizes = ", ".join(str(d) for d in tables.distinct(rows.table, "d"))
    if len(keys) < 2:
        holds = rows.holds(spectrum=keys[0][0], spectrum_params=keys[0][1], d=sizes)
        text = "which regularization is best depends on the spectrum, and this sweep has one"
        more = "add other data or spectra" if rows.real else "add others"
        yield Missing(f"{text}; {more}.", holds)
        return
    spectra = "; ".join(spectrum(*key) for key in keys)
    gaussian = "" if rows.real else "Gaussian data, "
    holds = rows.holds(spectrum=None, spectrum_params=f"{gaussian}spectra {spectra}", d=sizes)
    counts = [row for row in rows.table.to_pylist() if row["seeds"] is not None]
    for (words, other), sides in order.items():
        said = [f"{side} by the best ridge for {'; '.join(names)}" for side, names in sides.items()]
        text = f"at N = d the least {words} by {other} is {', and '.join(said)}"
        both = {"less than", "more than"} <= set(sides)
        end = ": the ranking depends on the spectrum." if both else "."
        yield claim(text + end, holds, *counts)


def _agreement(rows: Rows) -> Iterator[Said]:
    name, strength = rows.least()
    for kind, params in rows.keys(*SPECTRUM):
        own = {"spectrum": kind, "spectrum_params": params, "strength": strength}
        found = rows.of("agreement", **own)
        d = found[-1]["d"] if found else tables.distinct(rows.table, "d")[-1]
        of = {"spectrum": kind, "spectrum_params": params, "d": d}
        holds = rows.holds(**of, regularizer=name, strength=strength)
        one = rows.near("agreement", 1, **own)
        if one is None:
            yield Missing(f"no N near d; add n: {d} (n_over_d: 1).", holds)
            continue
        exact = rows.near("agreement_theory", 1, **own)
        theory = f" (theory {number(exact['value'], digits(one))})" if exact else ""
        text = (
            f"two models of disjoint training sets agree to {between(one)} at {size(one)}{theory}"
        )
        last = found[-1]
        more = f", and to {between(last)} at {size(last)}" if last["n"] > one["n"] else ""
        yield claim(f"{text}{more}.", holds, one, last)


def _real_data(rows: Rows) -> Iterator[Said]:
    for (params,) in rows.keys("spectrum_params"):
        of = {"spectrum_params": params}
        name = json.loads(params)["name"]
        for metric, words in {"test_loss": "test loss on held-out rows", **KL}.items():
            every = rows.of(metric, **of, source="data")
            data = [row for row in every if row["comparable"]]
            d = (every or rows.of(metric, **of) or [{"d": "?"}])[0]["d"]
            holds = rows.holds(
                data=name, spectrum="dataset", spectrum_params=params, d=d, **_strength(every)
            )
            if not data:
                share = f"1/{1 / INDEPENDENT:g}"
                why = (
                    f"every training set is more than {share} of the pool"
                    if every
                    else f"no finite {words}"
                )
                yield Missing(f"{why}; add smaller n.", holds)
                continue
            last = data[-1]
            same = [
                row for row in rows.of(metric, **of, source="surrogate") if row["n"] == last["n"]
            ]
            exact = rows.near(f"{metric}_theory", last["n_over_d"], **of, source="theory")
            text = f"the {words} at {size(last)} is {between(last)}"
            if same:
                times = number(last["value"] / same[0]["value"])
                text += (
                    f", {times} times the {between(same[0])} of Gaussian data with the same "
                    "covariance"
                )
            if exact:
                text += f"; theory for those {number(exact['value'])}"
            yield claim(text + ".", holds, last, *same)


def _strength(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: found[0][key] for key in ("regularizer", "strength")} if found else {}


def _memorization(rows: Rows) -> Iterator[Said]:
    trained = [name for name in compare.names(rows.table) if name in compare.TRAINED]
    training = rows.facts["training"]
    for place in compare.populations(rows.table):
        for model in trained:
            found = rows.of("memorized_fraction", **place, model=model)
            if not found:
                continue
            held = next(x for x in training if x | place | {"model": model} == x)
            holds = rows.holds(**held)
            if len(found) < FEWEST_POINTS:
                have = f"there are {len(found)} N only"
                yield Missing(f"{have}; add n, at least {FEWEST_POINTS}.", holds)
                continue
            yield _memorized(found, holds)


def _memorized(found: list[dict[str, Any]], holds: dict[str, str]) -> Said:
    above = [i for i, row in enumerate(found) if row["value"] > _FEW]
    first, last = found[0], found[-1]
    text = f"a share of {between(first)} of the samples is memorized at N = {first['n']:,}"
    if not above:
        text = f"at most {_FEW} of the samples are memorized at every N from {first['n']:,} on"
    elif above[-1] == len(found) - 1:
        text += f", and of {between(last)} still at the largest, N = {last['n']:,}"
    else:
        rest = found[above[-1] + 1]["n"]
        text += f", and at most {_FEW} at every N of the sweep from {rest:,} to {last['n']:,}"
    return claim(f"{text}.", holds, *found)


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
