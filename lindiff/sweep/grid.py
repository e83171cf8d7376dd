"""Experiments to cells: a table with one row for every assignment of the settings.

Cells are columns (NumPy, Arrow), never one Python object each: a million of them take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lindiff.columns import SETTING, SETTINGS, Column, cell_schema
from lindiff.columns.arrays import Rows, places
from lindiff.columns.groups import GAUSSIAN
from lindiff.config.dimensions import fixed_dimension
from lindiff.config.resolve import Config, Experiment
from lindiff.config.words import canonical_json
from lindiff.errors import InputError
from lindiff.models import MODELS
from lindiff.science.reference import REFERENCE_TIMESTEPS
from lindiff.sweep.bits import Bits, bits
from lindiff.sweep.ids import cell_ids, family_ids

_NULL = -1
_PLACE = "place"  # no setting: the row of the product, while that is formed


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a config asks for.

    Attributes:
        cells: All its cells once, in `cell_schema`, sorted by ``cell_id``.
        request: Metrics asked of each cell, as bits, shape (M,).
        experiments: Per experiment the rows of its cells in `cells`, ascending.
    """

    cells: pa.Table
    request: Bits
    experiments: dict[str, Rows]

    def cells_of(self, experiment: str) -> pa.Table:
        """The cells of an experiment; not a copy where it has all."""
        rows = self.experiments[experiment]
        return self.cells if len(rows) == len(self.cells) else self.cells.take(pa.array(rows))


@dataclass
class _Coded:
    """A column while a product is formed: codes into the distinct values, `_NULL` for null."""

    codes: NDArray[np.int32]
    values: list[Any]

    def where(self, test: Any) -> NDArray[np.bool_]:
        """Mask of the rows whose value fulfils `test`; null rows do not."""
        found = np.array([*(bool(test(value)) for value in self.values), False])
        return np.asarray(found[self.codes])  # the code of null, −1, picks the last entry

    def put(self, mask: NDArray[np.bool_], value: Any) -> None:
        """Set the rows of `mask` to `value`."""
        if value not in self.values:
            self.values = [*self.values, value]
        self.codes[mask] = self.values.index(value)


def count(experiment: Experiment) -> int:
    """Number of rows of the product, before equal cells are merged; takes no memory."""
    return sum(_size(own, model) for own, model in experiment.products())


def most(experiment: Experiment) -> int:
    """As `count`, once all rounds of a refined axis have asked for all that they may."""
    first = experiment.model_copy(update={"added": ()})
    if experiment.refine is None:
        return count(first)
    later = experiment.refine.most - len(experiment.refine.start)
    each = [_size(*experiment.at({"model": model}, [0])) for model in experiment.searched]
    return count(first) + sum(each) * later


def most_cells(experiment: Experiment, first: int) -> int:
    """As `most`, equal cells counted once; `first` is the number of cells of the first round."""
    refinement = experiment.refine
    assert refinement is not None
    each = sum(
        max(_different(*experiment.at({"model": model}, [value])) for value in refinement.start)
        for model in experiment.searched
    )
    return first + each * (refinement.most - len(refinement.start))


def _different(experiment: Experiment, model: str) -> int:
    return len(in_order(experiment, model)[0]["cell_id"].unique())


def _size(experiment: Experiment, model: str) -> int:
    axes = experiment.axes_of(model)
    return int(np.prod([len(values) for values in axes.values()], dtype=object))


def expand(experiment: Experiment) -> pa.Table:
    """The cells of one experiment.

    Args:
        experiment: From `lindiff.config.resolve.load`.

    Returns:
        A table in `cell_schema` sorted by ``cell_id``, each cell once. A setting that does not
        apply (its model does not read it, or `only_with` is not met) is null.

    Raises:
        InputError: Settings that exclude each other; one line for each pair.
    """
    problems: list[str] = []
    tables = [_expand(own, model, problems)[0] for own, model in experiment.products()]
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))
    return _merge(tables)


def in_order(experiment: Experiment, model: str) -> tuple[pa.Table, Rows]:
    """The product of the axes of one model, as it comes.

    Args:
        experiment: From `lindiff.config.resolve.load`.
        model: One of its models.

    Returns:
        The cells, of which some may be equal, and the place of each in the product whose last axis
        runs fastest: settings that exclude each other leave places without a cell.
    """
    return _expand(experiment, model, [])


def _expand(experiment: Experiment, model: str, problems: list[str]) -> tuple[pa.Table, Rows]:
    coded = _product(list(experiment.axes_of(model).items()))
    coded[_PLACE] = _Coded(np.arange(_size(experiment, model), dtype=np.int32), [])
    if "n_over_d" in coded:
        coded["n"] = _from_ratio(coded.pop("n_over_d"), coded["d"], experiment)
    if "spectrum" in coded and "d" in coded:
        coded = _agreeing(coded, experiment)
        if not len(coded["d"].codes):
            message = f"no spectrum of model {model} has one of its d"
            problems.append(experiment.line("spectrum", message))
    place = coded.pop(_PLACE).codes.astype(np.int64)
    _void(coded)
    problems += _conflicts(coded, experiment)
    problems += _bad_schedules(coded, experiment)
    return _table(coded), place


