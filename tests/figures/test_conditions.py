"""What cells must have for no panel to stay empty: `lindiff validate` warns in the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lindiff import figures
from lindiff.config.resolve import load
from lindiff.sweep.validate import validate, warnings

HEAD = "experiments:\n  one:\n    model: linear_exact\n    d: 8\n    seed: {range: [0, 3]}\n"


def said(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "sweep.yaml"
    file.write_text(HEAD + "".join(f"    {line}\n" for line in text.splitlines()))
    config = load(file)
    return [line for line in warnings(config, validate(config)) if "figure" in line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("n: [4, 8]\nfigures: [kl]", "a finite KL: n above d, or a ridge"),
        ("n: [4, 16]\nridge: [0, 0.1, 1]\nfigures: [tuned]", "at least 3 values of ridge, weight"),
        ("n: [4, 16]\nridge: [0, 1]\nfigures: [regularization]", "at least 3 values of ridge or"),
        ("n: [4, 16]\nstop: [1, 10, .inf]\nmetrics: [modes]\nfigures: [early_stopping]",
         "at least 3 values of stop between 0 and infinity"),
        ("n: [4, 16]\ntheory: {}\nfigures: [fluctuations]", "N/d between 0.6 and 1.8"),
        ("n: [2, 4]\nspectrum: [isotropic, {power_law: 1}]\nridge: [0, 0.1]\nfigures: [spectrum]",
         "a finite KL at the least ridge"),
    ],
)  # fmt: skip
def test_validate_warns_of_a_figure_that_will_lack_something(text: str, words: str, tmp_path: Path):
    name = text.rpartition("[")[2].rstrip("]")
    lines = said(tmp_path, text)
    assert any(words in line and f"figures = '{name}': " in line for line in lines)
    assert all("empty panel, or nothing to draw: it takes " in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "n: [4, 16]\nfigures: [kl]",
        "n: [4, 8]\nridge: [0, 0.1]\nfigures: [kl]",
        "n: [4, 16]\nridge: [0.01, 0.1, 1]\nfigures: [tuned, regularization]",
    ],
)
def test_nothing_is_said_of_a_figure_that_has_all(text: str, tmp_path: Path):
    assert said(tmp_path, text) == []


def test_conditions_have_words_that_follow_it_takes():
    for name in figures.FIGURES:
        for condition in figures.needs(name).conditions:
            assert condition.words
            assert not condition.words.endswith(".")
