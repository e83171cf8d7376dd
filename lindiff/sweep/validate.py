"""All that can be known to be wrong before anything runs.

`lindiff.config.resolve.load` refuses what single keys show; this module what only whole experiments
show: the size of the grid, settings that exclude each other, figures without their axes, training
that would diverge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from lindiff import figures, planning
from lindiff.columns import METRIC
from lindiff.config.resolve import Config, Experiment
from lindiff.config.sheet import setting_of
from lindiff.config.values import SPECTRA
from lindiff.config.words import known_word
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.progress import machine_memory
from lindiff.sweep.grid import Wanted, wanted

_MOST_LINES = 20


def validate(config: Config) -> Wanted:
    """The cells of a config, after every check.

    Args:
        config: From `lindiff.config.resolve.load`, which gives the messages their lines.

    Returns:
        What `lindiff.sweep.grid.wanted` returns.

    Raises:
        InputError: One line for each thing that is wrong.
    """
    problems = [
        line
        for experiment in config.experiments.values()
        for find in (_unread, _unavailable, _unsearched, _unfed)
        for line in find(experiment)
    ]
    try:
        found = wanted(config)
    except InputError as error:
        raise InputError("\n".join([*problems, str(error)])) from None
    for name, experiment in config.experiments.items():
        cells = found.cells_of(name)
        found_in = _too_large(cells, experiment, config) or planning.check(
            cells, experiment.metrics
        )
        problems += _short(_lines(experiment, cells, found_in))
    if problems:
        raise InputError("\n".join(problems))
    return found


def _too_large(
    cells: pa.Table, experiment: Experiment, config: Config
) -> list[tuple[int, str, str]]:
    """Cells that no job could hold: with more than this machine has and a shard may take."""
    machine = machine_memory()
    available = max(machine, config.target_bytes)
    reason = (
        f"more memory than there is: this machine has {machine / 1e9:,.3g} GB; where jobs may "
        f"take more, say so with shard: memory (now {config.target_bytes / 1e9:,.3g} GB)"
    )
    return [
        (row, setting, f"{text}, {reason}")
        for row, setting, text in planning.too_large(cells, experiment.metrics, available)
    ]


def warnings(config: Config, found: Wanted) -> list[str]:
    """What is allowed but should be known of the cells of a config, one line each.

    Args:
        config: From `lindiff.config.resolve.load`.
        found: What `validate` returned for it.
    """
    lines = []
    for name, experiment in config.experiments.items():
        cells = found.cells_of(name)
        # Models that share a data set or a schedule say the same of it, but not of another one.
        said = {
            (message, _subject(cells, row, key)): (row, key, message)
            for row, key, message in planning.warn(cells)[::-1]
        }
        lines += _short(_lines(experiment, cells, list(said.values())[::-1]))
    return lines + list(_thin(config, found))


def _thin(config: Config, found: Wanted) -> Iterator[str]:
    """Figures that the cells of all experiments that list them leave with an empty panel."""
    for figure in dict.fromkeys(f for one in config.experiments.values() for f in one.figures):
        feeding = [name for name, one in config.experiments.items() if figure in one.figures]
        rows = np.unique(np.concatenate([found.experiments[name] for name in feeding]))
        for words in figures.unmet(figure, found.cells.take(pa.array(rows))):
            message = f"the figure will have an empty panel, or nothing to draw: it takes {words}"
            yield config.experiments[feeding[0]].line("figures", message, figure)


def _subject(cells: pa.Table, row: int, setting: str) -> Any:
    """What a finding is about: a data set, by its name also where it is a spectrum, or a value."""
    if setting == "spectrum" and cells["spectrum"][row].as_py() == "dataset":
        return json.loads(cells["spectrum_params"][row].as_py())["name"]
    return cells[setting][row].as_py()


def _unread(experiment: Experiment) -> Iterator[str]:
    """Settings that the experiment itself gives although none of its models reads them."""
    names = experiment.axes["model"]
    known = {setting for name in names for setting in MODELS[name].settings}
    for key in experiment.axes:
        if setting_of(key) not in known | {"model"} and experiment.is_own(key):
            yield experiment.line(key, f"has no effect on model {', '.join(names)}")


def _unavailable(experiment: Experiment) -> Iterator[str]:
    """Metrics asked for that none of the experiment's models gives."""
    names = experiment.axes["model"]
    known = {metric for name in names for metric in MODELS[name].metrics}
    # A standard error comes with its metric and is not spoken of beside it.
    asked = [m for m in experiment.metrics if m.removesuffix("_se") not in experiment.metrics
             or not m.endswith("_se")]  # fmt: skip
    lost = [m for m in asked if m not in known and not _decides(m, experiment)]
    for metric in lost:
        if not METRIC[metric].default or len(lost) == len(asked):
            message = f"model {', '.join(names)} does not give this metric"
            yield experiment.line("metrics", message, metric)


def _decides(metric: str, experiment: Experiment) -> bool:
    """Whether a refined axis has asked for a metric, of which `_unsearched` speaks."""
    search = experiment.refine
    return search is not None and metric == (METRIC[search.metric].part_of or search.metric)


def _unsearched(experiment: Experiment) -> Iterator[str]:
    """A refined axis of which no model has the metric that decides."""
    search = experiment.refine
    if search is not None and not experiment.searched:
        names = ", ".join(experiment.axes["model"])
        yield experiment.line(
            search.axis, f"refine: model {names} does not give the metric {search.metric}"
        )


def _unfed(experiment: Experiment) -> Iterator[str]:
    """Figures that there are not, or that the experiment cannot feed."""
    for figure in experiment.figures:
        try:
            known_word(figure, figures.FIGURES)
        except ValueError as error:
            yield experiment.line("figures", str(error), figure)
            continue
        missing = figures.missing(figure, experiment.axes, experiment.metrics)
        if missing:
            message = f"the experiment lacks {'; '.join(missing)}"
            yield experiment.line("figures", message, figure)


def _lines(
    experiment: Experiment, cells: pa.Table, findings: Iterable[tuple[int, str, str]]
) -> Iterator[str]:
    """Findings ``(row, setting, message)`` of the models as lines that say where in the file."""
    for row, setting, message in findings:
        cell = cells.slice(row, 1).to_pylist()[0]
        key = "spectrum" if setting == "spectrum_params" else setting
        value = _written(cell) if key == "spectrum" else cell[key]
        yield experiment.line(key, message, value)


def _written(cell: dict[str, Any]) -> Any:
    """The spectrum of a cell as a config spells it."""
    kind, params = cell["spectrum"], json.loads(cell["spectrum_params"])
    if not params:
        return kind
    return {kind: next(iter(params.values())) if len(SPECTRA[kind]) == 1 else params}


def _short(lines: Iterable[str]) -> list[str]:
    """The first distinct lines, and how many more there are."""
    lines = list(dict.fromkeys(lines))
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… and {more:,} more like these"]
