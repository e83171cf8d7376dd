"""The advice in words: every sentence with what it holds for and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lindiff.advice.check import CURVES
from lindiff.advice.model import METRICS, SAMPLER
from lindiff.advice.result import Advice, Best, Interval, Needed
from lindiff.advice.sample import Sample, Scatter
from lindiff.columns import SETTING
from lindiff.config.yamlfile import shown
from lindiff.report.findings import KL
from lindiff.science.schedule import make_schedule

_NAMES = {"test_loss": "test loss", **KL}
_SYMBOLS = {"ridge": "ridge c", "weight_decay": "weight decay γ", "stop": "stop at τ"}
_WIDE, _ORDERED, _DOMINANT = 1.2, 1.5, 0.8
_TAILS = 0.05  # of a KL, beyond that of Gaussian rows


def sections(advice: Advice) -> Iterator[tuple[str, list[str]]]:
    """Heading and sentences, in the order in which a reader asks."""
    if advice.sample is None:
        yield "Your spectrum", list(_given(advice))
    else:
        yield "Your data", list(_data(advice, advice.sample))
        yield "Do I have enough?", list(_enough(advice, advice.sample))
    yield "How many samples do I need?", [_needed(advice, one) for one in advice.needed]
    yield "How should I regularize, and when should I stop?", list(_regularization(advice))
    if advice.sample is not None and advice.scatter is not None:
        yield "Is this true of my data?", list(_checked(advice, advice.sample, advice.scatter))
    yield "What this holds for", [_conditions(advice)]


def text(advice: Advice) -> str:
    """All of it, for a terminal."""
    parts = [
        "\n".join([heading, *(f"  {line}" for line in lines)])
        for heading, lines in sections(advice)
    ]
    return "\n\n".join(parts)


def number(value: float) -> str:
    """Three digits."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "nothing"
    digits = f"{abs(value):,.0f}" if abs(value) >= 1000 else f"{abs(value):.3g}"
    return _signed(value, digits)


def _signed(value: float, digits: str) -> str:
    """The digits of a size, with a minus sign where the value is negative: no hyphen."""
    return f"−{digits}" if value < 0 else digits


def between(interval: Interval) -> str:
    """A number with its interval in brackets; of a number that is certain, the number."""
    if interval.certain:
        return number(interval.value)
    return f"{number(interval.value)} [{number(interval.low)} to {number(interval.high)}]"


def _whole(interval: Interval, least: int, most: int) -> str:
    """A number of samples with its interval, whose ends are said within what was looked at."""
    value = f"{math.ceil(interval.value):,}"
    if interval.certain:
        return value
    low = f"below {least:,}" if interval.low < least else f"{math.ceil(interval.low):,}"
    high = f"beyond {most:,}" if interval.high > most else f"{math.ceil(interval.high):,}"
    return f"{value} [{low} to {high}]"


def _share(interval: Interval) -> str:
    """A share in percent with its interval."""
    values = [100 * x for x in (interval.value, interval.low, interval.high)]
    value, low, high = (
        _signed(x, f"{abs(x):.2g}" if abs(x) < 10 else f"{abs(x):,.0f}") for x in values
    )
    return f"{value} %" if interval.certain else f"{value} % [{low} to {high} %]"


def _given(advice: Advice) -> Iterator[str]:
    yield f"{advice.name}: the eigenvalues of a covariance, d = {advice.d:,}."
    yield from _shape(advice)
    yield from (f"Note: {note}." for note in advice.notes)


def _data(advice: Advice, sample: Sample) -> Iterator[str]:
    yield (
        f"{advice.name}: {sample.rows:,} rows of {_count(sample.columns, 'column')}, "
        f"d = {sample.d:,} (N/d = {number(sample.rows / sample.d)})."
    )
    if sample.constant:
        yield f"{_count(sample.constant, 'column')} without variation: left out, no dimensions."
    if sample.dependent:
        yield (
            f"{_count(sample.dependent, 'direction')} without variance, combinations of other "
            "columns: left out."
        )
    yield from _shape(advice)
    column, share = sample.widest
    if share > _DOMINANT and sample.columns > 2:
        yield (
            f"The column {shown(column)} alone has {100 * share:.3g} % of the variance, which is "
            "what a denoiser then learns; if columns have units of their own, standardize them."
        )
    yield from (f"Note: {note}." for note in advice.notes)


