"""Figures of a config for papers and talks: at a printed width, one panel or all, in any format.

They are drawn from the data that the sweep left, and each file says in its metadata which command
and which code made it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import __file__ as package
from lindiff import checksums, figures
from lindiff.columns import NESTED
from lindiff.drawing import caption, drawn, layout, markup, output, style, tables
from lindiff.errors import InputError
from lindiff.files import local
from lindiff.sweep.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "pgf", "png")
# What sets the text of PGF files, of which matplotlib asks how wide a text is.
TEX_ENGINES = ("xelatex", "lualatex", "pdflatex")

_SVG_FONT = re.compile(rb"(style=\"[^\"]*font-family: )'STIXGeneral'")
# Where the font of the figures is not installed, others of its kind stand in for it.
_SVG_FONTS = rb"\1STIXGeneral, 'STIX Two Text', 'Times New Roman', Times, serif"


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        width: A name of `lindiff.drawing.layout.WIDTHS`.
        formats: Of `FORMATS`.
        panel: The letter of a panel; None for all.
        out: The folder; None for ``results/<config>/figures/papers``.
        command: The command as it was given.
    """

    width: str
    formats: tuple[str, ...]
    panel: str | None
    out: Path | None
    command: str


def formats(text: str) -> tuple[str, ...]:
    """The formats of a list with commas, each once.

    Raises:
        InputError: One is none of `FORMATS`, or PGF and there is no TeX to measure its text.

    Example:
        >>> from lindiff.report import papers
        >>> papers.formats("pdf,svg,pdf")
        ('pdf', 'svg')
    """
    given = tuple(dict.fromkeys(one.strip() for one in text.split(",")))
    if wrong := [one for one in given if one not in FORMATS]:
        raise InputError(f"--format {wrong[0]!r}: no format; there are {', '.join(FORMATS)}")
    if "pgf" in given and not _tex_engine():
        raise InputError(
            "--format pgf: matplotlib writes PGF by asking LaTeX how wide a text is, and there is "
            f"none of {', '.join(TEX_ENGINES)} on this machine: install TeX Live or MiKTeX with "
            "the package pgf"
        )
    return given


def _tex_engine() -> str:
    return next((name for name in TEX_ENGINES if shutil.which(name)), "")


def draw(plan: Plan, names: Sequence[str], request: Request) -> list[Path]:
    """Draw figures of a plan for print, each file whole or not at all.

    Args:
        plan: The plan, in ``results/<config>``.
        names: The figures; each must be listed by an experiment.
        request: Width, panel, formats and folder.

    Returns:
        The files.

    Raises:
        InputError: No such figure or panel, nothing to draw, or a table is missing: before
            anything is written.
    """
    folder = plan.file.parent
    found = {name: data_of(plan, name) for name in names}
    out = request.out or folder / "figures" / "papers"
    width = layout.WIDTHS[request.width]
    contents: dict[Path, bytes] = {}
    for name, data in found.items():
        for suffix in request.formats:
            with style.applied(width.scale, **_settings(suffix)):
                figure = _arranged(name, data, request)
                path = out / f"{_stem(name, request)}.{suffix}"
                contents[path] = _rendered(figure, suffix, _metadata(figure, name, data, request))
    out.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        output.write_bytes(content, path)
    return list(contents)


def data_of(plan: Plan, name: str) -> pa.Table:
    """The data of a figure: those that the sweep left where they are current, else of the tables.

    Raises:
        InputError: As `lindiff.figures.figure_data`.
    """
    folder = plan.file.parent
    figures.check_listed(name, folder, plan.config.feeding(name))
    kept = figures.outputs(name, folder)
    if _is_current(folder, name, kept, plan.file):
        return pq.read_table(local(kept.data))
    return figures.figure_data(name, folder, plan.config.feeding(name))


