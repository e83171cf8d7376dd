"""A config file, resolved: defaults inherited, axes expanded, neutral values filled in.

The file is read by `yamlfile`, its grammar is in `sheet`, and every error names the file, the line,
the key, the value and what is allowed. A resolved config needs no other file: its JSON goes into
the plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from lindiff.columns import DEFAULT_METRICS, METRIC, REQUESTABLE, REQUIRED, SETTINGS
from lindiff.config import dimensions
from lindiff.config.axes import Section
from lindiff.config.dimensions import data_sets
from lindiff.config.overrides import overridden
from lindiff.config.refine import Added, Refinement
from lindiff.config.sheet import KEYS, MAX_CELLS, Sheet, parse, setting_of
from lindiff.config.yamlfile import Document, Key, read, shown
from lindiff.errors import InputError
from lindiff.models import MODELS, THEORY
from lindiff.science.datasets import is_file


def _no_document() -> Document:
    """Stands in messages about a config that was read from a plan."""
    return Document("config")


class _Resolved(BaseModel):
    """Frozen; equal if it asks for the same, wherever it was written."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]  # it holds dictionaries


class Experiment(_Resolved):
    """A named block of a config, resolved.

    Attributes:
        name: Its name.
        axes: Every setting with the list of its values, in their column's type; `n_over_d` stands
            instead of `n` where that was given, and each spectrum is ``{"kind": …, **params}``.
        metrics: Metrics asked for, in the order of `columns.REQUESTABLE`.
        figures: Figures that it feeds.
        theory: Axes that replace those of `axes` for the model `linear_theory`.
        sizes: d of each data set that the axes name.
        refine: The search along one of the axes, which has the values of the first round.
        added: What later rounds have added to that axis.
    """

    name: str
    axes: dict[str, list[Any]]
    metrics: tuple[str, ...]
    figures: tuple[str, ...]
    theory: dict[str, list[Any]] = {}
    sizes: dict[str, int] = {}
    refine: Refinement | None = None
    added: tuple[Added, ...] = ()
    _document: Document = PrivateAttr(default_factory=_no_document)
    _written: dict[str, Key] = PrivateAttr(default_factory=dict)

    def axes_of(self, model: str) -> dict[str, list[Any]]:
        """The axes of one of its models, in the order of the table; `model` has that one value."""
        axes = self.axes
        if model == THEORY:
            other = {"n": "n_over_d", "n_over_d": "n"}
            replaced = {other.get(key, key) for key in self.theory}
            axes = {k: v for k, v in axes.items() if k not in replaced} | self.theory
        reads = MODELS[model].settings
        return {
            column.name: [model] if column.name == "model" else axes[column.name]
            for column in KEYS
            if column.name in axes and setting_of(column.name) in reads
        }

    @property
    def searched(self) -> list[str]:
        """The models that are searched along the refined axis: those with the axis and the metric.

        An axis of its own, which theory may have, is not searched along.
        """
        if self.refine is None:
            return []
        asked = METRIC[self.refine.metric].part_of or self.refine.metric
        return [
            model
            for model in self.axes["model"]
            if asked in MODELS[model].metrics
            and self.axes_of(model).get(self.refine.axis) == self.refine.start
        ]

    def products(self) -> list[tuple[Experiment, str]]:
        """The products of axes whose cells the experiment has: one a model, then what was added."""
        own = [(self, model) for model in self.axes["model"]]
        return [*own, *(self.at(added.where, added.values) for added in self.added)]

    def at(self, where: Mapping[str, Any], values: Sequence[Any]) -> tuple[Experiment, str]:
        """The experiment for one combination of settings, with values of the refined axis.

        Args:
            where: The settings, `model` among them.
            values: The values.

        Returns:
            The experiment, without a search, and its one model.
        """
        assert self.refine is not None
        one = {name: [value] for name, value in where.items()}
        axes = self.axes_of(where["model"]) | one | {self.refine.axis: list(values)}
        update = {"axes": axes, "theory": {}, "refine": None, "added": ()}
        return self.model_copy(update=update), where["model"]

    def line(self, key: str, message: str, value: object = None) -> str:
        """``FILE:LINE:COLUMN: experiments.NAME.key = value: message``.

        The position is that of the value, of its axis, or of the key in `defaults`.
        """
        if key == "n" and "n_over_d" in self.axes:
            key, value = "n_over_d", None
        written = self._written.get(key, ("experiments", self.name))
        head = self._document.head(_at(self._document, written, value))
        name = f"experiments.{self.name}.{key}"
        return f"{head}: {name}{'' if value is None else f' = {shown(value)}'}: {message}"

    def is_own(self, key: str) -> bool:
        """Whether the experiment itself, rather than `defaults`, gives `key`."""
        return self._written.get(key, ())[:1] == ("experiments",)


