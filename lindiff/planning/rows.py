"""What finished cells take until their shard is written: rows, and the lists of nested metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lindiff.columns import METRIC, NESTED
from lindiff.columns.groups import GAUSSIAN
from lindiff.models import linear_cells, measured
from lindiff.planning.cells import Array, column, each_word, is_real
from lindiff.science.pools import make_pool

# A cell's settings, metrics and outcome: as read, as computed, as written.
_ROW = 2400
# Copies of a list while its part is put together and encoded, of arrays that grow by doubling.
_COPIES = 6
# A row of a list is a Python dictionary before it is a column, and a number in it an object.
_DICTIONARY, _NUMBER = 232, 32
_LATE = 0.6
# Classes of a mixture, and decades of the eigenvalues of random features, that are counted on.
_CLASSES, _DECADES = 10, 6
# `science.random_features.BINS`, whose import would load SciPy wherever a config is parsed.
_BINS = 10


def kept(families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of a finished cell of each family until its shard is written, shape (families,).

    Args:
        families: The settings of one cell of each family.
        metrics: Metrics asked for.
    """
    # What the lists' Python objects have taken Python gives back late: most counts as if kept.
    size = _ROW + _LATE * objects(families, metrics)
    for name, count in _lengths(families, metrics).items():
        width = sum(field.type.bit_width // 8 for field in _plain(name))
        size += _COPIES * count * width
    if "pictures" in metrics:
        size += _COPIES * 4 * 2 * measured.PICTURES * _pixels(families)
    return size


def objects(families: pa.Table, metrics: Sequence[str]) -> Array:
    """Bytes of the Python objects of a cell's lists, which are there while its family is."""
    size = np.zeros(len(families))
    for name, count in _lengths(families, metrics).items():
        size += count * (_DICTIONARY + _NUMBER * len(_plain(name)))
    if "pictures" in metrics:
        size += _NUMBER * 2 * measured.PICTURES * _pixels(families)
    return size


def _plain(name: str) -> list[pa.Field]:
    """The fields of a nested metric that are one number."""
    item = METRIC[name].arrow_type.value_type
    fields = [item.field(i) for i in range(item.num_fields)]
    return [field for field in fields if not pa.types.is_list(field.type)]


def _lengths(families: pa.Table, metrics: Sequence[str]) -> dict[str, Array]:
    """Rows of each nested metric that is asked for, for each family."""
    d, n = (np.nan_to_num(column(families, name)) for name in ("d", "n"))
    return {name: count for name, count in lengths(d, n).items() if name in metrics}


def lengths(d: Array, n: Array) -> dict[str, Array]:
    """Rows of each nested metric of a cell, from its dimension and training samples."""
    modes, one = np.minimum(d, n) + 1, np.ones_like(d)
    found = {
        "levels": linear_cells.LEVELS * one,
        "modes": modes,
        "linearity": linear_cells.FEW_LEVELS * one,
        "directions": linear_cells.FEW_LEVELS * modes,
        "differences": linear_cells.FEW_LEVELS * d,
        "feature_spectrum": linear_cells.FEW_LEVELS * _DECADES * _BINS * one,
        # Of what is known of a family: a mixture has hardly more classes.
        "classes": _CLASSES * one,
        "coverage": n,
        "pictures": measured.PICTURES * one,
    }
    return {name: found[name] for name in NESTED}


def _pixels(families: pa.Table) -> Array:
    """Numbers of a picture of each family's data, 0 of data that are none."""

    def count(name: str) -> int:
        pool = make_pool(name) if is_real(name) else None
        return pool.columns if pool is not None and pool.picture else 0

    return each_word(count, pc.fill_null(families["data"].cast("string"), GAUSSIAN))
