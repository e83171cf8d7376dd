"""The grammar of a config file, as pydantic models, and what is said about errors in it.

The models are built from `lindiff.columns`: a new setting is a new key, without a line here. They
hold what was written; `resolve` fills it in (defaults, neutral values, derived settings).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ByteSize,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import ErrorDetails

from lindiff.columns import (
    DEFAULT_METRICS,
    METRIC,
    REQUESTABLE,
    SETTINGS,
    Column,
    with_standard_errors,
)
from lindiff.config import refine, values
from lindiff.config.axes import (
    FORMS,
    MOST_WORDS,
    SPANS,
    Room,
    Section,
    axis,
    item,
    value_list_or_mapping,
    value_or_list,
)
from lindiff.config.words import MOST_LINES, known_word, suggestion
from lindiff.config.yamlfile import Document, Key, shown
from lindiff.errors import InputError
from lindiff.models import MODELS, THEORY
from lindiff.session import DEVICES

STALE = ("rerun", "error", "keep")
SECONDS, BYTES, MAX_CELLS = 60.0, 2**30, 2_000_000

# Pydantic reads a size from the start of a text, and "1,5 GiB" as one byte: the whole must be one.
_SIZE = re.compile(r"\s*\d+(\.\d*)?\s*([A-Za-z]*B)?\s*")
_BYTE_SIZE = TypeAdapter(ByteSize)


def _bytes(value: object) -> int:
    """A size in bytes from a number of bytes or a text such as ``1.5 GiB``."""
    if isinstance(value, str):
        try:
            if not _SIZE.fullmatch(value):
                raise ValueError(value)
            value = int(_BYTE_SIZE.validate_python(value))
        except (ValueError, OverflowError):
            message = 'must be a number of bytes or a text such as "512 MiB" or "1 GiB"'
            raise ValueError(message) from None
    size: int = values.checked(Column("memory", "int", "", "", low=1), value)
    return size


def _metric(value: object) -> str:
    column = METRIC.get(value) if isinstance(value, str) else None
    if column is not None and column.part_of:
        raise ValueError(f"comes with {column.part_of}; ask for that")
    return known_word(value, REQUESTABLE)


def _figure(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be the name of a figure")
    return value


_Metric = Annotated[Any, PlainValidator(_metric), WithJsonSchema({"enum": list(REQUESTABLE)})]
# The schema lists no figures: a new figure is its file and one word of YAML, nothing generated.
_Figure = Annotated[Any, PlainValidator(_figure), WithJsonSchema({"type": "string"})]


class Only(Section):
    """Metrics without the default ones."""

    only: Annotated[list[_Metric], Field(min_length=1, max_length=MOST_WORDS)] = Field(
        description="The metrics, instead of the default ones."
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _in_order(value: Any) -> tuple[str, ...]:
    if isinstance(value, Only):
        return tuple(name for name in REQUESTABLE if name in value.only)
    return with_standard_errors([*DEFAULT_METRICS, *_as_list(value)])


_Metrics = Annotated[
    Annotated[_Metric, Tag("<value>")]
    | Annotated[list[_Metric], Field(max_length=MOST_WORDS), Tag("<list>")]
    | Annotated[Only, Tag("<span>")],
    Discriminator(value_list_or_mapping),
    AfterValidator(_in_order),
]
_Figures = Annotated[
    Annotated[_Figure, Tag("<value>")]
    | Annotated[list[_Figure], Field(max_length=MOST_WORDS), Tag("<list>")],
    Discriminator(value_or_list),
    AfterValidator(lambda value: tuple(dict.fromkeys(_as_list(value)))),
]

KEYS: tuple[Column, ...] = tuple(
    key
    for column in SETTINGS
    if column.name != "spectrum_params"  # written inside `spectrum`
    for key in ((column, values.N_OVER_D) if column.name == "n" else (column,))
)


def setting_of(key: str) -> str:
    """The setting that a key of an experiment gives: `n` for `n_over_d`."""
    return "n" if key == "n_over_d" else key


METRICS_HELP = (
    "Metrics to compute besides the default ones, each with its standard error where there is one; "
    "or `{only: [...]}` for these alone."
)
FIGURES_HELP = "Figures that this experiment feeds; each names what it needs (`lindiff/figures/`)."


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _field(annotation: Any, text: str) -> Any:
    return (annotation, Field(default=None, description=text, json_schema_extra=_no_default))


def _searchable(column: Column) -> Any:
    """The type of a key of an experiment: a numeric one may be searched along."""
    return axis(column, refine.refinement(column) if column.type in ("int", "float") else None)


Theory: type[Section] = create_model(
    "Theory",
    __base__=Section,
    __doc__="Adds the model linear_theory; the axes given here replace the experiment's for it.",
    **{
        column.name: _field(axis(column), column.help)
        for column in KEYS
        if setting_of(column.name) in MODELS[THEORY].settings and column.name != "model"
    },
)
THEORY_HELP = (
    "Adds the model `linear_theory`: `{}` on the axes of the experiment, or with axes of its own, "
    "such as `{n_over_d: {log: [0.1, 100, 91]}}`."
)

Settings: type[Section] = create_model(
    "Settings",
    __base__=Section,
    __doc__="The keys of an experiment, and of `defaults`.",
    **{column.name: _field(_searchable(column), column.help) for column in KEYS},
    metrics=_field(_Metrics, METRICS_HELP),
    figures=_field(_Figures, FIGURES_HELP),
    theory=_field(Theory, THEORY_HELP),
)


def _experiment_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise ValueError("a name must start with a letter and hold letters, digits, _ and - only")
    return name


def _some(experiments: dict[str, Any]) -> dict[str, Any]:
    if not experiments:
        raise ValueError("there must be at least one experiment")
    return experiments


_SECONDS = Column(
    "seconds", "float", "", "Time that a shard (a job) aims at.", low=0, low_open=True, unit="s"
)
_MAX_CELLS = Column(
    "max_cells", "int", "",
    "Refuse a grid of more cells than this (flag `--max-cells`), 20 million at most: to plan a "
    "million takes about 1 GB.",
    low=1, high=20_000_000,
)  # fmt: skip
_STALE = Column(
    "stale", "str", "",
    "What happens to finished cells that older code computed: `rerun` them, stop with an `error`, "
    "or `keep` them. Left out: rerun for exact models, error for trained ones.",
    choices=STALE,
)  # fmt: skip
_DEVICE = Column(
    "device", "str", "",
    "Where models are trained: `cuda` (each job asks for one GPU), `cpu`, or `auto`, a GPU where "
    "the job finds one. No part of a cell, though numbers differ in their last digits.",
    choices=DEVICES,
)  # fmt: skip
_MEMORY_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\s*\d"}]
}


class Shard(Section):
    """Size of the jobs."""

    seconds: item(_SECONDS) = Field(default=SECONDS, description=_SECONDS.help)  # type: ignore[valid-type]
    memory: Annotated[Any, PlainValidator(_bytes), WithJsonSchema(_MEMORY_SCHEMA)] = Field(
        default=BYTES, description="Memory of a shard, in bytes or with a unit (`1 GiB`)."
    )


class Sheet(Section):
    """A config file of lindiff."""

    defaults: Settings = Field(  # type: ignore[valid-type]
        default_factory=Settings, description="Keys that every experiment inherits."
    )
    experiments: Annotated[
        dict[Annotated[str, AfterValidator(_experiment_name)], Settings],  # type: ignore[valid-type]
        AfterValidator(_some),
    ] = Field(description="Named experiments; their own keys replace those of `defaults`.")
    stale: item(_STALE) = Field(  # type: ignore[valid-type]
        default=None, description=_STALE.help, json_schema_extra=_no_default
    )
    device: item(_DEVICE) = Field(default="auto", description=_DEVICE.help)  # type: ignore[valid-type]
    shard: Shard = Field(default_factory=Shard, description="The size that jobs aim at.")
    max_cells: item(_MAX_CELLS) = Field(default=MAX_CELLS, description=_MAX_CELLS.help)  # type: ignore[valid-type]


def parse(document: Document, folder: Path) -> Sheet:
    """The sheet that a document holds.

    Args:
        document: The YAML file.
        folder: Where the paths in it start.

    Returns:
        The sheet, its values checked and its axes expanded.

    Raises:
        InputError: One line for every error in the file, in the order of the file.
    """
    if document.data is None:
        raise InputError(f"{document.file}: empty; a config needs the key `experiments`")
    if not isinstance(document.data, dict):
        raise InputError(document.line((), "a config must be a mapping with the key `experiments`"))
    limit = document.data.get("max_cells")
    room = Room(limit if type(limit) is int and 0 < limit <= _MAX_CELLS.high else MAX_CELLS)
    context = {"folder": folder, "room": room}
    try:
        return Sheet.model_validate(document.data, context=context)
    except ValidationError as error:
        raise refusal(document, error, _unknown_key) from None


def refusal(
    document: Document, error: ValidationError, unknown_key: Callable[[Key], str]
) -> InputError:
    """The error that says, a line each and in the order of the file, what pydantic found in it.

    Args:
        document: The YAML file.
        error: What was raised.
        unknown_key: What is said of a key that is not known, from its path.
    """
    found = error.errors(include_url=False)
    found.sort(key=lambda error: document.position(_path(error), key=_on_key(error)))
    lines = [_line(document, error, unknown_key) for error in found[: MOST_LINES - 1]]
    if more := len(found) - len(lines):
        lines.append(f"… and {more:,} more errors")
    return InputError("\n".join(lines))


def _path(error: ErrorDetails) -> Key:
    return tuple(step for step in error["loc"] if step not in (*FORMS, "[key]"))


def _on_key(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden" or "[key]" in error["loc"]


def _line(document: Document, error: ErrorDetails, unknown_key: Callable[[Key], str]) -> str:
    """The text of one error."""
    path, on_key = _path(error), _on_key(error)
    message = unknown_key(path) if error["type"] == "extra_forbidden" else _message(error, path)
    value = "" if on_key or error["type"] == "missing" else shown(error["input"])
    return document.line(path, message, key=on_key, value=value)


def _message(error: ErrorDetails, path: Key) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "missing"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a mapping of keys to values"
    if kind == "list_type":
        return "must be a list"
    if kind in ("too_short", "too_long"):
        if not error["input"]:
            what = "list" if path[-1] == "only" else "axis"
            return f"empty {what}; give at least one value"
        many = f"{context.get('min_length', '')}{context.get('max_length', '')}"
        bound = "at least" if kind == "too_short" else "at most"
        return (
            f"must have {bound} {many} {'numbers' if path[-1] in (*SPANS, 'between') else 'values'}"
        )
    return error["msg"]


def _unknown_key(path: Key) -> str:
    key = str(path[-1])
    if key == "__use_yte__":
        return "refused: lindiff runs no code from a config; remove this key"
    top, settings = Sheet.model_fields, Settings.model_fields
    known: Iterable[str]
    elsewhere: tuple[Container[str], str] = ((), "")
    if len(path) == 1:
        known, elsewhere = top, (settings, "in `defaults` or in an experiment")
    elif path[0] == "shard":
        known = Shard.model_fields
    elif len(path) == (2 if path[0] == "defaults" else 3):
        known, elsewhere = settings, (top, "at the top of the file")
    else:
        inner = {"metrics": Only.model_fields, "theory": Theory.model_fields}
        known = inner.get(str(path[-2]), (*SPANS, "also", *refine.KEYS))
    if key == refine.KEYS[0] and "theory" in path:
        return "theory is searched along the experiment's own axis; give refine there"
    if key == "spectrum_params":
        return "unknown key; parameters are written inside `spectrum`"
    if key in elsewhere[0]:
        return f"unknown key here; it belongs {elsewhere[1]}"
    if key in known:  # of the other form of an axis
        beside, *others = refine.KEYS
        if key in refine.KEYS:
            return f"unknown key here; it belongs beside {beside}"
        return f"unknown key beside {beside}, which takes {', '.join(others)}"
    near = suggestion(key, known)
    return f"unknown key{near}; allowed: {', '.join(known)}"
