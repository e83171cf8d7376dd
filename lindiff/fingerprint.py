"""What code a number hangs on, by which a finished cell is known to be current.

Editing an imported package makes Snakemake re-run nothing, so staleness is ours
(docs/snakemake.md). The fingerprint of a cell hashes the syntax, without docstrings, comments and
layout, of every module of ``lindiff.science``, ``lindiff.models`` and ``lindiff.training`` that its
model imports, and of those that its settings name (`lindiff.columns.Column.code`): its spectrum,
schedule, sampler and network. So a new file there changes no fingerprint, and an edit only those
of cells that use it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.columns import SETTINGS
from lindiff.columns.arrays import combinations
from lindiff.models import MODELS

_ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("lindiff.science", "lindiff.models", "lindiff.training")
# Settings whose values are names of modules.
_NAMING = {column.name: column.code for column in SETTINGS if column.code}


def modules(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that a cell's numbers start from: its model's, and those that its settings name.

    Args:
        cell: The settings of the cell; those that name no module may be left out.

    Raises:
        KeyError: There is no such model.
    """
    named = (f"{package}.{cell.get(name)}" for name, package in _NAMING.items())
    found = (name for name in named if _path(name, packages=False))
    return (MODELS[cell["model"]].module, *sorted(found))


def fingerprint(cell: Mapping[str, Any]) -> str:
    """Fingerprint of the code of a cell, 16 hexadecimal digits.

    Raises:
        KeyError: There is no such model.
    """
    return joined(map(code, modules(cell)))


def joined(hashes: Iterable[str]) -> str:
    """The hash of distinct hashes, in whatever order: of all cells of a shard."""
    return blake2b("\0".join(sorted(set(hashes))).encode(), digest_size=8).hexdigest()


def fingerprints(cells: pa.Table) -> NDArray[np.object_]:
    """The fingerprint of every cell, shape (cells,).

    Args:
        cells: Cells with the columns `model` and of the settings that name modules.
    """
    codes, rows = combinations(cells, _NAMING)
    settings = cells.select(list(_NAMING)).take(pa.array(rows)).to_pylist()
    found = [fingerprint(values) for values in settings]
    return np.array(found, object)[codes]


@cache
def code(module: str) -> str:
    """Hash of the syntax of a module and of all that it imports inside `ROOMS`."""
    digest = blake2b(digest_size=8)
    for name, path in sorted(closure(module, ROOMS).items()):
        digest.update(name.encode() + b"\0")
        digest.update(_syntax(path).encode() + b"\0")
    return digest.hexdigest()


@cache
def _syntax(path: Path) -> str:
    """What of a file is hashed; models share most of their files."""
    return ast.unparse(_without_docstrings(ast.parse(path.read_text(encoding="utf-8"))))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body[0] = ast.copy_location(ast.Pass(), first)
    return tree


def closure(module: str, rooms: Sequence[str], packages: bool = False) -> dict[str, Path]:
    """Modules inside `rooms` that `module` reaches by imports, itself included, with their files.

    Imports inside functions count.

    Args:
        module: Dotted name of a module in one of the rooms.
        rooms: Dotted names of packages or modules.
        packages: Whether a package stands for its ``__init__``, else for nothing: a registry there
            names what its room holds, and not all of that is used.
    """
    found: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _path(name, packages)
        inside = any(name == room or name.startswith(f"{room}.") for room in rooms)
        if name in found or path is None or not inside:
            continue
        found[name] = path
        todo.extend(_imports(path))
    return found


def _path(module: str, packages: bool) -> Path | None:
    place = _ROOT.joinpath(*module.split("."))
    path = place / "__init__.py" if packages and place.is_dir() else place.with_suffix(".py")
    return path if path.is_file() else None


@cache
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
