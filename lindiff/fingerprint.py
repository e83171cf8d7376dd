"""The fingerprint of a model's code, by which a finished part is known to be current.

Editing an imported package makes Snakemake re-run nothing, so staleness is ours
(docs/snakemake.md). The fingerprint hashes the syntax of every module that the model's entry
imports from ``lindiff.science``, ``lindiff.models`` and ``lindiff.training``, without docstrings,
comments and layout.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from lindiff.models import MODELS

_ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("lindiff.science", "lindiff.models", "lindiff.training")


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


@lru_cache
def fingerprint(model: str) -> str:
    """Fingerprint of the code of `model`, 16 hexadecimal digits.

    Raises:
        KeyError: There is no such model.
    """
    digest = blake2b(digest_size=8)
    for name, path in sorted(closure(MODELS[model].module, ROOMS).items()):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        digest.update(name.encode() + b"\0")
        digest.update(ast.unparse(_without_docstrings(tree)).encode() + b"\0")
    return digest.hexdigest()


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
