"""Findings of the page of answers: what is said, what it holds for, and what it rests on.

A sentence is made of a `Finding`, so that none is without its conditions and its evidence; where
the evidence is too thin or a condition does not hold, a `Missing` says so, and what would bring it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff.columns import SETTING, SETTINGS
from lindiff.columns.groups import GAUSSIAN, ONE_CLASS, SPECTRUM
from lindiff.drawing import labels, slices, tables
from lindiff.drawing.intervals import FEWEST_SETS as FEWEST_SETS
from lindiff.models import EXACT, MODELS, SHRINKAGE, THEORY
from lindiff.science.datasets import title
from lindiff.science.pools import INDEPENDENT

# The two divergences as sentences call them.
KL = {"kl_model_data": "KL(generated‖population)", "kl_data_model": "KL(population‖generated)"}
# What data are needed for, and regularized for.
TARGETS = {"residual_loss": "test loss above the optimum", **KL}
FEWEST_POINTS = 4  # N over which a finding says how something goes
NEAR = 0.2  # |ln| of the ratio of two N/d that are taken for one another
_OWN = ("model", "data", *SPECTRUM, "d", "n", "draw", "seed", "train_seed", "sampler")
_WORDS = {
    EXACT: "linear model", THEORY: "linear model", SHRINKAGE: "Ledoit–Wolf",
    "stop": "training time", "stop_step": "taken after step", "batch_size": "batch",
}  # fmt: skip
_ALWAYS = ("optimizer", "width", "steps", "learning_rate")  # of a training, whatever their value


@dataclass(frozen=True)
class Finding:
    """One sentence.

    Attributes:
        text: What is found.
        holds: What it holds for, in words: at least model, spectrum, d and sampler.
        sets: The fewest training sets behind one of its numbers; 0 where the theory alone gives
            them.
    """

    text: str
    holds: Mapping[str, str]
    sets: int

    def __str__(self) -> str:
        evidence = f"{self.sets} training sets" if self.sets else "theory of large systems"
        words = ", ".join([*self.holds.values(), evidence])
        return f"{words[:1].upper()}{words[1:]}: {self.text}"


@dataclass(frozen=True)
class Missing:
    """Why a sweep does not answer.

    Attributes:
        text: What is missing, and what to add to the config.
        holds: As in `Finding`.
    """

    text: str
    holds: Mapping[str, str]

    def __str__(self) -> str:
        words = ", ".join(self.holds.values())
        return f"Not answered ({words}): {self.text}" if words else f"Not answered: {self.text}"


Said = Finding | Missing


def finding(text: str, holds: Mapping[str, str], *rows: Mapping[str, Any]) -> Said:
    """A finding that rests on these rows of a figure's data, if training sets enough stand behind.

    Args:
        text: What is found.
        holds: What it holds for.
        rows: The rows whose values it says; those without ``seeds`` are of the theory.
    """
    counts = [int(row["seeds"]) for row in rows if known(row.get("seeds"))]
    if counts and min(counts) < FEWEST_SETS:
        return thin(min(counts), holds)
    if any(row.get("dependent") for row in rows):
        part = f"some training sets more than 1/{1 / INDEPENDENT:g} of the pool"
        holds = {**holds, "pool": part}
    return Finding(text, holds, min(counts, default=0))


def thin(sets: int, holds: Mapping[str, str]) -> Missing:
    """Too few training sets."""
    have = f"{sets} training set{'s' * (sets != 1)}"
    verb = "is" if sets == 1 else "are"
    return Missing(f"there {verb} {have} only; add seeds, at least {FEWEST_SETS}.", holds)


def known(value: Any) -> bool:
    """Whether a value is there: neither null nor nan."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def number(value: float, digits: int = 3) -> str:
    """That many significant digits, as text."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}g}"


def digits(row: Mapping[str, Any]) -> int:
    """The digits that tell a value from the ends of its interval: at least three, at most six."""
    if not (known(row.get("low")) and known(row.get("high"))):
        return 3
    values = {row["low"], row["value"], row["high"]}
    apart = (n for n in range(3, 6) if len({number(x, n) for x in values}) == len(values))
    return next(apart, 6)


def size(row: Mapping[str, Any]) -> str:
    """The N of a row, also in units of d: ``N = 128 = 1 d``."""
    return f"N = {row['n']:,} = {row['n_over_d']:,.{0 if row['n_over_d'] >= 100 else 2}f} d"


def between(row: Mapping[str, Any]) -> str:
    """A value with its interval, ``1.26 (1.24 to 1.27)``, where that has a width."""
    value, low, high = (
        number(row[name], digits(row)) if known(row.get(name)) else ""
        for name in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})" if low and high and low != high else value


def listed(rows: Iterable[Mapping[str, Any]], name: str) -> str:
    """The values of a column, each once, ascending."""
    return ", ".join(str(value) for value in sorted({row[name] for row in rows}))


def spectrum(kind: str, params: str) -> str:
    """A spectrum in plain words."""
    values = json.loads(params or "{}")
    if kind == "dataset":
        return title(values["name"])
    if kind == "power_law" and values.get("exponent") == 0:
        return "isotropic"
    scalars = [
        f"{key.replace('_', ' ')} {x:g}" for key, x in values.items() if isinstance(x, int | float)
    ]
    words = kind.replace("_", " ")
    return f"{words} ({', '.join(scalars)})" if scalars else words


def population(data: str | None, kind: str, params: str) -> str:
    """What training sets are drawn from, in plain words."""
    if data not in (None, GAUSSIAN):
        return f"rows of {title(data)}"
    if kind == "dataset":
        return f"Gaussian data with the covariance of {spectrum(kind, params)}"
    return f"Gaussian data, spectrum {spectrum(kind, params)}"


@dataclass(frozen=True, eq=False)
class Rows:
    """The data of a figure, asked by quantity."""

    table: pa.Table

    @property
    def facts(self) -> dict[str, Any]:
        """What the figure holds fixed, and the like."""
        return tables.facts(self.table)

    @property
    def real(self) -> bool:
        """Whether the training sets are rows of a data set."""
        return labels.is_real(self.facts)

    def of(self, quantity: str, **equal: Any) -> list[dict[str, Any]]:
        """Rows of a quantity where every column of `equal` has that value, ascending in N.

        ``dependent`` says of a measured one whether its training sets are too much of their pool to
        be like independent samples.
        """
        kept = tables.keep(self.table, "quantity", [quantity])
        for name, value in equal.items():
            kept = kept.filter(pa.array([x == value for x in kept[name].to_pylist()], pa.bool_()))
        rows: list[dict[str, Any]] = kept.to_pylist()
        first = self.facts.get("dependent_from") or math.inf
        for row in rows:
            row["dependent"] = known(row.get("seeds")) and (row.get("n") or 0) >= first
        return sorted(rows, key=lambda row: row.get("n") or 0)

    def near(self, quantity: str, n_over_d: float, **equal: Any) -> dict[str, Any] | None:
        """The row at the N/d nearest to `n_over_d`, within 20 %; None where there is none."""
        rows = [row for row in self.of(quantity, **equal) if known(row["value"])]
        off = [abs(math.log(row["n_over_d"] / n_over_d)) for row in rows]
        best = int(np.argmin(off)) if off else 0
        return rows[best] if off and off[best] < NEAR else None

    def keys(self, *names: str) -> list[tuple[Any, ...]]:
        """The distinct values of these columns, in their order in the table."""
        found = dict.fromkeys(tables.keys_of(self.table, names))
        return [key for key in found if None not in key]

    def least(self) -> tuple[str, float]:
        """The regularization that is drawn and its least strength."""
        name, values = slices.strengths(self.table)
        return name, values[0]

    def holds(self, **own: Any) -> dict[str, str]:
        """What the data hold for, in words by setting.

        Args:
            own: Settings of the finding itself, before those that the figure holds fixed: values,
                or text where several are shown. `regularizer` and `strength` together are one.
        """
        facts = self.facts
        # A setting that a data set does not have is null.
        given = facts.get("fixed", {}) | own
        fixed = {name: x for name, x in given.items() if x is not None}
        model = fixed.get("model", EXACT)
        found = {"model": _WORDS.get(model) or MODELS[model].look.label}
        name = fixed.pop("regularizer", None)
        if name is not None:
            fixed[name] = fixed.pop("strength")
        if all(fixed.get(x) == SETTING[x].neutral for x in slices.REGULARIZERS):
            found["regularization"] = "not regularized"
        kind, params = fixed.get("spectrum"), fixed.get("spectrum_params", "{}")
        data = fixed.get("data")
        found["spectrum"] = params if kind is None else population(data, kind, params)
        if fixed.get("mixture", ONE_CLASS) != ONE_CLASS:
            words = labels.mixture(fixed.pop("mixture"), "{:.4g}".format)
            found["spectrum"] = found["spectrum"].replace("Gaussian data", f"data of {words}")
        found["d"] = f"d = {fixed['d']}"
        if "sampler" in fixed:
            found["sampler"] = f"sampler {fixed['sampler']}"
        for column in SETTINGS:
            if column.name in _OWN or column.name not in fixed:
                continue
            value, several = fixed[column.name], column.name in facts.get("choice", {})
            said = several and column.name not in slices.REGULARIZERS
            if value != column.neutral or said or (column.name in _ALWAYS and "steps" in own):
                words = _WORDS.get(column.name, column.name.replace("_", " "))
                found[column.name] = f"{words} {_plain(value)}"
        return found


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("_", " ")
    return "∞" if math.isinf(value) else f"{value:,.6g}"
