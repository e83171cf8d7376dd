"""Small configs for tests, and what the user sees when one is wrong."""

from pathlib import Path

import pytest

from lindiff.config import load
from lindiff.errors import InputError
from lindiff.validate import validate

BASE = """\
experiments:
  a:
    model: linear_exact
    d: 4
    n: 8
    seed: 0
"""


class Maker:
    """Writes a config; keys added to its experiment `a` start on line 7."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "c.yaml"

    def __call__(self, added: str = "", base: str = BASE) -> Path:
        self.path.write_text(base + "".join(f"    {line}\n" for line in added.splitlines()))
        return self.path


def message(path: Path, **overrides: object) -> str:
    """What the user sees, without the folder of the file."""
    with pytest.raises(InputError) as caught:
        validate(load(path, overrides or None))
    return str(caught.value).replace(f"{path.parent}/", "")
