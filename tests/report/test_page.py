"""The page of a config: what is in it, without a browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lindiff.columns import LABELS, SETTINGS
from lindiff.columns.settings import Column
from lindiff.drawing import style
from lindiff.errors import InputError
from lindiff.report import answers, findings, sections
from lindiff.report.page import cells, write
from lindiff.report.page.table import payload, safe_json
from tests.figures import synthetic
from tests.report import pages


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pages.make(tmp_path_factory.mktemp("results") / "small", pages.sweep())


def test_the_table_of_a_page_is_that_of_the_config(page: Path):
    """Settings exactly, metrics to the digits of float32, ids whole."""
    found, made = pages.table_of(page), synthetic.table(pages.sweep()).to_pylist()
    content = gzip.decompress(base64.b64decode(found["blob"]))

    def array(place):
        kind = np.dtype(place["type"])
        return np.frombuffer(content, kind, place["length"], place["at"])

    assert found["rows"] == found["total"] == len(made)
    for setting in found["settings"]:
        codes = [0] * len(made) if setting["codes"] is None else array(setting["codes"])
        if setting["name"] in ("n_over_d", "spectrum"):
            continue
        values = [setting["values"][code] for code in codes]
        known = [np.inf if value == "Infinity" else value for value in values]
        assert known == [row[setting["name"]] for row in made], setting["name"]
    (loss,) = (m for m in found["metrics"] if m["name"] == "test_loss")
    assert loss["data"]["type"] == "float32"
    np.testing.assert_allclose(array(loss["data"]), [row["test_loss"] for row in made], rtol=1e-7)
    ids = array(found["ids"]).tobytes().hex()
    assert ids == "".join(row["cell_id"] for row in made)
    assert found["ids"]["width"] == 16


def test_a_page_says_what_searches_have_found_and_nothing_without_one(page: Path, tmp_path: Path):
    assert "Refined axes" not in page.read_text(encoding="utf-8")
    other = pages.make(tmp_path / "small", pages.sweep())
    lines = ["one: n where test_loss = 0.5, d 8: 20 <x>", "two: it does not cross"]
    write.write(other.parent, [], ["metrics.parquet"], other, lines)
    text = other.read_text(encoding="utf-8")
    assert (
        "<h3>Refined axes</h3>\n<ul>\n<li>one: n where test_loss = 0.5, d 8: 20 &lt;x&gt;</li>\n"
        "<li>two: it does not cross</li>\n</ul>\n</section>"
    ) in text


def test_a_number_that_float32_does_not_hold_is_kept(tmp_path: Path):
    made = pages.rows(n=[4, 8])
    for row, value in zip(made, (1e-300, 1e300), strict=True):
        row["test_loss"], row["train_loss"] = value, float("inf")
    found = pages.table_of(pages.make(tmp_path / "far", made))
    kinds = {metric["name"]: metric["data"]["type"] for metric in found["metrics"]}
    assert kinds == {"test_loss": "float64", "train_loss": "float32"}


def test_the_same_table_gives_the_same_bytes(page: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(page.parents[1])
    first = pages.make(Path("one/small"), pages.sweep()).read_bytes()
    monkeypatch.chdir(tmp_path)
    assert pages.make(Path("one/small"), pages.sweep()).read_bytes() == first


def test_a_page_needs_no_other_file_and_runs_one_script(page: Path):
    text = page.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'" in text
    )
    assert "Permission is hereby granted, free of charge" in script
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "import(" not in script


def test_every_asset_is_in_the_page():
    scripts = {path.name for path in write.ASSETS.glob("*.js")}
    assert scripts == set(write.SCRIPTS)
    assert {path.suffix for path in write.ASSETS.iterdir()} == {".js", ".css", ".html"}
    assert {path.name for path in write.UPLOT.iterdir()} == {
        "LICENSE", "README.md", "uPlot.iife.min.js", "uPlot.min.css",
    }  # fmt: skip
    for path in write.ASSETS.iterdir():
        assert "</script" not in path.read_text("utf-8") or path.suffix == ".html"


def test_uplot_is_the_version_that_is_named():
    words = (write.UPLOT / "README.md").read_text("utf-8").split()
    first = (write.UPLOT / "uPlot.iife.min.js").read_text("utf-8").splitlines()[0]
    assert words[0] == "uPlot"
    assert f"(v{words[1]})" in first


def test_what_javascript_repeats_is_what_python_has():
    paint = (write.ASSETS / "paint.js").read_text("utf-8")
    (colours,) = re.findall(r"const COLOURS = \[(.*?)\]", paint)
    assert re.findall(r"#\w+", colours) == list(style.COLOURS)
    view = (write.ASSETS / "view.js").read_text("utf-8")
    assert f'const RATIO = "{cells.RATIO}"' in view
    named = set(re.findall(r'table\.setting\.get\("(\w+)"\)', view))
    named |= set(re.findall(r'table\.metric\.get\("(\w+)"\)', view))
    assert named <= {column.name for column in SETTINGS}


@pytest.mark.parametrize("text", ["</script>", "<!--", "&amp;", "]]>", "\u2028", '"', "\udcff"])
def test_no_text_ends_the_element_of_the_table(text: str):
    found = safe_json({text: [text, None, 1e-300]})
    assert not set("<>&\u2028") & set(found)
    assert json.loads(found) == {text: [text, None, 1e-300]}


def test_bad_names_are_shown_and_do_nothing(tmp_path: Path):
    name = pages.HOSTILE.replace("/", "_")
    made = pages.rows(n=[4, 8], data=f"{name}@0123456789abcdef", experiments=[pages.HOSTILE])
    page = pages.make(tmp_path / name, made)
    text = page.read_text(encoding="utf-8")
    assert f"<h1>{html.escape(name)}</h1>" in text
    assert "<img src=x" not in text
    found = pages.table_of(page)
    assert found["config"] == name
    assert found["experiments"]["values"] == [[pages.HOSTILE]]


@pytest.mark.parametrize("made", [[], pages.rows(), pages.rows(status="failed")])
def test_a_table_without_a_row_or_with_one_has_a_page(made, tmp_path: Path):
    page = pages.make(tmp_path / "none", made)
    found = pages.table_of(page)
    ok = [row for row in made if row["status"] == "ok"]
    assert (found["rows"], found["failed"]) == (len(ok), len(made) - len(ok))
    text = page.read_text(encoding="utf-8")
    assert f"{len(made)} cells" in text
    assert ("are not ok" in text) == (len(ok) < len(made))


def test_a_page_without_a_table_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"metrics\.parquet is missing"):
        write.write(tmp_path, [], ["metrics.parquet"], tmp_path / "index.html")
    assert not list(tmp_path.iterdir())
    page = pages.make(tmp_path / "one", pages.rows())
    before = page.read_bytes()
    with pytest.raises(InputError, match=r"density\.png is missing: draw the figure density first"):
        write.write(page.parent, ["density"], ["metrics.parquet"], page)
    assert page.read_bytes() == before


# Thinning --------------------------------------------------------------------------------------


def test_many_rows_are_thinned_by_whole_seeds():
    table = synthetic.table(pages.sweep())
    theory = sum(row["seed"] is None for row in pages.sweep())
    one = (len(table) - theory) // 4
    assert cells.thinned(table, len(table)) == (table, ())
    kept, notes = cells.thinned(table, 2 * one + theory + 1)
    assert sorted({*kept["seed"].to_pylist()} - {None}) == [0, 1]
    assert len(kept) == 2 * one + theory
    assert notes == ("of each point the 2 smallest of up to 4 seeds",)


def test_experiments_with_seeds_of_their_own_are_all_there():
    """Seeds are ranked at each point: else the experiments with the largest would be gone."""
    low = synthetic.rows(n=[4, 8], seed=list(range(10)))
    high = synthetic.rows(n=[4, 8], seed=[500, 501, 502], ridge=0.1)
    same = synthetic.rows(n=[4, 8], seed=[900, 901])
    made = [
        row | {"experiments": [name]}
        for name, rows in (("low", low), ("high", high), ("same", same))
        for row in rows
    ]
    kept, notes = cells.thinned(synthetic.table(made), 12)
    found = {(row["experiments"][0], row["n"], row["seed"]) for row in kept.to_pylist()}
    seeds = {"low": [0, 1], "high": [500, 501], "same": [900, 901]}
    assert found == {(name, n, seed) for name, own in seeds.items() for n in (4, 8) for seed in own}
    assert notes == ("of each point the 2 smallest of up to 10 seeds",)


def test_one_seed_that_is_too_much_is_thinned_by_every_second_value():
    made = synthetic.rows(n=list(range(4, 104)), seed=[0, 1, 2])
    kept, notes = cells.thinned(synthetic.table(made), 30)
    values = sorted(kept["n"].to_pylist())
    assert len(kept) <= 30
    assert (values[0], values[-1]) == (4, 103)
    assert notes[0] == "of each point the 1 smallest of up to 3 seeds"
    assert notes[1] == "51 of 100 values of n"
    few, notes = cells.thinned(synthetic.table(synthetic.rows(n=[4, 8])), 1)
    assert (len(few), notes) == (2, ())


def test_a_thinned_page_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(cells.read_cells, "__defaults__", (100,))
    text = pages.make(tmp_path / "thin", pages.sweep()).read_text(encoding="utf-8")
    total = len(pages.sweep())
    assert f"of {total:,} cells, so that it is quick: of each point the" in text


# Words -----------------------------------------------------------------------------------------


def test_no_label_has_mathtext():
    labels = {name: sections.plain_label(name) for name in LABELS}
    assert {name: x for name, x in labels.items() if not x or set("$\\{}[]") & set(x)} == {}


def test_spectra_that_words_do_not_tell_apart_have_their_parameters():
    params = ['{"values":[1,2]}', '{"values":[2,1]}']
    made = pages.rows(spectrum="eigenvalues", spectrum_params=params)
    assert len({findings.spectrum("eigenvalues", p) for p in params}) == 1
    (setting,) = (s for s in _settings(made) if s["name"] == "spectrum")
    assert setting["values"] == [f"eigenvalues {p}" for p in params]


def _settings(made):
    table = cells._in_words(cells.with_ratio(cells.plain(synthetic.table(made))))
    return json.loads(payload(cells.Cells(table, len(made), 0, ()), "a", "a"))["settings"]


def test_columns_on_a_page_have_their_terms(page: Path):
    text = page.read_text(encoding="utf-8")
    for name in ("ridge", "seed", "test_loss", "c_mean", "sampler"):
        assert f"<code>{name}</code></dt>" in text
    for term in sections.TERMS:
        assert f"<dt>{html.escape(term)}</dt>" in text
    assert "<code>weight_decay</code>" in text
    assert "<code>precision</code></dt>" not in text
    assert "see below" not in sections.terms([c.name for c in SETTINGS], ())
    shown = sections.terms((), ["kl_model_data", "kl_model_data_mean", "kl_model_data_se"])
    assert shown.count("</code></dt>") == 1


def test_a_column_that_is_added_is_in_the_explorer_by_itself():
    """Its axes are the settings of the registry, its metrics those that the rows have."""
    assert all(isinstance(column, Column) for column in SETTINGS)
    assert set(cells.AXES) == {c.name for c in SETTINGS} - {"spectrum_params"} | {cells.RATIO}


def test_answers_have_a_summary_links_and_terms(tmp_path: Path):
    said = [
        findings.Missing("add seeds.", {"d": "d < 8"}),
        findings.Finding("x < 1.", {"d": "d = 8"}, 3),
    ]
    found = [("Is <it>?", "kl", said), ("And that?", "phase", said[:1])]
    assert sections.counted(found) == "1 of 2 questions have an answer."
    summary = sections.summary(found)
    assert '<a href="#figure-kl">Is &lt;it&gt;?</a> D = 8, 3 training sets: x &lt; 1.' in summary
    assert "Not answered (d &lt; 8): add seeds." in summary
    assert sections.paragraphs(said).startswith('<p class="missing">Not answered (d &lt; 8)')
    for ending in ("pdf", "png", "parquet"):
        assert f'href="figures/kl.{ending}"' in sections.links("kl")
    answers.write(tmp_path, [], tmp_path / "answers.html")
    text = (tmp_path / "answers.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in text
    assert "<h2>Terms</h2>" in text
