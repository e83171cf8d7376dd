"""Tiny sweeps through the stages in this process, without Snakemake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lindiff.config.resolve import Config, load
from lindiff.sweep.collect import Collected, collect
from lindiff.sweep.plan import Plan, make_plan, write_plan
from lindiff.sweep.run import run_spec
from lindiff.sweep.store import Store

DEFAULTS = (
    "{model: linear_exact, timesteps: 20, beta_max: 9.0e-3, seed: [0, 1],"
    " metrics: {only: [test_loss, c_mean]}}"
)
ONE = "{d: 4, n: [3, 8], spectrum: isotropic, weight_decay: [0, 0.1]}"


@dataclass(frozen=True)
class Sweep:
    """A folder with configs and results.

    Attributes:
        folder: Its path.
    """

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def store(self) -> Store:
        return Store(self.results / "store")

    def config(self, one: str = ONE, *, name: str = "tiny", more: str = "", shard: str = "1.0e-6",
               defaults: str = DEFAULTS, **experiments: str) -> Config:  # fmt: skip
        """Write a config and load it; by default each of its four families is a shard."""
        lines = [f"shard: {{seconds: {shard}}}", more, f"defaults: {defaults}", "experiments:"]
        lines += [f"  {key}: {text}" for key, text in {"one": one, **experiments}.items()]
        path = self.folder / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load(path)

    def plan(self, config: Config) -> Plan:
        return make_plan(config, self.results)

    def write(self, config: Config) -> Plan:
        plan = self.plan(config)
        write_plan(plan, self.results)
        return plan

    def compute(self, plan: Plan, count: int | None = None) -> None:
        """Run the first `count` pending shards, by default all."""
        for shard in plan.pending[:count]:
            assert run_spec(self.store.spec(shard.name), self.store.part(shard.name))

    def finish(self, config: Config) -> Collected:
        """Plan, run and collect."""
        plan = self.write(config)
        self.compute(plan)
        return collect(plan, self.results / config.name)

    def rows(self, name: str = "tiny") -> dict[str, dict[str, Any]]:
        """Rows of the table by cell, times aside."""
        table = pq.read_table(self.results / name / "metrics.parquet").drop_columns(["seconds"])
        rows = {row["cell_id"]: row for row in table.to_pylist()}
        assert len(rows) == table.num_rows
        return rows

    def files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path.is_file()}
