"""One curve of the large-system theory without a sweep: what ``lindiff theory`` does.

The settings are those of an experiment, ``KEY=VALUE`` with VALUE in YAML, with the same checks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import METRIC, SETTING, SETTINGS, delivered, result_schema
from lindiff.columns.arrays import as_text, family_rows
from lindiff.columns.groups import SPECTRUM
from lindiff.config import yamlfile
from lindiff.config.resolve import Config, Experiment, resolve
from lindiff.config.sheet import MAX_CELLS
from lindiff.config.words import known_word
from lindiff.config.yamlfile import Document
from lindiff.errors import InputError
from lindiff.models import MODELS, THEORY
from lindiff.sweep.validate import validate, warnings

DEFAULT_METRICS = ("train_loss", "test_loss", "kl_model_data", "kl_data_model")
_MODEL = MODELS[THEORY]
_COMMAND = "lindiff theory"
_NAME = "theory"
_ELSEWHERE = {
    "model": "the model is linear_theory; leave this out",
    "metrics": "use --metric",
    "figures": "use --out FILE.png",
    "theory": "write its keys by themselves",
}


@dataclass(frozen=True)
class Curve:
    """A curve, or several.

    Attributes:
        table: A row per point: the settings given, `d`, `n`, `n_over_d`, the metrics and, where
            there is one, why some do not exist (`message`). By curve, along the axis.
        axis: Column of the abscissa; None for a single point.
        curves: The columns that tell the curves apart.
        fixed: The settings that all points share, by name.
        metrics: Names of the metrics.
        warnings: What should be known of the settings, a line each.
    """

    table: pa.Table
    axis: str | None
    curves: tuple[str, ...]
    fixed: dict[str, Any]
    metrics: tuple[str, ...]
    warnings: list[str]


def make_curve(
    arguments: Sequence[str], metrics: Sequence[str] = (), max_cells: int = MAX_CELLS
) -> Curve:
    """Compute the curve that the settings describe.

    Args:
        arguments: ``KEY=VALUE`` each. At most two keys may have several values: the axis, and one
            that tells curves apart.
        metrics: Metrics or their parts; by default `DEFAULT_METRICS`.
        max_cells: A curve of more points is refused.

    Raises:
        InputError: A line for each thing that is wrong.
    """
    names = tuple(dict.fromkeys(_metric(name) for name in metrics)) or DEFAULT_METRICS
    asked = [METRIC[name].part_of or name for name in names]
    try:
        config = _config(arguments, list(dict.fromkeys(asked)), max_cells)
        grid = validate(config)
        told = [_plainly(line) for line in warnings(config, grid)]
    except InputError as error:
        raise InputError(_plainly(str(error))) from None
    experiment = config.experiments[_NAME]
    if experiment.refine is not None:
        key = experiment.refine.axis
        raise InputError(f"{_COMMAND}: {key}: refine takes rounds of a sweep; give its values")
    given = {_argument(text)[0] for text in arguments}
    axis, other = _axes(experiment, given)
    rows = _compute(grid.cells, asked)
    kept = [c.name for c in SETTINGS if c.name in given or c.name in ("d", "n")]
    if "spectrum" in kept:
        kept.insert(kept.index("spectrum") + 1, "spectrum_params")
    kept.insert(kept.index("n") + 1, "n_over_d")
    curves = () if other is None else SPECTRUM if other == "spectrum" else (other,)
    keys = [*curves, *([axis] if axis else [])]
    rows = rows.sort_by([(key, "ascending") for key in keys]) if keys else rows
    some = ["message"] if rows["message"].null_count < len(rows) else []
    return Curve(rows.select([*kept, *names, *some]), axis, curves, _fixed(rows), names, told)


def _fixed(rows: pa.Table) -> dict[str, Any]:
    """The settings with one value, but for those that do not apply."""
    values = {column.name: rows[column.name].unique().to_pylist() for column in SETTINGS}
    return {key: own[0] for key, own in values.items() if len(own) == 1 and own != [None]}


def _plainly(text: str) -> str:
    """A message about an experiment as one about an argument."""
    return text.replace(f"experiments.{_NAME}.", "").replace(f"experiments.{_NAME}: ", "")


def _metric(name: str) -> str:
    known = delivered(m for m in _MODEL.metrics if METRIC[m].type == "float")
    try:
        return known_word(name, known)
    except ValueError as error:
        raise InputError(f"{_COMMAND}: --metric {name}: {error}") from None


def _argument(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"{_COMMAND}: {yamlfile.shown(text)}: write KEY=VALUE, such as d=200")
    return key.strip(), value


def _config(arguments: Sequence[str], metrics: list[str], max_cells: int) -> Config:
    """The config with one experiment of these settings."""
    own: dict[str, Any] = {"model": _MODEL.name, "metrics": {"only": metrics}}
    problems, seen = [], set()
    for key, value in map(_argument, arguments):
        if key in seen or key in _ELSEWHERE:
            problems.append(f"{_COMMAND}: {key}: {_ELSEWHERE.get(key, 'given twice')}")
        seen.add(key)
        own[key] = yamlfile.parse(value, f"{_COMMAND}: {key}").data
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
    document = Document(_COMMAND, {"experiments": {_NAME: own}, "max_cells": max_cells})
    return resolve(document, Path(), _NAME)


def _axes(experiment: Experiment, given: Collection[str]) -> tuple[str | None, str | None]:
    """The axis, and the setting that tells curves apart: those given with several values."""
    counts = {key: len(experiment.axes[key]) for key in experiment.axes if key in given}
    counts = {key: count for key, count in counts.items() if count > 1}
    if len(counts) > 2:
        raise InputError(
            f"{_COMMAND}: {', '.join(counts)} have several values each; at most two settings may "
            "(the axis, and one that tells curves apart)"
        )

    def rank(key: str) -> tuple[bool, bool, int]:
        number = key == "n_over_d" or SETTING[key].type in ("int", "float")
        return number, key in ("n", "n_over_d"), counts[key]

    ranked = [*sorted(counts, key=rank, reverse=True), None, None]
    return ranked[0], ranked[1]


def _compute(cells: pa.Table, metrics: Sequence[str]) -> pa.Table:
    """The cells with `n_over_d`, their metrics and messages, family by family."""
    run = _MODEL.load()
    columns = delivered(metrics)
    parts = [cells.take(pa.array(rows)) for rows in family_rows(cells)]
    found = pa.concat_tables([run(part, columns) for part in parts])
    rows = pa.concat_tables(parts).unify_dictionaries()
    schema = result_schema(metrics)
    arrays = {name: rows[name] for name in SETTING}
    arrays["n_over_d"] = pc.divide(rows["n"].cast(pa.float64()), rows["d"])
    arrays |= {name: found[name] for name in (*columns, "message")}
    fields = []
    for name, values in arrays.items():
        arrays[name] = values = as_text(values)
        described = next((s.field(name) for s in (rows.schema, schema) if name in s.names), None)
        fields.append(pa.field(name, values.type, metadata=described and described.metadata))
    return pa.table(arrays, schema=pa.schema(fields))
