"""The tables of a finished sweep as data frames, for notebooks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import checksums
from lindiff.columns import METRICS, SECONDS, SETTING
from lindiff.columns.arrays import combinations, plain
from lindiff.columns.groups import SPECTRUM
from lindiff.config.words import few, suggestion
from lindiff.drawing import labels, tables
from lindiff.errors import InputError, is_of_machine
from lindiff.files import local, names_in

if TYPE_CHECKING:
    import pandas as pd

CELLS = "metrics"
_SUFFIX = ".parquet"
_UNITS = {column.name: column.unit for column in (*METRICS, SECONDS) if column.unit}
# Of a cell, what the rows of its other tables are read with.
_OF_CELL = ("cell_id", *SETTING, "status")


def read(results: str | os.PathLike[str], table: str = CELLS) -> pd.DataFrame:
    """A table of a finished sweep, README.md, "What comes out".

    Args:
        results: ``results/<config>``, the folder of a config's results.
        table: ``metrics``, one row a cell, or one of the tables beside it (``levels``, ``modes``,
            …), whose rows come with the settings and the status of their cell.

    Returns:
        A row as the file has it, with ``n_over_d`` beside ``n``. Texts of few values are
        categories; ``spectrum`` is a category in the words of the figures (``spectrum_params``
        keeps the parameters); ``experiments`` is a tuple of names. Whole numbers are ``Int64`` and
        flags ``boolean``, which have a null of their own; a null number is NaN. Cells that diverged
        or failed are among the rows, as ``status`` says. ``frame.attrs["labels"]`` and
        ``frame.attrs["units"]`` have the axis label of each column, in matplotlib's mathtext, and
        the unit of those that have one.

    Raises:
        InputError: There is no such folder or table, or the file is not what was written; the
            message says what there is.

    Example:
        In a folder where a sweep has run, by ``lindiff sweep tiny.yaml``:

        >>> import lindiff
        >>> cells = lindiff.read("results/tiny")
        >>> len(cells), cells["spectrum"].unique().tolist()
        (8, ['isotropic'])
        >>> cells.attrs["labels"]["test_loss"]
        'Test loss'
    """
    folder = Path(results)
    path = folder / f"{table}{_SUFFIX}"
    there = _tables(folder)
    if table not in there:
        words = ", ".join([CELLS, *(name for name in there if name != CELLS)])
        raise InputError(f"{path}: no such table; there are: {words}{suggestion(table, there)}")
    found = _whole(folder, path)
    if table != CELLS:
        found = tables.join(found, _whole(folder, folder / f"{CELLS}{_SUFFIX}").select(_OF_CELL))
    return _frame(found)


def _tables(folder: Path) -> list[str]:
    """The tables of a folder of results.

    Raises:
        InputError: It is none.
    """
    there = names_in(folder, _SUFFIX) if folder.is_dir() else []
    if CELLS in there:
        return there
    if folder.is_file():
        raise InputError(f"{folder}: a file; name its folder, and the table as the second argument")
    if not folder.is_dir():
        configs = _configs(folder.parent)
        others = f"; {folder.parent} has results of: {few(configs)}" if configs else ""
        near = suggestion(folder.name, configs)
        raise InputError(f"{folder}: no such folder{others}{near}")
    configs = _configs(folder)
    if configs:
        raise InputError(f"{folder}: name the results of one config in it: {few(configs)}")
    raise InputError(f"{folder}: it has no {CELLS}{_SUFFIX}; the sweep has to finish first")


def _configs(folder: Path) -> list[str]:
    """The configs that have a table of cells in a folder."""
    return sorted(path.parent.name for path in folder.glob(f"*/{CELLS}{_SUFFIX}"))


def _whole(folder: Path, path: Path) -> pa.Table:
    """A table that is what was written.

    Raises:
        InputError: It is not, or it is no table of cells.
    """
    try:
        reason = checksums.damaged(folder, {checksums.COLLECT: [path]}).get(path)
        table = None if reason else pq.read_table(local(path))
    except (pa.ArrowException, OSError) as error:
        if is_of_machine(error):
            raise
        reason, table = f"it cannot be read: {error}", None
    if table is None:
        raise InputError(f"{path}: damaged: {reason}; the same sweep again makes it anew")
    if "cell_id" not in table.column_names:
        raise InputError(f"{path}: not a table of lindiff: it has no column cell_id")
    return table


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    if {"n", "d"} <= set(table.column_names):
        place = table.column_names.index("n") + 1
        ratio = tables.with_ratio(table)["n_over_d"]
        table = table.add_column(place, "n_over_d", ratio)
    nullable = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.unify_dictionaries().to_pandas(types_mapper=nullable.get)
    if set(SPECTRUM) <= set(table.column_names):
        frame["spectrum"] = _spectra(table)
    if "experiments" in frame:
        frame["experiments"] = frame["experiments"].map(tuple)
    frame.attrs = {
        "labels": {name: _label(name, table.schema) for name in table.column_names},
        "units": {name: _UNITS[name] for name in table.column_names if name in _UNITS},
    }
    return frame


def _spectra(table: pa.Table) -> pd.Categorical:
    """The spectrum of each row in the words of the figures."""
    import pandas as pd

    codes, rows = combinations(table, SPECTRUM)
    pairs = plain(table.select(list(SPECTRUM))).take(pa.array(rows)).to_pylist()
    words = [None if p["spectrum"] is None else labels.spectrum(*p.values()) for p in pairs]
    return pd.Categorical([words[code] for code in codes])


def _label(name: str, schema: pa.Schema) -> str:
    """The axis label of a column: that of the figures, else that of the file, else its name."""
    try:
        return labels.label(name)
    except KeyError:
        metadata: dict[bytes, bytes] = schema.field(name).metadata or {}
        return metadata.get(b"label", name.encode()).decode()
