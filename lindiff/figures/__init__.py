"""The figures: one file each, drawn from the tables of a config alone.

A figure is a module of this folder, found by its file: nothing registers it. The file has

- a docstring, the caption: two sentences, what is seen and what is assumed;
- ``NEEDS``: a `Needs`, what an experiment must have to feed it;
- ``CATEGORY``: its heading in the HTML report;
- ``query(metrics[, levels][, modes] …) -> pa.Table``: the exact data drawn. The tables of nested
  metrics are passed, by name, where ``NEEDS.metrics`` has them;
- ``draw(data) -> Figure``: the drawing of what `query` returned, and of nothing else.

Figure modules import no matplotlib at their top level, so that `needs`, `caption` and `category`
cost nothing where a Snakefile is parsed.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from lindiff import checksums
from lindiff.columns import NESTED
from lindiff.columns.arrays import plain
from lindiff.drawing.needs import Needs, reasons
from lindiff.drawing.output import Outputs
from lindiff.errors import InputError
from lindiff.fingerprint import closure
from lindiff.science import datasets

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)


class FigureModule(Protocol):
    """What the file of a figure defines."""

    __doc__: str | None
    NEEDS: Needs
    CATEGORY: str

    def query(self, metrics: pa.Table, **tables: pa.Table) -> pa.Table:
        """The exact data that `draw` draws."""

    def draw(self, data: pa.Table) -> Figure:
        """The drawing of what `query` returned."""


def discover() -> tuple[str, ...]:
    """The names of all figures: the public modules of this folder, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(n for n in found if not n.startswith("_")))


FIGURES: tuple[str, ...] = discover()


def load(name: str) -> FigureModule:
    """The module of the figure `name`.

    Raises:
        InputError: There is no such figure; the message lists those that exist.
    """
    known = discover()
    if name not in known:
        raise InputError(f"no figure named {name!r}; there are: {', '.join(known)}")
    return cast(FigureModule, importlib.import_module(f"{__name__}.{name}"))


def needs(name: str) -> Needs:
    """What an experiment must have to feed the figure `name`."""
    return load(name).NEEDS


def caption(name: str) -> str:
    """The caption of the figure `name`: its module's docstring, as one line of text."""
    return " ".join(inspect.cleandoc(load(name).__doc__ or "").split())


def category(name: str) -> str:
    """The heading of the figure `name` in the HTML report."""
    return load(name).CATEGORY


def missing(
    name: str, axes: Mapping[str, Sequence[object]], metrics: Sequence[str]
) -> tuple[str, ...]:
    """What an experiment lacks to feed the figure `name`, a phrase each; empty if nothing.

    Args:
        name: The figure.
        axes: The values of every setting of the experiment (``n_over_d`` may stand for ``n``).
        metrics: The metrics that the experiment asks for.
    """
    need = needs(name)
    lacks = []
    for axis in need.axes:
        values = [*axes.get(axis, ()), *(axes.get("n_over_d", ()) if axis == "n" else ())]
        if len(values) < 2:
            also = " or n_over_d" if axis == "n" else ""
            lacks.append(f"at least two values of {axis}{also}")
    lacks += [f"the metric {metric}" for metric in need.metrics if metric not in metrics]
    lacks += [
        f"{setting}: {value}"
        for setting, value in need.settings
        if value not in axes.get(setting, ())
    ]
    return tuple(lacks)


def unmet(name: str, cells: pa.Table) -> tuple[str, ...]:
    """What cells lack for the figure `name` to have no empty panel: words that follow "it takes".

    Args:
        name: The figure.
        cells: A table with the columns of all settings: of a plan, or of results.
    """
    return needs(name).unmet(plain(cells))


def sources(name: str) -> tuple[Path, ...]:
    """The files whose editing changes the figure `name`: its own, and what it imports."""
    load(name)
    own = Path(inspect.getfile(sys.modules[f"{__name__}.{name}"]))
    imported = closure(f"{__name__}.{name}", (__name__, "lindiff.drawing", "lindiff.science"))
    return (own, *sorted(path for path in imported.values() if path != own))


