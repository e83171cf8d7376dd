"""LaTeX tables and BibTeX of a config: a row for every number, a source for every name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lindiff import figures
from lindiff.claims.run import sources
from lindiff.columns import METRIC, METRICS, SETTING
from lindiff.config.resolve import load
from lindiff.drawing import compare, labels, markup, tables
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


def rows_of(text: str) -> list[str]:
    """The lines of a table's rows, behind all that LaTeX repeats."""
    _, _, body = text.rpartition(r"\endlastfoot" if "longtable" in text else r"\midrule")
    (body,) = re.findall(r"(.*?)\\(?:bottomrule|end\{longtable\})", body, re.DOTALL)
    return [line.strip() for line in body.strip().splitlines()]


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
    lines = rows_of(text)
    assert len(lines) == len(shown) > 0
    assert all(line.endswith(r" \\") for line in lines)
    header = text.partition(r"\toprule")[2].partition(r"\midrule")[0]
    assert {line.count("&") for line in lines} == {header.count("&")}
    assert tables.facts(data)["fingerprints"][0] in text


def test_a_caption_holds_nothing_fixed_that_a_column_has(tmp_path: Path):
    """Of a table of several spectra none is held fixed, and a d that all rows have is said once."""
    rows = synthetic.feed("tuned")[0].to_pylist()
    other = {"spectrum": "power_law", "spectrum_params": '{"exponent":1.0}'}
    both = [row | {"cell_id": f"{i}"} for i, row in enumerate([*rows, *(r | other for r in rows)])]
    synthetic.write(tmp_path, synthetic.table(both))
    data = figures.figure_data("tuned", tmp_path, ("one",))
    assert len(tables.distinct_keys(data, ("spectrum", "spectrum_params"))) == 2
    caption = latex.table("tuned", data).partition(r"\label")[0]
    held = caption.partition("Held fixed: ")[2].partition(". ")[0]
    assert "sampler" in held
    assert not [words for words in ("power law", "isotropic", "$d") if words in held]
    assert "Ledoit" in latex.table("tuned", data)
    assert "ledoit wolf" not in latex.table("tuned", data)


def test_a_table_of_needed_n_says_of_which_levels(tmp_path: Path):
    data = data_of("data_need", tmp_path)
    caption = latex.table("data_need", data).partition(r"\label")[0]
    for target, level in tables.facts(data)["level"].items():
        assert markup.latex(labels.equal(METRIC[target].label, labels.number(level))) in caption
    assert "fitted where $N>10\\,d$" in caption


def test_a_table_of_trainings_says_by_which_budget(tmp_path: Path):
    data = data_of("modes", tmp_path)
    budgets = compare.budgets(data)
    assert budgets
    caption = latex.table("modes", data).partition(r"\label")[0]
    assert f"Training: {markup.latex('; '.join(budgets))}. " in caption


def test_without_exponents_and_optima_there_is_an_error(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "experiments:\n  a: {model: linear_exact, d: 4, n: [8, 16], seed: [0], figures: [kl]}\n"
    )
    with pytest.raises(InputError, match="no exponents and no optima; they are of the figures"):
        latex.document(make_plan(load(path), tmp_path))


def test_a_table_of_more_rows_than_a_page_has_goes_over_pages_with_its_header(tmp_path: Path):
    data = data_of("modes", tmp_path)
    short = latex.table("modes", data)
    long = latex.table("modes", pa.concat_tables([data] * latex.LONGEST))
    assert r"\begin{table}" in short
    assert "longtable" not in short
    assert long.count(r"\begin{longtable}") == long.count(r"\end{longtable}") == 1
    assert r"\begin{table}" not in long
    assert long.count("{") == long.count("}")
    assert rows_of(long) == rows_of(short) * latex.LONGEST
    # What LaTeX repeats stands before the rows, in this order.
    ends = [long.index(rf"\{name}") for name in ("endfirsthead", "endhead", "endfoot")]
    assert [*ends, long.index(r"\endlastfoot")] == sorted([*ends, long.index(r"\endlastfoot")])
    header = short.partition(r"\toprule")[2].partition(r"\midrule")[0]
    assert header in long[: ends[0]]
    assert header in long[ends[0] : ends[1]]
    (columns,) = re.findall(r"\\begin\{longtable\}\{(\w+)\}", long)
    assert len(columns) == header.count("&") + 1
    assert rf"\multicolumn{{{len(columns)}}}" in long[ends[1] : ends[2]]


def test_a_table_floats_up_to_the_longest(tmp_path: Path):
    row = data_of("modes", tmp_path)
    row = row.filter(pc.equal(row["quantity"], "exponent")).slice(0, 1)
    for count, kind in ((latex.LONGEST, "table"), (latex.LONGEST + 1, "longtable")):
        text = latex.table("modes", pa.concat_tables([row] * count))
        assert rf"\begin{{{kind}}}" in text
        assert len(rows_of(text)) == count


def test_tables_name_their_packages_in_comments(tmp_path: Path):
    short = latex.table("modes", data_of("modes", tmp_path / "short"))
    assert latex.preamble([short]) == "% In the preamble: \\usepackage{booktabs}\n"
    long = latex.table("tuned", data_of("tuned", tmp_path / "long"))
    lines = latex.preamble([short, long]).splitlines()
    assert lines[0] == r"% In the preamble: \usepackage{booktabs,longtable}"
    assert all(line.startswith("% ") for line in lines)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX on this machine")
def test_latex_sets_the_tables_and_bibtex_the_works(tmp_path: Path):
    text = "".join(latex.table(name, data_of(name, tmp_path / name)) for name in latex.TABLES)
    assert r"\begin{longtable}" in text
    (tmp_path / "works.bib").write_text(references.bibtex(references.WORKS))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}" + text
        + r"\nocite{*}\bibliographystyle{plain}\bibliography{works}\end{document}"
    )  # fmt: skip
    latexed = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    for command in (latexed, ["bibtex", "paper"], latexed):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.bbl").read_text().count(r"\bibitem") == len(references.WORKS)
