"""What the documentation says of the code is so."""

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", ["README.md", *(str(p) for p in (ROOT / "docs").glob("*.md"))])
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
