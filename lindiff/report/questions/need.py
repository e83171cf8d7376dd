"""How many samples: for the loss, the distribution, and what that number grows with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lindiff.columns.groups import SPECTRUM
from lindiff.drawing import tables
from lindiff.models import THEORY
from lindiff.report.findings import (
    FEWEST_POINTS,
    KL,
    TARGETS,
    Missing,
    Rows,
    Said,
    between,
    finding,
    listed,
    number,
    size,
    spectrum,
)
from lindiff.science.pools import INDEPENDENT
from lindiff.science.scaling import crossing

_FLOOR = 0.05  # a share of the KL from which on a floor rules it
_FAR = 10.0  # times d: N from which on the law of the KL is near
_CLOSE = 0.1  # relative distance from the optimum that counts as close


def transition(rows: Rows) -> Iterator[Said]:
    """From which N on the test loss is near its optimum."""
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
    return finding(text, holds, *curve)


def kl(rows: Rows) -> Iterator[Said]:
    """Both divergences at the largest N, beside their law and their floor."""
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
        yield finding(text + ".", holds, last)


def null_directions(rows: Rows) -> Iterator[Said]:
    """What the directions that no training set has carry of the gap below N = d and above it."""
    name, strength = rows.least()
    for ratio in (0.5, 2):
        row = rows.near("null_share", ratio, strength=strength)
        (d,) = tables.distinct(rows.table, "d")[:1]
        holds = rows.holds(regularizer=name, strength=strength, d=row["d"] if row else d)
        if row is None:
            yield Missing(f"no N near {ratio} d; add n_over_d: {ratio}.", holds)
        elif row["n"] > row["d"]:
            text = f"at {size(row)} there is no direction that the training set never saw"
            yield finding(f"{text}; their share of the gap is {number(row['value'])}.", holds, row)
        else:
            yield finding(
                f"at {size(row)} the directions that the training set never saw carry the share "
                f"{between(row)} of the gap between test and train loss.",
                holds,
                row,
            )


def data_need(rows: Rows) -> Iterator[Said]:
    """What the N for a loss or a divergence goes with."""
    facts = rows.facts
    spectra = "; ".join(spectrum(*key) for key in rows.keys(*SPECTRUM))
    sizes = ", ".join(str(d) for d in tables.distinct(rows.table, "d"))
    holds = rows.holds(spectrum=None, spectrum_params=f"Gaussian data, spectra {spectra}", d=sizes)
    for target in TARGETS:
        level = facts["level"][target]
        what = f"{KL[target]} is" if target in KL else "the test loss is above the optimum by"
        what += f" {number(level)}"
        own = {"target": target, "against": "coefficient"}
        points = [row for row in rows.of("needed", **own) if row["value"] > _FAR * row["d"]]
        found = rows.of("exponent", **own)
        at = "" if target in KL else f" at t = {listed(points, 't')}"
        if not found:
            yield Missing(
                f"the N at which {what} is above {_FAR:g} d at fewer than "
                f"{FEWEST_POINTS} coefficients; add d or larger n_over_d.",
                holds,
            )
            continue
        law = "(d+3)/4" if target in KL else "[(df1+1)(df1−df2)+df2−df3]/d"
        ratio = [row["value"] * level / row["x"] for row in points]
        (scatter,) = rows.of("scatter", **own)
        text = (
            f"the N at which {what}{at} goes as a to the power "
            f"{between(found[0])}, a = {law} the coefficient of the law a/N of large N and no "
            f"floor (95 % interval over training sets and lack of fit; {len(points)} points with "
            f"N > {_FAR:g} d, d = {listed(points, 'd')}, which scatter by a factor "
            f"{number(scatter['value'])}); it is {number(min(ratio))} to {number(max(ratio))} "
            f"times a/{number(level)}."
        )
        yield finding(text, holds, found[0], *points)
