"""Formulas in files of claims: arithmetic over columns and laws, which executes no code.

A formula is parsed by Python's own parser and then only walked: numbers, names of columns,
``+ - * / **`` and calls of `FUNCTIONS` are all that there is.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lindiff.science import laws

_MOST = 500  # characters
_LARGEST = 1e300
_POWER = 100.0  # a larger exponent is a slip, and in whole numbers takes for ever
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else math.copysign(math.inf, a) if a else math.nan,
    ast.Pow: lambda a, b: _power(a, b),
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: lambda a: a,
    ast.USub: lambda a: -a,
}


def _power(base: float, exponent: float) -> float:
    try:
        found = base**exponent if abs(exponent) <= _POWER else math.nan
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return found if isinstance(found, float) else math.nan


def _logarithm(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _law(law: Callable[..., Any], whole: int) -> Callable[..., float]:
    """A law of `lindiff.science.laws` of numbers, its last `whole` arguments counts."""

    @lru_cache(maxsize=4096)
    def at(*arguments: float) -> float:
        first = len(arguments) - whole
        counts = (int(x) for x in arguments[first:])
        return float(law(*arguments[:first], *counts))

    return at


# Name: the function and the number of its arguments.
FUNCTIONS: dict[str, tuple[Callable[..., float], int]] = {
    "log": (_logarithm, 1),
    "sqrt": (_root, 1),
    "kl_tail": (_law(laws.kl_tail, 1), 2),
    "kl_tail_leading": (_law(laws.kl_tail_leading, 1), 2),
    "kl_model_data_mean": (_law(laws.kl_model_data_mean, 2), 2),
    "kl_data_model_mean": (_law(laws.kl_data_model_mean, 2), 2),
    "isotropic_agreement": (_law(laws.isotropic_agreement, 0), 1),
    "renormalized_noise": (_law(laws.renormalized_noise, 0), 2),
    "renormalized_noise_of_power_law": (_law(laws.renormalized_noise_of_power_law, 2), 4),
    "spike_overlap": (_law(laws.spike_overlap, 0), 2),
}


@dataclass(frozen=True)
class Expression:
    """A formula.

    Attributes:
        text: As it was written.
        columns: The columns that it names, sorted.
    """

    text: str
    columns: tuple[str, ...]
    _tree: ast.expr

    def __call__(self, row: Mapping[str, float]) -> float:
        """The value on a row; nan where it is no number, as of a negative root."""
        return _value(self._tree, row)


def parse(text: str) -> Expression:
    """The formula that a text holds.

    Args:
        text: Such as ``kl_model_data / kl_tail(n, d)``.

    Raises:
        ValueError: It holds anything but numbers, names, ``+ - * / **``, parentheses and calls of
            `FUNCTIONS`, or one of these has another number of arguments.

    Example:
        >>> from lindiff.claims.expression import parse
        >>> ratio = parse("4 * n * kl_model_data / d")
        >>> ratio.columns, ratio({"n": 100, "d": 50, "kl_model_data": 0.125})
        (('d', 'kl_model_data', 'n'), 1.0)
    """
    if len(text) > _MOST:
        raise ValueError(f"a formula has at most {_MOST} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError("not a formula, such as kl_model_data / kl_tail(n, d)") from None
    names: set[str] = set()
    _check(tree, names)
    return Expression(text, tuple(sorted(names)), tree)


def _check(node: ast.expr, names: set[str]) -> None:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        if not abs(node.value) < _LARGEST:  # type: ignore[arg-type]
            raise ValueError(f"a number in a formula is below {_LARGEST:g}")
    elif isinstance(node, ast.Name):
        names.add(node.id)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _check(node.left, names)
        _check(node.right, names)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        _check(node.operand, names)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        _, count = FUNCTIONS.get(node.func.id, (None, 0))
        if not count:
            raise ValueError(f"no function {node.func.id}; there are: {', '.join(FUNCTIONS)}")
        if len(node.args) != count:
            raise ValueError(f"{node.func.id} takes {count} argument{'s' * (count > 1)}")
        for argument in node.args:
            _check(argument, names)
    else:
        raise ValueError(
            f"{ast.unparse(node)!r} is not allowed: a formula has numbers, columns, + - * / ** and "
            f"the functions {', '.join(FUNCTIONS)}"
        )


def _value(node: ast.expr, row: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return float(row[node.id])
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left, row), _value(node.right, row))
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, row))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    function, _ = FUNCTIONS[node.func.id]
    return function(*(_value(argument, row) for argument in node.args))
