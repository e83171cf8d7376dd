"""Where advice is written to: a page, a picture; and the targets that are given as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lindiff.advice import page
from lindiff.advice.picture import draw
from lindiff.advice.result import Advice
from lindiff.drawing import output, style
from lindiff.errors import InputError

ENDINGS = (".html", ".pdf", ".png")


def check_outputs(out: Sequence[Path], config: Path | None, columns: Sequence[str]) -> None:
    """Refuse what could not be written, before anything is computed.

    Raises:
        InputError: A file ends in nothing that is written, its folder is missing, or the config is
            there already or would have to name `columns` to keep, which a config does not.
    """
    for path in out:
        if path.suffix not in ENDINGS:
            raise InputError(f"--out {path}: must end in one of {', '.join(ENDINGS)}")
    for path in (*out, *((config,) if config else ())):
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
    if config is not None and config.suffix not in (".yaml", ".yml"):
        raise InputError(f"--write {config}: must end in .yaml or .yml")
    if config is not None and columns:
        raise InputError("--write: a config keeps no --columns; leave the others out by --drop")
    if config is not None and config.exists():
        raise InputError(f"--write {config}: there is one already; give another name")


def share(option: str, text: str) -> float:
    """A share as a user writes it: ``5%`` or ``0.05``.

    Raises:
        InputError: It is no number above 0 and below 1.

    >>> share("--gap", "5%"), share("--gap", "0.05")
    (0.05, 0.05)
    """
    number = text.strip()
    try:
        found = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        found = math.nan
    if not 0 < found < 1:
        raise InputError(f"{option} {text}: write a share between 0 and 1, as 5% or 0.05")
    return found


def positive(option: str, number: float) -> float:
    """A number above 0.

    Raises:
        InputError: It is none.
    """
    if not 0 < number < math.inf:
        raise InputError(f"{option} {number:g}: must be a number above 0")
    return number


def write_outputs(advice: Advice, out: Sequence[Path], command: str) -> None:
    """Write the page and the pictures, each whole or not at all.

    Args:
        advice: What was found.
        out: The files.
        command: What makes a sweep of the same data, for the page; empty where nothing does.
    """
    if not out:
        return
    with style.applied():
        figure = draw(advice)
        for path in out:
            if path.suffix == ".html":
                page.write(advice, path, output.rendered(figure, ".png"), command)
            else:
                output.write(figure, path, f"Advice on {advice.name}")