def outputs(name: str, results_dir: Path) -> Outputs:
    """The files of the figure `name` in ``results/<config>``: pictures, caption, the data drawn."""
    folder = Path(results_dir) / "figures"
    return Outputs(
        *(folder / f"{name}.{ending}" for ending in ("pdf", "png", "txt", "tex", "parquet"))
    )


def check_listed(name: str, results_dir: Path, experiments: Sequence[str]) -> None:
    """Refuse a figure that does not exist or that no experiment lists.

    Raises:
        InputError: It does not, or none does.
    """
    load(name)
    if not experiments:
        raise InputError(f"no experiment of {Path(results_dir).name} lists the figure {name!r}")


def figure_data(name: str, results_dir: Path, experiments: Sequence[str]) -> pa.Table:
    """The exact data of one figure of a config, from its collected tables.

    Rows whose status is not ``ok`` are left out; their number is logged and kept in the metadata.
    So is what the cells lack for the figure to have no empty panel. Where nothing can be drawn the
    table has no rows, and its facts say why under ``reasons``.

    Args:
        name: The figure.
        results_dir: The config's folder ``results/<config>``, with ``metrics.parquet`` and, where
            the figure needs them, ``levels.parquet`` and ``modes.parquet``.
        experiments: Names of the experiments that feed it: those that list it.

    Returns:
        What the figure's `draw` takes, with its facts as metadata.

    Raises:
        InputError: No such figure, no experiment lists it, or a table is missing.
    """
    from lindiff.drawing import tables

    check_listed(name, results_dir, experiments)
    module = load(name)
    source = tables.read_metrics(Path(results_dir), experiments, module.NEEDS.columns)
    if source.left_out:
        _log.warning("figure %s: %d cells are not ok and not drawn", name, source.left_out)
    ids = source.table["cell_id"]
    extra = {
        t: tables.read_nested(Path(results_dir), t, ids)
        for t in NESTED
        if t in module.NEEDS.metrics
    }
    # Where the matrices of users are, for figures that ask for a spectrum.
    with datasets.folder(Path(results_dir).parent / "store" / "data"):
        data = module.query(source.table, **extra)
    more: dict[str, object] = {}
    if data.num_rows == 0:
        why = reasons(module.NEEDS, source.table, source.left_out)
        _log.warning("figure %s: nothing to draw. %s", name, " ".join(why))
        more["reasons"] = why
    elif lacking := module.NEEDS.unmet(source.table):
        more["lacking"] = list(lacking)
        _log.warning("figure %s: has panels without data: it takes %s", name, "; ".join(lacking))
    return tables.with_facts(
        data,
        figure=name,
        caption=caption(name),
        experiments=list(experiments),
        left_out=source.left_out,
        fingerprints=source.fingerprints,
        **more,
    )


def drawing(name: str, data: pa.Table) -> Figure:
    """The drawing of what `figure_data` returned; of a table without rows a page that says why."""
    from lindiff.drawing import drawn, style, tables

    if data.num_rows == 0:
        return style.page([f"Figure {name}: nothing to draw.", *tables.facts(data)["reasons"]])
    figure = load(name).draw(data)
    drawn.finish(figure)
    return figure


def draw_figure(name: str, results_dir: Path, experiments: Sequence[str]) -> Outputs:
    """Draw what `figure_data` returns for these arguments: the same tables give the same bytes.

    Returns:
        Paths of the PDF, the PNG, the caption as text and as LaTeX, and the Parquet file with the
        exact data drawn.

    Raises:
        InputError: As `figure_data`.
    """
    from lindiff.drawing import style
    from lindiff.drawing.output import save

    data = figure_data(name, results_dir, experiments)
    files = outputs(name, Path(results_dir))
    job = f"figure-{name}"
    with style.applied(), checksums.kept(Path(results_dir), job, files):
        save(drawing(name, data), data, files)
    return files