def _is_current(folder: Path, name: str, kept: output.Outputs, plan: Path) -> bool:
    """Whether the kept data are whole, and younger than all that they are made of."""
    if not kept.data.is_file() or checksums.damaged(folder, {f"figure-{name}": kept}):
        return False
    nested = [f"{metric}.parquet" for metric in figures.needs(name).metrics if metric in NESTED]
    made_of = [plan, *(folder / one for one in ("metrics.parquet", *nested))]
    made_of += figures.sources(name)
    at = kept.data.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns <= at for path in made_of if path.exists())


def _arranged(name: str, data: pa.Table, request: Request) -> Figure:
    if data.num_rows == 0:
        raise InputError(f"{name}: nothing to draw. {' '.join(tables.facts(data)['reasons'])}")
    figure = figures.load(name).draw(data)
    layout.arrange(figure, name, layout.WIDTHS[request.width], request.panel)
    drawn.finish(figure)
    return figure


def _stem(name: str, request: Request) -> str:
    return "-".join(filter(None, [name, request.panel, request.width]))


def _settings(suffix: str) -> dict[str, Any]:
    if suffix == "svg":
        # Computer Modern's fonts have codes of their own: without them its text would be others.
        return {"svg__fonttype": "none", "svg__hashsalt": "lindiff", "mathtext__fontset": "stix"}
    if suffix == "pgf":
        return {"pgf__texsystem": _tex_engine(), "pgf__rcfonts": False}
    return {}


def _metadata(figure: Figure, name: str, data: pa.Table, request: Request) -> dict[str, str]:
    """Title, caption and where a file comes from."""
    panel = f", panel {request.panel}" if request.panel else ""
    prints = ", ".join(tables.facts(data)["fingerprints"])
    return {
        "title": f"{name}{panel}",
        "subject": markup.plain(caption.words(figure, data)),
        "keywords": f"command: {request.command}; code: {code()}; fingerprints: {prints}",
    }


def code() -> str:
    """The commit of the checkout that this lindiff runs from, or its version where there is none.

    Example:
        >>> from lindiff.report import papers
        >>> papers.code().startswith("lindiff ")
        True
    """
    here = Path(package).parent
    known = f"lindiff {version('lindiff')}"
    git = ["git", "-C", str(here)]
    options: dict[str, Any] = {"capture_output": True, "text": True, "check": True, "timeout": 30}
    # Not the repository of somebody else's project that lindiff is installed in.
    asked = ([*git, "ls-files", "--error-unmatch", "__init__.py"],
             [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])  # fmt: skip
    try:
        *_, commit = [subprocess.run(one, **options, env=_plain()).stdout.strip() for one in asked]
    except (OSError, subprocess.SubprocessError):
        return known
    return f"{known}, commit {commit}"


def _plain() -> dict[str, str]:
    """The environment without what tells git of another repository."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def _rendered(figure: Figure, suffix: str, known: dict[str, str]) -> bytes:
    """The bytes of a picture with its metadata, as its format has them."""
    title, subject, keywords = known["title"], known["subject"], known["keywords"]
    if suffix == "pgf":
        return _pgf(figure, known)
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {"Title": title, "Subject": subject, "Keywords": keywords},
        "png": {"Title": title, "Description": subject, "Comment": keywords},
        "svg": {"Title": title, "Description": subject, "Keywords": [keywords]},
    }
    content = output.rendered(figure, f".{suffix}", **metadata[suffix])
    return _SVG_FONT.sub(_SVG_FONTS, content) if suffix == "svg" else content


def _pgf(figure: Figure, known: dict[str, str]) -> bytes:
    """PGF that stands alone: comments first, and the command that matplotlib writes ticks with."""
    if any(ax.images for ax in figure.axes):
        raise InputError(
            f"--format pgf: {known['title']} shows pictures, which PGF has no place for; take pdf"
        )
    for collection in (c for ax in figure.axes for c in ax.collections):
        collection.set_rasterized(False)
    # A line break in a name would end the comment, and what follows would be TeX.
    head = [f"%% {key}: {' '.join(value.split())}" for key, value in known.items()]
    head.append(r"\providecommand{\mathdefault}[1]{#1}%")
    return "\n".join([*head, ""]).encode() + output.rendered(figure, ".pgf")