def _shape(advice: Advice) -> Iterator[str]:
    law = advice.power_law
    s = advice.spectrum[0]
    if law is not None and law.exponent.high > 0.05:
        k, span = between(law.exponent), f"from j = {law.first} to {law.last}"
        if law.exponent.low > 0:
            yield f"The population's variances fall as j^−k with k = {k} {span}."
        else:
            yield f"The population's variances may be level {span}: as j^−k, k is {k}."
    elif law is not None:
        yield f"The population's variances are level from j = {law.first} to {law.last}."
    else:
        yield "The population's variances follow no one power law over a factor 5 of j."
    top = np.cumsum(s) / s.sum()
    yield (
        f"Nine tenths of the variance lie in {int(np.argmax(top >= 0.9)) + 1:,} of "
        f"{advice.d:,} directions; the largest is {number(s[0])}, the smallest {number(s[-1])} "
        "times the mean."
    )


def _enough(advice: Advice, sample: Sample) -> Iterator[str]:
    n, best = _own(advice, sample), advice.optimal_loss.value
    for curve in CURVES:
        # The optimal loss is as uncertain as the loss, and for the same reason.
        excess = advice.at(curve, n).value / best - 1
        yield (
            f"With your N = {n:,}, {_how(curve)}, the test loss is {100 * excess:.2g} % above that "
            "of infinitely many samples."
        )
    for one in advice.needed:
        if one.quantity == "excess":
            yield f"{_target(one)}: {_verdict(one, n)}."


def _how(curve: str) -> str:
    return "at the best ridge" if curve.endswith("best") else "without regularization"


def _verdict(one: Needed, n: int) -> str:
    if one.n is None:
        return f"not at any N up to {one.largest:,}"
    if n >= one.n.high:
        return "you have enough"
    if n >= one.n.low:
        return "you have about enough"
    return f"you need {number(one.n.value / n)} times as many"


def _target(one: Needed) -> str:
    how = "at the best ridge" if one.best_ridge else "without regularization"
    if one.quantity == "gap":
        return f"A gap of test and train loss of {100 * one.target:g} % of the optimal loss, {how}"
    if one.quantity == "excess":
        return f"A test loss within {100 * one.target:g} % of the optimum, {how}"
    return f"{_NAMES[one.quantity]} below {one.target:g} nats per dimension, {how}"


def _needed(advice: Advice, one: Needed) -> str:
    if one.n is None:
        # Of it about (d+3)/(4N) is for want of samples (docs/theory.md, "Needed N").
        of_n = (advice.d + 3) / (4 * one.largest)
        ruled = one.quantity in METRICS and one.left > 2 * of_n
        floor = ", most of it what the sampler leaves at N = ∞" if ruled else ""
        return (
            f"{_target(one)}: not up to N = {one.largest:,}, where {number(one.left)} is left"
            f"{floor}."
        )
    if one.n.value <= advice.n[0]:
        return f"{_target(one)}: at every N from {advice.n[0]:,} on."
    needed = _whole(one.n, advice.n[0], one.largest)
    said = f"{_target(one)}: from N = {needed} on (N/d = {number(one.n.value / advice.d)})"
    if one.quantity in KL and advice.scatter is not None and _tailed(advice.scatter):
        said += " if your rows were Gaussian"
        if not one.best_ridge:
            more = float(f"{one.n.value * advice.scatter.divergence:.2g}")
            said += f"; with their fourth moments about N = {more:,.0f}"
    return f"{said}."


def _tailed(scatter: Scatter) -> bool:
    """Whether fourth moments, beyond chance, make a KL notably larger than of Gaussian rows."""
    return scatter.divergence - 1 > max(_TAILS, 3 * scatter.chance)


def _regularization(advice: Advice) -> Iterator[str]:
    sizes = sorted({one.n for one in advice.best})
    for n in sizes:
        for metric in METRICS:
            ones = [one for one in advice.best if one.n == n and one.metric == metric]
            yield f"N = {n:,}, {_NAMES[metric]}: " + "; ".join(_one(one) for one in ones) + "."


