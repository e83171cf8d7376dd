"""Small result tables with numbers that a reader can check by hand."""

from __future__ import annotations

import importlib
import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lindiff import columns

SCALARS = [c.name for c in columns.METRICS if not c.nested]
_ASKED = [name for name in columns.REQUESTABLE if name in SCALARS]
SCHEMA = pa.schema(
    [
        *columns.part_schema(_ASKED),
        pa.field("seconds", pa.float64()),
        pa.field("experiments", pa.list_(pa.string())),
    ]
)


def item_schema(name: str) -> pa.Schema:
    """Schema of ``levels.parquet`` or ``modes.parquet``."""
    item = columns.METRIC[name].arrow_type.value_type
    fields = [item.field(i) for i in range(item.num_fields)]
    return pa.schema([pa.field("cell_id", pa.string()), *fields])


def rows(**settings: Any) -> list[dict[str, Any]]:
    """Rows over the product of the listed values; the other settings are neutral."""
    base = {c.name: None if c.neutral is columns.REQUIRED else c.neutral for c in columns.SETTINGS}
    base |= {"model": "linear_exact", "d": 8, "n": 16, "seed": 0, "status": "ok"}
    base |= {"fingerprint": "0" * 16, "numpy": "2", "seconds": 0.1, "experiments": ["one"]}
    lists = {
        k: v if isinstance(v, list) and k != "experiments" else [v] for k, v in settings.items()
    }
    made = [base | dict(zip(lists, v, strict=True)) for v in itertools.product(*lists.values())]
    for row in made:
        key = [str(row[c.name]) for c in columns.SETTINGS]
        row["cell_id"] = row["family_id"] = "|".join(key)
    return made


def table(made: list[dict[str, Any]]) -> pa.Table:
    """``metrics.parquet`` of the rows, as `collect` leaves it."""
    return pa.Table.from_pylist(made, schema=SCHEMA).sort_by("cell_id")


def nested(name: str, made: list[dict[str, Any]]) -> pa.Table:
    """``levels.parquet`` or ``modes.parquet`` of the rows."""
    return pa.Table.from_pylist(made, schema=item_schema(name))


def sweep() -> tuple[pa.Table, pa.Table, pa.Table]:
    """Metrics, levels and modes that feed every figure; the numbers are made up but plausible."""
    rng = np.random.default_rng(0)
    made = rows(
        d=[8, 16],
        n=[4, 16, 64],
        ridge=[0.0, 0.01, 0.1],
        seed=list(range(5)),
        draw="samples",
        spectrum=["isotropic", "power_law"],
    )
    levels, modes = [], []
    for row in made:
        if row["spectrum"] == "power_law":
            row["spectrum_params"] = '{"exponent":1.0}'
            row["cell_id"] += "k"
        noise = float(rng.lognormal(sigma=0.1))
        gap = row["d"] / row["n"] * noise
        row |= {
            "train_loss": 0.3 / noise,
            "test_loss": 0.3 / noise + gap,
            "optimal_loss": 0.4,
            "null_loss": 0.5 * gap if row["n"] < row["d"] else 0.0,
            "monte_carlo_gap": gap * 1.01,
            "monte_carlo_gap_se": 0.02 * gap,
        }
        for name in ("kl_model_data", "kl_data_model"):
            infinite = row["ridge"] == 0 and row["n"] <= row["d"]
            row |= {
                name: np.inf if infinite else gap / 4 + row["ridge"],
                f"{name}_floor": row["ridge"],
            }
        levels += [
            {
                "cell_id": row["cell_id"],
                "t": t,
                "alpha_bar": 1 - t / 1000,
                "train_loss": row["train_loss"],
                "test_loss": row["test_loss"],
            }
            for t in (1, 6, 32, 178, 999)
        ]
        rank = min(row["n"] - 1, row["d"])
        values = [*np.geomspace(2, 0.5, rank), *([0.0] if rank < row["d"] else [])]
        modes += [
            {
                "cell_id": row["cell_id"],
                "mode": i + 1,
                "eigenvalue": value,
                "multiplicity": 1 if value else row["d"] - rank,
                "generated_variance": (value + row["ridge"]) * noise,
                "population_variance": 1.0,
                "overlap": None,
            }
            for i, value in enumerate(values)
        ]
    return table(made), nested("levels", levels), nested("modes", modes)


@cache
def feed(name: str) -> tuple[pa.Table, dict[str, pa.Table]]:
    """Metrics, and the nested tables by name, that feed the figure `name`.

    `feeds/NAME.py` has a ``sweep`` where this one's is not enough: it returns metrics, levels and
    modes, or metrics and a mapping of nested tables by name.
    """
    try:
        found = importlib.import_module(f"tests.figures.feeds.{name}").sweep()
    except ModuleNotFoundError:
        found = sweep()
    metrics, *rest = found
    if not isinstance(rest[0], dict):
        rest = [dict(zip(("levels", "modes"), rest, strict=True))]
    return metrics, {key: nested(key, []) for key in columns.NESTED} | rest[0]


def write(folder: Path, metrics: pa.Table, **tables: pa.Table) -> None:
    """Write the tables where `draw_figure` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"metrics": metrics, **tables}.items():
        pq.write_table(content, folder / f"{name}.parquet")
