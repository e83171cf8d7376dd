"""What the jobs of ``workflow/rules`` ask a cluster for: minutes, memory, GPUs."""

from __future__ import annotations

import math

import numpy as np

from lindiff.columns import NESTED
from lindiff.config import resolve
from lindiff.models import MODELS
from lindiff.planning.rows import lengths
from lindiff.sweep.grid import most
from lindiff.sweep.plan import Plan
from lindiff.sweep.store import Shard

# Minutes of a job beside its estimate, and how wrong the estimate may be.
_START_MINUTES = 5
_MARGIN = 3
# A process that holds the table, in MB: itself, matplotlib, Snakemake's own beside it.
_TABLE_MB = 650
# A row of the table while it is merged or drawn, and of one of a nested metric with its cell's id.
_ROW_BYTES = 900
_NESTED_BYTES = 2 * 80


def minutes(shard: Shard, attempt: int) -> int:
    """Time limit of a shard's job in minutes; grows with the attempt."""
    return (_START_MINUTES + math.ceil(_MARGIN * shard.seconds / 60)) * attempt


def gpus(shard: Shard, settings: resolve.Config) -> int:
    """GPUs of a shard's job: one where the config says that its model is trained on one."""
    return int(settings.device == "cuda" and MODELS[shard.model].trained)


def table_memory(plan: Plan, attempt: int) -> int:
    """Memory of a job that holds the tables, in MB; grows with the attempt."""
    rows = plan.wanted + (plan.rounds.more if plan.rounds else 0)
    size = rows * _ROW_BYTES + sum(map(_nested, plan.config.experiments.values()))
    return (_TABLE_MB + math.ceil(size / 1e6)) * attempt


def _nested(experiment: resolve.Experiment) -> float:
    """Bytes of the rows of an experiment's nested metrics, at the most."""
    d, n = (max(experiment.axes.get(name, [math.inf])) for name in ("d", "n"))
    of_cell = lengths(np.array(float(d)), np.array(float(n)))
    rows = sum(float(of_cell[name]) for name in NESTED if name in experiment.metrics)
    return most(experiment) * rows * _NESTED_BYTES
