"""The plans of one run of the workflow: one, or with refined axes one a round.

The first is made while Snakemake parses. Each later one is written by a job once the shards of the
one before are finished, and read here while Snakemake updates its graph.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lindiff.files import free_name
from lindiff.sweep.plan import Plan, plan_files, read_plan
from lindiff.sweep.store import Shard


class Plans:
    """The plans of a run.

    Attributes:
        refined: Whether the config has refined axes. Their last plan is written when all parts are
            there, so that no part is an input of what comes after it.
        searching: Whether more plans may come: of later rounds, and the last one.
    """

    def __init__(self, first: Plan, main: bool, tell: Callable[[Plan], None]) -> None:
        """Begin with the plan that is known.

        Args:
            first: The plan.
            main: Whether this is Snakemake's main process; a job elsewhere has its one plan.
            tell: Called with each later plan.
        """
        self.refined = first.rounds is not None
        self.searching = main and self.refined and bool(first.pending)
        self._first, self._tell = first, tell
        self._known: list[Plan] = []
        self._of: dict[str, tuple[Shard, Plan]] = {}
        self._add(first)
        self._stem = _unused_stem(first) if self.searching else first.file.stem

    @property
    def planned(self) -> str:
        """What the rule `plan` writes; a plan of refined axes that is there may be of a round.

        Another rule wrote that, which Snakemake would take for a reason to write it again.
        """
        first = self._first
        if self.refined and first.written:
            return str(free_name(first.file.with_name(f"plan-{first.digest}.json")))
        return str(first.file)

    @property
    def following(self) -> str:
        """The files of later plans, by the wildcard ``number``, from 1 on."""
        return self._file("next-{number}")

    @property
    def last(self) -> str:
        """The file of the plan that the table is made of."""
        return self._file("end") if self.searching else str(self._first.file)

    def before(self, number: int, written: Callable[[int], str]) -> Plan:
        """The plan before the later one of that number.

        Args:
            number: From 1 on.
            written: The file of a later plan; raises what Snakemake catches where it is not there.
        """
        while len(self._known) < number:
            plan = read_plan(Path(written(len(self._known))))
            self._add(plan)
            self._tell(plan)
        return self._known[number - 1]

    def closing(self, written: Callable[[int], str]) -> Plan:
        """The plan after which no search asks for more; arguments as of `before`."""
        number = 1
        while (plan := self.before(number, written)).rounds is not None and plan.rounds.open:
            number += 1
        return plan

    def file_with(self, name: str) -> str:
        """The file of the plan that a shard is pending in."""
        return str(self._of.get(name, (None, self._first))[1].file)

    def shard(self, name: str) -> Shard | None:
        """A shard that is pending in one of the plans; None where it is in none."""
        return self._of.get(name, (None, None))[0]

    @property
    def pending(self) -> list[Shard]:
        """The shards that are or were pending in the plans so far."""
        return [shard for shard, _ in self._of.values()]

    def _add(self, plan: Plan) -> None:
        self._known.append(plan)
        self._of.update({shard.name: (shard, plan) for shard in plan.pending})

    def _file(self, end: str) -> str:
        return str(self._first.file.with_name(f"{self._stem}-{end}.json"))


def _unused_stem(plan: Plan) -> str:
    """The beginning of names that no plan file has: one that is there is of another run."""
    taken = [path.stem for path in plan_files(plan.file.parent)]
    stem, count = f"plan-{plan.digest}", 0
    while any(name.startswith(f"{stem}-") for name in taken):
        count += 1
        stem = f"plan-{plan.digest}-{count}"
    return stem