def _product(axes: Sequence[tuple[str, list[Any]]]) -> dict[str, _Coded]:
    """Every combination; the last axis runs fastest."""
    total = int(np.prod([len(values) for _, values in axes]))
    coded, repeats = {}, total
    for name, values in axes:
        repeats //= len(values)
        once = np.repeat(np.arange(len(values), dtype=np.int32), repeats)
        coded[name] = _Coded(np.tile(once, total // max(len(once), 1)), list(values))
    return coded


def _from_ratio(ratio: _Coded, d: _Coded, experiment: Experiment) -> _Coded:
    """n from n_over_d: the nearest whole number to the ratio times d, at least 2."""
    with np.errstate(over="ignore"):
        exact = np.multiply.outer(np.array(d.values, float), np.array(ratio.values, float))
    if exact.max() > SETTING["n"].high:
        largest = max(ratio.values)
        message = f"n would be {exact.max():.3g}; it must be at most {SETTING['n'].high:,}"
        raise InputError(experiment.line("n_over_d", message, largest))
    values, codes = np.unique(np.maximum(np.rint(exact), 2).astype(int), return_inverse=True)
    pairs = codes.reshape(exact.shape).astype(np.int32)
    return _Coded(pairs[d.codes, ratio.codes], [int(value) for value in values])


def _agreeing(coded: dict[str, _Coded], experiment: Experiment) -> dict[str, _Coded]:
    """Without combinations of a spectrum with a d that it does not have, or with other data."""
    spectra, d = coded["spectrum"], coded["d"]
    lengths = [fixed_dimension(value, experiment.sizes) or 0 for value in spectra.values]
    fixed = np.array(lengths)[spectra.codes]
    keep = (fixed == 0) | (fixed == np.array(d.values)[d.codes])
    if "data" in coded:
        data = coded["data"]
        own = [[name in (GAUSSIAN, s.get("name")) for s in spectra.values] for name in data.values]
        keep &= np.array(own)[data.codes, spectra.codes]
    if keep.all():
        return coded
    return {name: _Coded(column.codes[keep], column.values) for name, column in coded.items()}


def _void(coded: dict[str, _Coded]) -> None:
    """Resets settings without effect to neutral or null, so that all spellings are one cell."""
    for column in SETTINGS:
        if column.void_when and column.name in coded and column.void_when[0] in coded:
            setting, value = column.void_when
            coded[column.name].put(coded[setting].where(lambda v, x=value: v == x), column.neutral)
        if column.void_unless and column.name in coded and column.void_unless[0] in coded:
            setting, values = column.void_unless
            outside = ~coded[setting].where(lambda v, ok=values: v in ok)
            coded[column.name].codes[outside] = _NULL


def _conflicts(coded: dict[str, _Coded], experiment: Experiment) -> list[str]:
    """Nulls settings that do not apply; a line for each that was given although it does not."""
    lines = []
    for column in SETTINGS:
        if not column.only_with or column.name not in coded or column.only_with[0] not in coded:
            continue
        setting, allowed = column.only_with
        own, other = coded[column.name], coded[setting]
        outside = ~other.where(lambda v, ok=allowed: v in ok)
        neutral = own.where(lambda v, x=column.neutral: v == x)
        wrong = np.flatnonzero(outside & ~neutral)
        if len(wrong):
            # All pairs of values, found by their codes: few, however many rows there are.
            pairs = np.unique(own.codes[wrong].astype(np.int64) * len(other.values)
                              + other.codes[wrong])  # fmt: skip
            lines += [
                _conflict(column, own.values[a], other.values[b], experiment)
                for a, b in (divmod(int(pair), len(other.values)) for pair in pairs[:5])
            ]
        own.codes[outside & neutral] = _NULL
    return lines


def _conflict(column: Column, value: Any, other: Any, experiment: Experiment) -> str:
    assert column.only_with is not None
    setting, allowed = column.only_with
    message = (
        f"cannot be combined with {setting} = {other!r}; {column.name} needs {setting}: "
        f"{', '.join(allowed)} (give the others an experiment of their own)"
    )
    return experiment.line(column.name, message, value)


def _bad_schedules(coded: dict[str, _Coded], experiment: Experiment) -> list[str]:
    """A line for each β that is outside (0, 1) once it is scaled by 1000/T."""
    if "timesteps" not in coded:
        return []
    lines = []
    timesteps = coded["timesteps"]
    steps = np.array(timesteps.values, float)[timesteps.codes]
    for name in sorted({"beta_min", "beta_max"} & coded.keys()):
        column = coded[name]
        beta = np.array([*column.values, np.nan], float)[column.codes]
        scaled = beta * (REFERENCE_TIMESTEPS / steps)
        bad = np.flatnonzero(scaled >= 1)
        for b, t in sorted({(float(beta[row]), int(steps[row])) for row in _some(bad)}):
            message = (
                f"with timesteps = {t} β becomes {b} · 1000/{t} = {b * 1000 / t:.6g}; it must be "
                f"less than 1: {name} less than {t / 1000:g} or more timesteps"
            )
            lines.append(experiment.line(name, message, b))
    return lines


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most 1000 of the rows, evenly spread: enough to name what is wrong."""
    return rows[:: max(1, len(rows) // 1000)]


def _table(coded: dict[str, _Coded]) -> pa.Table:
    """The cells as a table in `cell_schema`, in the order of the product."""
    rows = len(coded["model"].codes)
    if "spectrum" in coded:
        spectra = coded["spectrum"]
        params = [{k: v for k, v in s.items() if k != "kind"} for s in spectra.values]
        coded["spectrum_params"] = _Coded(spectra.codes, [canonical_json(p) for p in params])
        coded["spectrum"] = _Coded(spectra.codes, [s["kind"] for s in spectra.values])
    settings = {
        column.name: _array(coded[column.name], column)
        if column.name in coded
        else pa.nulls(rows, column.arrow_type)
        for column in SETTINGS
    }
    table = pa.table(settings)
    ids = {"cell_id": cell_ids(table), "family_id": family_ids(table)}
    return pa.table({**ids, **settings}, schema=cell_schema())


def _array(coded: _Coded, column: Column) -> pa.Array:
    codes = pa.array(coded.codes, mask=coded.codes == _NULL)
    if pa.types.is_dictionary(column.arrow_type):
        # Equal texts of several values must be one entry: a dictionary has no duplicates.
        index_of = {text: i for i, text in enumerate(dict.fromkeys(coded.values))}
        position = pa.array([index_of[value] for value in coded.values], pa.int32())
        texts = pa.array(list(index_of), pa.string())
        return pa.DictionaryArray.from_arrays(position.take(codes), texts)
    return pa.array(coded.values, column.arrow_type).take(codes)


def _merge(tables: list[pa.Table]) -> pa.Table:
    """The rows of all tables, each cell once, sorted by ``cell_id``.

    `tables` is emptied and its columns are let go one by one: of a million cells memory is to hold
    little more than one copy.
    """
    table = pa.concat_tables(tables).unify_dictionaries()
    tables.clear()
    order = pc.sort_indices(table["cell_id"]).to_numpy()
    ids = table["cell_id"].take(pa.array(order)).combine_chunks()
    if len(ids) > 1:
        differs = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
        order = order[np.concatenate(([True], differs))]
    schema, rows, columns = table.schema, pa.array(order), []
    for name in schema.names:
        columns.append(_sorted_dictionary(table[name].combine_chunks().take(rows)))
        table = table.drop_columns([name])
    return pa.table(columns, schema=schema)


def _sorted_dictionary(column: pa.Array) -> pa.Array:
    """The same values, with a dictionary that depends on nothing else: those present, sorted."""
    if not pa.types.is_dictionary(column.type):
        return column
    present = pc.unique(column.indices).drop_null()
    texts = column.dictionary.take(present)
    order = pc.sort_indices(texts)
    codes = pc.index_in(column.indices, value_set=present.take(order))
    return pa.DictionaryArray.from_arrays(codes, texts.take(order))


def wanted(config: Config) -> Wanted:
    """All cells that a config asks for, each once, and the metrics asked of each.

    Raises:
        InputError: The grid is larger than ``config.max_cells``, or an experiment's settings
            exclude each other: one line for each.
    """
    _few_enough(config)
    problems, tables = [], {}
    for name, experiment in sorted(config.experiments.items()):
        try:
            tables[name] = expand(experiment)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    ids = {name: table["cell_id"] for name, table in tables.items()}
    merged = list(tables.values())
    tables.clear()
    cells = merged[0] if len(merged) == 1 else _merge(merged)
    request = np.zeros(cells.num_rows, np.uint64)
    rows = {}
    for name, own in ids.items():
        rows[name] = places(own, cells["cell_id"].combine_chunks())
        request[rows[name]] |= bits(config.experiments[name].metrics)
    return Wanted(cells, request & _available(cells), rows)


def _few_enough(config: Config) -> None:
    counts = {name: most(experiment) for name, experiment in config.experiments.items()}
    total = sum(counts.values())
    if total > config.max_cells:
        largest = sorted(counts, key=counts.__getitem__, reverse=True)[:3]
        parts = ", ".join(f"{name} {counts[name]:,}" for name in largest)
        message = (
            f"the grid has {total:,} cells ({parts}), more than {config.max_cells:,}; "
            "raise the limit with the flag --max-cells or the key max_cells"
        )
        raise InputError(config.line("max_cells", message))


def _available(cells: pa.Table) -> Bits:
    """Per cell the metrics that its model can give."""
    models = cells["model"].combine_chunks()
    names = models.dictionary.to_pylist()
    given = np.array([bits(MODELS[name].metrics) for name in names], np.uint64)
    return np.asarray(given[models.indices.to_numpy()])