def _one(one: Best) -> str:
    symbol = _SYMBOLS[one.regularizer]
    if one.strength.value == SETTING[one.regularizer].neutral:
        return f"no {symbol} helps" if one.regularizer != "stop" else "stopping does not help"
    if math.isnan(one.ratio.value) or not math.isfinite(one.ratio.value) or one.ratio.value == 0:
        return f"{symbol} = {between(one.strength)}, without which it is infinite"
    saved = Interval(1 - one.ratio.value, 1 - one.ratio.high, 1 - one.ratio.low)
    return f"{symbol} = {between(one.strength)} lowers it by {_share(saved)}"


def _checked(advice: Advice, sample: Sample, scatter: Scatter) -> Iterator[str]:
    check = advice.check
    if not check.n:
        yield "Not checked: too few rows to hold some out."
    for curve in CURVES if check.n else ():
        off, error = check.off(curve)
        worst = int(np.argmax(np.abs(off)))
        yield (
            f"Linear denoisers trained on N = {check.n[0]:,} to {check.n[-1]:,} of your own rows, "
            f"{_how(curve)}, have on held-out ones a test loss that is off the prediction by "
            f"{number(100 * float(np.median(np.abs(off))))} % (median over N), at most by "
            f"{number(100 * math.expm1(off[worst]))} % ± {number(200 * error[worst])} % at "
            f"N = {check.n[worst]:,}."
        )
    for curve, sizes in check.notable().items():
        yield (
            f"Your data are unlike a Gaussian with this covariance, {_how(curve)}, at N = "
            f"{', '.join(f'{n:,}' for n in sizes)}: the losses above, and the N needed for them, "
            "were corrected by what was measured; KL and the best strengths were not."
        )
    if scatter.repeats > 0:
        yield (
            f"{100 * scatter.repeats:.2g} % of the rows that were looked at repeat another "
            "one: you have fewer samples than rows, and held-out rows are partly those trained on."
        )
    if scatter.inflation > _WIDE:
        yield (
            f"Your rows scatter {number(scatter.inflation)} times as much as independent "
            "Gaussian rows of this covariance: the intervals are that much wider."
        )
    if _tailed(scatter):
        yield (
            f"Whitened rows z have a mean |z|⁴ of {number(scatter.fourth)}, Gaussian ones d(d+2) = "
            f"{number(sample.d * (sample.d + 2))}: for want of samples, many such rows leave "
            f"{number(scatter.divergence)} times the KL of as many Gaussian ones, without "
            "regularization and to leading order in 1/N."
        )
    if scatter.order > _ORDERED:
        yield (
            f"Your rows are in an order that matters: neighbours are alike, and means over a part "
            f"of the file scatter {number(scatter.order)} times as much as over shuffled "
            "rows. If the file is a part of more data, the rest may be unlike it."
        )
    if sample.rows <= sample.d:
        yield (
            f"{sample.rows:,} rows do not show all {sample.d:,} directions: the smallest variances "
            "are inferred, from a prior that neighbouring ones are alike."
        )


def _conditions(advice: Advice) -> str:
    if advice.sample is None:
        unit = "The eigenvalues are divided by their mean: c is in that unit."
    else:
        unit = (
            f"The data are multiplied by {advice.sample.unit:.4g}, so that a direction has "
            "variance 1 on average: c is in that unit. Brackets: intervals, nominally 95 %, for "
            "what your rows leave open of the spectrum; docs/benchmarks.md, 'Advice', has how "
            "often they held the truth of simulated Gaussian data."
        )
    schedule = make_schedule()
    return (
        "Linear denoisers, trained to the end but where a stop is said; linear noise schedule, β "
        f"from {schedule.beta[0]:g} to {schedule.beta[-1]:g} over T = {len(schedule.beta)} levels, "
        "the mean over levels of the loss per dimension; mean estimated; KL of "
        f"the Gaussian that {SAMPLER.upper()} generates, in nats per dimension; theory of large "
        f"systems for Gaussian data. {unit}"
    )


def _own(advice: Advice, sample: Sample) -> int:
    """N of the sample, or the next one that has a limit."""
    return min(n for n in advice.n if n >= sample.rows)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
