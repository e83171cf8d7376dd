"""The documentation site: built as `make docs` builds it, its notebook executed, and opened."""

import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lindiff
from lindiff import figures
from tests import site

ROOT = Path(__file__).parents[1]


def lacking() -> str:
    """What is needed and not there."""
    names = ("sphinx", "myst_nb", "pydata_sphinx_theme", "torch", "snakemake")
    found = [name for name in names if importlib.util.find_spec(name) is None]
    return ", ".join(found + ["chromium"] * (shutil.which("chromium") is None))


def command(out: Path) -> list[str]:
    """The command of `make docs`, for another folder."""
    (line,) = re.findall(r"^\t(\.venv/bin/python -m sphinx .*)$", (ROOT / "Makefile").read_text(),
                         re.MULTILINE)  # fmt: skip
    program, *words, folder = shlex.split(line)
    assert (program, folder) == (".venv/bin/python", "build/site")
    return [sys.executable, *words, str(out)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("docs") / "site"
    missing = lacking()
    if missing:
        assert "LINDIFF_REQUIRE_DOCS" not in os.environ, f"not there: {missing}"
        pytest.skip(f"not there: {missing}")
    run = subprocess.run(command(out), cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_the_web(built):
    """With -W, every warning is an error: links, references, cells of the notebook."""
    assert site.problems(built) == []


@pytest.mark.slow
def test_the_site_has_every_page_name_and_figure(built):
    for path in (ROOT / "docs").glob("*.md"):
        assert (built / f"{path.stem}.html").is_file()
    api = (built / "api.html").read_text(encoding="utf-8")
    assert [n for n in lindiff.__all__ if f'id="lindiff.{n}"' not in api] == []
    gallery = (built / "gallery.html").read_text(encoding="utf-8")
    assert [n for n in figures.FIGURES if f"<h3>{n}<" not in gallery] == []
    assert 'src="_images/transition.png"' in gallery
    start = (built / "index.html").read_text(encoding="utf-8")
    assert 'href="configuration.html"' in start
    assert 'src="_images/transition.png"' in start


def test_a_page_that_loads_from_the_web_is_found():
    html = '<a href="https://a.b/c">x</a><script src="https://cdn.x/y.js"></script>'
    html += '<link rel="stylesheet" href="//fonts.x/z.css"/><img src="_images/a.png">'
    assert site.loads(html) == ["//fonts.x/z.css", "https://cdn.x/y.js"]


def test_the_gallery_takes_what_sweeps_have_drawn(tmp_path, monkeypatch):
    """Of a figure that both have drawn that of the smoke config, which `make docs` makes anew."""
    conf = runpy.run_path(str(ROOT / "docs/conf.py"))
    assert all((ROOT / f"config/{name}.yaml").is_file() for name in conf["DRAWN"])
    for path in ("smoke/figures/kl.png", "extended/figures/kl.png", "extended/figures/classes.png"):
        (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / path).touch()
    drawn = tmp_path / "results/smoke/figures/kl.png"
    monkeypatch.setitem(conf["gallery"].__globals__, "ROOT", tmp_path)
    text = conf["gallery"]()
    named = ["classes", "kl", "memorization", "transition"]
    assert sorted(re.findall(r"!\[(\w+)\]", text)) == named
    assert (ROOT / "docs" / re.findall(r"!\[kl\]\((.*)\)", text)[0]).samefile(drawn)
    assert all(figures.caption(name) in text for name in figures.FIGURES)


def test_links_lead_to_pages_of_the_site():
    linked = runpy.run_path(str(ROOT / "docs/conf.py"))["linked"]
    text = "[a](docs/theory.md) [b](CITATION.cff) ![c](docs/figures/kl.png) [d](https://x/y.md)"
    own = "[a](theory.md) b ![c](docs/figures/kl.png) [d](https://x/y.md)"
    assert linked(text, ROOT) == own
    assert linked("[e](../config/README.md#keys-at-the-top)", ROOT / "docs") == (
        "[e](configuration.md#keys-at-the-top)"
    )


@pytest.mark.slow
def test_a_request_to_the_web_is_found(tmp_path):
    if shutil.which("chromium") is None:
        assert "LINDIFF_REQUIRE_DOCS" not in os.environ
        pytest.skip("not there: chromium")
    (tmp_path / "a.html").write_text("<script>fetch('http://localhost.invalid/x')</script>")
    assert site.opened(tmp_path / "a.html")[1] == ["http://localhost.invalid/x"]
