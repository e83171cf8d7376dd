"""The page of answers: every number comes from the data of a figure."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff import figures
from lindiff.config.resolve import load
from lindiff.errors import InputError
from lindiff.files import write_table
from lindiff.report import answers
from tests.once import once
from tests.sweeps import Sweep

FIGURES = [answer.figure for answer in answers.ANSWERS]
SMOKE = Path(__file__).parents[2] / "config/smoke.yaml"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the smoke config, with the data of the figures that answer."""
    return once(tmp_path_factory, "smoke", make_smoke) / "results/smoke"


def make_smoke(folder: Path) -> None:
    config, results = load(SMOKE), folder / "results/smoke"
    Sweep(folder).finish(config)
    (results / "figures").mkdir()
    for name in FIGURES:
        data = figures.figure_data(name, results, config.feeding(name))
        *_, path = figures.outputs(name, results)
        write_table(data, path, data.schema.metadata)


@pytest.mark.parametrize("name", FIGURES)
def test_every_answer_has_sentences_from_its_figure(name, smoke):
    ((answer, sentences),) = answers.answers(smoke, [name])
    assert answer.figure == name
    for text in sentences:
        assert re.search(r"\d", text)
        assert "nan" not in text
        assert "{" not in text


def test_memorization_is_said_with_its_data_and_budget(smoke):
    ((_, sentences),) = answers.answers(smoke, ["memorization"])
    assert any("the U-Net on digits data (d = 61), trained for 40 steps, a" in s for s in sentences)


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


def test_the_page(smoke, tmp_path):
    page = tmp_path / "answers.html"
    answers.write(smoke, ["kl", "phase"], page)
    text = page.read_text(encoding="utf-8")
    assert "How many does the distribution need?" in text
    assert "(d+3)/(4N)" in text
    assert text.count("<h2>") == 1
    with pytest.raises(InputError, match=r"transition\.parquet is missing"):
        answers.write(tmp_path, ["transition"], page)
