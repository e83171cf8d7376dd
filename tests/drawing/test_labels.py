"""Names that a user chose, as figures and pages show them: text, whatever is in it."""

import io
import json

import pytest
from matplotlib.figure import Figure

from lindiff.drawing import compare, labels, style
from lindiff.report import findings

NASTY = {
    "run{1}.npy": "run{1}.npy",
    r"p$\bad$.npy": r"p\$\bad\$.npy",
    "a$b.npy": r"a\$b.npy",
    "50%_a^2~#&.npy": "50%_a^2~#&.npy",
    "<b>{}{x}</b>.npy": "<b>{}{x}</b>.npy",
    "a\nb\x1b[31m.npy": r"a\nb\x1b[31m.npy",
    "-s3://x@y.npy": "-s3://x@y.npy",
    r"a\frac{.npy": r"a\frac{.npy",
    "x" * 30 + ".npy": "x" * 12 + "…" + "x" * 8 + ".npy",
}


@pytest.mark.parametrize(("name", "shown"), NASTY.items())
def test_a_file_is_named_as_it_is_called(name, shown):
    population = {"data": f"{name}@0123456789abcdef", "spectrum": "dataset", "d": 4}
    words = compare.population_words(population)
    assert words == f"{shown}, $d=4$"
    with style.applied():
        figure = Figure()
        figure.suptitle(words)
        figure.savefig(io.BytesIO(), format="pdf")


def test_a_bundled_data_set_has_its_name():
    assert labels.data_set("digits") == "digits"


@pytest.mark.parametrize("name", NASTY)
def test_answers_say_a_file_as_it_is_called(name):
    params = json.dumps({"name": f"{name}@0123456789abcdef"})
    assert findings.spectrum("dataset", params) == name
