"""The sweep that is attacked: exact, theory and trained cells, a matrix of the user, a figure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lindiff import files, progress
from lindiff.config.resolve import load
from lindiff.figures import draw_figure, outputs
from lindiff.report import answers
from lindiff.report.page import write as page
from lindiff.sweep.collect import collect
from lindiff.sweep.derived import ANSWERS, PAGE
from lindiff.sweep.plan import make_plan, read_plan, write_plan_at
from lindiff.sweep.run import run_spec
from tests.sweeps import Sweep

_CONFIG = """\
shard: {seconds: 0.3}
defaults:
  timesteps: 20
  beta_max: 9.0e-3
  seed: [0, 1]
  metrics: {only: [test_loss, train_loss]}
experiments:
  exact:
    model: [linear_exact, linear_theory]
    d: 4
    n: [3, 8]
    spectrum: isotropic
    weight_decay: [0, 0.1]
    metrics: {only: [test_loss, train_loss, optimal_loss, levels]}
    figures: [transition]
  own:
    model: linear_exact
    data: {file: own.npy}
    n: [4, 9]
  trained:
    model: mlp
    d: 4
    n: 8
    spectrum: isotropic
    draw: samples
    sampler: ddim
    width: 4
    steps: 30
    learning_rate: 1.0e-2
"""


@dataclass(frozen=True)
class Victim(Sweep):
    """A folder with the config, the data and what the stages made of them."""

    def create(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "victim.yaml").write_text(_CONFIG, encoding="utf-8")
        np.save(self.folder / "own.npy", np.random.default_rng(0).normal(size=(40, 3)))

    def run(self, most: int | None = None) -> None:
        """All stages, each as its job does it where Snakemake would start one.

        With `most` only so many shards, and no table.
        """
        config = load(self.folder / "victim.yaml")
        plan = make_plan(config, self.results)
        if not plan.written:
            plan.file.parent.mkdir(parents=True, exist_ok=True)
            write_plan_at(config, plan.file, plan.digest)
        for shard in plan.pending[:most]:
            run_spec(self.store.spec(shard.name), self.store.part(shard.name))
        if most is not None:
            return
        plan = read_plan(plan.file)
        folder = self.results / config.name
        tables = [folder / name for name in plan.tables]
        parts = [self.store.part(name) for name in plan.parts]
        if not newer(tables, [plan.file, *parts]):
            collect(plan, folder)
        (folder / "figures").mkdir(exist_ok=True)
        for name in plan.figures:
            feeds = [e.name for e in config.experiments.values() if name in e.figures]
            if not newer(outputs(name, folder), tables):
                draw_figure(name, folder, feeds)
        drawn = [path for name in plan.figures for path in outputs(name, folder)]
        if not newer([folder / ANSWERS], drawn):
            answers.write(folder, plan.figures, folder / ANSWERS)
        if not newer([folder / PAGE], [*tables, *drawn, folder / ANSWERS]):
            page.write(folder, plan.figures, plan.tables, folder / PAGE)

    def rows(self, name: str = "victim") -> dict[str, dict[str, Any]]:
        return super().rows(name)

    def levels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(
            self.results / "victim/levels.parquet"
        ).to_pylist()
        return found

    def parts(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.store.parts.glob("*.parquet")}

    def copy(self, folder: Path) -> Victim:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return Victim(folder)


def newer(made: Sequence[Path], sources: Sequence[Path]) -> bool:
    """Whether files are there and none is older than a source: Snakemake's rule."""
    if not all(path.exists() for path in made):
        return False
    oldest = min(path.stat().st_mtime_ns for path in made)
    return oldest >= max(path.stat().st_mtime_ns for path in sources)


def hasten() -> None:
    """No pauses between tries, a checkpoint in every pause, no reports in between."""
    from lindiff.training import checkpoint

    files.PAUSES = (0.0, 0.0, 0.0)
    progress.INTERVAL = 1e6
    checkpoint.CHECKPOINT_SECONDS = 0.0
    checkpoint.SHARE = float("inf")


def in_child(work: Callable[[], object], log: Path) -> int:
    """Run `work` in a fork, its output in `log`; its exit code, or minus the signal that ended it.

    0: done; 1: an error that is not of the user or the machine (its traceback is in the log); 2:
    an `InputError`; 3: an error of the machine.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, 1)
            os.dup2(target, 2)
            code = _outcome(work)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _outcome(work: Callable[[], object]) -> int:
    import traceback

    from lindiff.errors import InputError, is_of_machine, machine_text

    code = 0
    try:
        work()
    except InputError as error:
        os.write(2, f"{error}\n".encode())
        code = 2
    except BaseException as error:
        machine = is_of_machine(error)
        code = 3 if machine else 1
        said = machine_text(error) if machine else "".join(traceback.format_exception(error))
        os.write(2, f"{said}\n".encode())
    return code
