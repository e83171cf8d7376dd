"""Which config file a folder ``results/<config>`` belongs to.

The folder is named after the file, and two files in different folders may have the same name. So a
run leaves the file's path in ``config-file``, relative to the folder, so that a project that is
moved or copied as a whole keeps its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from lindiff.config.resolve import Config
from lindiff.errors import InputError
from lindiff.files import patiently, write_text
from lindiff.sweep.plan import plan_files, read_plan

NAME = "config-file"


def check_owner(config: Config, file: Path, results: Path) -> None:
    """Refuse a config whose folder of results belongs to another one.

    A file that has moved is not refused, for its old place is empty, nor is a copy of the file that
    asks for the same.

    Args:
        config: The config.
        file: Where it was read.
        results: The results folder.

    Raises:
        InputError: The folder belongs to another file, which is there and was of other content.
    """
    folder = Path(results) / config.name
    owner = _owner(folder)
    if owner is None or owner.samefile(file) or _asks(folder, config):
        return
    raise InputError(
        f"{file}: {folder} holds the results of another config of that name, "
        f"{os.path.relpath(owner)}; rename this one, or give it a results folder of its own "
        f"(results=DIR for snakemake, --results DIR for lindiff)"
    )


def record_owner(file: Path, folder: Path) -> None:
    """Leave in ``results/<config>`` that it belongs to a file, under the lock of a run."""
    text = f"{_relative(file, folder)}\n"
    path = folder / NAME
    if not path.exists() or path.read_bytes() != os.fsencode(text):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(text, path)


def _relative(file: Path, folder: Path) -> str:
    return os.path.relpath(os.path.realpath(file), os.path.realpath(folder))


def _owner(folder: Path) -> Path | None:
    """The file that a folder belongs to; None where none is known, or it is not there any more."""
    path = folder / NAME
    try:
        text = os.fsdecode(patiently(path.read_bytes, path)).removesuffix("\n")
        owner = Path(os.path.normpath(os.path.join(os.path.realpath(folder), text)))
        return owner if owner.is_file() else None
    except (FileNotFoundError, ValueError):
        return None


def _asks(folder: Path, config: Config) -> bool:
    """Whether the plan that is in a folder asks for what a config asks for."""
    for path in plan_files(folder):
        try:
            if read_plan(path).config.with_added({}) == config:
                return True
        except InputError:
            continue  # It is made anew, if it is this config's turn.
    return False
