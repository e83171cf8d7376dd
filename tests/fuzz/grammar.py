"""Configs, and values of their keys, drawn from the schema of configs and then spoiled."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_SCHEMA = json.loads((Path(__file__).parents[2] / "config/schema.json").read_text(encoding="utf-8"))
_DEFINITIONS = _SCHEMA["$defs"]
# What an experiment cannot do without, most of the time.
_USUAL = {"model": "linear_exact", "d": 4, "n": 8, "seed": 0}
_NAMES = ("a", "b1", "one-two")
_FIGURES = ("transition", "kl", "modes", "levels", "no such figure")


class Raw(str):
    """Text that stands in the file as it is, whatever it means to YAML."""


HUGE = (0, -1, 1, 2, 2**31, 2**53, 2**63 - 1, 2**63, 10**18, 10**30, 10**400)
_RAW = (
    "0x" + "f" * 5000, "9" * 5000, "0o" + "7" * 5000, "1e400", "-1e-400", "!!int ''", "!!float ''",
    "!!float x", "!!bool ''", "!!null x", "!!int 0x", "!!int -", "!!int +", "!!float .", "!!str 3",
    "!!set {a}", "!!binary aGk=", "!!omap [a: 1]", "!!python/name:os.system ''", "!!timestamp 2020",
    "!!map 3", "!!seq 3", "!!int [1]", "!x 3", "!<tag:yaml.org,2002:int> 3", '"\\U00110000"',
    '"\\uD800"', '"\\0"', '"\\e[31mred"', '"a\\nb"', '"\\x9b31m"', "\u202eabc", "2020-01-01",
    "1_000", "0b1", "0b", "0o9", "1:30", ".inf", "-.INF", ".nan", "~", "", "yes", "<<: {}", "*a",
    "&a 1", "&a [*a]", "? x", "- 1", "|\n  text", "[[[[[[[[1]]]]]]]]", "{range: [0, 1.0e+6]}",
    "{range: [0, 9223372036854775807]}", "{log2: [1, 1.0e+300]}", "{log: [1.0e-300, 1.0e+300, 99]}",
    "{linear: [0, 1, 1.0e+9]}", "{log: [1, 2, 2147483647]}", "1e30 TiB", "9" * 31 + " TiB",
    "9" * 400 + " TiB", "{file: /dev/zero}", "{eigenvalues: /dev/zero}", "{eigenvalues: .}",
    "{eigenvalues: " + str([1.0] * 3000) + "}", "{spiked: {spike: 1.0e+308, count: 3}}",
    "{power_law: 1.0e+300}", "{power_law: -1.0e+5}",
    "{two_level: {ratio: 1.0e-300, fraction: 0.5}}", "[" * 200 + "]" * 200, "[" * 4000,
)  # fmt: skip

texts = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\x00\x1b\n\r\x7f\u2028{}[]:#&*!|>%@`\"'$"),
    max_size=12,
)
spoiled = st.one_of(
    st.sampled_from(HUGE),
    st.sampled_from([-x for x in HUGE]),
    st.sampled_from(_RAW).map(Raw),
    st.floats(),
    st.booleans(),
    st.none(),
    texts,
    st.integers(1, 3).map(lambda k: "long " * 10 ** (k + 1)),
    st.lists(st.integers(-2, 9), max_size=3),
    st.dictionaries(texts, st.integers(-2, 9), max_size=2),
)


def from_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Small values that a schema allows."""
    if "$ref" in schema:
        return _defined(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([from_schema(option) for option in schema[key]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_TYPES[kind](schema) for kind in kinds])


@cache  # to make it takes longer than to draw from it
def _defined(name: str) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: from_schema(_DEFINITIONS[name]))


def _object(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    inner = schema["additionalProperties"]
    if inner:
        return st.dictionaries(st.sampled_from(_NAMES), from_schema(inner), min_size=1, max_size=2)
    parts = {key: from_schema(value) for key, value in schema["properties"].items()}
    needed = {key: parts.pop(key) for key in schema.get("required", ())}
    # Few of the many keys at a time, or nothing would go together.
    extra = (
        st.lists(st.sampled_from(sorted(parts)), max_size=3, unique=True) if parts else st.just([])
    )
    optional = extra.flatmap(lambda some: st.fixed_dictionaries({key: parts[key] for key in some}))
    return st.tuples(st.fixed_dictionaries(needed), optional).map(lambda two: two[0] | two[1])


def _array(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("minItems", 0)
    most = schema.get("maxItems", low + 2)
    return st.lists(from_schema(schema["items"]), min_size=low, max_size=most)


def _integer(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", 0)
    return st.integers(low, low + 9)


def _number(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    low = schema.get("exclusiveMinimum", schema.get("minimum", -2))
    high = schema.get("exclusiveMaximum", schema.get("maximum", low + 9))
    open_ends = {"exclude_min": "exclusiveMinimum" in schema, "exclude_max": True}
    return st.floats(low, high, **open_ends) | st.sampled_from([low + (high - low) / 2])


_TYPES = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: st.booleans(),
    "string": lambda schema: st.sampled_from(("1 GiB",) if "pattern" in schema else _FIGURES),
}


def keys_of_theory() -> dict[str, Any]:
    """The schema of each key that `lindiff theory` takes."""
    return dict(_DEFINITIONS["Theory"]["properties"])


def written(value: Any) -> str:
    """A value as YAML, in flow style."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, float) and value != value:
        return ".nan"
    if value in (float("inf"), -float("inf")):
        return ".inf" if value > 0 else "-.inf"
    return json.dumps(value, ensure_ascii=False)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is inside a value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, inner in items for p in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """`value` with `other` in one place."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy


_SHEETS = from_schema(_SCHEMA)


@st.composite
def configs(draw: st.DrawFn) -> str:
    """The text of a config: valid in a few cases, spoiled in one or two places in the others."""
    sheet = draw(_SHEETS)
    sheet["defaults"] = _USUAL | sheet.get("defaults", {})
    for _ in range(draw(st.integers(0, 2))):
        where = draw(st.sampled_from(places(sheet)[::-1]))
        sheet = replaced(sheet, where, draw(spoiled))
    if isinstance(sheet, dict) and not isinstance(sheet, Raw) and draw(st.integers(0, 19)) == 7:
        sheet[draw(texts)] = draw(spoiled)
    if not isinstance(sheet, dict) or draw(st.booleans()):
        text = written(sheet)
    else:
        text = "".join(f"{json.dumps(key)}: {written(value)}\n" for key, value in sheet.items())
    for _ in range(draw(st.integers(0, 1)) * draw(st.integers(0, 2))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = text[:at] + draw(st.sampled_from(_RAW) | texts) + text[at + length :]
    return text
