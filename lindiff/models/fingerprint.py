"""The fingerprint of a model's code, by which a finished part is known to be current.

Editing an imported package makes Snakemake re-run nothing, so staleness is ours (design: "Store
and plan"). The fingerprint hashes the syntax of every module that the model's entry imports from
``lindiff.science`` and ``lindiff.models``, without docstrings, comments and layout.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from lindiff.models import MODELS

ROOMS = ("lindiff.science", "lindiff.models")
_ROOT = Path(__file__).resolve().parents[2]


def _path(module: str) -> Path | None:
    """The source file of `module`; None for a package, whose ``__init__`` only re-exports."""
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def imports(tree: ast.AST) -> set[str]:
    """Every dotted name that `tree` may import, submodules of packages included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def closure(module: str) -> dict[str, ast.Module]:
    """Modules inside the rooms that `module` reaches by imports, itself included, parsed."""
    found: dict[str, ast.Module] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        path = _path(name)
        if name in found or path is None or not name.startswith(ROOMS):
            continue
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
        todo.extend(imports(found[name]))
    return found


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
    for name, tree in sorted(closure(MODELS[model].module).items()):
        digest.update(name.encode() + b"\0")
        digest.update(ast.unparse(_without_docstrings(tree)).encode() + b"\0")
    return digest.hexdigest()
