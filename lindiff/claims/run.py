"""``lindiff claims``: sweep what feeds some files of claims, then decide them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lindiff.claims import page, table
from lindiff.claims.source import Source, read
from lindiff.claims.verdict import Verdict, decide
from lindiff.errors import InputError
from lindiff.report.launch import only_looks, packed, sweep
from lindiff.sweep.owner import check_owner
from lindiff.sweep.validate import validate

FOLDER = "claims"
TABLE, PAGE = "claims.parquet", "index.html"


@dataclass(frozen=True)
class Run:
    """How the sweeps of some claims are run.

    Attributes:
        results: The results folder.
        cores: A number, or ``all``; None leaves it to Snakemake's profile.
        options: More options for Snakemake.
    """

    results: Path
    cores: str | None = None
    options: Sequence[str] = ()


def sources(files: Sequence[Path], *, cluster: bool = False) -> list[Source]:
    """The files of claims, all of them checked before anything runs.

    Args:
        files: The files; those that come with lindiff where there are none.
        cluster: Take the sizes for a cluster.

    Raises:
        InputError: A line for each error.
    """
    files = files or sorted((packed("configs") / "claims").glob("*.yaml"))
    found = [read(file, cluster=cluster) for file in files]
    for i, source in enumerate(found):
        if source.config.name == FOLDER:
            raise InputError(f"{source.sweep}: the results of claims are in {FOLDER}/: rename it")
        same = [other for other in found[:i] if other.config.name == source.config.name]
        if any(other.sweep.resolve() != source.sweep.resolve() for other in same):
            raise InputError(f"{source.sweep} and {same[0].sweep} have one name, and one results")
        if any(other.settings != source.settings for other in same):
            raise InputError(
                f"{source.sweep}: {same[0].file} and {source.file} change it otherwise"
            )
        validate(source.config)
    return found


def run(found: Sequence[Source], how: Run) -> tuple[int, list[Verdict]]:
    """Run the sweeps of some sources, then write their verdicts.

    Returns:
        The exit code of the first sweep that did not finish, else 0, and the verdicts; none where
        Snakemake was asked for something else than the sweeps.

    Raises:
        InputError: A results folder is of another config.
    """
    sweeps = {source.config.name: source for source in found}
    for source in sweeps.values():
        check_owner(source.config, source.sweep, how.results)
    for source in sweeps.values():
        code = sweep(source.sweep, source.settings, how.results, how.cores, how.options)
        if code:
            return code, []
    if only_looks(how.options):
        return 0, []
    verdicts = [verdict for source in found for verdict in decide(source, how.results)]
    folder = how.results / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    table.write(verdicts, folder / TABLE)
    page.write(verdicts, folder / PAGE)
    return 0, verdicts
