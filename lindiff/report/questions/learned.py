"""What models learn: whether two agree, whether data are like Gaussian ones, and memorizing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lindiff.columns.groups import SPECTRUM
from lindiff.drawing import compare, tables
from lindiff.report.findings import (
    FEWEST_POINTS,
    KL,
    Missing,
    Rows,
    Said,
    between,
    digits,
    finding,
    number,
    size,
)
from lindiff.science.pools import INDEPENDENT

_FEW = 0.02  # a share of memorized samples that counts as none


def agreement(rows: Rows) -> Iterator[Said]:
    """How far two models of disjoint training sets agree."""
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
        yield finding(f"{text}{more}.", holds, one, last)


def real_data(rows: Rows) -> Iterator[Said]:
    """Losses and divergences of data sets beside those of Gaussian data and theory."""
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
            yield finding(text + ".", holds, last, *same)


def _strength(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: found[0][key] for key in ("regularizer", "strength")} if found else {}


def memorization(rows: Rows) -> Iterator[Said]:
    """Up to which N networks memorize."""
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
        rest, most = found[above[-1] + 1]["n"], last["n"]
        every = f"every N of the sweep from {rest:,} to {most:,}"
        text += f", and at most {_FEW} at {every if rest < most else f'the largest, N = {most:,}'}"
    return finding(f"{text}.", holds, *found)
