"""The page of answers: every number comes from the data of a figure."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff import answers, figures
from lindiff.errors import InputError
from tests.figures import synthetic
from tests.figures.synthetic import Config, Experiment

FIGURES = tuple(answer.figure for answer in answers.ANSWERS)


def drawn(folder: Path, name: str) -> Path:
    metrics, levels, modes = synthetic.feed(name)
    synthetic.write(folder, metrics, levels=levels, modes=modes)
    *_, data = figures.draw_figure(name, folder, Config({"one": Experiment((name,))}))
    return data


@pytest.mark.parametrize("name", FIGURES)
def test_every_answer_has_sentences_from_its_figure(name, tmp_path):
    drawn(tmp_path, name)
    ((answer, sentences),) = answers.answers(tmp_path, [name])
    assert answer.figure == name
    for text in sentences:
        assert re.search(r"\d", text)
        assert "nan" not in text
        assert "{" not in text


def test_numbers_are_those_of_the_rows():
    rows = answers.Rows(
        pa.table(
            {
                "quantity": ["a", "a", "b"],
                "n_over_d": [1.0, 4.0, 1.0],
                "value": [0.25, 0.125, 7.0],
            }
        )
    )
    assert rows.at("a", 1.1) == 0.25
    assert rows.at("a", 4) == 0.125
    assert pc.is_nan(pa.scalar(rows.at("a", 2))).as_py(), "no row is near enough"
    assert answers._say("{} and {}", 0.25, 123.456) == "0.25 and 123"
    assert answers._say("{}", float("nan")) is None


def test_the_page(tmp_path):
    drawn(tmp_path, "kl")
    page = tmp_path / "answers.html"
    answers.write(tmp_path, ["kl", "phase"], page)
    text = page.read_text(encoding="utf-8")
    assert "How many does the distribution need?" in text
    assert "(d+3)/(4N)" in text
    assert text.count("<h2>") == 1
    with pytest.raises(InputError, match=r"transition\.parquet is missing"):
        answers.write(tmp_path, ["transition"], page)
