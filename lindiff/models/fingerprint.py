"""The fingerprint of a model's code, by which a finished part is known to be current.

Editing an imported package makes Snakemake re-run nothing, so staleness is ours (design: "Store
and plan"). The fingerprint hashes the syntax of every module that the model's entry imports from
``lindiff.science``, ``lindiff.models`` and ``lindiff.training``, without docstrings, comments and
layout.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from hashlib import blake2b

from lindiff.closure import closure
from lindiff.models import MODELS

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
