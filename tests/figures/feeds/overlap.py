"""Overlaps m of two spikes by their law, training sets 0.08 m (1 − m) above and below it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from lindiff.science import laws
from tests.figures import synthetic

D = 64
SPIKES = (2.0, 4.0)
NS = [8, 64, 512]


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    made = []
    theory = {"model": "linear_theory", "seed": None, "data": None, "draw": None}
    for kind, params in (
        ("isotropic", {}),
        *(("spiked", {"count": 1, "spike": spike}) for spike in SPIKES),
    ):
        own = {"d": [8, D], "spectrum": kind, "spectrum_params": json.dumps(params)}
        made += synthetic.rows(**own, n=NS, ridge=[0.0, 0.1], seed=[0, 1])
        made += synthetic.rows(**own, n=[8, 16, 64, 512], ridge=[0.0, 0.1], **theory)
    for row in made:
        spike = json.loads(row["spectrum_params"]).get("spike")
        if spike is not None:
            shift = 0.0 if row["seed"] is None else 0.08 * (2 * row["seed"] - 1)
            mean = float(laws.spike_overlap(row["n"] / row["d"], spike))
            row["overlap_1"] = mean + shift * mean * (1 - mean)
        assert np.isfinite(row.get("overlap_1") or 0.0)
    return synthetic.table(made), {}
