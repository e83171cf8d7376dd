"""What the documentation says of the code is so."""

import re
from pathlib import Path

import pyarrow.compute as pc
import pytest

from lindiff.columns.arrays import combinations
from lindiff.columns.groups import COVARIANCE
from lindiff.config.resolve import load
from lindiff.sweep.grid import wanted

ROOT = Path(__file__).parents[1]
TESTS = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize(("page", "least"), [("theory", 50), ("snakemake", 20)])
def test_every_test_that_a_page_names_exists(page, least):
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > least
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_every_section_of_theory_names_a_test():
    text = (ROOT / "docs/theory.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [s.splitlines()[0] for s in sections if "`test_" not in s] == []


def test_the_readme_counts_the_default_sweep():
    """To the thousand; a training set is what settings of the data and a seed draw."""
    cells = wanted(load(ROOT / "config/default.yaml")).cells
    drawn = [*COVARIANCE, "data", "n", "draw", "seed"]
    seeded = cells.filter(pc.is_valid(cells["seed"]))
    sets = len(combinations(seeded, drawn)[1])
    said = f"{round(len(cells), -3):,} cells from {round(sets, -3):,} training sets"
    assert said in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("page", ["README.md", *(str(p) for p in (ROOT / "docs").glob("*.md"))])
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
