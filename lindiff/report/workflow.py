"""What ``workflow/Snakefile`` asks for: the plan, paths, resources, texts. Imports no Snakemake.

In Snakemake's main process the plan is made (which only reads); a job on another machine parses the
Snakefile too, but finds the plan file and does not plan.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lindiff import __file__ as package
from lindiff import figures
from lindiff.config import resolve
from lindiff.config.words import message, printable
from lindiff.errors import InputError
from lindiff.files import lock_run
from lindiff.fingerprint import closure
from lindiff.models import MODELS
from lindiff.progress import duration
from lindiff.sweep.plan import Plan, find_plan, make_plan
from lindiff.sweep.store import Shard, Store, read_header

DEFAULT = "config/default.yaml"
# What Snakemake's own processes take beside a job on a cluster node.
_SNAKEMAKE_MB = 250
# Minutes of a job beside its estimate, and how wrong the estimate may be.
_START_MINUTES = 5
_MARGIN = 3
# A row of the table while it is merged or drawn.
_ROW_BYTES = 2500


@contextmanager
def telling() -> Iterator[None]:
    """Turn an `InputError` into its message on stderr and exit code 2, without a traceback."""
    try:
        yield
    except InputError as error:
        print(message(error), file=sys.stderr)
        sys.exit(2)


def _text(settings: Mapping[str, object], key: str, default: str, main: bool) -> str:
    """A path as it was written: Snakemake hands over ``2024_11_28`` as the number 20241128."""
    value = settings.get(key, default)
    if not isinstance(value, str):
        raise InputError(
            f"{key} = {value!r}: Snakemake took the name for {type(value).__name__}, so it is not "
            f"known how it was written; write it with a path, as {key}=./NAME"
        )
    if not value:
        raise InputError(f"{key}: the name is empty; the working directory is {key}=.")
    # A text has lost its quotes, a comment or a line break, as YAML: that is another name.
    written = [word for word in sys.argv if word.startswith(f"{key}=")]
    if main and written and written[-1] != f"{key}={value}":
        raise InputError(
            f"{written[-1]}: Snakemake took the name for {value!r}; give it a name that YAML reads "
            f"as it is written, such as {key}=./NAME"
        )
    return value


@dataclass(frozen=True)
class Sweep:
    """A config and a results folder, as the rules see them.

    Attributes:
        file: Path of the config file, as given.
        results: The results folder, as given.
        plan: The plan.
        main: Whether this is Snakemake's main process.
    """

    file: str
    results: Path
    plan: Plan
    main: bool

    @classmethod
    def open(cls, settings: Mapping[str, object], main: bool) -> Sweep:
        """The sweep that ``--config sweep=FILE results=DIR`` names.

        Args:
            settings: Snakemake's config; only these two keys are read.
            main: Whether this is Snakemake's main process, which plans.
        """
        with telling():
            file = _text(settings, "sweep", DEFAULT, main)
            results = Path(_text(settings, "results", "results", main))
        # Jobs call the `lindiff` that belongs to this Python, activated or not.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["LINDIFF_SOURCE"] = str(Path(package).resolve().parents[1])
        with telling():
            if set("{}") & set(str(results)):
                raise InputError(f"results = {results}: braces would be wildcards to Snakemake")
            if not main:
                return cls(file, results, find_plan(results, Path(file).stem), main)
            sweep = cls(file, results, make_plan(resolve.load(file), results), main)
        print(printable("\n".join(summary(sweep.plan))), file=sys.stderr)
        return sweep

    @property
    def folder(self) -> str:
        """Folder of the tables and figures."""
        return str(self.results / self.plan.config.name)

    @property
    def store(self) -> str:
        """Folder of the store."""
        return str(self.results / "store")

    @property
    def tables(self) -> list[str]:
        """The tables that are collected."""
        return [f"{self.folder}/{name}" for name in self.plan.tables]

    @property
    def reused(self) -> list[str]:
        """The finished parts."""
        return [f"{self.store}/parts/{name}.parquet" for name in self.plan.reuse]

    @property
    def pending(self) -> list[str]:
        """The parts that are still to be made."""
        return [f"{self.store}/parts/{shard.name}.parquet" for shard in self.plan.pending]

    @property
    def drawn(self) -> list[str]:
        """The files of the figures."""
        folder = Path(self.folder)
        return [str(path) for name in self.plan.figures for path in figures.outputs(name, folder)]

    @property
    def answers(self) -> list[str]:
        """The page of answers, where figures give any."""
        return [f"{self.folder}/answers.html"] if self.drawn else []

    @property
    def drawn_data(self) -> list[str]:
        """The data of the figures."""
        return [path for path in self.drawn if path.endswith(".parquet")]

    def shard(self, name: str) -> Shard:
        """The shard of that name, from the plan or, where a job runs it again, from its spec."""
        return self._pending.get(name) or read_header(Store(Path(self.store)).spec(name), "spec")

    @cached_property
    def _pending(self) -> dict[str, Shard]:
        return {shard.name: shard for shard in self.plan.pending}

    def start(self) -> None:
        """Keep other runs out of the store until this process ends; jobs belong to this run."""
        if self.main:
            with telling():
                lock_run(Path(self.store))

    def end(self) -> None:
        """Say where the results are."""
        if self.main:
            print(printable(self.farewell()))

    def farewell(self) -> str:
        """Where the results are, and how to get the report; `make` gets it itself and says so."""
        lines = [f"table:    {self.tables[0]}"]
        if self.drawn:
            lines.append(f"figures:  {self.folder}/figures/ ({', '.join(self.plan.figures)})")
            lines.append(f"answers:  {self.answers[0]}")
        if "LINDIFF_MAKE" not in os.environ:
            usual = (self.file, self.results) == (DEFAULT, Path("results"))
            ask = "" if usual else self._as_config()
            lines.append(f"report:   snakemake{ask} --report {self.folder}/report.zip")
        return "\n".join(lines)

    def _as_config(self) -> str:
        return f" --config sweep={shlex.quote(self.file)} results={shlex.quote(str(self.results))}"


def memory(shard: Shard, attempt: int) -> int:
    """Memory of a shard's job in MB; grows with the attempt."""
    return (math.ceil(shard.bytes / 1e6) + _SNAKEMAKE_MB) * attempt


