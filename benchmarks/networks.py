"""What a finished sweep says of networks, against the bars of docs/benchmarks.md.

python -m benchmarks.networks [results/default]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NAMES = ("train_loss", "test_loss", "memorized_fraction", "agreement", "uncentred_cosine")
KEYS = ("data", "n", "seed")


def cells(folder: Path) -> pa.Table:
    """The cells of the experiments on the transition."""
    table = pq.read_table(folder / "metrics.parquet")
    named = pc.list_flatten(table["experiments"])
    rows = pc.list_parent_indices(table["experiments"])
    wanted = pc.is_in(named, pa.array(["networks", "networks_digits", "unet_digits"]))
    return table.take(pc.unique(rows.filter(wanted)))


def transition(table: pa.Table) -> None:
    """Means over training sets, and the relative gap of the losses."""
    print(
        "data      model            N sets " + " ".join(f"{name[:10]:>10}" for name in NAMES), "gap"
    )
    for model in ("linear_exact", "mlp", "unet", "empirical"):
        for data in ("gaussian", "digits"):
            own = table.filter(
                pc.and_(pc.equal(table["model"], model), pc.equal(table["data"], data))
            )
            for n in sorted(set(own["n"].to_pylist())):
                rows = own.filter(pc.equal(own["n"], n))
                means = [pc.mean(rows[name]).as_py() for name in NAMES]
                text = " ".join(f"{'':>10}" if x is None else f"{x:10.4f}" for x in means)
                gap = means[1] / means[0] - 1
                print(f"{data:9} {model:12} {n:5} {len(rows):4} {text} {gap:.3f}")


def lowest(folder: Path, table: pa.Table) -> None:
    """Whether the empirical score has the least training loss at every level of every pair."""
    levels = pq.read_table(folder / "levels.parquet").to_pylist()
    rows = {row["cell_id"]: row for row in table.to_pylist()}
    found: dict[tuple, dict[str, float]] = {}
    for level in levels:
        row = rows.get(level["cell_id"])
        if row is not None and row["seed"] is not None:
            key = (*(row[name] for name in KEYS), level["t"])
            found.setdefault(key, {})[row["model"]] = level["train_loss"]
    for model in ("linear_exact", "mlp", "unet"):
        pairs = [(own["empirical"], own[model]) for own in found.values()
                 if {"empirical", model} <= own.keys()]  # fmt: skip
        lower, other = np.array(pairs).T
        worst = np.max((lower - other) / other)
        print(
            f"empirical against {model}: lower at {np.mean(lower <= other):.4f} of {len(pairs)} "
            f"levels of paired cells, at the worst by {worst:+.3f} of the other's loss"
        )
    own = table.filter(pc.equal(table["model"], "empirical"))
    print(
        "memorized fraction of the empirical score:", pc.min_max(own["memorized_fraction"]).as_py()
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results/default")
    table = cells(folder)
    transition(table)
    lowest(folder, table)


if __name__ == "__main__":
    main()
