"""``index.html`` of a config: answers, figures and the explorer, in a file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import shlex
from collections.abc import Sequence
from pathlib import Path
from string import Template

from PIL import Image

from lindiff import checksums, figures, files
from lindiff.errors import InputError
from lindiff.report import answers, sections
from lindiff.report.findings import Said
from lindiff.report.page.cells import AXES, Cells, read_cells
from lindiff.report.page.table import metric_names, payload
from lindiff.sweep.derived import ANSWERS, REPORT

_HERE = Path(__file__).parent
ASSETS = _HERE / "assets"
UPLOT = _HERE.parent / "vendor" / "uplot"
# In the order in which a browser runs them: each uses those before it.
SCRIPTS = (
    "decode.js", "interval.js", "view.js", "paint.js", "axes.js", "chart.js", "save.js", "cell.js",
    "account.js", "explorer.js",
)  # fmt: skip
Found = list[tuple[str, str, Sequence[Said]]]


def write(
    folder: Path,
    drawn: Sequence[str],
    tables: Sequence[str],
    path: Path,
    searches: Sequence[str] = (),
) -> None:
    """Write the page of a config, whole or not at all.

    Args:
        folder: ``results/<config>``, with its tables and figures.
        drawn: Names of the figures.
        tables: File names of the tables.
        path: The page.
        searches: What searches along refined axes have found, a line each.

    Raises:
        InputError: The table, or a file of a figure, is missing.
    """
    found: Found = [
        (one.question, one.figure, said) for one, said in answers.answers(folder, drawn)
    ]
    cells = read_cells(folder)
    asked = {figure for _, figure, _ in found}
    script = _script()
    page = Template(_asset("page.html")).substitute(
        name=html.escape(folder.name),
        digest=_digest(script),
        style=f"{_text(UPLOT / 'uPlot.min.css')}\n{_asset('page.css')}",
        counts=_counts(cells),
        thinned=_thinned(cells),
        summary=_summary(found) + _searches(searches),
        answers=_answers(found, folder) or f"<p>{html.escape(answers.none())}</p>",
        figures="".join(_figure(n, folder) for n in drawn if n not in asked)
        or "<p>No figure that answers none of the questions.</p>",
        files=_files(tables, bool(drawn)),
        terms=sections.terms(_varied(cells), (*metric_names(cells.table), *_nested(tables))),
        table=payload(cells, folder.name, shlex.quote(str(folder))),
        script=script,
    )
    with checksums.kept(folder, "page", [path]):
        files.write_text(page, path)


def sources() -> list[Path]:
    """The files that the page is made of, beside Python's."""
    return sorted(path for place in (ASSETS, UPLOT) for path in place.iterdir() if path.is_file())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _asset(name: str) -> str:
    return _text(ASSETS / name)


def _script() -> str:
    """All that runs, with the licence of what is not ours."""
    licence = f"/*! uPlot\n{_text(UPLOT / 'LICENSE')}*/"
    own = (_asset(name) for name in SCRIPTS)
    return "\n".join([licence, _text(UPLOT / "uPlot.iife.min.js"), *own])


def _digest(script: str) -> str:
    """What a browser is told that it may run: this script, and nothing else on the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _counts(cells: Cells) -> str:
    text = f"{cells.total:,} cells"
    if cells.failed:
        text += (
            f", of which {cells.failed:,} are not ok and not on this page: "
            "<code>lindiff cells</code> with <code>'status!=ok'</code> shows them"
        )
    return f"{text}."


def _thinned(cells: Cells) -> str:
    """What the explorer does not have, if anything."""
    if not cells.notes:
        return ""
    kept, ok = len(cells.table), cells.total - cells.failed
    return html.escape(
        f"The explorer has {kept:,} of {ok:,} cells, so that it is quick: "
        f"{', '.join(cells.notes)}; answers and figures are of all."
    )


def _summary(found: Found) -> str:
    if not found:
        return f"<p>{html.escape(answers.none())}</p>"
    return f"<p>{sections.counted(found)}</p>\n{sections.summary(found)}"


def _searches(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{html.escape(line)}</li>\n" for line in lines)
    return f"\n<h3>Refined axes</h3>\n<ul>\n{items}</ul>"


def _answers(found: Found, folder: Path) -> str:
    return "".join(
        f'<article id="{sections.anchor(figure)}"><h3>{html.escape(question)}</h3>\n'
        f"{sections.paragraphs(said)}{_picture(figure, folder)}</article>\n"
        for question, figure, said in found
    )


def _figure(name: str, folder: Path) -> str:
    """A figure that answers no question."""
    title = html.escape(name.replace("_", " ").capitalize())
    picture = _picture(name, folder)
    return f'<article id="{sections.anchor(name)}"><h3>{title}</h3>\n{picture}</article>\n'


def _picture(name: str, folder: Path) -> str:
    """A figure with its caption and links to its files."""
    drawn = figures.outputs(name, folder)
    for path in (drawn.png, drawn.text):
        if not path.is_file():
            raise InputError(f"{path} is missing: draw the figure {name} first")
    content = files.patiently(drawn.png.read_bytes, drawn.png)
    caption = files.patiently(drawn.text.read_bytes, drawn.text).decode().strip()
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
    return (
        f'<figure><img alt="Figure {html.escape(name)}" width="{width}" height="{height}" '
        f'decoding="async" src="data:image/png;base64,{base64.b64encode(content).decode()}">\n'
        f"<figcaption>{sections.marked(caption)} {sections.links(name)}"
        "</figcaption></figure>\n"
    )


def _files(tables: Sequence[str], answered: bool) -> str:
    named = [*tables, *((ANSWERS,) if answered else ()), REPORT]
    words = {ANSWERS: "the answers alone", REPORT: "Snakemake's report, where it was made"}
    items = ((html.escape(name), words.get(name, "a table")) for name in named)
    return "\n".join(f'<li><a href="{name}">{name}</a>: {what}</li>' for name, what in items)


def _varied(cells: Cells) -> list[str]:
    """Settings with several values, and those that answers speak of."""
    several = (n for n in AXES if n in sections.NAMED or len(cells.table[n].unique()) > 1)
    return list(several)


def _nested(tables: Sequence[str]) -> list[str]:
    return [Path(name).stem for name in tables if name != "metrics.parquet"]
