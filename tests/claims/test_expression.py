"""Formulas in files of claims: arithmetic and nothing else."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindiff.claims.expression import FUNCTIONS, parse
from lindiff.science import laws


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("2 ** -1", 0.5), ("-x / y", -1.5), ("x - y - 1", 0),
        ("1 / 0", math.inf), ("-1 / 0", -math.inf), ("log(0)", -math.inf), ("sqrt(9)", 3),
        ("2 ** 3 ** 2", 512),
    ],
)  # fmt: skip
def test_arithmetic_is_that_of_the_school(text, value):
    assert parse(text)({"x": 3, "y": 2}) == value


@pytest.mark.parametrize("text", ["0 / 0", "sqrt(-1)", "log(-1)", "(-1) ** 0.5", "2 ** 101"])
def test_what_is_no_number_is_nan(text):
    assert math.isnan(parse(text)({}))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "x.real", "[x]", "x[0]", "lambda: 1", "x if x else 1", "x and y", "'a'",
        "x == 1", "(x := 1)", "f'{x}'", "sqrt(x, x)", "eval(x)", "sqrt(*x)", "kl_tail(n, d=2)", "",
        "x +", "1j", "True", "1e999", "x" * 501, "(" * 400, "~x", "x // 2", "x % 2",
    ],
)  # fmt: skip
def test_nothing_else_is_a_formula(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(text):
    try:
        found = parse(text)
    except ValueError:
        return
    assert isinstance(found(dict.fromkeys(found.columns, 2.0)), float)


def test_functions_are_those_of_the_laws():
    for name, (function, count) in FUNCTIONS.items():
        law = getattr(laws, name, None) or getattr(np, name)
        arguments = (96, 2, 32, 8)[:count] if count > 2 else (96, 32)[:count]
        assert function(*arguments) == pytest.approx(float(law(*arguments)), rel=1e-14)