def minutes(shard: Shard, attempt: int) -> int:
    """Time limit of a shard's job in minutes; grows with the attempt."""
    return (_START_MINUTES + math.ceil(_MARGIN * shard.seconds / 60)) * attempt


def gpus(shard: Shard, settings: resolve.Config) -> int:
    """GPUs of a shard's job: one where the config says that its model is trained on one."""
    return int(settings.device == "cuda" and MODELS[shard.model].trained)


def table_memory(plan: Plan, attempt: int) -> int:
    """Memory of a job that holds the table, in MB; grows with the attempt."""
    return (1000 + math.ceil(plan.wanted * _ROW_BYTES / 1e6)) * attempt


def figure_sources(name: str) -> list[str]:
    """The files whose editing draws a figure anew."""
    return _from_here(figures.sources(name))


def _from_here(paths: Iterable[Path]) -> list[str]:
    here = Path.cwd()
    return [str(p.relative_to(here) if p.is_relative_to(here) else p) for p in paths]


def answers_sources() -> list[str]:
    """The files whose editing writes the answers anew."""
    module = "lindiff.report.answers"
    rooms = (module, "lindiff.drawing", "lindiff.science")
    return _from_here(sorted(closure(module, rooms).values()))


def figure_caption(name: str) -> str:
    """The caption of a figure in the report."""
    return figures.caption(name)


def figure_category(name: str) -> str:
    """The heading of a figure in the report."""
    return figures.category(name)


def summary(plan: Plan) -> list[str]:
    """A plan in a few lines for the console."""
    lines = [f"{plan.config.name}: {plan.wanted:,} cells wanted, {plan.done:,} finished"]
    if plan.pending:
        shards = "shard" if len(plan.pending) == 1 else "shards"
        lines[0] += (
            f", {plan.wanted - plan.done:,} to run in {len(plan.pending):,} {shards} "
            f"(about {duration(plan.seconds)} on one core)"
        )
    for stale in plan.stale:
        doing = {"rerun": "they run again", "keep": "they are kept"}[stale.policy]
        lines.append(
            f"{plan.config.name}: {stale.cells:,} finished cells of {stale.model} are of older "
            f"code; {doing} (stale: {stale.policy})"
        )
    for name, reason in plan.damaged.items():
        lines.append(f"{plan.config.name}: part {name} is damaged ({reason}); its cells run again")
    return lines
