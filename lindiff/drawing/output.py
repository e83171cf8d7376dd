"""A drawing as files: pictures of the same bytes for the same data, its caption, its data."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from lindiff import files
from lindiff.drawing import caption, markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}


class Outputs(NamedTuple):
    """The files of a figure: two pictures, its caption as text and as LaTeX, the data drawn."""

    pdf: Path
    png: Path
    text: Path
    latex: Path
    data: Path


def save(figure: Figure, data: pa.Table, outputs: Outputs) -> None:
    """Write a drawing as PDF and PNG, its caption and its data, each whole or not at all."""
    outputs.pdf.parent.mkdir(parents=True, exist_ok=True)
    for path in (outputs.pdf, outputs.png):
        write(figure, path)
    words = caption.words(figure, data)
    files.write_text(markup.plain(words) + "\n", outputs.text)
    files.write_text(markup.latex(words) + "\n", outputs.latex)
    files.write_table(data, outputs.data, data.schema.metadata or {})


def write(figure: Figure, path: Path, title: str | None = None) -> None:
    """Write the drawing as PDF or PNG, by the suffix of `path`, whole or not at all.

    Neither time nor version goes into the file: the same data give the same bytes. `title` is
    that of the file's metadata.
    """
    write_bytes(rendered(figure, path.suffix, Title=title), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a picture, whole or not at all."""
    with files.atomic(path) as temporary:
        temporary.write_bytes(content)


def rendered(figure: Figure, suffix: str, **metadata: Any) -> bytes:
    """The drawing as the bytes of a ``.pdf``, ``.png``, ``.svg`` or ``.pgf``, without a time.

    In memory: matplotlib's PDF writer turns a failing write into errors of its own.

    Args:
        figure: The drawing.
        suffix: What the bytes are of.
        metadata: Keys of the format's metadata as matplotlib names them; PGF has none.
    """
    content = io.BytesIO()
    own: dict[str, Any] = {} if suffix == ".pgf" else {"metadata": _METADATA[suffix] | metadata}
    figure.savefig(content, format=suffix[1:], **own)
    return content.getvalue()