class Config(_Resolved):
    """A config file, resolved.

    Attributes:
        name: Stem of the file: its results are in ``results/NAME``.
        experiments: The experiments by name.
        stale: ``rerun``, ``error`` or ``keep``; None leaves it to each model.
        device: Where models are trained, one of `lindiff.session.DEVICES`.
        target_seconds: Time that a shard aims at.
        target_bytes: Memory that a shard aims at.
        max_cells: A grid of more cells is refused.
        overrides: What was given beside the file, ``KEY=VALUE`` each.
    """

    name: str
    experiments: dict[str, Experiment]
    stale: str | None = None
    device: str = "auto"
    target_seconds: float
    target_bytes: int
    max_cells: int = MAX_CELLS
    overrides: tuple[str, ...] = ()
    _document: Document = PrivateAttr(default_factory=_no_document)

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of the data sets that are matrices of the user, sorted."""
        named = {name for experiment in self.experiments.values() for name in experiment.sizes}
        return tuple(sorted(filter(is_file, named)))

    def feeding(self, figure: str) -> tuple[str, ...]:
        """Names of the experiments that list a figure."""
        return tuple(name for name, e in self.experiments.items() if figure in e.figures)

    def with_added(self, added: Mapping[str, tuple[Added, ...]]) -> Config:
        """The same where rounds have added these values to experiments, and no others."""
        found = {
            name: experiment.model_copy(update={"added": added.get(name, ())})
            for name, experiment in self.experiments.items()
        }
        return self.model_copy(update={"experiments": found})

    def line(self, key: str, message: str) -> str:
        """``FILE:LINE:COLUMN: key: message`` for a key at the top of the file."""
        return self._document.line((key,), message, value="")

    def to_json(self) -> str:
        """The config as JSON with sorted keys; infinities are spelled ``Infinity``."""
        # A plan is named by this text: without what came later it is that of the versions before.
        content = self.model_dump(exclude=None if self.overrides else {"overrides"})
        for experiment in content["experiments"].values():
            for name in ("refine", "added"):
                if not experiment[name]:
                    del experiment[name]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Config:
        """The config that `to_json` wrote.

        Raises:
            InputError: The text is not one.
        """
        try:
            return cls.model_validate_json(text)
        except ValueError as error:
            raise InputError(f"not a resolved config: {error}") from None


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file.

    Args:
        path: The YAML file. Files that it names (eigenvalues) are read too, relative to its folder.
        overrides: ``KEY=VALUE`` each, in place of the file's: `lindiff.config.overrides`.

    Returns:
        The resolved config.

    Raises:
        InputError: The file cannot be read or has errors: one line for each.
    """
    path = Path(path)
    document = overridden(read(path), overrides, tuple(Sheet.model_fields))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", path.stem):
        raise InputError(
            f"{path}: the name of a config names its results; "
            "it must hold letters, digits, '_', '-' and '.' only"
        )
    config = resolve(document, path.parent, path.stem)
    found = config.model_copy(update={"overrides": tuple(overrides)})
    found._document = document
    return found


def resolve(document: Document, folder: Path, name: str) -> Config:
    """The config that a document holds.

    Args:
        document: The sheet as plain data.
        folder: Where the paths in it start.
        name: Name of the config.

    Raises:
        InputError: As `load`.
    """
    sheet = parse(document, folder)
    problems: list[str] = []
    experiments = {
        key: _experiment(key, own, sheet.defaults, document, problems)
        for key, own in sheet.experiments.items()
    }
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
    config = Config(
        name=name,
        experiments=experiments,
        stale=sheet.stale,
        device=sheet.device,
        target_seconds=sheet.shard.seconds,
        target_bytes=sheet.shard.memory,
        max_cells=sheet.max_cells,
    )
    config._document = document
    return config


