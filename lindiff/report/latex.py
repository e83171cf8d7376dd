"""Tables of exponents and optima for a paper, in LaTeX with booktabs, from the data of figures.

What is the same in all rows of a table stands in its caption, what differs is a column. A table
with more rows than a page has room for goes over pages, by longtable, with its header on each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lindiff.columns import LABELS, METRIC, SETTING
from lindiff.columns.groups import SPECTRUM
from lindiff.drawing import compare, labels, markup, tables
from lindiff.errors import InputError
from lindiff.figures.data_need import FAR
from lindiff.models import MODELS
from lindiff.report import papers
from lindiff.sweep.plan import Plan

_EXPONENTS = {
    "exponent": "exponent", "harmonic_exponent": "exponent, first step at the harmonic mean",
}  # fmt: skip
_OPTIMA = {"_argmin": "best value", "_minimum": "value there"}
# Rows of a table that floats: with its caption they fit the page of an article in 10 points.
LONGEST = 36
_NUMBERS = ("value", "low", "high", "seeds")
# The figures that have such rows, and what a table of them is called.
NEED = "data_need"
TABLES = {
    NEED: "Exponents of the needed N",
    "training_time": "Exponents of the times of a training run over N",
    "modes": "Exponents of the emergence of modes over their eigenvalue",
    "tuned": "Best regularization and what it reaches",
    "regularization": "Best ridge and weight decay and what they reach",
    "early_stopping": "Best training time and what it reaches",
}


def document(plan: Plan) -> str:
    """The tables of a plan's figures, for `\\input` in a paper; comments name the packages.

    Raises:
        InputError: No figure of the plan has an exponent or an optimum.
    """
    names = [name for name in TABLES if name in plan.figures]
    found = [table(name, papers.data_of(plan, name)) for name in names]
    if not any(found):
        raise InputError(
            f"{plan.config.name}: no exponents and no optima; they are of the figures "
            f"{', '.join(TABLES)}, and need rows with a minimum or a power law"
        )
    return preamble(found) + "\n".join(one for one in found if one)


def preamble(found: Sequence[str]) -> str:
    """Comments that say which packages tables take, and where they cannot stand.

    Args:
        found: Results of `table`.

    Returns:
        Lines of LaTeX, all comments.
    """
    long = any(r"\begin{longtable}" in one for one in found)
    packages = "booktabs,longtable" if long else "booktabs"
    lines = [rf"% In the preamble: \usepackage{{{packages}}}"]
    if long:
        lines.append("% A longtable stands in one column: in a document of two, after \\onecolumn.")
    return "".join(f"{line}\n" for line in lines)


def table(name: str, data: pa.Table) -> str:
    """The table of one figure's data; empty where they have neither exponent nor optimum."""
    rows = [row for row in data.to_pylist() if _is_shown(row)]
    if not rows:
        return ""
    keys = [key for key in data.column_names if key not in (*_NUMBERS, "unit", "strength")]
    keys = [key for key in keys if any(row[key] is not None for row in rows)]
    cells = [_cells(row, keys) for row in rows]
    varying = [key for key in cells[0] if len({cell[key] for cell in cells}) > 1]
    held = [f"{_header(k)}: {v}" for k, v in cells[0].items() if k not in varying and v]
    lines = [
        " & ".join([*(cell[key] for key in varying), *_number_cells(row)]) + r" \\"
        for cell, row in zip(cells, rows, strict=True)
    ]
    header = [*map(_header, varying), "value", r"95\,\% interval", "sets"]
    made = _Table(
        caption=_caption(name, data, held),
        label=f"tab:{name.replace('_', '-')}",
        columns="l" * len(varying) + "rrr",
        header=" & ".join(header) + r" \\",
        rows=lines,
    )
    return _floating(made) if len(lines) <= LONGEST else _over_pages(made)


@dataclass(frozen=True)
class _Table:
    """The pieces of a table in LaTeX; header and rows end their line."""

    caption: str
    label: str
    columns: str
    header: str
    rows: Sequence[str]


def _floating(table: _Table) -> str:
    return "\n".join(
        [
            r"\begin{table}", r"  \centering\small", f"  \\caption{{{table.caption}}}",
            f"  \\label{{{table.label}}}", f"  \\begin{{tabular}}{{{table.columns}}}",
            r"    \toprule", f"    {table.header}", r"    \midrule",
            *(f"    {row}" for row in table.rows),
            r"    \bottomrule", r"  \end{tabular}", r"\end{table}", "",
        ]
    )  # fmt: skip


