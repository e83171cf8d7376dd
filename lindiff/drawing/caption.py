"""The caption of a drawing: what its figure says of itself, and what this one of it holds.

The words are those of `lindiff.drawing.markup`, which writes them as text or LaTeX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from lindiff.drawing import drawn, record, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def words(figure: Figure, data: pa.Table) -> str:
    """The caption of a drawing in sentences: its figure's, what is held fixed, what is left out."""
    facts = tables.facts(data)
    sentences = [facts.get("caption", ""), *record.of(figure).words]
    if drawn.has_dimension(figure):
        sentences.append("The dotted vertical line is at $N=d$.")
    if data.num_rows == 0:
        sentences.append(f"Nothing to draw: {' '.join(facts['reasons'])}")
    if count := facts.get("left_out", 0):
        cells = "1 cell that is not ok is" if count == 1 else f"{count} cells that are not ok are"
        sentences.append(f"{cells} left out.")
    if lacking := facts.get("lacking"):
        sentences.append(f"Panels without data take {'; '.join(lacking)}.")
    return " ".join(one for one in sentences if one)
