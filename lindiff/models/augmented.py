"""From the settings `AUGMENTATION` of a cell to its group and the orbit of its training set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lindiff.columns.groups import NOT_AUGMENTED
from lindiff.science import augmentation, datasets
from lindiff.science.draws import Draw, draw_rows
from lindiff.science.pools import Pool

Array = NDArray[np.float64]


def is_augmented(row: Mapping[str, Any]) -> bool:
    """Whether the training set of a cell is an orbit; null where a model reads no augmentation."""
    return row["augmentation"] not in (None, NOT_AUGMENTED)


def group_size(row: Mapping[str, Any]) -> int:
    """|G| of a cell with augmentation, 1 of others.

    Raises:
        ValueError: There is no such group.
    """
    if not is_augmented(row):
        return 1
    picture = datasets.picture(row["data"]) if row["data"] else None
    size = row["group_size"] or 0
    return augmentation.size_of(row["augmentation"], size, picture, row["d"])


def size_or_none(row: Mapping[str, Any]) -> int | None:
    """`group_size`; None where there is no such group, of which the planner's checks say so."""
    try:
        return group_size(row)
    except ValueError:
        return None


def orbit_of_rows(row: Mapping[str, Any], pool: Pool, rows: Array, known_centre: bool) -> Draw:
    """The training set of a cell with augmentation: the orbit of rows of a data set.

    Args:
        row: Settings of the cell.
        pool: The data set.
        rows: Rows of its pool, shape (N, d).
        known_centre: Whether the centre is the mean of the pool; else it is that of the orbit.
    """
    points = augmentation.orbit_of_pictures(pool, rows, row["augmentation"], group_size(row))
    return draw_rows(pool.spectrum, points, known_centre, pool.moments)


def orbit_of_draw(row: Mapping[str, Any], draw: Draw, known_centre: bool) -> Draw:
    """The orbit of a Gaussian training set; arguments as of `orbit_of_rows`.

    Raises:
        ValueError: There are no samples, or sign changes are not what is asked for, or change the
            population.
    """
    if draw.centred is None:
        raise ValueError("augmentation needs the training samples: set `draw: samples`")
    if draw.mean.any() or row["augmentation"] != augmentation.SIGNS:
        raise ValueError("of Gaussian data there are sign changes about the mean 0")
    points = augmentation.orbit_of_signs(draw.centred + draw.offset, group_size(row))
    return draw_rows(draw.spectrum, points, known_centre, None)
