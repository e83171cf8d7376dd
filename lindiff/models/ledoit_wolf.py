"""Ledoit–Wolf: the denoiser of the covariance that a statistician would estimate.

The exact Bayes denoiser of N(μ0, Σ_LW) with Σ_LW = (1 − δ) Σ0 + δ (tr Σ0/d) I (Ledoit & Wolf 2004,
"A well-conditioned estimator for large-dimensional covariance matrices"; docs/theory.md,
"Ledoit–Wolf"). Σ_LW has the eigenvectors of Σ0, so this is the linear model without
regularization, its filters evaluated at shrunk eigenvalues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from lindiff.models.linear_cells import Filters, groups
from lindiff.models.linear_family import Family, as_table, common_metrics, make_family, make_table
from lindiff.science.draws import Draw

# δ is a difference over a sum: where it is 0, as at N = 2, rounding leaves this much.
_ROUNDING = 1e-12


def shrinkage(draw: Draw) -> float:
    """Ledoit and Wolf's δ for the training set about its centre, between 0 and 1.

    Args:
        draw: A draw with samples.

    Raises:
        ValueError: The draw has no samples.
    """
    if draw.centred is None:
        raise ValueError("ledoit_wolf needs the training samples: set `draw: samples`")
    found = float(ledoit_wolf_shrinkage(draw.centred, assume_centered=True))
    return found if found > _ROUNDING else 0.0


def _group_metrics(
    family: Family, delta: float, filters: Filters, wanted: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """Metric columns of the cells of one schedule and sampler, arrays of shape (F,)."""
    nodes, target = family.mu.nodes, family.draw.eigenvalues.sum() / family.draw.d
    evaluated = make_table(filters, family.span).at((1 - delta) * nodes + delta * target)
    result = common_metrics(family, filters, evaluated, wanted)
    result["shrinkage"] = np.full_like(result["test_loss"], delta)
    return result


def run(cells: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """All cells of one family.

    Args:
        cells: Cells of one family, in the schema of `lindiff.columns.cell_schema`.
        wanted: Names of the metric columns.

    Returns:
        ``cell_id``, the metric columns, ``status`` and ``message``, rows as in `cells`.

    Raises:
        ValueError: Settings that the model cannot compute.
    """
    family = make_family(cells)
    delta = shrinkage(family.draw)
    results = [
        (rows, _group_metrics(family, delta, filters, frozenset(wanted)))
        for rows, filters in groups(cells)
    ]
    return as_table(cells, wanted, results, [None] * len(cells))
