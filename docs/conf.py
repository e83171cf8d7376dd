"""The documentation site: `make docs`. It is built without a network, and loads nothing from one.

Pages are plain Markdown that a code host shows as well; what of the repository is outside of this
folder is included, and links to it are turned to its page.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import lindiff
from lindiff import figures

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "lindiff"
author = "lindiff"
version = release = lindiff.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_static"]
# Snakemake's rules are not quite Python.
# And a word of code such as `d` may be an attribute of two classes: then it links to one of them.
suppress_warnings = ["misc.highlighting_failure", "ref.python"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# A notebook runs where it finds nothing but what it makes, with the `lindiff` of this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_typehints = "none"  # shapes and units are said in the text
napoleon_google_docstring = True
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "lindiff"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
# One list of all pages, at the side.
html_sidebars = {"**": ["globaltoc.html"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "footer_start": [],
    "footer_end": [],
    "navigation_with_keys": False,
}
# Vendored with its licence: version 3.2.2 of the package mathjax, es5/tex-svg.js.
mathjax_path = "mathjax/tex-svg.js"

# Where a link out of this folder leads on the site; to other files of the repository there is none.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "config/README.md": "configuration.md",
}
# Configs whose pictures the gallery takes, where they have been drawn, the first before the next.
DRAWN = ("smoke", "extended")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:]+)(#[^)]*)?\)")


def linked(text: str, folder: Path) -> str:
    """A Markdown file of `folder` with its links as they are on the site."""

    def link(found: re.Match[str]) -> str:
        image, words, target, anchor = found.groups()
        path = (folder / target).resolve()
        if not path.exists():
            return found[0]
        inside = path.relative_to(ROOT).as_posix()
        page = PAGES.get(inside) or (
            path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else None
        )
        return f"{image}[{words}]({page}{anchor or ''})" if page else words

    return _LINK.sub(link, text)


def gallery() -> str:
    """Every figure with its caption, and as it is drawn where it has been."""
    lines: list[str] = []
    for category in dict.fromkeys(map(figures.category, figures.FIGURES)):
        lines += [f"## {category}", ""]
        for name in (one for one in figures.FIGURES if figures.category(one) == category):
            lines += [f"### {name}", "", figures.caption(name), ""]
            swept = [ROOT / "results" / config / "figures" for config in DRAWN]
            drawn = [folder / f"{name}.png" for folder in (DOCS / "figures", *swept)]
            for path in [path for path in drawn if path.is_file()][:1]:
                lines += [f"![{name}]({os.path.relpath(path, DOCS)})", ""]
    return "\n".join(lines)


def read_page(app: Sphinx, page: str, content: list[str]) -> None:
    """What Sphinx is to read of a page of this folder."""
    text = linked(content[0], DOCS)
    content[0] = text.replace("<!-- figures -->", gallery())


def read_included(app: Sphinx, path: Path, page: str, content: list[str]) -> None:
    """What Sphinx is to read of a file that a page includes."""
    content[0] = linked(content[0], (DOCS / path).resolve().parent)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", read_page)
    app.connect("include-read", read_included)
