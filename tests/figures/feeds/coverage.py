"""Runs of an MLP that copies the points of a training set the more, the later their own time is."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.figures import synthetic

STEPS, STOPS, NS = 800, [100, 200, 400, 0], [8, 32]


def place(point: int, n: int) -> float:
    """The planted own time of a point of N: from 1 to 2 in the order of the points."""
    return 1 + point / n


def copied(point: int, n: int, step: int) -> int:
    """How often it is copied: at the end of the run the latest half, twice its place in them."""
    return max(0, 2 * (point - n // 2)) * step // STEPS


def area(n: int, step: int) -> float | None:
    """The planted AUC; at the first stop of the largest N nothing is copied."""
    return None if (n, step) == (NS[-1], STOPS[0]) else 0.5 + step / STEPS / 4


def rows(**settings: Any) -> list[dict[str, Any]]:
    common: dict[str, Any] = {"model": "mlp", "d": 8, "draw": "samples", "sampler": "ddim"}
    common |= {"steps": STEPS, "width": 64, "learning_rate": 6e-3, "timesteps": 100}
    made = synthetic.rows(**common | {"n": NS, "seed": [0, 1, 2, 3], "stop_step": STOPS} | settings)
    for row in made:
        row["copied_auc"] = area(row["n"], row["stop_step"] or row["steps"])
    return made


def nested(made: list[dict[str, Any]]) -> pa.Table:
    """A row a training point; own times of seed s are 0.97, 0.99, 1.01 and 1.03 times planted.

    Of what is copied at all, seed 0 has a copy less and seed 3 one more.
    """
    found = []
    for row in made:
        n, step = row["n"], row["stop_step"] or row["steps"]
        for point in range(n):
            time = place(point, n) * (0.97 + 0.02 * row["seed"])
            hits = copied(point, n, step)
            hits += (-1, 0, 0, 1)[row["seed"]] * (hits > 0)
            own = {"own_time": time, "own_time_se": 0.01, "nearest": time, "second": 2 * time}
            own |= {"log_density": -time, "copied": hits}
            found.append({"cell_id": row["cell_id"], "point": point} | own)
    return synthetic.nested("coverage", found)


def sweep() -> tuple[pa.Table, dict[str, pa.Table]]:
    made = rows()
    return synthetic.table(made), {"coverage": nested(made)}
