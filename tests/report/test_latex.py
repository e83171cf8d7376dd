"""LaTeX tables and BibTeX of a config: a row for every number, a source for every name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lindiff import figures
from lindiff.claims.run import sources
from lindiff.columns import METRICS, SETTING
from lindiff.config.resolve import load
from lindiff.drawing import tables
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.report import latex, references
from lindiff.sweep.plan import make_plan
from tests.figures import synthetic

ROOT = Path(__file__).parents[2]


def data_of(name: str, folder: Path):
    metrics, nested = synthetic.feed(name)
    synthetic.write(folder, metrics, **nested)
    return figures.figure_data(name, folder, ("one",))


@pytest.mark.parametrize("setting", references.SOURCES)
def test_every_registered_name_has_its_source_or_is_said_to_have_none(setting: str):
    known = MODELS if setting == "model" else SETTING[setting].choices
    assert set(references.SOURCES[setting]) == set(known)


def test_sources_are_works_and_every_work_is_a_source():
    per_value = [keys for values in references.SOURCES.values() for keys in values.values()]
    others = [*references.METRIC_SOURCES.values(), *references.FIGURE_SOURCES.values()]
    claimed = [source.sheet.source for source in sources([])]
    named = {key for keys in [*per_value, *others, references.ALWAYS, claimed] for key in keys}
    assert named == set(references.WORKS)
    assert set(references.METRIC_SOURCES) <= {column.name for column in METRICS}
    assert set(references.FIGURE_SOURCES) <= set(figures.FIGURES)


def test_numbers_of_arxiv_are_those_that_the_package_cites():
    """A number that docs or docstrings give of a work is the one in its entry."""
    places = [ROOT / "docs/theory.md", *(ROOT / "lindiff").rglob("*.py")]
    text = " ".join(p.read_text(encoding="utf-8") for p in places if p.name != "references.py")
    cited = set(re.findall(r"arXiv[ \n]+(\d{4}\.\d{5})", text))
    entries = {fields.get("eprint") for _, fields in references.WORKS.values()}
    assert cited - entries == {"2301.10972"}  # of a scale of data, which is no value of a setting
    assert all(re.fullmatch(r"\d{4}\.\d{4,5}", one) for one in entries if one)


def test_a_config_cites_what_it_names(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "experiments:\n  a:\n    model: [linear_exact, linear_theory]\n    d: 4\n    n: [8]\n"
        "    seed: [0]\n    sampler: ddim\n    schedule: cosine\n"
    )
    found = references.used(load(path).experiments.values())
    assert set(found) == {"merger2025", "song2021", "nichol2021", "bach2023", "silverstein1995"}


@pytest.mark.parametrize("name", ["tuned", "modes"])
def test_a_row_for_every_exponent_and_optimum(name: str, tmp_path: Path):
    data = data_of(name, tmp_path)
    shown = [
        row for row in data.to_pylist()
        if re.search("(^|_)exponent$|_(argmin|minimum)$", row["quantity"])
        and row.get("unit") != "ridge" and row["quantity"] != "linear_exponent"
    ]  # fmt: skip
    text = latex.table(name, data)
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    lines = [line.strip() for line in body.strip().splitlines()]
    assert len(lines) == len(shown) > 0
    assert all(line.endswith(r" \\") for line in lines)
    header = text.partition(r"\toprule")[2].partition(r"\midrule")[0]
    assert {line.count("&") for line in lines} == {header.count("&")}
    assert tables.facts(data)["fingerprints"][0] in text


def test_without_exponents_and_optima_there_is_an_error(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "experiments:\n  a: {model: linear_exact, d: 4, n: [8, 16], seed: [0], figures: [kl]}\n"
    )
    with pytest.raises(InputError, match="no exponents and no optima; they are of the figures"):
        latex.document(make_plan(load(path), tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX on this machine")
def test_latex_sets_the_tables_and_bibtex_the_works(tmp_path: Path):
    text = "".join(latex.table(name, data_of(name, tmp_path / name)) for name in latex.TABLES)
    (tmp_path / "works.bib").write_text(references.bibtex(references.WORKS))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}" + text
        + r"\nocite{*}\bibliographystyle{plain}\bibliography{works}\end{document}"
    )  # fmt: skip
    latexed = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    for command in (latexed, ["bibtex", "paper"], latexed):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.bbl").read_text().count(r"\bibitem") == len(references.WORKS)