def _experiment(
    name: str, own: Section, defaults: Section, document: Document, problems: list[str]
) -> Experiment:
    """One experiment, its inheritance resolved; appends what is wrong to `problems`."""
    given: dict[str, Any] = {}
    written: dict[str, Key] = {}
    for section, path in ((defaults, ("defaults",)), (own, ("experiments", name))):
        fields = section.model_fields_set
        if {"n", "n_over_d"} <= fields:
            problems.append(document.line((*path, "n_over_d"), "give n or n_over_d, not both"))
        for one, other in (("n", "n_over_d"), ("n_over_d", "n")):
            if one in fields:
                given.pop(other, None)
                written.pop(other, None)
        for key in fields:
            given[key] = getattr(section, key)
            written[key] = (*path, key)
    metrics = given.pop("metrics", DEFAULT_METRICS)
    figures = given.pop("figures", ())
    theory = given.pop("theory", None)
    own_axes = {}
    if theory is not None:
        own_axes = {key: getattr(theory, key) for key in theory.model_fields_set}
        given["model"] = list(dict.fromkeys([*given.get("model", []), THEORY]))
        if {"n", "n_over_d"} <= own_axes.keys():
            where = (*written["theory"], "n_over_d")
            problems.append(document.line(where, "give n or n_over_d, not both"))
    search = _search(given, written, document, problems)
    if search is not None:
        asked = {*metrics, METRIC[search.metric].part_of or search.metric}
        metrics = tuple(metric for metric in REQUESTABLE if metric in asked)
    draft = Experiment(
        name=name, axes=given, metrics=metrics, figures=figures, theory=own_axes, refine=search
    )
    draft._document, draft._written = document, written
    found = dimensions.sizes([*data_sets(given), *data_sets(own_axes)])
    problems += dimensions.resolve(draft, given, found)
    for key in _missing(given):
        problems.append(
            document.line(("experiments", name), f"the key {key} is missing", key=True, value="")
        )
    for column in SETTINGS:
        if column.neutral is not REQUIRED and column.name != "spectrum_params":
            neutral = {"kind": "isotropic"} if column.name == "spectrum" else column.neutral
            given.setdefault(column.name, [neutral])
    order = [column.name for column in KEYS if column.name in given]
    axes = {key: given[key] for key in order}
    experiment = draft.model_copy(update={"axes": axes, "sizes": found})
    experiment._document, experiment._written = document, written
    return experiment


def _search(
    given: dict[str, Any], written: Mapping[str, Key], document: Document, problems: list[str]
) -> Refinement | None:
    """The search of an experiment; in `given` its axis becomes the values of the first round."""
    found = {key: value for key, value in given.items() if isinstance(value, Refinement)}
    given.update({key: search.start for key, search in found.items()})
    for key in sorted(found)[1:]:
        other = min(found)
        message = f"one axis of an experiment can be refined, and {other} is"
        problems.append(document.line(written[key], message, value=""))
    return next(iter(found.values()), None)


def _missing(given: Mapping[str, Any]) -> list[str]:
    """Required keys that are not given, of the settings that some model of the experiment reads.

    Where the model itself is missing, those of the first one.
    """
    models = [MODELS[model] for model in given.get("model", MODELS) if model in MODELS]
    if "model" not in given:
        models = models[:1]
    read_by_some = {setting for model in models for setting in model.settings}
    missing = []
    for column in SETTINGS:
        name = column.name
        if column.neutral is not REQUIRED or name not in read_by_some:
            continue
        if name not in given and not (name == "n" and "n_over_d" in given):
            missing.append("n or n_over_d" if name == "n" else name)
    return missing


def _at(document: Document, path: Key, value: object) -> Key:
    """The path of `value` inside a list that was written out, else `path`."""
    try:
        written = document.value(path)
    except LookupError:
        return path
    if value is not None and isinstance(written, list) and value in written:
        return (*path, written.index(value))
    return path
