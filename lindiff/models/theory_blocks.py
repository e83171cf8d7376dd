"""The limit of a linear model on the orbit of sign changes: a limit for each block of Σ0.

No element of the group tells the axes of one block apart, and between two blocks the covariance of
an orbit is 0 (docs/theory.md, "Augmentation"). So each block is a linear model of its own, of which
losses and divergences are a share of all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lindiff.models.augmented import group_size
from lindiff.models.linear_cells import spectrum
from lindiff.models.linear_family import FLOORS, KL, as_objects, population_of, to_table, undefined
from lindiff.models.theory_limits import Population, limits_of

Array = NDArray[np.float64]

# What is a sum over dimensions, and so over blocks.
_SUMS = FLOORS | frozenset(
    (
        "train_loss", "test_loss", "optimal_loss", "residual_loss", "null_loss", "c_mean",
        *KL, *(f"{name}_mean" for name in KL),
    )
)  # fmt: skip
_NO_SUM = (
    "no limit with augmentation of the parts of the KL by rank, overlap_1, differences and the "
    "agreement"
)


def _blocks(row: dict[str, Any]) -> Counter[tuple[tuple[float, ...], bool]]:
    """The blocks as their eigenvalues and whether their mean is known, with their numbers.

    The mean of an orbit of N rows is that of its first block; of the others it is 0.
    """
    s, size = spectrum(*population_of(row)[:-1]), group_size(row)
    known = row["centre"] == "known"
    return Counter((tuple(s[i::size].tolist()), known or i > 0) for i in range(size))


def _population(eigenvalues: tuple[float, ...], known: bool) -> Population:
    s = np.array(eigenvalues)
    scale = float(np.sqrt(s.mean()))
    params = json.dumps({"values": eigenvalues})
    return Population(("eigenvalues", params, len(s), scale, 0.0), s, known)


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family with augmentation; see `lindiff.models.theory.run`."""
    row = cells.slice(0, 1).to_pylist()[0]
    asked = [name for name in wanted if name in _SUMS or name == "levels"]
    found = {name: undefined(name, len(cells)) for name in {*wanted, *_SUMS}}
    found |= {name: np.zeros(len(cells)) for name in _SUMS}
    reasons: list[str | None] = [None] * len(cells)
    levels: list[dict[int, dict[str, float]]] = [{} for _ in range(len(cells))]
    for block, count in _blocks(row).items():
        share = count * len(block[0]) / row["d"]
        results, own = limits_of(cells, _population(*block), asked)
        reasons = [one or other for one, other in zip(reasons, own, strict=True)]
        for rows, values in results:
            for name in _SUMS & values.keys():
                found[name][rows] += share * values[name]
            if "levels" in values:
                for place, own_levels in zip(rows, values["levels"], strict=True):
                    _add(levels[place], own_levels, share)
    if "levels" in wanted:
        found["levels"] = as_objects([list(own.values()) or None for own in levels])
    lost = None if _SUMS.union({"levels"}).issuperset(wanted) else _NO_SUM
    reasons = [reason or lost for reason in reasons]
    every = list(range(len(cells)))
    return to_table(cells, wanted, [(every, found)], ["ok"] * len(cells), reasons)


def _add(total: dict[int, dict[str, float]], levels: list[dict[str, float]], share: float) -> None:
    """Adds a block's share to the losses at each level."""
    for level in levels:
        own = total.setdefault(int(level["t"]), level | {"train_loss": 0.0, "test_loss": 0.0})
        for name in ("train_loss", "test_loss"):
            own[name] += share * level[name]
