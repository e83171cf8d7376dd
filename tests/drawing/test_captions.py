"""Captions as text and LaTeX: what users name is escaped, symbols are kept, and TeX sets them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from docutils.core import publish_string

from lindiff import figures
from lindiff.columns import LABELS
from lindiff.drawing import caption, labels, markup, style, tables
from lindiff.drawing.intervals import LONGER
from lindiff.figures import coverage
from lindiff.report.sources import figure_caption
from tests.figures import synthetic
from tests.figures.feeds import coverage as coverage_feed

ODD = r"50%_of~{my}#file^2 & more\x <a|b>.npy $5"


def test_every_label_has_a_plain_text():
    for text in [*LABELS.values(), *labels._DERIVED.values()]:
        assert not set("\\${}\0") & set(markup.plain(text)), text


@pytest.mark.parametrize(
    ("words", "plain", "latex"),
    [
        (r"ridge $c=0.01$", "ridge c=0.01", r"ridge $c=0.01$"),
        (r"per $\ln t$", "per ln t", r"per $\ln t$"),
        (r"$1-\bar\alpha_t$", "1-ᾱ_t", r"$1-\bar\alpha_t$"),
        (r"$\mathrm{KL}(\rho\,\|\,\rho_N)$", "KL(ρ‖ρ_N)", r"$\mathrm{KL}(\rho\,\|\,\rho_N)$"),
        (r"$s_j\propto j^{-1}$", "s_j∝j^-1", r"$s_j\propto j^{-1}$"),
        ("ε̂ and x̂_0 at ᾱ_t", "ε̂ and x̂_0 at ᾱ_t",
         r"$\hat{\epsilon}$ and $\hat{x}_{0}$ at $\bar{\alpha}_{t}$"),
        ("modes of Σ0, γ‖W‖²", "modes of Σ0, γ‖W‖²",
         r"modes of $\Sigma_{0}$, $\gamma \| $W$\| ^{2}$"),
        ("café, 5 × `linear`", "café, 5 × `linear`", r"café, 5 $\times $ \texttt{linear}"),
        (labels.plain(ODD), ODD,
         r"50\%\_of\textasciitilde{}\{my\}\#file\textasciicircum{}2 \& more\textbackslash{}x "
         r"$<$a$|$b$>$.npy \$5"),
    ],
)  # fmt: skip
def test_words_as_text_and_as_latex(words: str, plain: str, latex: str):
    assert markup.plain(words) == plain
    assert markup.latex(words) == latex


def test_how_much_longer_one_side_of_an_interval_is_is_said_by_every_figure_that_draws_it():
    drawn = {"LONGER", "noises.interval", "positive_mean_interval"}
    for name in figures.discover():
        source = (Path(figures.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        factors = re.findall(r"(\S+) (?:times )?as long", figures.caption(name))
        expected = "twice" if "_ABOVE" in source else f"{LONGER:g}"
        assert factors == [expected] * any(word in source for word in drawn), name
    assert coverage._ABOVE == 2


def words_of(name: str, folder: Path) -> str:
    metrics, nested = synthetic.feed(name)
    synthetic.write(folder, metrics, **nested)
    data = figures.figure_data(name, folder, ("one",))
    with style.applied():
        return caption.words(figures.drawing(name, data), data)


def test_a_caption_says_what_the_figure_holds_and_leaves_out(tmp_path: Path):
    metrics, nested = synthetic.feed("kl")
    rows = metrics.to_pylist()
    rows[0]["status"] = "failed"
    synthetic.write(tmp_path, synthetic.table(rows), **nested)
    data = figures.figure_data("kl", tmp_path, ("one",))
    with style.applied():
        text = markup.plain(caption.words(figures.drawing("kl", data), data))
    assert text.startswith(figures.caption("kl"))
    for words in (
        "Held fixed: ", "sampler ddpm_beta", "Training sets behind a point: ", "Infinite and left",
        "The dotted vertical line is at N=d.", "1 cell that is not ok is left out.",
    ):  # fmt: skip
        assert words in text


def test_a_caption_says_how_many_of_the_kinds_of_data_and_of_n_are_taken():
    made = [row for d in (8, 16, 32) for row in coverage_feed.rows(d=d, n=[8, 9, 10, 11, 12, 64])]
    with style.applied():
        data = coverage.query(tables.plain(synthetic.table(made)), coverage_feed.nested(made))
        text = markup.plain(caption.words(coverage.draw(data), data))
    kinds = {row["d"] for row in data.to_pylist()}
    assert kinds == {8, 16}
    drawn = len(tables.distinct(data, "n"))
    assert drawn < 6
    assert f"Of 3 kinds of data 2 are taken. Of 6 values of N {drawn} are taken." in text


def test_where_other_panels_have_lines_too_that_at_n_equal_d_is_said_by_panel(tmp_path: Path):
    text = markup.plain(words_of("augmentation", tmp_path))
    assert "The dotted vertical line in (a) is at N=d." in text


def test_the_report_shows_the_written_caption_as_it_is(tmp_path: Path):
    path = tmp_path / "kl.txt"
    assert figure_caption("kl", path).replace("\\", "") == figures.caption("kl")
    path.write_text(f"Of *odd* |names| `here`_ {ODD}\n")
    html = publish_string(figure_caption("kl", path), writer="html").decode()
    body = re.sub(r"<[^>]*>", "", html[html.index("<body") :])
    shown = body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
    assert shown == f"Of *odd* |names| `here`_ {ODD}"
    assert 'class="system-message"' not in html


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX on this machine")
def test_latex_sets_every_caption(tmp_path: Path):
    texts = [markup.latex(words_of(name, tmp_path / name)) for name in figures.FIGURES]
    texts.append(markup.latex(labels.plain(ODD)))
    body = "\n".join(
        rf"\begin{{figure}}\caption{{{text}}}\end{{figure}}\clearpage" for text in texts
    )
    document = rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "captions.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "captions.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "captions.log").read_text(errors="replace")
