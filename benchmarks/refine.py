"""A refined axis against the dense grid of all its values: trainings, and where each has the place.

The place is where the mean memorized fraction of an MLP over three training sets crosses one half
along N, and where the test loss of the exact linear model is least along ridge. What the search
has computed is taken for the dense grid too: the two differ in nothing but the choice of values.

Run: .venv/bin/python -m benchmarks.refine
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.timing import header
from lindiff.config.resolve import Config, load
from lindiff.report.searches import told
from lindiff.sweep.collect import collect
from lindiff.sweep.plan import Plan, make_plan, write_plan
from lindiff.sweep.rounds import Arm, with_rounds
from lindiff.sweep.run import run_spec
from lindiff.sweep.store import Store

EXPERIMENTS = {
    "memory": """\
    model: mlp
    d: 16
    spectrum: {power_law: 1.0}
    draw: samples
    seed: {range: [500, 503]}
    timesteps: 100
    sampler: ddim
    sampling_steps: 50
    width: 64
    steps: 800
    learning_rate: 6.0e-3
    warm_up: 100
    learning_rate_decay: cosine
    metrics: {only: [memorized_fraction]}
    n: {refine: memorized_fraction, at: 0.5, within: 5%, between: [4, 256]}
""",
    "best_ridge": """\
    model: linear_exact
    d: 64
    n: [32, 128]
    spectrum: {power_law: 1.0}
    seed: {range: [0, 5]}
    metrics: {only: [test_loss]}
    ridge: {refine: test_loss, at: minimum, within: 5%, between: [1.0e-3, 10]}
""",
}


def main() -> None:
    header("refined axes against dense grids")
    for name, text in EXPERIMENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            compare(name, text, Path(folder))


def compare(name: str, text: str, folder: Path) -> None:
    """Run an experiment refined, then dense, and print both."""
    path = folder / f"{name}.yaml"
    path.write_text(f"stale: rerun\nexperiments:\n  {name}:\n{text}", encoding="utf-8")
    config, results = load(path), folder / "results"
    start = time.process_time()
    rounds = 0
    while (plan := make_plan(config, results)).pending:
        compute(plan, results)
        rounds += 1
    refined, spent = plan.wanted, time.process_time() - start
    store = Store(results / "store")
    arms = with_rounds(config, store)[1]
    whole = dense(config)
    plan = make_plan(whole, results)
    compute(plan, results)
    total = time.process_time() - start
    print(f"  {name}: {rounds} rounds, {refined} of {plan.wanted} cells of the dense grid, ratio")
    print(f"    {refined / plan.wanted:.3f} (bar 0.333); CPU {spent:.0f} of {total:.0f} s")
    fair = sum(coarsest(arm) * arm.repeats for arm in arms)
    print(f"    of {fair} cells of the coarsest grids that are as fine: {refined / fair:.3f}")
    collect(plan, results / whole.name)
    rows = pq.read_table(results / whole.name / "metrics.parquet").to_pylist()
    for arm in arms:
        print(f"    {told(arm)}")
        low, high = of_all(rows, arm)
        print(f"    dense: between {low:.6g} and {high:.6g}")
        if (low, high) != arm.found.interval:
            print(
                "    NOT the same: the curve has other crossings or minima than a coarse one shows"
            )


def coarsest(arm: Arm) -> int:
    """Values of the smallest grid in even ratios whose neighbours are as near; whole ones once."""
    sought = arm.refinement
    low, high = sought.values[0], sought.values[-1]
    reach = 1 if sought.level is not None else 2
    count = math.ceil(reach * math.log(high / low) / math.log1p(sought.within)) + 1
    found = np.geomspace(low, high, count)
    return len(np.unique(np.rint(found))) if isinstance(low, int) else count


def of_all(rows: list[dict[str, Any]], arm: Arm) -> tuple[float, float]:
    """The values between which a dense curve last crosses the level, or beside its least one."""
    sought = arm.refinement
    own = [row for row in rows if all(row[k] == v for k, v in arm.where.items() if k in row)]
    x = sorted({row[sought.axis] for row in own})
    y = [np.mean([row[sought.metric] for row in own if row[sought.axis] == at]) for at in x]
    if sought.level is None:
        least = int(np.argmin(y))
        return x[least - 1], x[least + 1]
    last = int(np.flatnonzero(np.diff(np.array(y) > sought.level))[-1])
    return x[last], x[last + 1]


def dense(config: Config) -> Config:
    """The config with all values of each search, and no search."""
    found = {}
    for name, experiment in config.experiments.items():
        assert experiment.refine is not None
        values = list(dict.fromkeys(experiment.refine.values))
        axes = experiment.axes | {experiment.refine.axis: values}
        found[name] = experiment.model_copy(update={"axes": axes, "refine": None})
    return config.model_copy(update={"experiments": found, "name": "dense"})


def compute(plan: Plan, results: Path) -> None:
    """Run what a plan needs, in this process."""
    write_plan(plan, results)
    store = Store(results / "store")
    for shard in plan.pending:
        run_spec(store.spec(shard.name), store.part(shard.name), "cpu")


if __name__ == "__main__":
    main()
