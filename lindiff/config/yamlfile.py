"""YAML read as plain data, with the position of every value, and with nothing executed.

Only the plain types of YAML pass: mappings with text keys, lists, text, numbers, true/false, null.
Tags of any other type, duplicate keys and merge keys are refused. Every message starts with
``FILE:LINE:COLUMN``.
"""

from __future__ import annotations

import io
import math
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from lindiff.config.words import cut
from lindiff.errors import InputError

Key = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_SHOWN = 60
# What is read in some seconds. Values are counted as written, and again with every alias replaced
# by what it names: a few lines of aliases may stand for gigabytes.
_MAX_BYTES = 2**20
_MAX_NODES = 50_000
# No setting has a use for them, and no file name or terminal takes them.
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def shown(value: object) -> str:
    """`value` as YAML would spell it, cut to one short line; takes no longer for a large one."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > _SHOWN:
            break
    return cut(text, _SHOWN)


def _pieces(value: object) -> Iterator[str]:
    """The spelling of `value` in pieces, so that it can be left where it is long enough."""
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, float) and not math.isfinite(value):
        yield ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    elif isinstance(value, dict):
        yield "{"
        for i, (key, inner) in enumerate(value.items()):
            yield f"{', ' if i else ''}{_one_line(key)}: "
            yield from _pieces(inner)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for i, inner in enumerate(value):
            if i == 20:
                yield ", …"
                break
            yield ", " if i else ""
            yield from _pieces(inner)
        yield "]"
    else:
        yield repr(value[: _SHOWN + 1] if isinstance(value, str) else value)


def _one_line(key: str) -> str:
    return cut(key.replace("\n", "\\n"), _SHOWN)


def dotted(path: Key) -> str:
    """``experiments.transition.d[2]`` for a path of keys and positions; long keys are cut."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_one_line(step)}" for step in path)
    return "".join(steps).removeprefix(".")


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data.

    Attributes:
        file: The file as messages name it.
        data: Dictionaries, lists, text, numbers, booleans and None.
        marks: Line and column (from 1) of the value at each path.
        keys: Line and column of the key at each path that ends in a key.
        given: What messages name in place of the file for values that are not the file's.
    """

    file: str
    data: Any = None
    marks: dict[Key, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Key, tuple[int, int]] = field(default_factory=dict)
    given: dict[Key, str] = field(default_factory=dict)

    def _given(self, path: Key) -> str | None:
        starts = (path[:end] for end in range(1, len(path) + 1))
        return next((self.given[start] for start in starts if start in self.given), None)

    def position(self, path: Key, *, key: bool = False) -> tuple[int, int]:
        """Line and column of what is at `path`, or of the nearest thing around it.

        (0, 0) where there is none, and of values that are not the file's.
        """
        if self._given(path) is not None:
            return (0, 0)
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
        return f"{self.file}:{line}:{column}" if line else self._given(path) or self.file

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
        InputError: The file is missing, not a regular one, not UTF-8, not YAML, too large, or holds
            what plain data does not: other tags, duplicate or merge keys, keys that are not text,
            cycles.
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
    loader.Composer = _Composer
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
    except (ValueError, OverflowError) as error:
        # Of `chr`: ruamel reads the digits of an escape, and asks for that character.
        escapes = re.finditer(r"\\U([0-9a-fA-F]{8})", text)
        beyond = [found.start() for found in escapes if int(found[1], 16) > sys.maxunicode]
        if not beyond:
            raise InputError(f"{file}: not YAML: {error}") from None
        (at, *_) = beyond
        line = text.count("\n", 0, at) + 1
        raise InputError(f"{file}:{line}: not YAML: {text[at : at + 10]} is no character") from None
    except _TooManyError:
        raise InputError(_too_many(file)) from None
    except RecursionError:
        raise InputError(f"{file}: too many nested levels") from None
    if reader.problems:
        raise InputError("\n".join(reader.problems))
    return Document(file, data, reader.marks, reader.keys)


def _text(path: Path) -> str:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InputError(f"{path}: is a folder, not a config file")
        # A pipe may never end.
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: is not a regular file")
        if found.st_size > _MAX_BYTES:
            raise InputError(
                f"{path}: {found.st_size:,} bytes are too many for a config, which may have "
                f"{_MAX_BYTES:,}; use ranges, and files of eigenvalues"
            )
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


class _TooManyError(Exception):
    """More than `_MAX_NODES` values."""


def _too_many(file: str) -> str:
    return f"{file}: more than {_MAX_NODES:,} values; use ranges, and files of eigenvalues"


class _Composer(Composer):
    """Counts values as they are read, for reading a million takes minutes."""

    _count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._count += 1
        if self._count > _MAX_NODES:
            raise _TooManyError
        return super().compose_node(parent, index)


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
            raise _TooManyError
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
            if message := _unusable(key):
                self._refuse(key_node, (*path, key), message)
                continue
            if key in seen:
                self._refuse(key_node, (*path, key), f"duplicate key, first on line {seen[key]}")
                continue
            seen[key] = key_node.start_mark.line + 1
            self.keys[(*path, key)] = _mark(key_node)
            yield key, self.build(value_node, (*path, key))

    def _scalar(self, node: ScalarNode, path: Key) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in ("str", "timestamp"):
            text = str(node.value)
            message = _unusable(text)
            return self._refuse(node, path, message) if message else text
        if kind not in ("int", "float", "bool", "null"):
            return self._refuse(node, path, f"the tag {_spelled(node.tag)} is not allowed")
        try:
            value = self.loader.constructor.construct_object(node)
            # Python writes no number of more digits than it reads, and a message must.
            str(value)
        except (ValueError, LookupError):
            return self._refuse(node, path, f"{shown(node.value)} is not a readable {kind}")
        if kind == "float" and math.isinf(value) and "inf" not in node.value.lower():
            what = f"{shown(node.value)} is too large for a floating-point number"
            return self._refuse(node, path, what)
        return value

    def _refuse(self, node: Node, path: Key, message: str) -> None:
        line, column = _mark(node)
        name = f"{dotted(path)}: " if path else ""
        self.problems.append(f"{self.file}:{line}:{column}: {name}{message}")


@lru_cache(maxsize=64)  # an alias may stand for the same long text again and again
def _unusable(text: str) -> str | None:
    """What is said of a text that holds what no text may hold."""
    found = _UNUSABLE.search(text)
    return found and f"the character U+{ord(found[0]):04X} is not allowed in a text"


def _mark(node: Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def _spelled(tag: object) -> str:
    """A tag as it is written: ``!!python/name`` rather than its long form."""
    text = str(tag)
    return "!!" + text.removeprefix(_TAG) if text.startswith(_TAG) else text
