"""The files of a config that are made from the store: those of a plan, and what of all others.

All of them can be made again from the parts, so those that a plan does not ask for are removed when
it is written; nobody is to find a figure of other cells beside a table. One that is not what was
written may hold the work of a person, and is moved aside instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lindiff import checksums, figures
from lindiff.columns import NESTED
from lindiff.files import free_name

REPORT = "report.zip"
ANSWERS = "answers.html"
PAGE = "index.html"


def made(folder: Path, tables: Sequence[str], drawn: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each job of a plan.

    Args:
        folder: The config's folder.
        tables: File names of the tables.
        drawn: Names of the figures.
    """
    found = {checksums.COLLECT: [folder / name for name in tables]}
    found |= {_job(name): list(figures.outputs(name, folder)) for name in drawn}
    found["page"] = [folder / PAGE]
    return found | ({"answers": [folder / ANSWERS]} if drawn else {})


def outdated(folder: Path, tables: Sequence[str], drawn: Sequence[str]) -> list[Path]:
    """Files that older plans left and a plan does not ask for.

    Of the figures those that this lindiff knows, or that have checksums: others are not ours.
    """
    asked = {path for paths in made(folder, tables, drawn).values() for path in paths}
    names = {*figures.FIGURES, *(j.removeprefix("figure-") for j in _figure_jobs(folder))}
    possible = [folder / f"{name}.parquet" for name in NESTED]
    possible += [path for name in sorted(names) for path in figures.outputs(name, folder)]
    possible.append(folder / ANSWERS)
    return [path for path in possible if path not in asked and path.is_file()]


def tidy(folder: Path, tables: Sequence[str], drawn: Sequence[str]) -> None:
    """Before a plan is written, move aside what is damaged and remove what is of older plans.

    Each file is said on stderr.
    """
    for path, reason in checksums.damaged(folder, made(folder, tables, drawn)).items():
        target = free_name(folder / "damaged" / path.name)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
        print(f"{path}: {reason}; moved to {target} and made again", file=sys.stderr)
    for path in outdated(folder, tables, drawn):
        path.unlink(missing_ok=True)
        print(f"{path}: the config does not ask for it any more; removed", file=sys.stderr)
    if (folder / REPORT).is_file():
        (folder / REPORT).unlink()
        print(f"{folder / REPORT}: is of an older plan; removed", file=sys.stderr)
    for job in set(_figure_jobs(folder)) - {_job(name) for name in drawn}:
        checksums.drop(folder, job)


def _job(figure: str) -> str:
    return f"figure-{figure}"


def _figure_jobs(folder: Path) -> list[str]:
    return [job for job in checksums.jobs(folder) if job.startswith("figure-")]
