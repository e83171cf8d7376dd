"""How much of which regularization is best."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from lindiff.columns.groups import SPECTRUM
from lindiff.drawing import compare, labels, stopped, tables
from lindiff.drawing.needs import FEWEST_STRENGTHS
from lindiff.models import MODELS, SHRINKAGE
from lindiff.report.findings import (
    KL,
    TARGETS,
    Missing,
    Rows,
    Said,
    between,
    finding,
    known,
    listed,
    number,
    size,
    spectrum,
)

_REGULARIZERS = {
    "ridge": "ridge",
    "weight_decay": "weight decay",
    "stop": "training time τ",
    SHRINKAGE: "Ledoit–Wolf",
}

_FEW = 4  # N that a sentence names

# Best stops, as sentences call them.
_STOPS = {
    stopped.quantity(name): f"the least {words}"
    for name, words in {"test_loss": "test loss", **KL}.items()
}


def _best(rows: Rows, regularizers: Sequence[str]) -> Iterator[Said]:
    """The best strength of each regularization at N = d and 8 d."""
    varied = tables.distinct(rows.table, "regularizer")
    for regularizer, (metric, words) in itertools.product(regularizers, TARGETS.items()):
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
            yield finding(f"{what} is {' and '.join(said)}.", holds, *behind)
        elif least is None and not rows.near(f"{metric}_minimum", 1, **own):
            (d,) = tables.distinct(rows.table, "d")[:1]
            text = f"no N near d or 8 d for {what}; add n: [{d}, {8 * d}] (n_over_d: [1, 8])"
            text += ", as far as the pool has rows" if rows.real else ""
            yield Missing(f"{text}.", rows.holds(d=d))


def regularization(rows: Rows) -> Iterator[Said]:
    """The best ridge and weight decay."""
    yield from _best(rows, ("ridge", "weight_decay"))


def early_stopping(rows: Rows) -> Iterator[Said]:
    """The best training time."""
    yield from _best(rows, ("stop",))


def stops(rows: Rows) -> Iterator[Said]:
    """The best stops for the loss and each KL beside the first bias, of every model."""
    training = rows.facts["training"]
    for place in compare.populations(rows.table):
        for model in compare.names(rows.table):
            own = {"model": model} | place
            held = next((one for one in training if one | own == one), own)
            found: dict[int, dict[str, dict[str, Any]]] = {}
            for quantity in stopped.QUANTITIES:
                for row in rows.of(quantity, **own):
                    found.setdefault(row["n"], {})[quantity] = row
            yield from _side_by_side(model, found, rows.holds(**held))


def _side_by_side(
    model: str, found: dict[int, dict[str, dict[str, Any]]], holds: dict[str, str]
) -> Iterator[Said]:
    """All stops at the largest N that has them, and their order over all N."""
    first, loss, *kl = (stopped.quantity(name) for name in (stopped.BIASED, *stopped.BEST))
    unit = "step" if MODELS[model].trained else "τ ="
    whole = [n for n, of in found.items() if len(of) == len(stopped.QUANTITIES)]
    if not whole:
        text = "no N has the first bias and all three best stops inside the axis of stops"
        yield Missing(f"{text}; extend {stopped.axis(model)}, or add n.", holds)
    else:
        n = max(whole)
        said = [f"{words} at {unit} {between(found[n][name])}" for name, words in _STOPS.items()]
        text = (
            f"at N = {n:,} the first bias, samples nearer to their own training set by "
            f"{stopped.BIAS} √tr Σ more than at the first stop of the sweep, is at "
            f"{unit} {between(found[n][first])}; {', '.join(said)}"
        )
        yield finding(f"{text}.", holds, *found[n].values())
    for name in (loss, *kl):
        both = {n: of for n, of in sorted(found.items()) if first in of and name in of}
        if both:
            before = [n for n, of in both.items() if _apart(of[first], of[name])]
            after = [n for n, of in both.items() if _apart(of[name], of[first])]
            text = _order(_STOPS[name], before, after, [*both])
            if alone := [n for n in sorted(found) if n not in both]:
                text = f"{text[:-1]} (at {_sizes(alone)} the sweep has not both stops)."
            yield finding(text, holds, *(row for of in both.values() for row in of.values()))


def _order(least: str, before: list[int], after: list[int], every: list[int]) -> str:
    """Which of the first bias and a best stop is first, at which N."""
    undecided = _sizes([n for n in every if n not in before + after])
    sides = {f"before the stop with {least}": before, f"after the stop with {least}": after}
    said = [f"{side} at {_sizes(ns)}" for side, ns in sides.items() if ns]
    if not said:
        return (
            f"whether the first bias is before or after the stop with {least} is undecided at "
            f"{undecided}: no two intervals there are apart."
        )
    open_ = f"; undecided at {undecided}" if undecided else ""
    return f"the first bias is {' and '.join(said)}, with intervals that do not meet{open_}."


def _sizes(ns: list[int]) -> str:
    """Some N, each by itself if they are few; ascending."""
    if len(ns) > _FEW:
        return f"{len(ns)} values of N from {ns[0]:,} to {ns[-1]:,}"
    return f"N = {labels.listed([f'{n:,}' for n in ns])}" if ns else ""


def _apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one stop is before another, with intervals that do not meet."""
    return known(one["high"]) and known(other["low"]) and bool(one["high"] < other["low"])


def tuned(rows: Rows) -> Iterator[Said]:
    """The least values of all regularizations over those of the best ridge."""
    order: dict[tuple[str, str], dict[str, list[str]]] = {}
    others = set(tables.distinct(rows.table, "regularizer"))
    for (kind, params), (metric, words) in itertools.product(rows.keys(*SPECTRUM), TARGETS.items()):
        of = {"spectrum": kind, "spectrum_params": params}
        own = of | {"unit": "ridge"}
        unit = rows.near(f"{metric}_minimum_theory", 1, **own, regularizer="ridge")
        if unit is None:
            holds = rows.holds(d=listed(rows.of(f"{metric}_minimum"), "d"), **of)
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
            yield finding(f"{text}, is {', '.join(said)}.", holds, *behind)
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
        yield finding(text + end, holds, *counts)
