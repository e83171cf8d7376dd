"""Which modules a module reaches by imports: what a result or a figure hangs on, computed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def closure(module: str, rooms: Sequence[str]) -> dict[str, Path]:
    """Modules inside `rooms` that `module` reaches by imports, itself included, with their files.

    Imports inside functions count. A package stands for nothing: its ``__init__`` only re-exports.

    Args:
        module: Dotted name of a module in one of the rooms.
        rooms: Dotted names of packages or modules.
    """
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _path(name)
        inside = any(name == room or name.startswith(f"{room}.") for room in rooms)
        if name in found or path is None or not inside:
            continue
        found[name] = path
        todo.extend(_imports(path))
    return found


def _path(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


@lru_cache
def _imports(path: Path) -> frozenset[str]:
    """Every dotted name that the file may import, submodules of packages included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)
