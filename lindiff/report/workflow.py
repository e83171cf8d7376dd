"""What ``workflow/Snakefile`` asks for: the plan, paths, resources, texts. Imports no Snakemake.

In Snakemake's main process the plan is made (which only reads); a job on another machine parses the
Snakefile too, but finds the plan file and does not plan.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lindiff import __file__ as package
from lindiff import figures
from lindiff.config import resolve
from lindiff.config.overrides import for_snakemake
from lindiff.config.words import few, message, printable, suggestion
from lindiff.config.yamlfile import shown
from lindiff.errors import InputError, is_of_machine, machine_text
from lindiff.files import lock_run
from lindiff.report.ending import accounting, earlier, killed, no_space
from lindiff.report.plans import Plans
from lindiff.report.polling import remember_jobs
from lindiff.report.searches import told
from lindiff.report.stopping import stop_jobs_with_the_run
from lindiff.report.summary import summary
from lindiff.sweep import derived
from lindiff.sweep.leftovers import leftovers, remove
from lindiff.sweep.owner import check_owner, record_owner
from lindiff.sweep.plan import Plan, find_plan, make_plan
from lindiff.sweep.rounds import with_rounds
from lindiff.sweep.store import Shard, Store, read_header

DEFAULT = "config/default.yaml"
KEYS = ("sweep", "results", "set")


@contextmanager
def telling() -> Iterator[None]:
    """Turn an error of the user or the machine into its message on stderr and exit code 2 or 1."""
    try:
        yield
    except InputError as error:
        print(message(error), file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        if not is_of_machine(error):
            raise
        print(machine_text(error), file=sys.stderr)
        sys.exit(1)


def _check_keys(settings: Mapping[str, object]) -> None:
    """Refuse a key that is none: a mistyped ``sweep`` would run the default one."""
    if wrong := [f"{key}{suggestion(str(key), KEYS)}" for key in settings if key not in KEYS]:
        raise InputError(
            f"--config: unknown {'key' if len(wrong) == 1 else 'keys'} {few(wrong)}; there are "
            f"{', '.join(KEYS)}: the rest of a sweep is in the file that sweep=FILE names"
        )


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


def _settings(settings: Mapping[str, object]) -> tuple[str, ...]:
    """What is set beside the file: ``set='["KEY=VALUE", …]'``, a list of texts."""
    given = settings.get("set", [])
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise InputError(f"set = {shown(given)}: write a list of texts: set='[\"KEY=VALUE\"]'")
    return tuple(given)


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
    def open(cls, settings: Mapping[str, object], main: bool, own: bool = True) -> Sweep:
        """The sweep that ``--config sweep=FILE results=DIR`` names.

        Args:
            settings: Snakemake's config; only the keys `KEYS` are read.
            main: Whether this is Snakemake's main process, which plans.
            own: Whether the config is this workflow's; another one's may have keys of its own.
        """
        with telling():
            if main and own:
                _check_keys(settings)
            file = _text(settings, "sweep", DEFAULT, main)
            results = Path(_text(settings, "results", "results", main))
        # Jobs call the `lindiff` that belongs to this Python, activated or not.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["LINDIFF_SOURCE"] = str(Path(package).resolve().parents[1])
        with telling():
            if wrong := [c for c in str(results) if c in "{}<>" or not c.isprintable()]:
                raise InputError(
                    f"results = {str(results)!r}: Snakemake would not take {wrong[0]!r} for a "
                    "character of the name; choose another folder"
                )
            if not main:
                return cls(file, results, find_plan(results, Path(file).stem), main)
            config = resolve.load(file, _settings(settings))
            check_owner(config, Path(file), results)
            plan = make_plan(config, results)
        tell(plan)
        return cls(file, results, plan, main)

    @property
    def path(self) -> str:
        """The config file, by one text for ``x.yaml`` and ``./x.yaml``: rules compare it."""
        return os.path.normpath(self.file)

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
        return self.parts(self.plan)

    def parts(self, plan: Plan) -> list[str]:
        """The parts that a plan has still to be made."""
        return [f"{self.store}/parts/{shard.name}.parquet" for shard in plan.pending]

    @property
    def drawn(self) -> list[str]:
        """The files of the figures."""
        folder = Path(self.folder)
        return [str(path) for name in self.plan.figures for path in figures.outputs(name, folder)]

    @property
    def answers(self) -> list[str]:
        """The page of answers, where figures give any."""
        return [f"{self.folder}/{derived.ANSWERS}"] if self.drawn else []

    @property
    def page(self) -> str:
        """The page of the config."""
        return f"{self.folder}/{derived.PAGE}"

    @property
    def drawn_data(self) -> list[str]:
        """The data of the figures."""
        return [path for path in self.drawn if path.endswith(".parquet")]

    def shard(self, name: str) -> Shard:
        """The shard of that name, from the plan or, where a job runs it again, from its spec."""
        return self.plans.shard(name) or read_header(Store(Path(self.store)).spec(name), "spec")

    @cached_property
    def plans(self) -> Plans:
        """The plan and those of later rounds, which are told as they come."""
        return Plans(self.plan, self.main, tell)

    def start(self, executor: str = "") -> None:
        """Keep other runs out of the store until this process ends; its jobs end with it.

        Args:
            executor: The name of Snakemake's executor, of which a cluster is asked what it keeps.
        """
        if self.main:
            store = Store(Path(self.store))
            lines = [*earlier(store, self.plan.pending), *killed(store, self.plan.pending)]
            if executor == "slurm":
                lines += accounting()
            if lines:
                print("\n".join(lines), file=sys.stderr)
            with telling():
                lock_run(Path(self.store))
                record_owner(Path(self.file), Path(self.folder))
                for path in leftovers(self.results):
                    remove(path)
            stop_jobs_with_the_run()
            if executor == "slurm":
                remember_jobs()

    def failed(self) -> None:
        """Say what logs cannot: that there was no space for them, and which jobs were killed."""
        if self.main:
            lines = [*no_space(self.results), *killed(Store(Path(self.store)), self.plans.pending)]
            for line in lines:
                print(line, file=sys.stderr)

    def end(self) -> None:
        """Say where the results are."""
        if self.main:
            print(printable(self.farewell()))

    def _searches(self) -> list[str]:
        """What searches along refined axes have found."""
        if self.plan.rounds is None:
            return []
        arms = with_rounds(self.plan.config, Store(Path(self.store)))[1]
        return [f"refined:  {told(arm)}" for arm in arms]

    def farewell(self) -> str:
        """Where the results are, and how to get the report; `make` gets it itself and says so."""
        lines = [f"table:    {self.tables[0]}"]
        if self.drawn:
            lines.append(f"figures:  {self.folder}/figures/ ({', '.join(self.plan.figures)})")
            lines.append(f"answers:  {self.answers[0]}")
        lines.append(f"page:     {self.page} (open it in a browser)")
        if "LINDIFF_MAKE" not in os.environ:
            lines += self._searches()
            settings = self.plan.config.overrides
            usual = (self.file, self.results, settings) == (DEFAULT, Path("results"), ())
            ask = "" if usual else self._as_config()
            # Snakemake expands variables in this path, and takes one with a dash for an option.
            odd = "$" in self.folder or self.folder.startswith("-")
            report = "report.zip" if odd else f"{self.folder}/report.zip"
            lines.append(f"report:   snakemake{ask} --report {shlex.quote(report)}")
        return "\n".join(lines)

    def _as_config(self) -> str:
        settings = map(shlex.quote, for_snakemake(self.plan.config.overrides))
        place = f"sweep={shlex.quote(self.file)} results={shlex.quote(str(self.results))}"
        return " ".join([" --config", place, *settings])


def tell(plan: Plan) -> None:
    """Say a plan on the console."""
    print(printable("\n".join(summary(plan))), file=sys.stderr)
