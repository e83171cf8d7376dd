"""What ``workflow/rules/figures.smk`` asks of figures, answers and page.

The files whose editing makes each of them anew, and what Snakemake's report says of figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lindiff import figures
from lindiff.fingerprint import closure
from lindiff.report.page.write import sources as page_assets

_ROOMS = ("lindiff.report", "lindiff.drawing", "lindiff.science")


def figure_sources(name: str) -> list[str]:
    """The files whose editing draws a figure anew."""
    return _from_here(figures.sources(name))


def _from_here(paths: Iterable[Path]) -> list[str]:
    here = Path.cwd()
    return [str(p.relative_to(here) if p.is_relative_to(here) else p) for p in paths]


def answers_sources() -> list[str]:
    """The files whose editing writes the answers anew."""
    return _from_here(sorted(closure("lindiff.report.answers", _ROOMS).values()))


def page_sources() -> list[str]:
    """The files whose editing writes the page anew."""
    found = closure("lindiff.report.page.write", _ROOMS).values()
    return _from_here([*sorted(found), *page_assets()])


def figure_caption(name: str, written: str | Path) -> str:
    """The caption of a figure in the report: the one `written` beside it, where it is drawn.

    Its characters that reStructuredText would read as mark-up are escaped.
    """
    path = Path(written)
    text = path.read_text(encoding="utf-8").strip() if path.is_file() else figures.caption(name)
    return re.sub(r"([\\*`_|])", r"\\\1", text)


def figure_category(name: str) -> str:
    """The heading of a figure in the report."""
    return figures.category(name)
