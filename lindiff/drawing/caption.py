"""The caption of a drawing: what its figure says of itself, and what this one of it holds.

The words are those of `lindiff.drawing.markup`, which writes them as text or LaTeX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from lindiff.drawing import drawn, labels, record, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def words(figure: Figure, data: pa.Table) -> str:
    """The caption of a drawing in sentences: its figure's, what is held fixed, what is left out."""
    facts = tables.facts(data)
    sentences = [facts.get("caption", ""), *record.of(figure).words]
    if drawn.has_dimension(figure):
        sentences.append(f"The dotted vertical line{_panels(figure)} is at $N=d$.")
    if data.num_rows == 0:
        sentences.append(f"Nothing to draw: {' '.join(facts['reasons'])}")
    if count := facts.get("left_out", 0):
        cells = "1 cell that is not ok is" if count == 1 else f"{count} cells that are not ok are"
        sentences.append(f"{cells} left out.")
    if lacking := facts.get("lacking"):
        sentences.append(f"Panels without data take {'; '.join(lacking)}.")
    return " ".join(one for one in sentences if one)


def _panels(figure: Figure) -> str:
    """In which panels N = d is marked, where others are there that may have dotted lines too."""
    known = record.of(figure).panels
    marked = [letter for letter, own in known.items() if any(map(drawn.marks_dimension, own.axes))]
    if len(marked) in (0, len(known)):
        return ""
    return f" in {labels.listed([f'({letter})' for letter in marked])}"
