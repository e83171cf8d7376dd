"""The models of `transition_models`, with shares that a reader can check by hand, and pictures.

Memorized is 1/(1 + (N/M)²) with M = d, twice that for the U-Net; agreement N/(N + b d). Seed s of
eight is 0.01 (s − 3.5)/3.5 above. A picture is that of the digit nearest to a mixture of its own
and another, whose share grows with N.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits

from tests.figures import synthetic
from tests.figures.feeds import transition_models

_LAG = {"linear_exact": 1.0, "linear_theory": 1.0, "linear_trained": 0.8, "mlp": 4.0, "unet": 2.0}
SAMPLES = 8


def memorized(model: str, d: int, n: int) -> float | None:
    if model.startswith("linear") or n < 3:
        return None
    return 1.0 if model == "empirical" else 1 / (1 + (n / d / (2 if model == "unet" else 1)) ** 2)


def agreement(model: str, d: int, n: int) -> float | None:
    return n / (n + _LAG[model] * d) if model in _LAG else None


def rows() -> list[dict[str, Any]]:
    made = transition_models.rows()
    for row in made:
        place = row["model"], row["d"], row["n"]
        shift = 0.0 if row["seed"] is None else 0.01 * (row["seed"] - 3.5) / 3.5
        for name, value in (("memorized_fraction", memorized(*place)),
                            ("agreement", agreement(*place))):  # fmt: skip
            row[name] = None if value is None else value + shift
        if row["data"] == "digits" and row["agreement"] is not None:
            row["uncentred_cosine"] = 0.5 + row["agreement"] / 2
    return made


def pictures(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the networks on digits, less 0.3: of any units."""
    digits = load_digits().data / 16 - 0.3
    found = []
    for row in made:
        if row["data"] != "digits" or row["model"] not in ("mlp", "unet"):
            continue
        share = 1 - memorized(row["model"], row["d"], row["n"])
        for sample in range(SAMPLES):
            own = digits[(7 * sample + row["seed"]) % row["n"]]
            made_up = own + share * 0.6 * (digits[1000 + sample] - own)
            found.append(
                {
                    "cell_id": row["cell_id"],
                    "sample": sample,
                    "height": 8,
                    "generated": np.round(made_up, 3).tolist(),
                    "nearest": own.tolist(),
                    "ratio": 0.05 + 0.9 * share,
                }
            )
    return found


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    made = rows()
    return synthetic.table(made), {"pictures": synthetic.nested("pictures", pictures(made))}