def _over_pages(table: _Table) -> str:
    """A longtable, in a group of its own for the size of its text and the width of its caption."""
    head = [r"    \toprule", f"    {table.header}", r"    \midrule"]
    more = rf"\multicolumn{{{len(table.columns)}}}{{r}}{{continued on the next page}} \\"
    return "\n".join(
        [
            r"{\small\setlength{\LTcapwidth}{\linewidth}",
            f"  \\begin{{longtable}}{{{table.columns}}}",
            f"    \\caption{{{table.caption}}}\\label{{{table.label}}} \\\\",
            *head, r"    \endfirsthead",
            r"    \caption[]{(continued)} \\", *head, r"    \endhead",
            r"    \midrule", f"    {more}", r"    \endfoot",
            r"    \bottomrule", r"    \endlastfoot",
            *(f"    {row}" for row in table.rows),
            r"  \end{longtable}", "}", "",
        ]
    )  # fmt: skip


def _is_shown(row: dict[str, Any]) -> bool:
    quantity = row["quantity"]
    ours = quantity in _EXPONENTS or quantity.endswith(tuple(_OPTIMA))
    return bool(ours and row.get("unit", "absolute") == "absolute" and row["value"] is not None)


def _cells(row: dict[str, Any], keys: Sequence[str]) -> dict[str, str]:
    """The conditions of a row by their column, in LaTeX."""
    found: dict[str, str] = {}
    for key in keys:
        if key == "spectrum_params":
            continue
        if key == "spectrum" and row[key] is not None:
            found[key] = markup.latex(labels.spectrum(row[key], row[SPECTRUM[1]] or "{}"))
        elif key == "quantity":
            found |= _quantity(row[key])
        else:
            found[key] = "" if row[key] is None else _word(key, row[key])
    return found


def _quantity(name: str) -> dict[str, str]:
    if name in _EXPONENTS:
        return {"quantity": _EXPONENTS[name]}
    (ending,) = (one for one in _OPTIMA if name.endswith(one))
    metric = markup.latex(labels.label(name.removesuffix(ending)))
    return {"metric": metric, "quantity": _OPTIMA[ending]}


def _word(key: str, value: Any) -> str:
    if key == "model" or value in MODELS:
        return markup.latex(MODELS[value].look.label)
    if key == "mixture":
        return markup.latex(labels.mixture(value))
    if key == "data":
        return markup.latex(labels.data_set(str(value)))
    if isinstance(value, str):
        known = value in LABELS or value in labels._DERIVED
        text = labels.label(value) if known else value.replace("_", " ")
        return markup.latex(text)
    return markup.latex(labels.number(_rounded(value)))


def _header(key: str) -> str:
    if key in SETTING or key in ("n_over_d", "t", "alpha_bar"):
        return markup.latex(SETTING[key].label if key in SETTING else labels.label(key))
    return key.replace("_", " ")


def _number_cells(row: dict[str, Any]) -> list[str]:
    value, low, high = (row[name] for name in ("value", "low", "high"))
    ends = "" if low is None or high is None or not math.isfinite(low + high) else (
        f"[{labels.number(_rounded(low))}, {labels.number(_rounded(high))}]"
    )  # fmt: skip
    seeds = "" if row["seeds"] is None else str(row["seeds"])
    return [labels.number(_rounded(value)), ends, seeds]


def _rounded(value: Any) -> Any:
    """Three digits of a number that was computed, all of one that counts."""
    return float(f"{value:.3g}") if isinstance(value, float) and math.isfinite(value) else value


def _caption(name: str, data: pa.Table, held: Sequence[str]) -> str:
    facts = tables.facts(data)
    same = "; ".join(held)
    # Of a setting that has a column the rows say what it is: of several spectra one is no fact.
    fixed = markup.latex(labels.held(facts, without=data.column_names))
    parts = [TABLES[name], same and f"In all rows {same}", fixed and f"Held fixed: {fixed}"]
    if name == NEED:
        levels = [
            labels.equal(METRIC[key].label, labels.number(x)) for key, x in facts["level"].items()
        ]
        parts.append(f"The N of {markup.latex(', '.join(levels))}, fitted where $N>{FAR}\\,d$")
    if facts.get("training") and (found := compare.budgets(data)):
        parts.append(f"Training: {markup.latex('; '.join(found))}")
    prints = ", ".join(facts.get("fingerprints", ()))
    parts.append("Sets: training sets behind a number; intervals are over them")
    parts.append(f"Data of the figure \\texttt{{{markup.latex(name)}}}, code {prints}")
    return ". ".join(part for part in parts if part) + "."


def references(plan: Plan) -> str:
    """BibTeX of the works that a plan's config rests on."""
    from lindiff.report.references import bibtex, used

    return bibtex(used(plan.config.experiments.values())) + "\n"
