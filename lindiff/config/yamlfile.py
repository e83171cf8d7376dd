"""YAML read as plain data, with the position of every value, and with nothing executed.

Only the plain types of YAML pass: mappings with text keys, lists, text, numbers, true/false, null.
Tags of any other type, duplicate keys and merge keys are refused. Every message starts with
``FILE:LINE:COLUMN``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from lindiff.errors import InputError

Key = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_SHOWN = 60
# Aliases may repeat a node any number of times; without a limit a few lines expand to gigabytes.
_MAX_NODES = 2_000_000


def shown(value: object) -> str:
    """`value` as YAML would spell it, cut to one short line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{k}: {shown(v)}" for k, v in list(value.items())[:9]) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(shown(item) for item in value[:20])
        text += ", …]" if len(value) > 20 else "]"
    else:
        text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def dotted(path: Key) -> str:
    """``experiments.transition.d[2]`` for a path of keys and positions."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data.

    Attributes:
        file: The file as messages name it.
        data: Dictionaries, lists, text, numbers, booleans and None.
        marks: Line and column (from 1) of the value at each path.
        keys: Line and column of the key at each path that ends in a key.
    """

    file: str
    data: Any = None
    marks: dict[Key, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def position(self, path: Key, *, key: bool = False) -> tuple[int, int]:
        """Line and column of what is at `path`, or of the nearest thing around it."""
        if key and path in self.keys:
            return self.keys[path]
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return self.marks[path[:end]]
        return (0, 0)

    def value(self, path: Key) -> Any:
        """The value at `path`.

        Raises:
            LookupError: Nothing was written there.
        """
        value = self.data
        for step in path:
            inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int))
            if not inside:
                raise LookupError(dotted(path))
            value = value[step]
        return value

    def head(self, path: Key, *, key: bool = False) -> str:
        """``FILE:LINE:COLUMN`` of what is at `path`."""
        line, column = self.position(path, key=key)
        return f"{self.file}:{line}:{column}" if line else self.file

    def line(self, path: Key, message: str, *, key: bool = False, value: str | None = None) -> str:
        """``FILE:LINE:COLUMN: path = value: message``.

        Args:
            path: What the message is about.
            message: What is wrong with it.
            key: Point at the key rather than at the value.
            value: The value as shown; None takes what the file has there, "" shows none.
        """
        head = self.head(path, key=key)
        if value is None:
            try:
                value = shown(self.value(path))
            except LookupError:
                value = ""
        name = dotted(path) + (f" = {value}" if path and value else "")
        return f"{head}: {name}: {message}" if name else f"{head}: {message}"


def read(path: Path) -> Document:
    """Read a YAML file.

    Args:
        path: The file.

    Returns:
        The document; its ``data`` is None for a file without content.

    Raises:
        InputError: The file is missing, a folder, not UTF-8, not YAML, or holds what plain data
            does not: other tags, duplicate or merge keys, keys that are not text, cycles.
    """
    return parse(_text(path), str(path))


def parse(text: str, file: str) -> Document:
    """Read YAML from text.

    Args:
        text: The YAML.
        file: What messages call it.

    Returns:
        As `read`.

    Raises:
        InputError: As `read`, but for what concerns the file.
    """
    loader = YAML(typ="safe", pure=True)
    try:
        node = loader.compose(io.StringIO(text))
        if node is None:
            return Document(file)
        reader = _Reader(file, loader)
        data = reader.build(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        parts = [part for part in (error.context, error.problem) if part]
        raise InputError(f"{file}{where}: not YAML: {', '.join(parts)}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = f"U+{ord(text[error.position]):04X}"
        raise InputError(f"{file}:{line}: not YAML: the character {code} is not allowed") from None
    except YAMLError as error:
        raise InputError(f"{file}: not YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{file}: too many nested levels") from None
    if reader.problems:
        raise InputError("\n".join(reader.problems))
    return Document(file, data, reader.marks, reader.keys)


def _text(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a config file")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


class _Reader:
    """Turns composed nodes into plain data; collects marks and problems."""

    def __init__(self, file: str, loader: YAML) -> None:
        self.file = file
        self.loader = loader
        self.marks: dict[Key, tuple[int, int]] = {}
        self.keys: dict[Key, tuple[int, int]] = {}
        self.problems: list[str] = []
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: Node, path: Key) -> Any:
        """The plain data of `node`, whose position is noted under `path`."""
        self._count += 1
        if self._count > _MAX_NODES:
            raise InputError(f"{self.file}: more than {_MAX_NODES:,} values; use ranges")
        self.marks[path] = _mark(node)
        if isinstance(node, ScalarNode):
            if node.value == "" and path in self.keys:
                # A value that was left out is marked where the next thing starts.
                self.marks[path] = self.keys[path]
            return self._scalar(node, path)
        if id(node) in self._open:
            return self._refuse(node, path, "an alias inside what it names")
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
                # A block mapping starts at its first key, on a later line than its own key.
                if not node.flow_style and path in self.keys:
                    self.marks[path] = self.keys[path]
                return dict(self._items(node, path))
            if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))
        return self._refuse(node, path, f"the tag {_spelled(node.tag)} is not allowed")

    def _items(self, node: MappingNode, path: Key) -> Iterable[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                self._refuse(key_node, path, "merge keys (<<) are not allowed; use `defaults`")
                continue
            if key_node.tag not in (f"{_TAG}str", f"{_TAG}timestamp"):
                spelled = key_node.value if isinstance(key_node, ScalarNode) else "a collection"
                self._refuse(key_node, path, f"the key {spelled} is not text; put it in quotes")
                continue
            key = str(key_node.value)
            if key in seen:
                self._refuse(key_node, (*path, key), f"duplicate key, first on line {seen[key]}")
                continue
            seen[key] = key_node.start_mark.line + 1
            self.keys[(*path, key)] = _mark(key_node)
            yield key, self.build(value_node, (*path, key))

    def _scalar(self, node: ScalarNode, path: Key) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in ("str", "timestamp"):
            return str(node.value)
        if kind not in ("int", "float", "bool", "null"):
            return self._refuse(node, path, f"the tag {_spelled(node.tag)} is not allowed")
        try:
            return self.loader.constructor.construct_object(node)
        except (ValueError, KeyError):
            return self._refuse(node, path, f"{shown(node.value)} is not a readable {kind}")

    def _refuse(self, node: Node, path: Key, message: str) -> None:
        line, column = _mark(node)
        name = f"{dotted(path)}: " if path else ""
        self.problems.append(f"{self.file}:{line}:{column}: {name}{message}")


def _mark(node: Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def _spelled(tag: object) -> str:
    """A tag as it is written: ``!!python/name`` rather than its long form."""
    text = str(tag)
    return "!!" + text.removeprefix(_TAG) if text.startswith(_TAG) else text
