"""A number in prose is one that code sets, or that a test holds: of the page, captions and help.

Looked at are decimals, percentages, powers of ten and whole numbers from 100 on. Code holds a
number that stands in it (0.95 holds 95 %). A test holds those in its own lines; one that reads the
page holds those of the paragraphs that name it in ``<!-- held by test_… -->``.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

from lindiff import figures
from lindiff.columns import METRICS, SETTINGS

ROOT = Path(__file__).parents[1]
THEORY = ROOT / "docs/theory.md"
NUMBER = re.compile(
    r"(?<![\w.,/^−⁻-])((?:\d+(?:,\d{3})*)?(?:\.\d+)?(?<=\d)(?:e-?\d+)?)"
    r"(?=( to \d*(?:\.\d+)?)? ?(%)?)"
)
# 10⁻⁴ and 3·10⁻³ are 1e-4 and 3e-3.
POWER = re.compile(r"(?:(?<![\w.])([\d.]+)·|(?<![\w.·]))10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
EXPONENT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
# Tests that hold numbers of the help of a column.
HOLDERS = {"bayes_loss": ["test_its_error_is_below_three_thousandths_over_the_dimension"]}
# Not of the numbers of this program: papers, years, equations, names of settings and levels.
CITED = re.compile(
    r"arXiv[ :]?\d+\.\d+|\d{4}\.\d{5}|(?:theorem|eq\.|appendix|algorithm|Bull\.|Lett\.|Biometrika|"
    r"Econometrica|section) [\w.]+(?:, \d+)*|\b(?:19|20)\d\d\b|`[^`]*`|\d+×\d+"
)


@cache
def constants(folder: str) -> frozenset[float]:
    """Every number that stands in the code of a folder."""
    found = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
            if token.type == tokenize.NUMBER:
                found.add(abs(complex(ast.literal_eval(token.string))))
    return frozenset(found)


@cache
def bodies() -> dict[str, str]:
    """Every test of the package and every benchmark, with the module's constants, by name."""
    found = {}
    for path in sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]):
        text = path.read_text("utf-8")
        names = re.findall(r"^def (test_\w+)", text, re.MULTILINE)
        for name in [*names, f"benchmarks/{path.stem}.py"]:
            found[name] = re.sub(r"(?<=\d)_(?=\d)", "", text)
    return found


def numbers(text: str) -> set[str]:
    """The numbers of a text that need to be held, percentages with their sign."""
    found = set()
    text = POWER.sub(lambda one: f"{one[1] or 1}e{one[2].translate(EXPONENT)}", text)
    for match in NUMBER.finditer(CITED.sub("", text)):
        digits, _, percent = match.groups()
        whole = digits.isdigit() and float(digits) < 100
        if percent or not whole:
            found.add(digits + (" %" if percent else ""))
    return found


def is_held(number: str, texts: list[str]) -> bool:
    """Whether the package's code has the number, or one of some tests.

    5 % is 0.05 as well, or 1.05 and 0.95: by so much high or low.
    """
    digits = number.removesuffix(" %").replace(",", "")
    value = float(digits)
    spellings = {digits, f"{value:g}", digits.replace("e", ".0e")}
    if number.endswith("%"):
        value = round(value / 100, 12)
        spellings |= {f"{value:g}", f"{1 + value:g}", f"{1 - value:g}"}
    return value in constants("lindiff") or any(
        re.search(rf"(?<![\d.]){re.escape(spelling)}(?!\d|\.\d)", text)
        for text in texts
        for spelling in spellings
    )


def loose(text: str, names: list[str]) -> set[str]:
    """The numbers of a text that neither code nor one of the tests `names` holds."""
    texts = [bodies()[name] for name in names if name in bodies()]
    return {number for number in numbers(text) if not is_held(number, texts)}


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", THEORY.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: part for part in parts}


@pytest.mark.parametrize("title", sections())
def test_numbers_of_the_page_are_held(title: str):
    section = sections()[title]
    names = re.findall(r"`(test_\w+|benchmarks/\w+\.py)`", section)
    for paragraph in section.split("\n\n"):
        marked = re.findall(r"<!-- held by (test_\w+) -->", paragraph)
        for name in marked:
            assert "docs/theory.md" in bodies()[name], f"{name} does not read the page"
        if not marked:
            assert loose(paragraph, names) == set()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_numbers_of_captions_are_held(name: str):
    own = [test for test, text in bodies().items() if f"import {name}" in text or name in test]
    assert loose(figures.caption(name), own) == set()


@pytest.mark.parametrize("column", [*SETTINGS, *METRICS], ids=lambda column: column.name)
def test_numbers_of_help_are_held(column):
    assert loose(column.help, HOLDERS.get(column.name, [])) == set()


def test_a_number_that_nothing_holds_is_found():
    assert numbers("4 to 6 % of 0.123 at N = 64, 12,345 times (Ho 2020, arXiv 1234.5678)") == {
        "4 %", "6 %", "0.123", "12,345",
    }  # fmt: skip
    assert numbers("from .86 to .98 of 10⁻⁴, 3·10⁻³ or 2e-5 at 10 d⁻¹") == {
        ".86", ".98", "1e-4", "3e-3", "2e-5",
    }  # fmt: skip
    assert loose("It is 7.3·10⁻⁷ and .71823 of it, not 1e-3.", []) == {"7.3e-7", ".71823"}
    assert loose("It is 0.71823 of it, and the interval is one of 95 %.", []) == {"0.71823"}
